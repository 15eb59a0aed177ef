//! Networks written as ONNX: ONNX's own checker accepts them, and ONNX Runtime computes what the interpreter computes.
//!
//! `FRIT_PYTHON` names a Python that has the packages of `tests/requirements.txt`; without it those tests are ignored, and
//! frit itself reads back what it wrote.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::{env, iter};

use frit_compiler::export::onnx;
use frit_compiler::import::part::{self, Range, Sides};
use frit_compiler::import::{self, Request, Source, chain, json};
use frit_compiler::{Options, optimise, zoo};
use frit_ir::ops::Interpolation;
use frit_ir::{Graph, Op, Shape, Tensor, random};
use frit_passes::stitch::{self, Part};
use frit_tests::{compare, networks, npz, root};
use ndarray::{ArrayD, Axis, arr0};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

/// Images in the batch.
const BATCH: u64 = 2;

/// Random networks of each kind.
const RANDOM: usize = 150;

/// Writes `graph` to `folder` with a batch of inputs and what the interpreter makes of each.
fn write(folder: &Path, name: &str, graph: &Graph) -> Result<(), String> {
    let bytes = onnx::write(graph).map_err(|faults| format!("{name}: {faults}\n{graph:?}"))?;
    fs::write(folder.join(name).with_extension("onnx"), bytes).map_err(|error| error.to_string())?;
    fs::write(folder.join(name).with_extension("txt"), format!("{graph:?}"))
        .map_err(|error| error.to_string())?;
    let images: Vec<Vec<Tensor>> = (0..BATCH).map(|seed| networks::inputs(graph, seed)).collect();
    let shapes = graph.shapes().map_err(|faults| faults.to_string())?;
    let mut arrays = Vec::new();
    for (index, id) in graph.inputs().iter().copied().enumerate() {
        let values: Vec<ArrayD<f32>> = images.iter().map(|image| image[index].clone()).collect();
        arrays.push((format!("in.{}", graph.node(id).name), stacked(&values)));
    }
    let exact: Vec<Vec<Vec<f64>>> =
        images.iter().map(|image| compare::interpreted(graph, image)).collect::<Result<_, _>>()?;
    let rounding: Vec<Vec<f64>> = images
        .iter()
        .zip(&exact)
        .map(|(image, exact)| compare::rounding(graph, image, exact))
        .collect::<Result<_, _>>()?;
    for (index, &id) in graph.outputs().iter().enumerate() {
        let name = &graph.node(id).name;
        let tensor = |output: &Vec<Vec<f64>>| shaped(&shapes[&id], &output[index]);
        arrays.push((format!("out.{name}"), stacked(&exact.iter().map(tensor).collect::<Vec<_>>())));
        let lost = rounding.iter().map(|lost| lost[index]).fold(0.0, f64::max);
        arrays.push((format!("rounding.{name}"), arr0(lost as f32).into_dyn()));
    }
    npz::write(&folder.join(name).with_extension("npz"), &arrays);
    Ok(())
}

fn shaped(shape: &Shape, values: &[f64]) -> ArrayD<f32> {
    let values = values.iter().map(|&value| value as f32).collect();
    ArrayD::from_shape_vec(shape.axes(), values).expect("an output has its shape")
}

fn stacked(images: &[ArrayD<f32>]) -> ArrayD<f32> {
    let views: Vec<_> = images.iter().map(|image| image.view()).collect();
    ndarray::stack(Axis(0), &views).expect("images are alike")
}

/// What an importer without a batch can't know: how often a constant is repeated for it, and a comparison of elements.
const NOT_READ: [&str; 2] = ["depends on the number of images of a batch", "GreaterOrEqual of values"];

/// What frit itself reads back computes the same; whether it does read it.
fn read_back(folder: &Path, name: &str, graph: &Graph) -> Result<bool, String> {
    // ONNX has the ratio of a resize in f32, so that what is nearest may be another element.
    let is_near = |id| matches!(&graph.node(id).op, Op::Resize(resize) if resize.interpolation != Interpolation::Bilinear);
    if graph.ids().any(is_near) {
        return Ok(false);
    }
    let path = folder.join(name).with_extension("onnx");
    let again = match import::load(&path, &Request::default()) {
        Ok((again, _)) => again,
        Err(faults)
            if faults.iter().all(|fault| NOT_READ.iter().any(|what| fault.message.contains(what))) =>
        {
            return Ok(false);
        }
        Err(faults) => return Err(format!("{name}: {faults}\n{graph:?}")),
    };
    let inputs = networks::inputs(graph, 0);
    let exact = compare::interpreted(graph, &inputs)?;
    let rounding = compare::rounding(graph, &inputs, &exact)?;
    let found = compare::interpreted(&again, &inputs)?;
    for (index, (exact, found)) in exact.iter().zip(&found).enumerate() {
        let found: Vec<f32> = found.iter().map(|&value| value as f32).collect();
        compare::close(exact, &found, 1e-6 + rounding[index])
            .map_err(|error| format!("{name} read back, output {index}: {error}\n{graph:?}\n{again:?}"))?;
    }
    Ok(true)
}

