//! Networks that come with frit, as descriptions: the same that a user writes, so each is an example too.
//!
//! A variant is the description with other numbers in the same places; its layout and everything else stay as they are.

use std::collections::BTreeMap;

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults};
use frit_passes::legality;

use crate::import::document::{Content, Document, Value};
use crate::import::json::squeeze::make_divisible;
use crate::import::{Source, json};

/// The networks: name, description, and the layers that a width below 1 leaves as they are.
const NETWORKS: [(&str, &str, &[&str]); 10] = [
    ("mobilenet_v1", include_str!("zoo/mobilenet_v1.json"), &[]),
    ("mobilenet_v2", include_str!("zoo/mobilenet_v2.json"), &["head"]),
    ("mobilenet_v3_large", include_str!("zoo/mobilenet_v3_large.json"), &["features"]),
    ("mobilenet_v3_small", include_str!("zoo/mobilenet_v3_small.json"), &["features"]),
    ("mnasnet_b1", include_str!("zoo/mnasnet_b1.json"), &["head"]),
    ("mnasnet_a1", include_str!("zoo/mnasnet_a1.json"), &["head"]),
    ("efficientnet_b0", include_str!("zoo/efficientnet_b0.json"), &[]),
    ("resnext50_32x4d", include_str!("zoo/resnext50_32x4d.json"), &[]),
    ("xception", include_str!("zoo/xception.json"), &[]),
    ("inception_resnet_v2", include_str!("zoo/inception_resnet_v2.json"), &[]),
];

/// The layer whose units are the classes, in every network.
const CLASSIFIER: &str = "logits";

/// Pixels along a side, at most.
const RESOLUTION: usize = 1 << 14;
/// Classes, at most.
const CLASSES: usize = 1 << 20;
/// The widest multiplier.
const WIDTH: f64 = 64.0;

/// What may vary in a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZooOptions {
    /// What the channels are multiplied by, above 0 and up to 64; they are then rounded to a multiple of 8.
    pub width: f64,
    /// Height and width of the input, 1 to 16384; without it, what the network was published with.
    pub resolution: Option<usize>,
    /// Classes, 1 to 2^20.
    pub classes: usize,
    /// The seed of the weights.
    pub seed: u64,
}

impl Default for ZooOptions {
    fn default() -> ZooOptions {
        ZooOptions { width: 1.0, resolution: None, classes: 1000, seed: 7 }
    }
}

/// The names of the networks, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    NETWORKS.into_iter().map(|(name, ..)| name)
}

/// The description of the network `name`: JSON, one layer a line, the same bytes for the same options.
///
/// # Errors
/// There is no such network, or an option is outside its range.
pub fn description(name: &str, options: &ZooOptions) -> Result<String, Faults> {
    let Some((_, text, full_width)) = NETWORKS.into_iter().find(|(known, ..)| *known == name) else {
        let message = format!("there is no network {name}");
        let fault = Diagnostic::error(codes::BAD_VALUE, message);
        return Err(fault.note(format!("there are {}", names().collect::<Vec<_>>().join(", "))).into());
    };
    check(options)?;
    let document = Document::parse(text, name)?;
    let mut edits = Edits { document: &document, places: BTreeMap::new() };
    edits.all(options, full_width)?;
    let variant = edits.applied(text);
    if options.width != 1.0 {
        buildable(name, &variant)?;
    }
    Ok(variant)
}

/// Whether a variant is a network: rounded channels need not fit into groups, nor the parts of a concatenation add up.
fn buildable(name: &str, variant: &str) -> Result<(), Faults> {
    let source = Source { file: name.to_owned(), ..Source::default() };
    legality::check(json::read(variant, &source)?.0).map(|_| ())
}

fn check(options: &ZooOptions) -> Result<(), Faults> {
    let mut faults = Faults::new();
    let mut refuse = |message: String| faults.push(Diagnostic::error(codes::BAD_VALUE, message));
    if !(options.width > 0.0 && options.width <= WIDTH) {
        refuse(format!("width {} is not above 0 and up to {WIDTH}", options.width));
    }
    if let Some(resolution) = options.resolution.filter(|resolution| !(1..=RESOLUTION).contains(resolution)) {
        refuse(format!("resolution {resolution} is not between 1 and {RESOLUTION}"));
    }
    if !(1..=CLASSES).contains(&options.classes) {
        refuse(format!("{} classes are not between 1 and {CLASSES}", options.classes));
    }
    faults.unless_errors(()).map(|_| ())
}

/// Values that get another spelling: where each begins, how long it is, and how it is then spelled.
struct Edits<'d> {
    document: &'d Document<'d>,
    places: BTreeMap<usize, (usize, String)>,
}

