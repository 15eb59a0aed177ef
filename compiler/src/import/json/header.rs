//! What stands around the layers: the version, the input, where weights and labels come from, defaults and outputs.

use std::path::{Path, PathBuf};

use frit_ir::diagnostic::codes;
use frit_ir::graph::Preprocess;
use frit_ir::ops::Scalar;
use frit_ir::{Diagnostic, Shape};
use frit_passes::stitch::Part;
use serde_json::{Value as Json, json};

use super::defaults::Defaults;
use super::kinds::{Name, Positive, References};
use super::section::{Choice, Field, FieldKind, Rule, Section, object, section, section_kind};
use crate::import::document::{Content, Value};
use crate::import::findings::{Findings, wrong};
use crate::import::limits;
use crate::import::load::load_inside;
use crate::import::part::{Range, Sides, part};
use crate::import::reader::Reader;
use crate::import::request::{Request, Source};
use crate::import::values::Values;

/// The version of the language that is read.
const VERSION: usize = 1;

const FRIT: Field = Field {
    help: "a description begins with \"frit\": 1",
    ..Field::new::<Version>("frit", "The version of the language")
};
const NAME: Field = Field::new::<Option<Name>>("name", "The network's name; without it, the file's");
const INPUT: Field = Field::new::<Entrance>("input", "What the network takes");
const WEIGHTS: Field = Field {
    help: "name a .safetensors file, or write \"weights\": {\"seed\": 7}",
    ..Field::new::<Weights>("weights", "A .safetensors file beside the description, or a seed")
};
const LABELS: Field =
    Field::new::<Option<String>>("labels", "A file beside the description with a name for each class");
const DEFAULTS: Field = Field::new::<Option<Defaults>>("defaults", Defaults::DOC);
const LAYERS: Field =
    Field::new::<Layers>("layers", "The layers; each takes the one before, or names its inputs");
const OUTPUTS: Field =
    Field::new::<Option<References>>("outputs", "The outputs, by name; without it, the last layer");

/// The fields of a description.
pub(super) const FIELDS: &[Field] = &[FRIT, NAME, INPUT, WEIGHTS, LABELS, DEFAULTS, LAYERS, OUTPUTS];

/// What stands around the layers.
pub(super) struct Header<'a> {
    pub(super) name: String,
    pub(super) input: Entrance,
    /// The part of a model that makes the input, where the description names one.
    pub(super) model: Option<Part>,
    pub(super) weights: Option<WeightSource<'a>>,
    pub(super) labels: Option<(String, Value<'a>)>,
    pub(super) defaults: Defaults,
    pub(super) layers: Vec<Value<'a>>,
    /// The names of the outputs; none where it is the last layer.
    pub(super) outputs: Option<Vec<(String, Value<'a>)>>,
}

/// What the network takes, as far as it was read.
#[derive(Default)]
pub(super) struct Entrance {
    pub(super) name: String,
    pub(super) shape: Option<Shape>,
    pub(super) preprocess: Option<Preprocess>,
    /// The model that makes it, up to a tensor.
    pub(super) model: Option<Origin>,
}

/// A model whose result is what a description takes.
pub(super) struct Origin {
    /// Its file, as it is written.
    file: String,
    /// The layer or tensor with which it ends; none where that is its output.
    until: Option<String>,
    /// Whether the description says a name for what it takes.
    named: bool,
}

/// Where the weights come from.
pub(super) enum WeightSource<'a> {
    Seed(u64, Value<'a>),
    /// A file, its name in faults, and where the description names it.
    File(PathBuf, String, Value<'a>),
}

/// Reads what stands around the layers.
pub(super) fn read<'a>(root: &Value<'a>, source: &Source, findings: &mut Findings<'a>) -> Option<Header<'a>> {
    let mut reader = Reader::open(root, findings)?;
    // Whatever follows another version is not looked at.
    reader.field::<Version>(&FRIT, None)?;
    let name = match reader.field::<Option<Name>>(&NAME, None) {
        Some(None) => {
            Path::new(&source.file).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into())
        }
        named => named.flatten().unwrap_or_default().0,
    };
    let mut input = reader.field::<Entrance>(&INPUT, None).unwrap_or_default();
    let model = model(&mut reader, &mut input, source);
    let weights = weight_source(&mut reader, source);
    let labels = reader
        .field::<Option<String>>(&LABELS, None)
        .flatten()
        .and_then(|name| Some((name, reader.given(LABELS.name)?)));
    let defaults = reader.field::<Option<Defaults>>(&DEFAULTS, None).flatten();
    let layers = reader.field::<Layers>(&LAYERS, None).and_then(|_| {
        let value = reader.given(LAYERS.name)?;
        reader.values.as_list(&value, LAYERS.name)
    });
    let outputs = outputs(&mut reader);
    reader.finish();
    let (defaults, layers) = (defaults.unwrap_or_default(), layers.unwrap_or_default());
    Some(Header { name, input, model, weights, labels, defaults, layers, outputs })
}

fn outputs<'a>(reader: &mut Reader<'_, 'a>) -> Option<Vec<(String, Value<'a>)>> {
    let member = reader.member_of(&OUTPUTS)?;
    let names = reader.values.as_names(&member.value, OUTPUTS.name)?;
    if names.is_empty() {
        reader.fault(Some(&member.value), wrong("a network has at least one output"));
    }
    Some(names)
}

