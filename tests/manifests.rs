//! Model files of other frameworks: each is refused as its manifest says, or gives what its framework computed.

use std::collections::BTreeMap;
use std::path::Path;

use frit_compiler::import::{self, Request};
use frit_ir::{Faults, Graph, Tensor, interpret};
use frit_tests::compare::{self, Way};
use frit_tests::manifest::{self, ModelFile};
use frit_tests::{npz, root};
use ndarray::{ArrayD, Axis};

/// What a compiled network may differ from its framework by, relative to the largest magnitude of the output.
const TOLERANCE: f64 = 1e-4;

/// Images that are compared of each golden; the batch is no axis of a network, so that the second tells little.
const IMAGES: usize = 2;

/// Fails with all of `faults`, if there is any.
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Holds `folder` of the models against its manifest.
fn walk(folder: &str) {
    walk_files(&manifest::folder(folder));
}

fn walk_files(folder: &Path) {
    let files = manifest::files(folder);
    let faults: Vec<String> = files
        .iter()
        .filter_map(|file| meets(file).err().map(|fault| format!("{}: {fault}", file.name)))
        .collect();
    assert_none(&faults);
}

#[test]
#[cfg_attr(not(frit_models), ignore = "set FRIT_MODELS to a folder of models")]
fn the_networks_that_frit_was_conceived_for() {
    walk("seeds");
}

#[test]
fn onnx_files_of_one_operator_or_one_trap_each() {
    walk_files(&root().join("tests/goldens/onnx"));
}

#[test]
fn small_ones_of_each_kind_that_the_folder_of_models_has() {
    for folder in ["reports", "seeds", "wanted"] {
        walk_files(&root().join("tests/goldens").join(folder));
    }
}

#[test]
fn networks_of_keras_of_one_trap_each() {
    walk_files(&root().join("tests/goldens/keras"));
}

#[test]
#[cfg_attr(not(frit_models), ignore = "set FRIT_MODELS to a folder of models")]
fn networks_of_torchvision_and_timm() {
    walk("onnx");
}

#[test]
#[cfg_attr(not(frit_models), ignore = "set FRIT_MODELS to a folder of models")]
fn trained_networks() {
    walk("pretrained");
}

#[test]
#[cfg_attr(not(frit_models), ignore = "set FRIT_MODELS to a folder of models")]
fn networks_on_which_other_importers_broke() {
    walk("reports");
}

/// Kinds of `wanted`: folds past what f32 holds, offsets that round, overflows, windows of any size.
#[test]
#[cfg_attr(not(frit_models), ignore = "set FRIT_MODELS to a folder of models")]
fn numbers_and_windows_that_were_wanted() {
    let files = manifest::files(&manifest::folder("wanted"));
    let is_of = |file: &&ModelFile| {
        let kind = file.entry["kind"].as_str().unwrap_or_default();
        ["A ", "B ", "C ", "D "].iter().any(|letter| kind.starts_with(letter))
    };
    let of: Vec<&ModelFile> = files.iter().filter(is_of).collect();
    assert!(of.len() >= 7, "{} files of four kinds", of.len());
    let faults: Vec<String> = of
        .iter()
        .filter_map(|file| meets(file).err().map(|fault| format!("{}: {fault}", file.name)))
        .collect();
    assert_none(&faults);
}

/// Whether `file` gives what its manifest says.
fn meets(file: &ModelFile) -> Result<(), String> {
    let read = read(file);
    match (read, wants_error(file)) {
        (Ok(graph), false) => agrees(&graph, file),
        (Err(faults), true) => names_what_is_wrong(&faults, file),
        (Ok(_), true) => Err(format!("accepted, but the manifest says {}", file.expect())),
        (Err(faults), false) => Err(format!("refused:\n{faults}")),
    }
}

/// Some entries say one thing of all files but the .onnx, in which the fault can't be seen any more.
fn wants_error(file: &ModelFile) -> bool {
    let exempt = file.kind == "onnx" && file.expect().contains("From the .onnx: ok");
    file.expect().starts_with("error") && !exempt
}

fn read(file: &ModelFile) -> Result<Graph, Faults> {
    let shapes = file.shape().map(|shape| shape.parse().unwrap_or_else(|error| panic!("{shape}: {error}")));
    let request =
        Request { weights: file.weights.clone(), shapes: shapes.into_iter().collect(), ..Request::default() };
    let (graph, _) = import::load(&file.path, &request)?;
    let (legal, _) = frit_passes::legality::check(graph)?;
    Ok(legal.graph().clone())
}

/// The diagnostic names the layers and values that the manifest asks for.
fn names_what_is_wrong(faults: &Faults, file: &ModelFile) -> Result<(), String> {
    let said = faults.to_string();
    let layers = file.entry["layer"].as_str().unwrap_or_default().split(", then ");
    let words = file.entry["must_name"].as_array().cloned().unwrap_or_default();
    let words = words.iter().filter_map(|word| word.as_str());
    match layers.chain(words).find(|word| !said.contains(word)) {
        None => Ok(()),
        Some(word) => Err(format!("the diagnostic does not say {word:?}:\n{said}")),
    }
}