impl<'d> Edits<'d> {
    fn all(&mut self, options: &ZooOptions, full_width: &[&str]) -> Result<(), Diagnostic> {
        let root = fields(&self.document.root())?;
        for (name, value) in &root {
            match name.as_str() {
                "input" => self.input(value, options)?,
                "weights" => self.set(value, "seed", |_| options.seed)?,
                "layers" => self.layers(value, options, full_width)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn input(&mut self, input: &Value<'d>, options: &ZooOptions) -> Result<(), Diagnostic> {
        let (Some(shape), Some(resolution)) = (fields(input)?.remove("shape"), options.resolution) else {
            return Ok(());
        };
        if let Content::Array(axes) = shape.content()? {
            for axis in axes.iter().take(2) {
                self.place(axis, resolution as u64);
            }
        }
        Ok(())
    }

    fn layers(
        &mut self,
        layers: &Value<'d>,
        options: &ZooOptions,
        full_width: &[&str],
    ) -> Result<(), Diagnostic> {
        let Content::Array(layers) = layers.content()? else { return Ok(()) };
        for layer in &layers {
            let mut found = fields(layer)?;
            let name = match found.remove("name").map(|name| name.content()).transpose()? {
                Some(Content::Text(name)) => name,
                _ => continue,
            };
            let width =
                if full_width.contains(&name.as_str()) { options.width.max(1.0) } else { options.width };
            // The application in Keras cuts the channels of its blocks to whole numbers first, those around them not.
            let cut = if found.contains_key("stage") { f64::floor } else { |wanted| wanted };
            for field in ["filters", "expanded", "width"] {
                self.set(layer, field, |filters| {
                    if width == 1.0 { filters } else { rounded(cut(filters as f64 * width)) }
                })?;
            }
            if name == CLASSIFIER {
                self.set(layer, "units", |_| options.classes as u64)?;
            }
        }
        Ok(())
    }

    /// Gives the number in the field `name` of `object` another value, where there is such a field.
    fn set(&mut self, object: &Value<'d>, name: &str, change: impl Fn(u64) -> u64) -> Result<(), Diagnostic> {
        if let Some(value) = fields(object)?.remove(name)
            && let Ok(number) = value.spelling().parse()
        {
            self.place(&value, change(number));
        }
        Ok(())
    }

    fn place(&mut self, value: &Value<'d>, number: u64) {
        let place = (value.spelling().len(), number.to_string());
        self.places.insert(self.document.offset(value), place);
    }

    /// `text` with every edit.
    fn applied(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut done = 0;
        for (&start, (length, spelling)) in &self.places {
            result.push_str(&text[done..start]);
            result.push_str(spelling);
            done = start + length;
        }
        result.push_str(&text[done..]);
        result
    }
}

/// The fields of an object; of anything else, none.
fn fields<'d>(value: &Value<'d>) -> Result<BTreeMap<String, Value<'d>>, Diagnostic> {
    Ok(match value.content()? {
        Content::Object(members) => members.into_iter().map(|member| (member.name, member.value)).collect(),
        _ => BTreeMap::new(),
    })
}

/// `wanted` channels as MobileNetV2's authors round them, to a multiple of 8.
fn rounded(wanted: f64) -> u64 {
    make_divisible(wanted, 8) as u64
}

#[cfg(test)]
mod tests {
    use frit_ir::{Graph, Op, Shape};

    use super::*;

    fn graph(options: &ZooOptions) -> Graph {
        network("mobilenet_v2", options)
    }

    fn network(name: &str, options: &ZooOptions) -> Graph {
        let text = description(name, options).unwrap();
        let source = Source { file: "zoo".into(), ..Source::default() };
        let (graph, warnings) = json::read(&text, &source).unwrap_or_else(|faults| panic!("{faults}"));
        assert!(warnings.is_empty(), "{warnings}");
        graph
    }

    /// Trainable parameters and multiply-accumulates.
    fn totals(graph: &Graph) -> (usize, u64) {
        let trainable = |name: &str| !name.ends_with(".mean") && !name.ends_with(".variance");
        let weights = graph.weights.iter().filter(|(name, _)| trainable(name));
        let parameters = weights.map(|(_, weight)| weight.shape.elements().unwrap()).sum();
        let shapes = graph.shapes().unwrap();
        let macs = graph.ids().map(|id| {
            let operands: Vec<Shape> = graph.operands(id).iter().map(|id| shapes[id].clone()).collect();
            graph.node(id).op.macs(&operands, &shapes[&id])
        });
        (parameters, macs.sum())
    }

    #[test]
    fn mobilenet_v2_has_the_published_parameters_and_macs() {
        let graph = graph(&ZooOptions::default());
        assert_eq!(totals(&graph), (3_504_872, 300_774_272));
        let count = |wanted: &str| graph.ids().filter(|&id| graph.node(id).op.name() == wanted).count();
        assert_eq!((count("conv2d"), count("batch_norm"), count("add")), (52, 52, 10));
        let shapes = graph.shapes().unwrap();
        assert_eq!(shapes[&graph.find("stem").unwrap()], Shape::new(&[112, 112, 32]));
        assert_eq!(graph.node(graph.outputs()[0]).op, Op::Softmax(frit_ir::ops::Softmax::default()));
    }