/// The version of the language.
struct Version;

impl FieldKind for Version {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Version> {
        let version = values.as_whole(value, name)?;
        if version != VERSION {
            let message =
                format!("the description is of version {version}; this frit reads version {VERSION}");
            values.fault(value, wrong(&message));
            return None;
        }
        Some(Version)
    }

    fn schema() -> Json {
        json!({"const": VERSION})
    }
}

/// A list of layers; each is read later, so that all faults are told.
struct Layers;

impl FieldKind for Layers {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Layers> {
        let layers = values.as_list(value, name)?.len();
        if layers == 0 {
            values.fault(value, wrong("a network has at least one layer"));
            return None;
        }
        if layers > limits::LAYERS {
            let message = format!("{layers} layers are above the limit of {}", limits::LAYERS);
            values.fault(value, Diagnostic::error(codes::LIMIT, message));
            return None;
        }
        Some(Layers)
    }

    fn schema() -> Json {
        let layer = json!({"$ref": "#/$defs/layer"});
        json!({"type": "array", "items": layer, "minItems": 1, "maxItems": limits::LAYERS})
    }
}

const INPUT_NAME: Field =
    Field { default: Some(|| json!(INPUT_DEFAULT)), ..Field::new::<Option<Name>>("name", "Its name") };
const SHAPE: Field =
    Field::new::<Option<Shape>>("shape", "Its shape: height, width and channels of a picture");
const MODEL: Field =
    Field::new::<Option<String>>("model", "A model beside the description whose result it is");
const UNTIL: Field = Field::new::<Option<Until>>(
    "until",
    "The layer or tensor with which that model ends, by name or number; without it, with its output",
);
const SHAPE_OR_MODEL: Rule = Rule::OneOf(
    &[SHAPE.name, MODEL.name],
    "write \"shape\": [224, 224, 3], or \"model\": FILE with \"until\": LAYER",
);
const ENTRANCE_RULES: &[Rule] = &[SHAPE_OR_MODEL, Rule::Beside(UNTIL.name, &[MODEL.name])];
const PREPROCESS: Field = Field::new::<Option<Preparation>>("preprocess", "How a picture becomes the input");

/// The name of an input that is given none.
const INPUT_DEFAULT: &str = "image";