/// Whether a network of Keras stands beside one of another framework, whose golden it shares.
fn turned(file: &ModelFile) -> bool {
    file.kind != "onnx" && file.entry["layout"] == "NCHW"
}

/// The inputs and outputs of a golden by name, the batch first; the one input of most has no name.
struct Golden {
    inputs: BTreeMap<String, ArrayD<f32>>,
    turned: bool,
    outputs: BTreeMap<String, ArrayD<f32>>,
}

impl Golden {
    /// Reads a golden; `turned` where the network takes channels last and the golden has them first.
    fn read(path: &Path, turned: bool) -> Golden {
        let arrays = npz::read(path);
        let of = |kind: &str| -> BTreeMap<String, ArrayD<f32>> {
            // The first of several stands in some once more, without a name.
            let prefix = format!("{kind}.");
            let several = arrays.keys().any(|name| name.starts_with(&prefix));
            let prefix = if several { prefix } else { kind.to_owned() };
            let named = arrays.iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(name, array)| {
                (name.strip_prefix(&prefix).filter(|_| several).unwrap_or(name).to_owned(), array.clone())
            });
            named.collect()
        };
        Golden { inputs: of("in"), outputs: of("out"), turned }
    }

    /// How many images are compared.
    fn images(&self) -> usize {
        self.inputs.values().next().map_or(0, |input| input.len_of(Axis(0)).min(IMAGES))
    }

    /// What the inputs of `graph` are for `image`: each the one of its name, or the only one.
    fn image(&self, graph: &Graph, image: usize) -> Result<Vec<Tensor<f32>>, String> {
        let inputs = graph.inputs().iter().copied().map(|input| {
            let name = &graph.node(input).name;
            let only = self.inputs.get("input");
            let array =
                self.inputs.get(name).or(only).ok_or_else(|| format!("the golden has no input {name}"))?;
            let image = array.index_axis(Axis(0), image);
            let image = if self.turned { image.permuted_axes(vec![1, 2, 0]) } else { image };
            Ok(image.as_standard_layout().into_owned())
        });
        inputs.collect()
    }

    /// The values of output `index` of `graph` for `image`: the one of its name, or the only one.
    fn expected(&self, graph: &Graph, index: usize, image: usize) -> Result<Vec<f64>, String> {
        // What no file can be called is a line there.
        let name = &graph.node(graph.outputs()[index]).name.replace(['/', ':'], "_");
        let only = if self.outputs.len() == 1 { self.outputs.values().next() } else { None };
        let array =
            self.outputs.get(name).or(only).ok_or_else(|| format!("the golden has no output {name}"))?;
        Ok(array.index_axis(Axis(0), image).iter().map(|&value| f64::from(value)).collect())
    }
}

/// Interpreter and compiled code, fused and unfused, give the golden's outputs.
fn agrees(graph: &Graph, file: &ModelFile) -> Result<(), String> {
    let path = file.golden.as_ref().ok_or("the manifest names no golden")?;
    let golden = Golden::read(path, turned(file));
    let models =
        compare::ways().into_iter().filter(|way| *way == Way { fuse: way.fuse, ..compare::ways()[0] });
    let models: Vec<_> = models
        .map(|way| Ok((way, compare::model(graph, way).map_err(|error| format!("{way:?}: {error}"))?)))
        .collect::<Result<_, String>>()?;
    if golden.outputs.len() != graph.outputs().len() {
        return Err(format!("{} outputs, the golden has {}", graph.outputs().len(), golden.outputs.len()));
    }
    for index in 0..golden.images() {
        let image = golden.image(graph, index)?;
        let exact = interpreted(graph, file, &image)?;
        agree(&golden, graph, index, &exact).map_err(|error| format!("interpreter, {error}"))?;
        for (way, model) in &models {
            let found = compare::run(model, 1, &compare::values(&image))?;
            agree(&golden, graph, index, &found).map_err(|error| format!("{way:?}, {error}"))?;
        }
    }
    Ok(())
}

/// The interpreter's outputs: in f64, but for what f64 does not round as the file means it to be.
fn interpreted(graph: &Graph, file: &ModelFile, image: &[Tensor<f32>]) -> Result<Vec<Vec<f32>>, String> {
    if file.entry["kind"].as_str().is_some_and(|kind| kind.starts_with("B ")) {
        let plain = interpret::run(graph, image).map_err(|faults| format!("{faults:?}"))?;
        return Ok(compare::values(&plain));
    }
    let exact = compare::interpreted(graph, image)?;
    Ok(exact.iter().map(|output| output.iter().map(|&value| value as f32).collect()).collect())
}

fn agree(golden: &Golden, graph: &Graph, image: usize, found: &[Vec<f32>]) -> Result<(), String> {
    for (index, found) in found.iter().enumerate() {
        let expected = golden.expected(graph, index, image)?;
        compare::close(&expected, found, TOLERANCE)
            .map_err(|error| format!("image {image}, output {index}: {error}"))?;
    }
    Ok(())
}
