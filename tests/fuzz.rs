//! Model files with random damage: whatever a file is, it gives a graph or diagnostics, and what comes behind the importer takes
//! the graph. The corpus is every model file in `tests/goldens`, and those below `FRIT_MODELS`.
//!
//! `FRIT_FUZZ_SECONDS=3600 cargo test --release -p frit-tests --test fuzz -- --nocapture` goes on for an hour and says how many
//! files it tried; `FRIT_FUZZ_SEED` begins elsewhere. A file that made something panic is kept in the system's folder for
//! temporary files, under a name that is printed.

use std::io::{Cursor, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use frit_compiler::import::{self, Request};
use frit_compiler::{Options, optimise, schedule};
use frit_compiler::{export, onnx};
use frit_passes::legality;
use frit_tests::draw::Draw;
use frit_tests::{manifest, root, source};
use prost::Message;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Files that are tried of each kind where nothing is said of seconds.
const TRIES: usize = 400;

/// Larger files take too long to be tried often.
const MOST_BYTES: u64 = 256 << 10;

/// What is behind the importer is tried on networks up to this many layers and elements of weights.
const MOST_LAYERS: usize = 400;
const MOST_ELEMENTS: usize = 1 << 20;

/// Pieces that hurt: limits of numbers, in bytes and in words.
const HURTS: [&[u8]; 14] = [
    b"",
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80\x80\x80\x80\x10",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x00\x00\xc0\x7f",
    b"-1",
    b"0",
    b"1e308",
    b"99999999999999999999",
    b"null",
    b"[[[[",
];

/// The corpus of one kind, by the ending of its files.
fn corpus(ending: &str) -> Vec<Vec<u8>> {
    let mut folders = vec![root().join("tests/goldens")];
    folders.extend(manifest::models());
    let paths = folders.iter().flat_map(|folder| source::files(folder, ending));
    let small = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| found.len() <= MOST_BYTES);
    paths.filter(small).filter_map(|path| fs::read(path).ok()).filter(|bytes| !bytes.is_empty()).collect()
}

/// A few changes of `bytes`: bits flipped, pieces cut out, doubled, taken from `other` or replaced by something that hurts.
fn damage(draw: &mut Draw, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..1 + draw.below(4) {
        let at = draw.below(bytes.len());
        let end = (at + draw.below(16)).min(bytes.len());
        match draw.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.splice(at..at, piece);
            }
            3 => {
                let from = draw.below(other.len());
                let to = (from + draw.below(64)).min(other.len());
                bytes.splice(at..end, other.get(from..to).unwrap_or_default().to_vec());
            }
            4 => {
                let hurt = HURTS[draw.below(HURTS.len())];
                bytes.splice(at..end, hurt.iter().copied());
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << draw.below(8);
                }
            }
        }
    }
}

/// The archive `bytes` with damage inside one of its members, its checksums right: none where it is no archive.
fn damage_inside(draw: &mut Draw, bytes: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let chosen = draw.below(archive.len());
    let mut written = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for index in 0..archive.len() {
        let mut content = Vec::new();
        let member = archive.by_index(index).ok()?;
        let name = member.name().ok()?.into_owned();
        member.take(MOST_BYTES).read_to_end(&mut content).ok()?;
        if index == chosen {
            damage(draw, &mut content, other);
        }
        written.start_file(name, stored).ok()?;
        written.write_all(&content).ok()?;
    }
    Some(written.finish().ok()?.into_inner())
}

/// The ONNX file `bytes` with other numbers, names and operators in its messages: none where it is no such file.
fn damage_messages(draw: &mut Draw, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut model = onnx::Model::decode(bytes).ok()?;
    if draw.below(3) == 0 {
        rearrange(draw, &mut model);
    }
    for _ in 0..1 + draw.below(3) {
        let graph = model.graph.as_mut()?;
        if draw.below(8) == 0 {
            let set = model.opset_import.first_mut()?;
            set.version = Some([1, 6, 9, 11, 13, 18, 24][draw.below(7)]);
        } else if draw.below(4) == 0 && !graph.initializer.is_empty() {
            let index = draw.below(graph.initializer.len());
            let weight = &mut graph.initializer[index];
            match draw.below(3) {
                0 => drop(weight.dims.pop()),
                1 => weight.dims.push(number(draw)),
                _ => weight.data_type = Some(draw.below(18) as i32),
            }
        } else if !graph.node.is_empty() {
            let index = draw.below(graph.node.len());
            let operator = graph.node[draw.below(graph.node.len())].op_type.clone();
            let made = graph.node[draw.below(graph.node.len())].output.first().cloned();
            damage_node(draw, &mut graph.node[index], operator, made);
        }
    }
    Some(model.encode_to_vec())
}

