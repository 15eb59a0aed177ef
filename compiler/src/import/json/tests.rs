//! What a description becomes, and where each fault is told.

use std::fs;

use frit_ir::diagnostic::Code;
use frit_ir::graph::Preprocess;
use frit_ir::ops::{Conv2d, Padding, Scalar};
use frit_ir::{NodeId, Op, Severity, text};
use frit_passes::legality;
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize_to_file};

use super::*;
use crate::import::limits;

/// A description whose layers begin on line 4.
fn net(layers: &str) -> String {
    format!(
        "{{\"frit\": 1, \"input\": {{\"name\": \"x\", \"shape\": [9, 8, 4]}}, \"weights\": {{\"seed\": 1}},\n \
         \"defaults\": {{\"padding\": \"same\", \"activation\": \"relu6\", \"batch_norm\": {{\"epsilon\": 1e-3}}}},\n \
         \"layers\": [\n{layers}]}}"
    )
}

fn source() -> Source {
    Source { file: "net.json".to_owned(), ..Source::default() }
}

fn graph(text: &str) -> Graph {
    let (graph, warnings) = read(text, &source()).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(warnings.is_empty(), "{warnings}");
    graph
}

/// Code, line, column and path of each fault.
fn faults(text: &str) -> Vec<(Code, usize, usize, String)> {
    let faults = read(text, &source()).err().unwrap_or_default();
    let told = |fault: &Diagnostic| {
        let place = &fault.place;
        assert_eq!(place.file, "net.json", "{fault}");
        (fault.code, place.line.unwrap_or(0), place.column.unwrap_or(0), place.path.clone())
    };
    faults.iter().map(told).collect()
}

/// Asserts that `text` has this one fault, where `here` first stands in it.
fn assert_fault(text: &str, code: Code, here: &str, path: &str) {
    let before = &text[..text.find(here).unwrap_or_else(|| panic!("{here} is not in {text}"))];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    assert_eq!(faults(text), [(code, line, column, path.to_owned())], "{text}");
}

fn names(graph: &Graph) -> Vec<&str> {
    graph.ids().map(|id| graph.node(id).name.as_str()).collect()
}

fn find(graph: &Graph, name: &str) -> NodeId {
    graph.find(name).unwrap_or_else(|| panic!("no {name} among {:?}", names(graph)))
}