impl FieldKind for Entrance {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, _: &str) -> Option<Entrance> {
        let mut reader = Reader::open(value, values.findings)?;
        let name = reader.field(&INPUT_NAME, Some(Name(INPUT_DEFAULT.to_owned()))).unwrap_or_default().0;
        reader.of_layer(format!("{name} (input)"));
        let shape = reader.field::<Option<Shape>>(&SHAPE, None).flatten();
        let shape = shape.filter(|shape| countable(shape, &mut reader));
        let file = reader.field::<Option<String>>(&MODEL, None).flatten();
        let until = reader.field::<Option<Until>>(&UNTIL, None).flatten().map(|until| until.0);
        let named = reader.given(INPUT_NAME.name).is_some();
        let model = file.map(|file| Origin { file, until, named });
        reader.rules(ENTRANCE_RULES);
        let preprocess = reader.field::<Option<Preparation>>(&PREPROCESS, None).flatten();
        if let Some(value) = reader.given(PREPROCESS.name)
            && model.is_none()
            && shape.as_ref().is_some_and(|shape| shape.map().is_none_or(|[.., channels]| channels != 3))
        {
            let message = "a picture becomes a map of 3 channels, and this input is none";
            reader.fault(Some(&value), wrong(message));
        }
        reader.finish();
        Some(Entrance { name, shape, preprocess: preprocess.map(Preparation::finish), model })
    }

    fn schema() -> Json {
        object(INPUT.doc, &[INPUT_NAME, SHAPE, PREPROCESS, MODEL, UNTIL], ENTRANCE_RULES)
    }
}

/// A layer or tensor of another model: its name, or the number that its framework has for it.
struct Until(String);

impl FieldKind for Until {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Until> {
        match values.content(value)? {
            Content::Number(_) => values.as_whole(value, name).map(|number| Until(number.to_string())),
            _ => values.as_name(value, name).map(Until),
        }
    }

    fn schema() -> Json {
        json!({"anyOf": [Name::schema(), {"type": "integer", "minimum": 0, "maximum": limits::ATTRIBUTE}]})
    }
}

/// The part of the model that `input` names, whose result it is then. Its faults are told with its file.
fn model(reader: &mut Reader<'_, '_>, input: &mut Entrance, source: &Source) -> Option<Part> {
    let origin = input.model.take()?;
    let at = reader.given(INPUT.name)?;
    if source.depth >= limits::MODELS_INSIDE {
        let message = format!("more than {} models that are made of others", limits::MODELS_INSIDE);
        reader.fault(Some(&at), Diagnostic::error(codes::LIMIT, message));
        return None;
    }
    let path = source.file(&origin.file).map_err(|reason| {
        let message = format!("the model {} can't be read", origin.file);
        reader.fault(Some(&at), Diagnostic::error(codes::FILE_UNREADABLE, message).note(reason));
    });
    let range = Range { from: None, until: origin.until.as_deref() };
    let read =
        load_inside(&path.ok()?, &Request::default(), source.depth + 1).and_then(|(graph, warnings)| {
            let piece = part(graph, range, Sides { before: false, behind: true }, "");
            piece.map(|piece| (piece, warnings))
        });
    match read {
        Ok((piece, warnings)) => {
            reader.values.findings.extend(warnings);
            reader.values.findings.extend(piece.warnings.from_file(&origin.file));
            input.shape = piece.part.gives();
            if !origin.named {
                let exit = piece.part.exit.map(|exit| piece.part.graph.node(exit).name.clone());
                let until = piece.until.map(|until| until.name);
                input.name = until.or(exit).unwrap_or_default();
            }
            Some(piece.part)
        }
        Err(faults) => {
            reader.values.findings.extend(faults.from_file(&origin.file));
            None
        }
    }
}

/// Whether an input's elements can be counted.
fn countable(shape: &Shape, reader: &mut Reader<'_, '_>) -> bool {
    if shape.elements().is_some() {
        return true;
    }
    let message = format!("an input of {shape} has more than 2^40 elements");
    let at = reader.given(SHAPE.name);
    reader.fault(at.as_ref(), Diagnostic::error(codes::TENSOR_SIZE, message));
    false
}

