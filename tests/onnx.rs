//! ONNX files: what they may take of time and memory, and what lies beside them.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use frit_compiler::import::{self, Request, onnx};
use frit_compiler::onnx::{Entry, Model, Tensor};
use frit_ir::diagnostic::codes::{self, Code};
use frit_ir::weights::Data;
use frit_ir::{Faults, Graph, Shape};
use frit_passes::legality;
use frit_tests::nodes;
use prost::Message;

/// A convolution, a norm and a matrix behind a flatten.
const NODES: &str = "
version 17
input x Nx2x4x4
weight w 4x2x3x3 = seeded
weight m 16x5 = seeded
weight s 4 = 2
a = Conv(x, w) as conv
b = BatchNormalization(a, s, s, s, s) as norm
c = Flatten(b) as flatten
y = Gemm(c, m) as dense
output y
";

fn load(path: &Path) -> Result<Graph, Faults> {
    import::load(path, &Request::default()).map(|(graph, _)| graph)
}

#[track_caller]
fn refused(path: &Path) -> (Code, String) {
    let faults = load(path).expect_err("it is refused");
    let fault = faults.iter().next().expect("a refusal has a fault");
    (fault.code, faults.to_string())
}

/// NODES with the values of all weights in the file `location`, whose bytes are returned.
fn outside(location: &str) -> (Vec<u8>, Vec<u8>) {
    let mut model = Model::decode(nodes::file(NODES).as_slice()).expect("the harness writes models");
    let mut values = Vec::new();
    for tensor in model.graph.iter_mut().flat_map(|graph| &mut graph.initializer) {
        let bytes = tensor.raw_data.take().unwrap_or_default();
        let entry = |key: &str, value: String| Entry { key: Some(key.to_owned()), value: Some(value) };
        tensor.external_data = vec![
            entry("location", location.to_owned()),
            entry("offset", values.len().to_string()),
            entry("length", bytes.len().to_string()),
        ];
        tensor.data_location = Some(1);
        values.extend(bytes);
    }
    (model.encode_to_vec(), values)
}

#[test]
fn weights_stay_in_the_file_in_whatever_order_a_layer_wants_them() {
    let (graph, _) = onnx::read(nodes::file(NODES).into(), None, &Request::default()).expect("it is read");
    let names: Vec<&str> = graph.weights.iter().map(|(name, _)| name).collect();
    // The norm reads one tensor of the file four times.
    assert_eq!(names, ["conv.kernel", "dense.kernel", "norm.gamma"]);
    assert!(graph.weights.iter().all(|(_, weight)| matches!(weight.data, Data::Mapped(_))));
    let kernel = graph.weights.get("conv.kernel").expect("it is there");
    assert_eq!(kernel.shape, Shape::new(&[3, 3, 2, 4]));
}

#[test]
fn typed_values_are_raw_ones_under_another_name() {
    let mut model = Model::decode(nodes::file(NODES).as_slice()).expect("the harness writes models");
    let typed = |tensor: &mut Tensor| {
        let bytes = tensor.raw_data.take().unwrap_or_default();
        // A packed field may come in pieces.
        tensor.float_data = vec![bytes.slice(..4), bytes.slice(4..)];
    };
    model.graph.iter_mut().flat_map(|graph| &mut graph.initializer).for_each(typed);
    let read = |bytes: Vec<u8>| onnx::read(bytes.into(), None, &Request::default()).expect("it is read").0;
    let (typed, raw) = (read(model.encode_to_vec()), read(nodes::file(NODES)));
    assert_eq!(typed.weights, raw.weights);
}

#[test]
fn weights_may_lie_in_the_folder_of_the_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("net.onnx");
    let (model, values) = outside("net.onnx.data");
    fs::write(&path, &model).expect("written");
    let (code, said) = refused(&path);
    assert_eq!(code, codes::ONNX_TENSOR);
    assert!(said.contains("net.onnx.data") && said.contains("net.onnx\n"), "{said}");
    fs::write(folder.path().join("net.onnx.data"), &values).expect("written");
    let graph = load(&path).expect("it is read");
    let (inside, _) = onnx::read(nodes::file(NODES).into(), None, &Request::default()).expect("it is read");
    assert_eq!((graph.name.as_str(), &graph.weights), ("net", &inside.weights));
    fs::write(folder.path().join("net.onnx.data"), &values[1..]).expect("written");
    assert_eq!(refused(&path).0, codes::ONNX_TENSOR);
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("net.onnx");
    assert_eq!(refused(&path).0, codes::FILE_UNREADABLE);
    fs::create_dir(&path).expect("made");
    assert_eq!(refused(&path).0, codes::FILE_UNREADABLE);
}

#[test]
fn weights_of_another_file_are_for_descriptions() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("net.onnx");
    fs::write(&path, nodes::file(NODES)).expect("written");
    let request = Request { weights: Some("other".into()), ..Request::default() };
    let faults = import::load(&path, &request).expect_err("refused");
    assert_eq!(faults.iter().next().map(|fault| fault.code), Some(codes::BAD_VALUE));
}

/// The file of `count` nodes, each of which `line` writes with the names of what it reads and makes, is legal in a time that
/// grows with their number alone.
#[track_caller]
fn legal_soon(count: usize, line: impl Fn(&str, &str) -> String) {
    let mut text =
        "version 17\ninput x Nx4x2x2\nweight c 4x1x1 = 0.5\nweight s int64 4 = 0 -1 2 1\n".to_owned();
    let mut operand = "x".to_owned();
    for index in 0..count {
        let result = format!("t{index}");
        writeln!(text, "{}", line(&operand, &result)).expect("a string takes all that is written to it");
        operand = result;
    }
    text += &format!("output {operand}\n");
    let bytes = nodes::file(&text);
    let started = Instant::now();
    let (graph, _) = onnx::read(bytes.into(), None, &Request::default()).expect("it is read");
    legality::check(graph).expect("it is legal");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn many_nodes_take_no_stack_and_a_time_that_grows_with_their_number() {
    legal_soon(20_000, |a, b| format!("{b} = Relu({a}) as same"));
    legal_soon(20_000, |a, b| format!("{b} = Add({a}, {a})"));
    legal_soon(20_000, |a, b| format!("{b} = Transpose({a}) {{perm=[0, 2, 3, 1]}}"));
    legal_soon(20_000, |a, b| format!("{b}, {b}m = Dropout({a})"));
    legal_soon(10_000, |a, b| format!("{b} = Mul({a}, c)"));
    legal_soon(10_000, |a, b| format!("{b} = Reshape({a}, s)"));
}
