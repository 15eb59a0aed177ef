//! ONNX files through every command.

use frit_compiler::import::array;

use super::{Folder, nodes};

/// A classifier whose channels come first, whose batch is open, and whose last but one layer shuffles channels.
const NODES: &str = "
version 17
input image Nx3x8x6
weight w 4x3x3x3 = seeded
weight m 4x5 = seeded
weight split int64 5 = 0 2 2 8 6
weight whole int64 4 = 0 4 8 6
a = Conv(image, w) {pads=[1, 1, 1, 1]} as stem
b = Relu(a) as relu
c = Reshape(b, split) as cut
d = Transpose(c) {perm=[0, 2, 1, 3, 4]} as shuffle
e = Reshape(d, whole) as joined
f = GlobalAveragePool(e) as pool
g = Flatten(f) as flatten
h = Gemm(g, m) as logits
scores = Softmax(h) as softmax
output scores
output b
";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("net.onnx", nodes::file(NODES));
    folder
}

#[test]
fn check_counts_the_transposes_that_are_left() {
    let said = folder().frit("check net.onnx").ok();
    assert!(said.contains("2 transposes at the border and 1 inside"), "{said}");
    let value = folder().frit("check net.onnx --format json").json();
    assert_eq!((&value["transposes"]["border"], &value["transposes"]["inside"]), (&2.into(), &1.into()));
}

#[test]
fn every_command_takes_an_onnx_file() {
    let folder = folder();
    for command in [
        "inspect net.onnx --stage scheduled",
        "cost net.onnx",
        "verify net.onnx",
        "compile net.onnx -o net.frit --verify",
    ] {
        folder.frit(command).ok();
    }
    folder.frit("bench net.onnx --threads 1 --runs 1").ok();
    folder.frit("run net.frit -o compiled.npz").ok();
    folder.frit("run net.onnx -o source.npz").ok();
    let arrays = |name: &str| array::archive(&folder.path(name)).unwrap();
    assert_eq!(arrays("compiled.npz"), arrays("source.npz"));
    let shapes: Vec<Vec<usize>> = arrays("source.npz").values().map(|array| array.shape().to_vec()).collect();
    assert_eq!(shapes, [vec![1, 4, 8, 6], vec![1, 5]], "outputs come in the order of axes of the file");
}

#[test]
fn arrays_have_the_order_of_axes_of_the_file_and_need_no_batch() {
    let folder = folder();
    let write = |name: &str, axes: &[usize]| {
        let file = std::fs::File::create(folder.path(name)).unwrap();
        let array = ndarray::ArrayD::<f32>::from_elem(axes, 0.5);
        ndarray_npy::WriteNpyExt::write_npy(&array, file).unwrap();
    };
    write("one.npy", &[3, 8, 6]);
    write("two.npy", &[2, 3, 8, 6]);
    write("last.npy", &[1, 8, 6, 3]);
    folder.frit("run net.onnx one.npy two.npy -o y.npz").ok();
    assert_eq!(array::archive(&folder.path("y.npz")).unwrap()["scores"].shape(), [3, 5]);
    let said = folder.frit("run net.onnx last.npy").fails(1);
    assert!(said.contains("channels come first: write x.transpose(0, 3, 1, 2)"), "{said}");
}

#[test]
fn pictures_need_to_be_told_how_they_become_inputs() {
    let folder = folder();
    folder.write(
        "photo.png",
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/mobilenet_v2/cat.png")).unwrap(),
    );
    let said = folder.frit("run net.onnx photo.png").fails(1);
    assert!(said.contains("FR0032") && said.contains("--preprocess FILE"), "{said}");
    folder.frit("run net.onnx photo.png --preprocess imagenet --top 1").ok();
    folder.write("own.json", "{\"range\": [-1, 1], \"crop\": \"none\"}");
    folder.frit("run net.onnx photo.png --preprocess own.json -o y.npz").ok();
    folder.write("own.json", "{\"rage\": [-1, 1]}");
    let said = folder.frit("run net.onnx photo.png --preprocess own.json").fails(1);
    assert!(said.contains("own.json:1:2") && said.contains("FR0003"), "{said}");
}