/// Says the same in another form, or nearly: weights in another file or in a sparse form, a node in a function, a constant that
/// is computed, something twice.
fn rearrange(draw: &mut Draw, model: &mut onnx::Model) {
    let Some(graph) = &mut model.graph else { return };
    let (weight, node) = (draw.below(graph.initializer.len()), draw.below(graph.node.len()));
    match draw.below(6) {
        0 => graph.initializer.iter_mut().skip(weight).take(1).for_each(|weight| outside(draw, weight)),
        1 if !graph.initializer.is_empty() => {
            let values = Some(graph.initializer.remove(weight));
            graph.sparse_initializer.push(onnx::SparseTensor { values });
        }
        2 => {
            let functions = &mut model.functions;
            graph.node.iter_mut().skip(node).take(1).for_each(|node| functions.push(function(draw, node)));
        }
        3 => {
            let function = model.functions.last().cloned();
            model.functions.extend(function);
        }
        4 => model.opset_import.extend_from_within(..1.min(model.opset_import.len())),
        _ => computed(draw, graph),
    }
}

/// The name of the file beside the model that weights may lie in.
const BESIDE: &str = "beside.bin";

/// Lets the values of `weight` lie in another file, perhaps not all of them.
fn outside(draw: &mut Draw, weight: &mut onnx::Tensor) {
    let location = if draw.below(8) == 0 { "model.onnx" } else { BESIDE };
    let entries = [
        ("location", location.to_owned()),
        ("offset", number(draw).to_string()),
        ("length", weight.raw_data().len().to_string()),
    ];
    let entry = |(key, value): (&str, String)| onnx::Entry { key: Some(key.to_owned()), value: Some(value) };
    weight.external_data = entries.into_iter().skip(draw.below(2)).map(entry).collect();
    weight.data_location = Some(1);
    weight.raw_data = None;
}

/// Lets `node` be a call of the function that this returns, which does what it did; sometimes it calls itself.
fn function(draw: &mut Draw, node: &mut onnx::Node) -> onnx::Function {
    let name = format!("f{}", draw.below(3));
    let own = if draw.below(16) == 0 { Some(name.clone()) } else { node.op_type.clone() };
    let inner = onnx::Node { op_type: own, ..node.clone() };
    node.op_type = Some(name.clone());
    for attribute in &mut node.attribute {
        attribute.ref_attr_name = (draw.below(8) == 0).then(|| "axis".to_owned());
    }
    onnx::Function {
        name: Some(name),
        input: inner.input.clone(),
        output: inner.output.clone(),
        attribute_proto: inner.attribute.clone(),
        node: vec![inner],
        ..onnx::Function::default()
    }
}

/// Adds a constant that is computed, perhaps a large one, in the place of a weight.
fn computed(draw: &mut Draw, graph: &mut onnx::Graph) {
    let Some(weight) = graph.initializer.pop() else { return };
    let shape: Vec<i64> =
        weight.dims.iter().map(|&axis| if draw.below(4) == 0 { number(draw) } else { axis }).collect();
    let bytes: Vec<u8> = shape.iter().flat_map(|axis| axis.to_le_bytes()).collect();
    graph.initializer.push(onnx::Tensor {
        name: Some("shape of a constant".to_owned()),
        dims: vec![shape.len() as i64],
        data_type: Some(7),
        raw_data: Some(bytes.into()),
        ..onnx::Tensor::default()
    });
    let node = |op: &str, input: &str, output: String| onnx::Node {
        op_type: Some(op.to_owned()),
        input: vec![input.to_owned()],
        output: vec![output],
        ..onnx::Node::default()
    };
    let function = ["Exp", "Softmax", "ReduceSum", "Transpose", "Shape", "Flatten"][draw.below(6)];
    graph.node.insert(0, node("ConstantOfShape", "shape of a constant", "a constant".to_owned()));
    graph.node.insert(1, node(function, "a constant", weight.name.unwrap_or_default()));
}