fn conv<'g>(graph: &'g Graph, name: &str) -> &'g Conv2d {
    match &graph.node(find(graph, name)).op {
        Op::Conv2d(conv) => conv,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn a_layer_without_a_name_is_named_after_the_one_before_that_has_one() {
    let layers = r#""relu", {"name": "c", "op": "conv2d", "filters": 2, "kernel": 3, "activation": "relu6"},
        "batch_norm", "relu", "relu", {"name": "c/relu_2", "op": "relu"}, "softmax""#;
    let expected =
        ["x", "x/relu", "c", "c/relu6", "c/batch_norm", "c/relu", "c/relu_3", "c/relu_2", "c/relu_2/softmax"];
    let graph = graph(&net(layers));
    assert_eq!(names(&graph), expected);
    assert_eq!(graph.node(graph.outputs()[0]).name, "c/relu_2/softmax");
    assert_eq!(graph.name, "net");
    assert!(graph.weights.get("c/batch_norm.variance").is_some());
}

#[test]
fn a_stage_is_blocks_of_named_layers_and_skips_where_the_rule_allows() {
    let layers =
        r#"{"name": "s", "stage": "inverted_residual", "expand": 2, "filters": 6, "stride": 2, "repeat": 2}"#;
    let graph = graph(&net(layers));
    let block = |number: usize| {
        let parts = ["expand", "expand/batch_norm", "expand/relu6", "depthwise", "depthwise/batch_norm"];
        let more = ["depthwise/relu6", "project", "project/batch_norm"];
        parts.into_iter().chain(more).map(move |part| format!("s/{number}/{part}"))
    };
    let expected: Vec<String> =
        ["x".to_owned()].into_iter().chain(block(1)).chain(block(2)).chain(["s/2/add".to_owned()]).collect();
    assert_eq!(names(&graph), expected);
    let operands = graph.operands(find(&graph, "s/2/add"));
    assert_eq!(operands, [find(&graph, "s/1/project/batch_norm"), find(&graph, "s/2/project/batch_norm")]);
    assert_eq!((conv(&graph, "s/1/expand").filters, conv(&graph, "s/2/expand").filters), (8, 12));
    assert_eq!(
        (conv(&graph, "s/1/depthwise").stride, conv(&graph, "s/2/depthwise").stride),
        ([2, 2], [1, 1])
    );
}

#[test]
fn a_stage_can_go_without_expansion_skip_and_activation() {
    let stage = |more: &str| {
        net(&format!(
            r#"{{"name": "s", "stage": "inverted_residual", "filters": 4, "activation": "linear", {more}}}"#
        ))
    };
    let with = graph(&stage(r#""expand": 1"#));
    assert!(with.find("s/1/expand").is_none() && with.find("s/1/add").is_some());
    assert!(graph(&stage(r#""expand": 1, "id_skip": false"#)).find("s/1/add").is_none());
    let expanded = graph(&stage(r#""expanded": 4"#));
    assert_eq!(conv(&expanded, "s/1/expand").filters, 4);
    assert!(!names(&expanded).iter().any(|name| name.contains("relu")));
}

#[test]
fn every_way_to_pad_becomes_numbers() {
    let padding = |kernel: &str, stride: usize, padding: &str| {
        let layer = format!(
            r#"{{"name": "c", "op": "conv2d", "filters": 1, "kernel": {kernel}, "stride": {stride}, "dilation": 1, "padding": {padding}}}"#
        );
        let Padding { top, bottom, left, right } = conv(&graph(&net(&layer)), "c").padding;
        [top, bottom, left, right]
    };
    // The map is 9 high and 8 wide: at stride 2 an odd size pads evenly, an even one at its end.
    assert_eq!(padding("3", 2, r#""same""#), [1, 1, 0, 1]);
    assert_eq!(padding("5", 2, r#""same""#), [2, 2, 1, 2]);
    assert_eq!(padding("[1, 4]", 1, r#""same""#), [0, 0, 1, 2]);
    assert_eq!(padding("3", 4, r#""same""#), [1, 1, 0, 0]);
    assert_eq!(padding("3", 2, r#""torch""#), [1, 1, 1, 1]);
    assert_eq!(padding("3", 2, r#""valid""#), [0, 0, 0, 0]);
    assert_eq!(padding("3", 2, "[0, 1, 2, 3]"), [0, 1, 2, 3]);
    let dilated =
        r#"{"name": "c", "op": "conv2d", "filters": 1, "kernel": 3, "dilation": 2, "padding": "torch"}"#;
    assert_eq!(conv(&graph(&net(dilated)), "c").padding.top, 2);
}

#[test]
fn a_depthwise_convolution_takes_its_groups_from_its_input() {
    let graph = graph(&net(r#"{"name": "d", "op": "depthwise_conv2d", "multiplier": 3, "kernel": 3}"#));
    assert_eq!((conv(&graph, "d").filters, conv(&graph, "d").groups), (12, 4));
    assert_eq!(graph.weights.get("d.kernel").unwrap().shape, Shape::new(&[3, 3, 1, 12]));
}

#[test]
fn layers_may_be_named_before_they_are_described_and_outputs_chosen() {
    let layers = r#"{"name": "sum", "op": "add", "inputs": ["late", "x"]}, {"name": "late", "op": "relu", "inputs": "x"},
        {"name": "s", "stage": "inverted_residual", "expand": 2, "filters": 4, "inputs": "x"}],
        "outputs": ["s/1/expand", "sum", "s""#;
    let graph = graph(&net(layers));
    let outputs: Vec<&str> = graph.outputs().iter().map(|&id| graph.node(id).name.as_str()).collect();
    assert_eq!(outputs, ["s/1/expand", "sum", "s/1/add"]);
    assert_eq!(graph.operands(find(&graph, "sum")), [find(&graph, "late"), find(&graph, "x")]);
}

#[test]
fn the_broken_residual_comes_through_and_legality_refuses_it() {
    let layers = r#"{"name": "a", "op": "conv2d", "filters": 6, "kernel": 3, "stride": 2}, {"op": "add", "inputs": ["x", "a"]}"#;
    let faults = legality::check(graph(&net(layers))).unwrap_err();
    assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [codes::RESIDUAL_SHAPES]);
}

#[test]
fn a_chain_of_twenty_thousand_layers_needs_no_deep_stack() {
    let text = net(&vec!["\"relu\""; 20_000].join(", "));
    let built = std::thread::Builder::new().stack_size(256 << 10).spawn(move || graph(&text).len());
    assert_eq!(built.unwrap().join().unwrap(), 20_001);
}

#[test]
fn what_is_no_description_is_refused_in_its_own_words() {
    assert_fault("{\"frit\": 1,", codes::JSON_SYNTAX, ",", "");
    assert_fault("\n[]", codes::BAD_VALUE, "[]", "");
    assert_fault("{\"name\": \"a\"}", codes::MISSING_FIELD, "{", "");
    assert_fault("{\"frit\": 2, \"new\": true}", codes::BAD_VALUE, "2", "/frit");
}

#[test]
fn a_fault_of_a_layer_stands_at_its_value() {
    let conv = |more: &str| net(&format!(r#"{{"op": "conv2d", "filters": 2, {more}}}"#));
    assert_fault(
        &conv(r#""kernel": 3, "strides": 2"#),
        codes::UNKNOWN_FIELD,
        "\"strides\"",
        "/layers/0/strides",
    );
    assert_fault(&conv(r#""kernel": 3, "stride": 0"#), codes::BAD_ATTRIBUTE, "0}", "/layers/0/stride");
    assert_fault(&conv(r#""kernel": [3, 0]"#), codes::BAD_ATTRIBUTE, "0]}", "/layers/0/kernel/1");
    for wrong in
        ["-1", "1.5", "1e30", "\"3\"", "[3]", "[1, 2, 3]", "true", "null", "{}", "99999999999999999999"]
    {
        let text = conv(&format!("\"kernel\": {wrong}"));
        assert_fault(&text, codes::BAD_VALUE, &format!("{wrong}}}"), "/layers/0/kernel");
    }
    assert_fault(&conv(r#""bias": true"#), codes::MISSING_FIELD, "{\"op\"", "/layers/0");
    assert_fault(
        &conv(r#""kernel": 1, "kernel": 1"#),
        codes::BAD_VALUE,
        "\"kernel\": 1}",
        "/layers/0/kernel",
    );
    assert_fault(
        &conv(r#""kernel": 1, "padding": "SAME""#),
        codes::BAD_VALUE,
        "\"SAME\"",
        "/layers/0/padding",
    );
    assert_fault(
        &conv(r#""kernel": 1, "activation": "gelo""#),
        codes::BAD_VALUE,
        "\"gelo\"",
        "/layers/0/activation",
    );
    assert_fault(&conv(r#""kernel": 1, "groups": 3"#), codes::BAD_ATTRIBUTE, "{\"op\"", "/layers/0");
    assert_fault(
        &conv(r#""kernel": 99, "padding": "valid""#),
        codes::KERNEL_TOO_LARGE,
        "{\"op\"",
        "/layers/0",
    );
}

#[test]
fn ops_layers_and_names_that_do_not_exist_are_told_with_the_nearest() {
    assert_fault(&net("\"conv2D\""), codes::UNKNOWN_OP, "\"conv2D\"", "/layers/0");
    assert_fault(&net("{\"stage\": \"bottle\"}"), codes::UNKNOWN_OP, "\"bottle\"", "/layers/0/stage");
    assert_fault(&net("{\"op\": \"relu\", \"stage\": \"a\"}"), codes::BAD_VALUE, "\"a\"}", "/layers/0/stage");
    assert_fault(&net("{\"name\": \"a\"}"), codes::MISSING_FIELD, "{\"name\": \"a\"", "/layers/0");
    let layers = "{\"name\": \"stem\", \"op\": \"relu\"},\n {\"op\": \"relu\", \"inputs\": [\"steam\"]}";
    assert_fault(&net(layers), codes::UNKNOWN_LAYER, "\"steam\"", "/layers/1/inputs/0");
    let fault = read(&net(layers), &source()).unwrap_err().iter().next().unwrap().clone();
    assert_eq!(fault.help[0].text, "the nearest is stem");
    let inside = "{\"name\": \"s\", \"op\": \"relu\"}, {\"op\": \"relu\", \"inputs\": \"s/1/add\"}";
    assert_fault(&net(inside), codes::UNKNOWN_LAYER, "\"s/1/add\"", "/layers/1/inputs");
    assert_fault(&net("\"relu\"], \"outputs\": [\"y\""), codes::UNKNOWN_LAYER, "\"y\"", "/outputs/0");
    assert_fault(&net("\"relu\"], \"outputs\": ["), codes::BAD_VALUE, "[]}", "/outputs");
    let twice = "{\"name\": \"a\", \"op\": \"relu\"}, {\"name\": \"a\", \"op\": \"relu\"}";
    assert_fault(&net(twice), codes::DUPLICATE_NAME, "{\"name\": \"a\", \"op\": \"relu\"}]", "/layers/1");
    let inner = "{\"name\": \"a\", \"op\": \"conv2d\", \"filters\": 1, \"kernel\": 1, \"activation\": \"relu\"},\n \
                 {\"name\": \"a/relu\", \"op\": \"relu\"}";
    assert_fault(&net(inner), codes::DUPLICATE_NAME, "{\"name\": \"a/relu\"", "/layers/1");
}

#[test]
fn operands_are_counted() {
    assert_fault(&net("\"add\""), codes::OPERANDS, "\"add\"", "/layers/0");
    assert_fault(&net("{\"op\": \"relu\", \"inputs\": []}"), codes::OPERANDS, "{\"op\"", "/layers/0");
}

#[test]
fn a_cycle_names_its_layers_and_hides_no_other_fault() {
    let layers = r#"{"name": "a", "op": "add", "inputs": ["x", "c"]}, {"name": "b", "op": "relu"}, {"name": "c", "op": "relu"},
        {"name": "self", "op": "relu", "inputs": ["self"]}, {"name": "after", "op": "relu", "inputs": ["b"]},
        {"name": "bad", "op": "reshape", "shape": [7], "inputs": ["x"]}"#;
    let found = read(&net(layers), &source()).unwrap_err();
    let told: Vec<(Code, &str)> = found.iter().map(|fault| (fault.code, fault.layer.as_str())).collect();
    assert_eq!(told, [(codes::CYCLE, "a"), (codes::CYCLE, "self"), (codes::RESHAPE, "bad (reshape)")]);
    assert_eq!(found.iter().next().unwrap().notes, ["a ← c ← b ← a"]);
}

#[test]
fn all_faults_are_told_at_once_up_to_a_limit() {
    let layers = "{\"op\": \"conv2d\", \"filters\": 0, \"kernel\": -1, \"pad\": 1, \"bias\": 3}, \"unknown\"";
    let found: Vec<Code> = faults(&net(layers)).into_iter().map(|fault| fault.0).collect();
    let expected =
        [codes::BAD_ATTRIBUTE, codes::BAD_VALUE, codes::BAD_VALUE, codes::UNKNOWN_FIELD, codes::UNKNOWN_OP];
    assert_eq!(found, expected);
    let many = read(&net(&vec!["\"unknown\""; 1000].join(",")), &source()).unwrap_err();
    assert_eq!(many.iter().count(), limits::FAULTS + 1);
    assert_eq!(many.iter().last().unwrap().code, codes::LIMIT);
}

#[test]
fn sizes_have_limits() {
    let stage = |repeat: &str| {
        format!("{{\"stage\": \"inverted_residual\", \"expand\": 1, \"filters\": 4, \"repeat\": {repeat}}}")
    };
    assert_fault(&net(&stage("10001")), codes::LIMIT, "10001", "/layers/0/repeat");
    let twice = format!("{},\n{}", stage("10000"), stage("10000"));
    assert_fault(
        &net(&twice),
        codes::LIMIT,
        "{\"stage\": \"inverted_residual\", \"expand\": 1, \"filters\": 4, \"repeat\": 10000}]",
        "/layers/1",
    );
    let long = format!("{{\"op\": \"relu\", \"name\": \"{}\"}}", "n".repeat(256));
    assert_fault(&net(&long), codes::LIMIT, "\"nnn", "/layers/0/name");
    let wide = "{\"op\": \"conv2d\", \"filters\": 2000000000, \"kernel\": 1, \"groups\": 4}, \"flatten\", {\"op\": \"dense\", \"units\": 2000000000}";
    let found: Vec<Code> = faults(&net(wide)).into_iter().map(|fault| fault.0).collect();
    assert_eq!(found, [codes::TENSOR_SIZE, codes::LIMIT]);
    let filled = r#"{"op": "constant", "shape": [9000000], "value": 1}"#;
    let twice: Vec<Code> =
        faults(&net(&format!("{filled}, {filled}"))).into_iter().map(|fault| fault.0).collect();
    assert_eq!(twice, [codes::LIMIT]);
    let heavy = "\"flatten\", {\"op\": \"dense\", \"units\": 1000000000}";
    assert_fault(&net(heavy), codes::LIMIT, "{\"seed\"", "/weights");
}

#[test]
fn an_input_too_large_to_count_is_refused() {
    let text = net("\"relu\"").replace("[9, 8, 4]", "[2000000, 2000000, 3]");
    assert_fault(&text, codes::TENSOR_SIZE, "[2000000", "/input/shape");
}

#[test]
fn preprocessing_is_read_and_checked() {
    let with = |preprocess: &str| {
        let input = format!("\"shape\": [9, 8, 3], \"preprocess\": {preprocess}");
        net("\"relu\"").replace("\"shape\": [9, 8, 4]", &input)
    };
    let read =
        graph(&with(r#"{"range": [-1, 1], "resize": "bilinear", "std": [1, 2, 4]}"#)).preprocess.unwrap();
    let expected = Preprocess {
        crop_center_square: true,
        bicubic: false,
        range: [-1.0, 1.0].map(Scalar::new),
        mean: [Scalar::ZERO; 3],
        std: [1.0, 2.0, 4.0].map(Scalar::new),
    };
    assert_eq!(read, expected);
    let zero = with(r#"{"range": [0, 1], "std": [1, 0, 1]}"#);
    assert_fault(&zero, codes::BAD_VALUE, "0, 1]}}", "/input/preprocess/std/1");
    let grey = with(r#"{"range": [0, 1]}"#).replace("[9, 8, 3]", "[9, 8, 1]");
    assert_fault(&grey, codes::BAD_VALUE, "{\"range\"", "/input/preprocess");
    assert_fault(&with(r#"{"range": [0, 1e39]}"#), codes::BAD_VALUE, "1e39", "/input/preprocess/range/1");
}

/// A folder with a description whose weights are in `w.safetensors`: a dense layer on a vector of 2.
struct Shelved(tempfile::TempDir);

impl Shelved {
    fn new(tensors: &[(&str, Dtype, &[usize])]) -> Shelved {
        let folder = tempfile::tempdir().unwrap();
        let bytes = [0u8; 64];
        let views = tensors.iter().map(|&(name, dtype, shape)| {
            let size = shape.iter().product::<usize>() * if dtype == Dtype::F32 { 4 } else { 2 };
            (name, TensorView::new(dtype, shape.to_vec(), &bytes[..size]).unwrap())
        });
        serialize_to_file(views, None, &folder.path().join("w.safetensors")).unwrap();
        Shelved(folder)
    }

    fn read(&self, weights: &str) -> Result<(Graph, Faults), Faults> {
        let text = format!(
            "{{\"frit\": 1, \"input\": {{\"shape\": [2]}},\n \"weights\": {weights},\n \
             \"layers\": [\n{{\"name\": \"d\", \"op\": \"dense\", \"units\": 3}}]}}"
        );
        read(&text, &Source { folder: Some(self.0.path().to_owned()), ..source() })
    }

    fn codes(&self, weights: &str) -> Vec<Code> {
        let faults = self.read(weights).map_or_else(|faults| faults, |(_, warnings)| warnings);
        faults.iter().map(|fault| fault.code).collect()
    }
}

const KERNEL: (&str, Dtype, &[usize]) = ("d.kernel", Dtype::F32, &[2, 3]);
const BIAS: (&str, Dtype, &[usize]) = ("d.bias", Dtype::F32, &[3]);

#[test]
fn weights_come_from_the_file_beside_the_description() {
    let (graph, warnings) = Shelved::new(&[KERNEL, BIAS]).read("\"w.safetensors\"").unwrap();
    assert!(warnings.is_empty());
    assert_eq!(*graph.weights.values("d.kernel").unwrap(), [0.0; 6]);
}

#[test]
fn weights_that_do_not_fit_are_told_with_what_would() {
    let file = "\"w.safetensors\"";
    let spare = ("e.bias", Dtype::F32, &[3][..]);
    assert_eq!(Shelved::new(&[KERNEL, BIAS, spare]).codes(file), [codes::WEIGHT_UNUSED]);
    assert_eq!(Shelved::new(&[KERNEL, ("d.bias", Dtype::F16, &[3])]).codes(file), [codes::WEIGHT_TYPE]);
    let shelved = Shelved::new(&[("d.kernel", Dtype::F32, &[3, 2]), ("d.biases", Dtype::F32, &[3])]);
    let faults = shelved.read(file).unwrap_err();
    let told: Vec<_> =
        faults.iter().map(|fault| (fault.code, fault.place.line, fault.layer.as_str())).collect();
    let expected =
        [(codes::WEIGHT_SHAPE, Some(4), "d (dense)"), (codes::WEIGHT_MISSING, Some(4), "d (dense)")];
    assert_eq!(told, expected);
    let fault = faults.iter().next().unwrap();
    assert_eq!((fault.operands[0].shape.as_str(), fault.operands[1].shape.as_str()), ("3x2", "2x3"));
    assert_eq!(faults.iter().last().unwrap().help[0].text, "the nearest is d.biases");
}

#[test]
fn a_weights_file_that_is_damaged_missing_or_elsewhere_is_unreadable() {
    let shelved = Shelved::new(&[KERNEL, BIAS]);
    let unreadable = [codes::WEIGHTS_UNREADABLE];
    for elsewhere in ["../w.safetensors", "/etc/passwd", "", ".", "a/../w.safetensors", "missing.safetensors"]
    {
        assert_eq!(shelved.codes(&format!("\"{elsewhere}\"")), unreadable, "{elsewhere}");
    }
    let path = shelved.0.path().join("w.safetensors");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 7, 8, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        assert_eq!(shelved.codes("\"w.safetensors\""), unreadable, "{length} bytes");
    }
    let mut huge = bytes;
    huge[..8].fill(0xff);
    fs::write(&path, huge).unwrap();
    assert_eq!(shelved.codes("\"w.safetensors\""), unreadable);
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_out_of_the_folder() {
    let (shelved, other) = (Shelved::new(&[KERNEL, BIAS]), Shelved::new(&[KERNEL, BIAS]));
    let target = other.0.path().join("w.safetensors");
    std::os::unix::fs::symlink(target, shelved.0.path().join("link.safetensors")).unwrap();
    assert_eq!(shelved.codes("\"link.safetensors\""), [codes::WEIGHTS_UNREADABLE]);
}

#[test]
fn the_callers_weights_come_first() {
    let shelved = Shelved::new(&[KERNEL, BIAS]);
    let text = "{\"frit\": 1, \"input\": {\"shape\": [2]}, \"layers\": [{\"name\": \"d\", \"op\": \"dense\", \"units\": 3}]}";
    assert_fault(text, codes::MISSING_FIELD, "{", "");
    let weights = Some(shelved.0.path().join("w.safetensors"));
    let (graph, _) = read(text, &Source { weights, ..source() }).unwrap();
    assert_eq!(graph.weights.values("d.bias").unwrap().len(), 3);
}

#[test]
fn labels_are_read_and_counted() {
    let shelved = Shelved::new(&[]);
    let with = |labels: &str| {
        fs::write(shelved.0.path().join("l.json"), labels).unwrap();
        shelved.read("{\"seed\": 1}, \"labels\": \"l.json\"")
    };
    assert_eq!(with("[\"a\", \"b\", \"c\"]").unwrap().0.labels.unwrap().len(), 3);
    let (_, warnings) = with("[\"a\"]").unwrap();
    assert_eq!(
        warnings.iter().map(|w| (w.code, w.severity)).collect::<Vec<_>>(),
        [(codes::LABELS, Severity::Warning)]
    );
    for bad in ["{}", "[1]", "[\"a\"", ""] {
        let faults = with(bad).unwrap_err();
        let fault = faults.iter().next().unwrap();
        assert_eq!((fault.code, fault.place.path.as_str()), (codes::LABELS, "/labels"), "{bad}");
    }
}

/// Bytes that a description is broken with.
const BREAKERS: [&str; 12] = [
    "0",
    "-1",
    "1e400",
    "null",
    "[",
    "}",
    "\"",
    ",",
    "\\ud800",
    "{\"a\": 1}",
    "18446744073709551615",
    "\u{0}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_broken_description_is_a_graph_or_faults_but_never_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..BREAKERS.len(), 0usize..6), 1..6),
    ) {
        let mut text = net(r#"{"name": "c", "op": "conv2d", "filters": 8, "kernel": [3, 3], "stride": 2, "groups": 2},
            "batch_norm", {"op": "clip", "low": 0, "high": 1}, {"op": "pad", "padding": [0, 1, 2, 3]},
            {"name": "s", "stage": "inverted_residual", "expand": 2, "filters": 8, "repeat": 3, "inputs": ["c"]},
            {"name": "sum", "op": "add", "inputs": ["s/1/add", "s"]}, "global_avg_pool",
            {"op": "dense", "units": 7}, {"op": "reshape", "shape": [7, 1]}, "softmax"], "outputs": ["sum""#);
        for (at, breaker, removed) in changes {
            let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let start = at.index(boundaries.len());
            let end = (start + removed).min(boundaries.len() - 1);
            text.replace_range(boundaries[start]..boundaries[end], BREAKERS[breaker]);
        }
        match read(&text, &source()) {
            Ok((graph, _)) => prop_assert!(graph.topological().len() == graph.len() && graph.shapes().is_ok()),
            Err(faults) => prop_assert!(faults.has_errors()),
        }
    }

    #[test]
    fn what_is_read_prints_and_reads_back(filters in 1usize..9, stride in 1usize..3, repeat in 1usize..4, skip: bool) {
        let stage = format!(
            r#"{{"name": "s", "stage": "inverted_residual", "expand": 2, "filters": {filters}, "stride": {stride}, "repeat": {repeat}, "id_skip": {skip}}}"#
        );
        let graph = graph(&net(&stage));
        let printed = text::print(&graph);
        prop_assert_eq!(text::print(&text::parse(&printed).map_err(|faults| TestCaseError::fail(faults.to_string()))?), printed);
    }
}
