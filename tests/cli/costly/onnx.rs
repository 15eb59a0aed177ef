//! ONNX files that ask for much.

use std::fmt::Write;

use frit_compiler::onnx::{Attribute, Graph, Model, Node, OperatorSet, SparseTensor, Tensor, ValueInfo};
use prost::Message;

use super::Costly;
use crate::nodes;

/// More than the file's size explains.
const LIMIT: Option<&str> = Some("FR0010");

/// Some of each kind.
pub(super) fn files() -> Vec<Costly> {
    [computed(), shaped(), copied(), written_out(), messages(), told(), legal()]
        .into_iter()
        .flatten()
        .collect()
}

fn costly(name: &'static str, code: Option<&'static str>, content: Vec<u8>) -> Costly {
    Costly { name, code, ending: "onnx", content }
}

/// The file of these lines, whose output is `y`.
fn file(text: &str) -> Vec<u8> {
    nodes::file(&format!("version 17\n{text}\noutput y"))
}

/// `count` lines, of which each makes `#` of `@`: the first reads `t0`, the last makes `y`.
fn chain(count: usize, line: &str) -> String {
    let mut text = String::new();
    for number in 1..=count {
        let made = if number == count { "y".to_owned() } else { format!("t{number}") };
        let _ = writeln!(text, "{}", line.replace('#', &made).replace('@', &format!("t{}", number - 1)));
    }
    text
}

/// The file of a constant `c` with these axes, and of what is made of it.
fn of_shape(axes: &str, text: &str) -> Vec<u8> {
    let rank = axes.split(' ').count();
    file(&format!("weight s int64 {rank} = {axes}\nc = ConstantOfShape(s)\n{text}"))
}

/// Constants that a few operators make large, or look at often.
fn computed() -> Vec<Costly> {
    let cast = |text: &str| format!("{text}\ny = Cast(n) {{to=1}}");
    vec![
        costly(
            "reduced-often",
            LIMIT,
            of_shape(
                "4096 1024",
                &format!("t0 = ReduceMax(c)\n{}", chain(300, "r# = ReduceMin(c)\n# = Add(r#, @)")),
            ),
        ),
        costly("two-to-the-forty", LIMIT, of_shape("1048576 1048575", "y = Neg(c)")),
        costly("past-all-numbers", LIMIT, of_shape("4611686018427387904 4611686018427387904", "y = Neg(c)")),
        costly(
            "doubled-by-concat",
            LIMIT,
            of_shape("1024", &format!("t0 = Neg(c)\n{}", chain(50, "# = Concat(@, @) {axis=0}"))),
        ),
        costly("powers", LIMIT, of_shape("4000000", &format!("t0 = Exp(c)\n{}", chain(60, "# = Pow(@, @)")))),
        costly(
            "chosen-often",
            LIMIT,
            of_shape(
                "2000000",
                &format!("b = Greater(c, c)\nt0 = Exp(c)\n{}", chain(200, "# = Where(b, @, c)")),
            ),
        ),
        costly(
            "softmax-of-constants",
            LIMIT,
            of_shape("1 1000000", &format!("t0 = Exp(c)\n{}", chain(100, "# = Softmax(@)"))),
        ),
        costly(
            "expanded",
            LIMIT,
            of_shape("1", "weight long int64 2 = 65536 65536\nx = Exp(c)\ny = Expand(x, long)"),
        ),
        costly("tiled", LIMIT, of_shape("1024", "weight times int64 1 = 10000000\ny = Tile(c, times)")),
        costly(
            "ranged",
            LIMIT,
            file(&cast(
                "weight a int64 scalar = 0\nweight b int64 scalar = 9000000000\nweight d int64 scalar = 1\nn = Range(a, b, d)",
            )),
        ),
    ]
}

/// Tensors and shapes that a few operators make large, and nothing, many times.
fn shaped() -> Vec<Costly> {
    let cast = |text: &str| format!("{text}\ny = Cast(n) {{to=1}}");
    let integers = "weight z int64 1 = 0\nweight one int64 1 = 1\n";
    vec![
        // The number of images is known to no file: what is compared with it takes sixteen bytes, not one.
        costly(
            "symbols-of-booleans",
            LIMIT,
            file(
                "input image Nx3\nweight long int64 1 = 250000000\nweight two int64 1 = 2\ns = Shape(image)\n\
                 b = Equal(s, two)\nweight f int64 1 = 0\nweight t int64 1 = 1\nweight ax int64 1 = 0\n\
                 first = Slice(b, f, t, ax)\ne = Expand(first, long)\ny = Cast(e) {to=1}",
            ),
        ),
        costly(
            "gather-of-nothing",
            None,
            of_shape(
                "274877906944 3 0",
                &cast(&format!("{integers}g = Gather(c, z) {{axis=1}}\nn = Shape(g)")),
            ),
        ),
        costly(
            "concat-of-nothing",
            None,
            of_shape("274877906944 3 0", &cast("g = Concat(c, c) {axis=1}\nn = Shape(g)")),
        ),
        costly(
            "sums-of-nothing",
            LIMIT,
            of_shape("274877906944 0", "y = ReduceSum(c, o) {keepdims=0}\nweight o int64 1 = 1"),
        ),
        costly(
            "split-in-many",
            None,
            file("input image Nx16777216\na, b = Split(image) {axis=1, num_outputs=8388608}\ny = Relu(a)")
                .replace_version(18),
        ),
        costly(
            "padded-with-constants",
            None,
            file(
                "input image 1x4x4x4\nweight p int64 8 = 0 0 0 0 1048576 0 1 0\nweight v scalar = 1.5\n\
                 a = Pad(image, p, v)\ny = Relu(a)",
            ),
        ),
        costly(
            "expanded-tensor",
            LIMIT,
            file("input image 1x4\nweight p int64 3 = 500000000 1 4\na = Expand(image, p)\ny = Relu(a)"),
        ),
    ]
}