/// Which part of a picture is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crop {
    CenterSquare,
    None,
}

impl Choice for Crop {
    const CHOICES: &'static [(&'static str, Crop)] =
        &[("center_square", Crop::CenterSquare), ("none", Crop::None)];
}

/// How a picture gets its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resampling {
    Bicubic,
    Bilinear,
}

impl Choice for Resampling {
    const CHOICES: &'static [(&'static str, Resampling)] =
        &[("bicubic", Resampling::Bicubic), ("bilinear", Resampling::Bilinear)];
}

section! {
    /// How a picture becomes the input.
    Preparation {
        /// Which part of the picture is taken.
        crop: Crop = Crop::CenterSquare,
        /// How it gets the input's size.
        resize: Resampling = Resampling::Bicubic,
        /// What black and white become.
        range: [Scalar; 2],
        /// Subtracted from each channel then.
        mean: [Scalar; 3] = [Scalar::new(0.0); 3],
        /// What each channel is then divided by.
        std: [Positive; 3] = [Positive(Scalar::new(1.0)); 3],
    }
}
section_kind!(Preparation);

impl Preparation {
    fn finish(self) -> Preprocess {
        Preprocess {
            crop_center_square: self.crop == Crop::CenterSquare,
            bicubic: self.resize == Resampling::Bicubic,
            range: self.range,
            mean: self.mean,
            std: self.std.map(|std| std.0),
        }
    }
}

/// How a picture becomes the input, from an object of its own.
pub(super) fn preprocess<'a>(value: &Value<'a>, findings: &mut Findings<'a>) -> Option<Preprocess> {
    let mut reader = Reader::open(value, findings)?;
    let read = <Preparation as Section>::read(&mut reader);
    reader.finish();
    read.map(Preparation::finish)
}

/// Where weights come from, as it is written.
enum Weights {
    Seed(u64),
    File(String),
}

impl FieldKind for Weights {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Weights> {
        match values.content(value)? {
            Content::Object(_) => {
                Seeded::parse(values, value, name).map(|seeded| Weights::Seed(seeded.seed.0))
            }
            _ => values.as_text(value, name).map(Weights::File),
        }
    }

    fn schema() -> Json {
        json!({"anyOf": [String::schema(), Seeded::schema()]})
    }
}

section! {
    /// Weights that a seed makes.
    Seeded {
        /// Any whole number of 64 bits.
        seed: Seed,
    }
}
section_kind!(Seeded);

/// A whole number of 64 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed(u64);

impl FieldKind for Seed {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, _: &str) -> Option<Seed> {
        values.as_seed(value).map(Seed)
    }

    fn schema() -> Json {
        json!({"type": "integer", "minimum": 0, "maximum": u64::MAX})
    }
}

/// Where the weights come from; the file that the caller names comes first.
fn weight_source<'a>(reader: &mut Reader<'_, 'a>, source: &Source) -> Option<WeightSource<'a>> {
    if let Some(given) = &source.weights {
        let at = reader.member_of(&WEIGHTS).map_or_else(|| reader.owner().clone(), |member| member.value);
        return Some(WeightSource::File(given.clone(), given.display().to_string(), at));
    }
    let weights = reader.field::<Weights>(&WEIGHTS, None)?;
    let value = reader.given(WEIGHTS.name)?;
    let name = match weights {
        Weights::Seed(seed) => return Some(WeightSource::Seed(seed, value)),
        Weights::File(name) => name,
    };
    match source.file(&name) {
        Ok(path) => Some(WeightSource::File(path, name, value)),
        Err(reason) => {
            let message = format!("the weights {name} can't be read");
            let fault = Diagnostic::error(codes::WEIGHTS_UNREADABLE, message).note(reason);
            reader.fault(Some(&value), fault.help_flag("name the file", "--weights FILE", "wherever it is"));
            None
        }
    }
}