fn damage_node(draw: &mut Draw, node: &mut onnx::Node, operator: Option<String>, made: Option<String>) {
    let (input, attribute) = (draw.below(node.input.len()), draw.below(node.attribute.len()));
    match draw.below(6) {
        0 => node.op_type = operator,
        1 => drop(node.input.pop()),
        2 => node.input.extend(made),
        3 => node
            .input
            .iter_mut()
            .skip(input)
            .take(1)
            .for_each(|name| *name = made.clone().unwrap_or_default()),
        4 if !node.attribute.is_empty() => drop(node.attribute.remove(attribute)),
        _ => {
            if let Some(attribute) = node.attribute.get_mut(attribute) {
                attribute.i = attribute.i.map(|_| number(draw));
                let place = draw.below(attribute.ints.len());
                attribute.ints.iter_mut().skip(place).take(1).for_each(|value| *value = number(draw));
            }
        }
    }
}

/// A number as an attribute or a length may have it, mostly small.
fn number(draw: &mut Draw) -> i64 {
    let edges = [0, -1, 1 << 31, 1 << 40, i64::MAX, i64::MIN];
    if draw.below(4) == 0 { edges[draw.below(edges.len())] } else { draw.below(8) as i64 }
}

/// Imports `path`, and takes what comes of it through all that makes no code.
fn digest(path: &Path) -> bool {
    let Ok((graph, _)) = import::load(path, &Request::default()) else { return false };
    let Ok((legal, _)) = legality::check(graph) else { return false };
    let elements = |shape: &frit_ir::Shape| shape.elements().unwrap_or(usize::MAX);
    let total =
        legal.weights.iter().fold(0usize, |total, (_, weight)| total.saturating_add(elements(&weight.shape)));
    if legal.len() > MOST_LAYERS || total > MOST_ELEMENTS {
        return true;
    }
    let graph = legal.into_inner();
    let _ = export::onnx::write(&graph);
    if let Ok(optimised) = optimise(graph, &Options::native()) {
        let _ = schedule(&optimised.graph, &Options::native());
    }
    true
}

/// What a run found.
#[derive(Default)]
struct Tally {
    tried: usize,
    accepted: usize,
    slowest: Duration,
    panicked: Vec<PathBuf>,
}

/// Tries damaged files of one kind.
fn fuzz(ending: &str) {
    let corpus = corpus(ending);
    assert!(!corpus.is_empty(), "no file ends in .{ending}");
    let number = |name: &str| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let limit = number("FRIT_FUZZ_SECONDS").map(Duration::from_secs);
    let mut draw = Draw(number("FRIT_FUZZ_SEED").unwrap_or(1));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(format!("model.{ending}"));
    let beside: Vec<u8> = (0..4096u32).flat_map(|value| (value as f32 / 4096.0).to_le_bytes()).collect();
    fs::write(folder.path().join(BESIDE), beside).expect("the folder can be written to");
    let (started, mut tally) = (Instant::now(), Tally::default());
    while limit.map_or(tally.tried < TRIES, |limit| started.elapsed() < limit) {
        let (one, other) = (draw.below(corpus.len()), draw.below(corpus.len()));
        let inside = match draw.below(8) {
            0 => None,
            _ if ending == "onnx" => damage_messages(&mut draw, &corpus[one]),
            _ => damage_inside(&mut draw, &corpus[one], &corpus[other]),
        };
        let bytes = inside.unwrap_or_else(|| {
            let mut bytes = corpus[one].clone();
            damage(&mut draw, &mut bytes, &corpus[other]);
            bytes
        });
        fs::write(&path, &bytes).expect("the folder can be written to");
        try_file(&path, &mut tally);
    }
    let Tally { tried, accepted, slowest, panicked } = tally;
    println!("{ending}: {tried} files tried, {accepted} accepted, the slowest took {slowest:?}");
    assert!(panicked.is_empty(), "something panicked on {panicked:?}");
}

fn try_file(path: &Path, tally: &mut Tally) {
    let started = Instant::now();
    tally.tried += 1;
    match catch_unwind(AssertUnwindSafe(|| digest(path))) {
        Ok(accepted) => tally.accepted += usize::from(accepted),
        Err(_) => {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            let kept =
                env::temp_dir().join(format!("frit-fuzz-{}-{}.{ending}", std::process::id(), tally.tried));
            fs::copy(path, &kept).expect("the folder for temporary files can be written to");
            tally.panicked.push(kept);
        }
    }
    tally.slowest = tally.slowest.max(started.elapsed());
}

#[test]
fn damaged_onnx_files() {
    fuzz("onnx");
}

#[test]
fn damaged_keras_archives() {
    fuzz("keras");
}

#[test]
fn damaged_hdf5_files() {
    fuzz("h5");
}

#[test]
fn damaged_json_files() {
    fuzz("json");
}