/// Hands the folder to ONNX Runtime.
fn judge(folder: &Path) {
    let python = env::var_os("FRIT_PYTHON").expect("FRIT_PYTHON is set, as it was when this test was built");
    let script = root().join("tests/exports.py");
    let output = Command::new(python).arg(script).arg(folder).output().expect("FRIT_PYTHON runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// A network of the zoo, made small.
fn small(name: &str) -> Graph {
    let resolution = if ["xception", "inception_resnet_v2"].contains(&name) { 96 } else { 64 };
    let options = zoo::ZooOptions { width: 0.25, resolution: Some(resolution), ..zoo::ZooOptions::default() };
    let text = zoo::description(name, &options).unwrap_or_else(|faults| panic!("{faults}"));
    let source = Source { file: format!("{name}.json"), ..Source::default() };
    json::read(&text, &source).unwrap_or_else(|faults| panic!("{faults}")).0
}

#[test]
#[cfg_attr(
    not(frit_python),
    ignore = "set FRIT_PYTHON to a Python with the packages of tests/requirements.txt"
)]
fn random_networks_of_every_op_are_what_the_interpreter_computes() {
    let folder = tempfile::tempdir().expect("a folder");
    write_random(folder.path(), RANDOM);
    judge(folder.path());
}

#[test]
fn random_networks_come_back_as_they_were_written() {
    write_random(tempfile::tempdir().expect("a folder").path(), RANDOM);
}

/// Writes `count` random networks of each kind, of which most must be read back.
fn write_random(folder: &Path, count: usize) {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let mut seen = std::collections::BTreeSet::new();
    let (mut faults, mut back) = (Vec::new(), 0);
    for index in 0..count {
        for (kind, strategy) in
            [("plain", random::graphs().boxed()), ("fused", random::fused_graphs().boxed())]
        {
            let graph = strategy.new_tree(&mut runner).expect("any bytes make a graph").current();
            seen.extend(graph.ids().map(|id| graph.node(id).op.name()));
            let name = format!("{kind}{index}");
            let written = write(folder, &name, &graph);
            match written.and_then(|()| read_back(folder, &name, &graph)) {
                Ok(is_read) => back += usize::from(is_read),
                Err(fault) => faults.push(fault),
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(seen.len() > 40 && back > count, "few ops or few that are read back ({back}): {seen:?}");
}

#[test]
#[cfg_attr(
    not(frit_python),
    ignore = "set FRIT_PYTHON to a Python with the packages of tests/requirements.txt"
)]
fn networks_of_the_zoo_are_what_the_interpreter_computes_as_they_are_and_optimised() {
    let folder = tempfile::tempdir().expect("a folder");
    write_zoo(folder.path());
    judge(folder.path());
}

#[test]
fn networks_of_the_zoo_come_back_as_they_were_written() {
    write_zoo(tempfile::tempdir().expect("a folder").path());
}

/// Writes the networks of the zoo, as they are and optimised.
fn write_zoo(folder: &Path) {
    for name in zoo::names() {
        let graph = small(name);
        write(folder, name, &graph).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(read_back(folder, name, &graph), Ok(true));
        let optimised = optimise(graph, &Options::native()).unwrap_or_else(|faults| panic!("{faults}")).graph;
        write(folder, &format!("{name}_optimised"), &optimised).unwrap_or_else(|fault| panic!("{fault}"));
    }
}

/// The part of a small network of the zoo between two layers, the first of which is named where one is before it.
fn piece(name: &str, from: Option<&str>, until: Option<&str>) -> Part {
    let range = Range { from, until };
    let sides = Sides { before: from.is_some(), behind: until.is_some() };
    part::part(small(name), range, sides, name).unwrap_or_else(|faults| panic!("{faults}")).part
}

#[test]
#[cfg_attr(
    not(frit_python),
    ignore = "set FRIT_PYTHON to a Python with the packages of tests/requirements.txt"
)]
fn stitched_and_headed_networks_are_what_the_interpreter_computes() {
    let folder = tempfile::tempdir().expect("a folder");
    let head = piece("mobilenet_v2", None, Some("s4"));
    let tail = piece("xception", Some("block9_add"), None);
    let shapes = [head.gives(), tail.takes()].map(|shape| shape.expect("both ends have a shape"));
    for adapter in stitch::adapters(&shapes[0], &shapes[1], 5) {
        let name = adapter.name.replace('/', "_");
        let between = Part::between(adapter.graph, "adapter").unwrap_or_else(|fault| panic!("{fault:?}"));
        let whole = stitch::join(&[head.clone(), between, tail.clone()]);
        let whole = whole.unwrap_or_else(|faults| panic!("{faults}"));
        write(folder.path(), &name, &whole).unwrap_or_else(|fault| panic!("{fault}"));
    }
    let (own, _) = chain::chain("global_avg_pool, dense 10, softmax", &shapes[0], 5)
        .unwrap_or_else(|faults| panic!("{faults}"));
    let own = Part::between(own, "head").unwrap_or_else(|fault| panic!("{fault:?}"));
    let headed = stitch::join(&[head, own]).unwrap_or_else(|faults| panic!("{faults}"));
    write(folder.path(), "headed", &headed).unwrap_or_else(|fault| panic!("{fault}"));
    judge(folder.path());
}

/// The nodes of an exported network by operator.
fn operators(graph: &Graph, operator: &str) -> usize {
    let bytes = onnx::write(graph).unwrap_or_else(|faults| panic!("{faults}"));
    let needle: Vec<u8> = iter::once(operator.len() as u8).chain(operator.bytes()).collect();
    bytes.windows(needle.len()).filter(|window| *window == needle).count()
}

#[test]
fn a_map_is_turned_once_at_the_input_and_nowhere_inside() {
    for name in zoo::names() {
        let graph = small(name);
        assert_eq!(operators(&graph, "Transpose"), 1, "{name}");
    }
}