    /// Published by the authors, or counted from the frameworks' models.
    #[test]
    fn every_network_has_its_known_parameters_and_macs() {
        let known = [
            ("mobilenet_v1", (4_231_976, 568_740_352)),
            ("mobilenet_v2", (3_504_872, 300_774_272)),
            ("mobilenet_v3_large", (5_483_032, 216_589_760)),
            ("mobilenet_v3_small", (2_542_856, 56_510_400)),
            ("mnasnet_b1", (4_383_312, 314_415_872)),
            ("mnasnet_a1", (3_887_038, 311_579_072)),
            ("efficientnet_b0", (5_288_548, 385_814_752)),
            ("resnext50_32x4d", (25_028_904, 4_230_479_872)),
            ("xception", (22_855_952, 8_357_403_496)),
            ("inception_resnet_v2", (55_813_192, 13_155_794_016)),
        ];
        assert_eq!(names().collect::<Vec<_>>(), known.map(|(name, _)| name));
        for (name, expected) in known {
            assert_eq!(totals(&network(name, &ZooOptions::default())), expected, "{name}");
        }
    }

    #[test]
    fn squeeze_and_excite_has_the_published_channels() {
        let channels = |name: &str| -> Vec<usize> {
            let graph = network(name, &ZooOptions::default());
            let reduce = |id: frit_ir::NodeId| match &graph.node(id).op {
                Op::Conv2d(conv) if graph.node(id).name.ends_with("/se/reduce") => Some(conv.filters),
                _ => None,
            };
            graph.topological().into_iter().filter_map(reduce).collect()
        };
        assert_eq!(channels("mobilenet_v3_large"), [24, 32, 32, 120, 168, 168, 240, 240]);
        assert_eq!(channels("mobilenet_v3_small"), [8, 24, 64, 64, 32, 40, 72, 144, 144]);
        assert_eq!(channels("efficientnet_b0"), [8, 4, 6, 6, 10, 10, 20, 20, 20, 28, 28, 28, 48, 48, 48, 48]);
    }

    #[test]
    fn a_narrow_network_keeps_its_head_and_a_wide_one_widens_it() {
        // Counted from the paper's table and Keras' rounding.
        assert_eq!(totals(&graph(&ZooOptions { width: 0.35, ..ZooOptions::default() })).0, 1_677_128);
        assert_eq!(totals(&graph(&ZooOptions { width: 1.4, ..ZooOptions::default() })).0, 6_108_776);
    }

    #[test]
    fn the_standard_options_leave_the_text_as_it_is() {
        for (name, text, _) in NETWORKS {
            assert_eq!(description(name, &ZooOptions::default()).unwrap(), text);
        }
    }

    #[test]
    fn every_option_changes_its_numbers_and_nothing_else() {
        let options = ZooOptions { width: 0.5, resolution: Some(96), classes: 10, seed: u64::MAX };
        let text = description("mobilenet_v2", &options).unwrap();
        assert!(text.contains("[96, 96, 3]") && text.contains("\"units\": 10}"), "{text}");
        assert!(text.contains("\"seed\": 18446744073709551615"), "{text}");
        assert!(text.contains("\"filters\": 1280") && text.contains("\"filters\": 48,"), "{text}");
        let standard = description("mobilenet_v2", &ZooOptions::default()).unwrap();
        assert_eq!(text.lines().count(), standard.lines().count());
    }

    #[test]
    fn a_width_whose_channels_fit_no_groups_is_refused() {
        let options = |width| ZooOptions { width, ..ZooOptions::default() };
        assert!(
            description("resnext50_32x4d", &options(0.5)).unwrap().contains("\"width\": 64, \"groups\": 32")
        );
        let faults = description("resnext50_32x4d", &options(0.35)).unwrap_err();
        assert!(faults.iter().any(|fault| fault.code == codes::BAD_ATTRIBUTE), "{faults}");
        for name in ["xception", "inception_resnet_v2"] {
            assert!(description(name, &options(0.5)).unwrap().contains("[299, 299, 3]"));
        }
    }

    #[test]
    fn channels_are_rounded_as_the_authors_do() {
        assert_eq!(rounded(32.0 * 0.35), 16);
        assert_eq!(rounded(16.0 * 0.35), 8);
        assert_eq!(rounded(24.0 * 0.5), 16);
        assert_eq!(rounded(320.0 * 1.3), 416);
        assert_eq!(rounded(0.1), 8);
    }

    #[test]
    fn options_outside_their_range_are_refused_all_at_once() {
        let options = ZooOptions { width: f64::NAN, resolution: Some(0), classes: 0, seed: 0 };
        assert_eq!(description("mobilenet_v2", &options).unwrap_err().iter().count(), 3);
        assert!(description("mobilenet_v9", &ZooOptions::default()).is_err());
    }
}