/// A file with another version of the operators.
trait Versioned {
    fn replace_version(self, version: i64) -> Self;
}

impl Versioned for Vec<u8> {
    fn replace_version(self, version: i64) -> Vec<u8> {
        let mut model = Model::decode(&self[..]).unwrap();
        model.opset_import[0].version = Some(version);
        model.encode_to_vec()
    }
}

/// Weights that are copied again and again.
fn copied() -> Vec<Costly> {
    let weight = "weight w 512x512 = seeded\nt0 = Transpose(w)\n";
    let double = "weight w 512x512 = seeded\nt0 = Neg(w)\n";
    let turned = chain(3000, "a# = Reshape(@, s)\nb# = Reshape(a#, m)\n# = Transpose(b#)");
    let read = "input image 1x512\n";
    let convolutions = chain(1500, "k# = Transpose(w) {perm=[1, 0, 2, 3]}\n# = Conv(@, k#)");
    vec![
        costly(
            "transposed-and-flattened",
            LIMIT,
            file(&format!("{weight}weight s int64 1 = 262144\nweight m int64 2 = 512 512\n{turned}")),
        ),
        costly(
            "cast-to-and-fro",
            LIMIT,
            file(&format!("{double}{}", chain(1500, "d# = Cast(@) {to=11}\n# = Cast(d#) {to=1}"))),
        ),
        costly("negated", LIMIT, file(&format!("{double}{}", chain(3000, "# = Neg(@)")))),
        costly(
            "cut-in-slices",
            LIMIT,
            file(&format!(
                "{double}weight z int64 1 = 0\nweight e int64 1 = 512\n{}",
                chain(3000, "# = Slice(@, z, e, z)")
            )),
        ),
        costly(
            "scaled-matrices",
            LIMIT,
            file(&format!(
                "{read}weight w 512x512 = seeded\nt0 = Relu(image)\n{}",
                chain(1000, "# = Gemm(@, w) {alpha=0.5}")
            )),
        ),
        // As many layers read one weight, which stays where it is.
        costly(
            "one-kernel-for-all",
            None,
            file(&format!(
                "input image 1x256x2x2\nweight w 256x256x1x1 = seeded\nt0 = Relu(image)\n{convolutions}"
            )),
        ),
    ]
}

/// Functions that become much where they are called.
fn written_out() -> Vec<Costly> {
    let ints = vec!["1234567890"; 2000].join(", ");
    let body = "y = Relu(x)\n".to_owned() + &format!("u = Shape(x) {{start=0, of=[{ints}]}}\n").repeat(50);
    let calls = chain(2000, "# = f(@)");
    let refers: String = (0..2000).map(|index| format!("u{index} = Shape(x) {{ints=@ints}}\n")).collect();
    let names: String = (0..2000).map(|index| format!("u{index} = Relu(x)\n")).collect();
    let mut levels = String::new();
    for level in 0..40 {
        let _ = write!(levels, "function f{level}(x) -> y\nt = f{0}(x)\ny = f{0}(t)\nend\n", level + 1);
    }
    let long = "x".repeat(200_000);
    vec![
        costly(
            "function-called-often",
            LIMIT,
            file(&format!("input image 1x4\nfunction f(x) -> y\n{body}end\nt0 = Relu(image)\n{calls}")),
        ),
        costly(
            "attributes-handed-on",
            LIMIT,
            file(&format!(
                "input image 1x4\nfunction f(x) -> y\ny = Relu(x)\n{refers}end\ny = f(image) {{ints=[{ints}, {ints}]}}"
            )),
        ),
        costly(
            "names-handed-on",
            LIMIT,
            file(&format!("input {long} 1x4\nfunction f(x) -> y\ny = Relu(x)\n{names}end\ny = f({long})")),
        ),
        costly("functions-in-functions", LIMIT, file(&format!("input image 1x4\n{levels}y = f0(image)"))),
    ]
}