#[test]
fn names_that_hurt_are_escaped_wherever_they_are_printed() {
    let folder = Folder::new();
    let name = "c\u{1b}[2J\u{1b}[31m\u{202e}\"];evil[label=\"<script>";
    folder.write(
        "net.onnx",
        nodes::file(&format!("version 17\ninput x 1x3x4x4\n{name} = Relu(x)\noutput {name}")),
    );
    for command in [
        "inspect net.onnx",
        "inspect net.onnx --format dot",
        "inspect net.onnx --format json",
        "cost net.onnx",
        "run net.onnx",
    ] {
        let said = folder.frit(command);
        let printed = format!("{}{}", said.stdout, said.stderr);
        assert_eq!(said.code, Some(0), "{printed}");
        assert!(
            !printed.contains('\u{1b}') && (command.ends_with("json") || !printed.contains('\u{202e}')),
            "{command}: {printed:?}"
        );
    }
}

/// One head on maps of five sizes, and on the first alone.
fn heads(levels: usize) -> Vec<u8> {
    let mut text = "version 17\ninput x 1x32x32x32\nweight w 48x32x3x3 = seeded\nweight b 48 = seeded\n\
                    weight s 48 = seeded\nweight m 48 = 0.25\nweight v 48 = 0.5\nweight p 48x1x1 = 0.1\n"
        .to_owned();
    for level in 0..levels {
        let from = if level == 0 { "x".to_owned() } else { format!("x{level}") };
        text += &format!(
            "c{level} = Conv({from}, w, b) {{pads=[1, 1, 1, 1]}} as c{level}\n\
             n{level} = BatchNormalization(c{level}, s, b, m, v) as n{level}\n\
             y{level} = PRelu(n{level}, p) as y{level}\noutput y{level}\n\
             x{} = MaxPool({from}) {{kernel_shape=[2, 2], strides=[2, 2]}} as pool{level}\n",
            level + 1
        );
    }
    nodes::file(&text)
}

#[test]
fn weights_that_several_nodes_read_are_one_in_every_count() {
    let folder = Folder::new();
    folder.write("one.onnx", heads(1));
    folder.write("five.onnx", heads(5));
    for options in ["", " --no-fuse", " --target x86-64-v2"] {
        let bytes = |name: &str| {
            // Alone a head may take weights of another kind, which maps of several sizes would not share.
            let command = format!("compile {name}.onnx --no-winograd{options} -o {name}.frit --format json");
            folder.frit(&command).json()["weight_bytes"].as_u64().unwrap()
        };
        assert_eq!(bytes("five"), bytes("one"), "{options}");
    }
    let parameters = |name: &str| {
        let totals = folder.frit(&format!("cost {name}.onnx --format json")).json()["totals"].clone();
        (totals["parameters"].clone(), totals["statistics"].clone())
    };
    // The kernel, its bias which is beta too, gamma and the slopes of PRelu; mean and variance.
    assert_eq!(parameters("one"), ((48 * 32 * 9 + 3 * 48).into(), (2 * 48).into()));
    assert_eq!(parameters("five"), parameters("one"));
    folder.frit("verify five.onnx").ok();
}

/// A network for one image, whose scores have no axis for it, and a number that has no axis at all.
const SQUEEZED: &str = "
version 13
input image 1x3x8x6
weight w 5x3x1x1 = seeded
weight axes int64 3 = 0 2 3
a = Conv(image, w) as conv
b = GlobalAveragePool(a) as pool
scores = Squeeze(b, axes) as squeeze
mean = ReduceMean(a) {keepdims=0} as everything
output scores
output mean
output a
";

#[test]
fn an_output_without_an_axis_for_images_keeps_its_shape_where_there_is_one() {
    let folder = Folder::new();
    folder.write("net.onnx", nodes::file(SQUEEZED));
    folder.frit("compile net.onnx -o net.frit").ok();
    let shapes = |model: &str, images: &str| -> Vec<Vec<usize>> {
        folder.frit(&format!("run {model} {images} -o y.npz")).ok();
        let arrays = array::archive(&folder.path("y.npz")).unwrap();
        ["scores", "mean", "a"].map(|name| arrays[name].shape().to_vec()).to_vec()
    };
    let file = std::fs::File::create(folder.path("two.npy")).unwrap();
    ndarray_npy::WriteNpyExt::write_npy(&ndarray::ArrayD::<f32>::zeros(vec![2, 3, 8, 6]), file).unwrap();
    for model in ["net.onnx", "net.frit"] {
        assert_eq!(shapes(model, ""), [vec![5], vec![], vec![1, 5, 8, 6]], "{model}");
        assert_eq!(shapes(model, "two.npy"), [vec![2, 5], vec![2], vec![2, 5, 8, 6]], "{model}");
    }
}