/// Messages that are larger in memory than in the file.
fn messages() -> Vec<Costly> {
    let field = |tag: u8, content: &[u8]| {
        let mut bytes = vec![tag << 3 | 2];
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        bytes.extend(content);
        bytes
    };
    let empty = |tag: u8, count: usize| [tag << 3 | 2, 0].repeat(count);
    let shape = |dims: &[u8]| field(7, &field(11, &field(2, &field(1, &field(2, dims)))));
    // A field that the format has not, which begins and ends by itself.
    let group = [0xa3, 6, 0xa4, 6];
    vec![
        costly("empty-dimensions", LIMIT, shape(&empty(1, 10_000_000))),
        costly("empty-nodes", LIMIT, field(7, &empty(1, 5_000_000))),
        costly("empty-attributes", LIMIT, field(7, &field(1, &empty(5, 5_000_000)))),
        costly("empty-names", LIMIT, field(7, &field(1, &empty(1, 5_000_000)))),
        costly("empty-sets", LIMIT, empty(8, 5_000_000)),
        costly("empty-nodes-behind-a-group", LIMIT, [&group[..], &field(7, &empty(1, 5_000_000))].concat()),
        costly("axes-of-one-byte", LIMIT, field(7, &field(5, &field(1, &[1; 20_000_000])))),
        costly("numbers-one-by-one", LIMIT, field(7, &field(5, &[7 << 3, 1].repeat(10_000_000)))),
        costly(
            "many-axes",
            LIMIT,
            file(&format!("input image {}\ny = Relu(image)", vec!["1"; 100_000].join("x"))),
        ),
        costly(
            "axes-on-axes",
            LIMIT,
            file(&format!(
                "input image 1x4\nweight a int64 1000 = {}\ny = Unsqueeze(image, a)",
                (2..1002).map(|axis| axis.to_string()).collect::<Vec<_>>().join(" ")
            )),
        ),
    ]
}

/// Files with many faults, of which some are told.
fn told() -> Vec<Costly> {
    let many = |count: usize, node: &dyn Fn(usize) -> Node| {
        let graph = Graph {
            node: (0..count).map(node).collect(),
            output: vec![ValueInfo { name: Some("y0".to_owned()), r#type: None }],
            ..Graph::default()
        };
        Model { graph: Some(graph), ..versioned() }
    };
    let names = |names: &[String]| names.to_vec();
    let reads = |index: usize| Node {
        op_type: Some("Relu".to_owned()),
        input: names(&[format!("nothing{index}")]),
        output: names(&[format!("y{index}")]),
        ..Node::default()
    };
    let unknown =
        |index: usize| Node { op_type: Some(format!("Relo{index}")), input: Vec::new(), ..reads(index) };
    let long = "n".repeat(500_000);
    let twice = |index: usize| Node {
        name: Some(if index == 0 { long.clone() } else { format!("n{index}") }),
        output: names(&["y0".to_owned()]),
        input: Vec::new(),
        ..reads(index)
    };
    let mut sparse = many(40_000, &reads);
    if let Some(graph) = &mut sparse.graph {
        let values = |index: usize| Tensor { name: Some(format!("nothing{index}")), ..Tensor::default() };
        graph.sparse_initializer =
            (0..40_000).map(|index| SparseTensor { values: Some(values(index)) }).collect();
    }
    let mut outputs = many(1, &unknown);
    if let Some(graph) = &mut outputs.graph {
        let output = |index: usize| ValueInfo { name: Some(format!("none{index}")), r#type: None };
        graph.output = (0..100_000).map(output).collect();
    }
    let mut wide = many(1, &unknown);
    if let Some(graph) = &mut wide.graph {
        // All of them needed, and each of an operator of its own.
        graph.node = (0..40_000).map(unknown).collect();
        let output = |index: usize| ValueInfo { name: Some(format!("y{index}")), r#type: None };
        graph.output = (0..40_000).map(output).collect();
    }
    let attribute = |index: usize| Attribute { name: Some(format!("a{index}")), ..Attribute::default() };
    let attributes = many(1, &|_| Node { attribute: (0..150_000).map(attribute).collect(), ..unknown(0) });
    vec![
        costly("sparse-weights", Some("FR0043"), sparse.encode_to_vec()),
        costly("what-nothing-makes", Some("FR0044"), many(60_000, &reads).encode_to_vec()),
        costly("outputs-of-nothing", Some("FR0044"), outputs.encode_to_vec()),
        costly("operators-of-their-own", Some("FR0042"), wide.encode_to_vec()),
        costly("made-twice", Some("FR0044"), many(20_000, &twice).encode_to_vec()),
        costly("attributes-of-one-node", Some("FR0042"), attributes.encode_to_vec()),
        costly("function-twice", Some("FR0044"), {
            let text = "input image 1x4\nfunction f(x) -> y\ny = Relu(x)\nend\nfunction f(x) -> y\ny = Neg(x)\nend\ny = f(image)";
            file(text)
        }),
        costly("version-twice", Some("FR0041"), file("version 13\ninput image 1x4\ny = Relu(image)")),
    ]
}

fn versioned() -> Model {
    Model { opset_import: vec![OperatorSet { domain: None, version: Some(17) }], ..Model::default() }
}

/// Networks that are large, and read.
fn legal() -> Vec<Costly> {
    let layers = chain(15_000, "# = Relu(@)");
    vec![costly(
        "fifteen-thousand-layers",
        None,
        file(&format!("input image 1x4\nt0 = Neg(image)\n{layers}")),
    )]
}
