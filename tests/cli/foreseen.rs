//! `frit check` tells what compilation will, for fused and unfused; a batch that `--shape` gives is one.

use frit_compiler::import::array;

use super::{Folder, nodes};

/// A map of more bytes than a kernel can address.
const TOO_LARGE: &str = r#"{"frit": 1, "name": "large", "input": {"name": "image", "shape": [8000, 8000, 3]},
 "weights": {"seed": 7}, "layers": [{"name": "r", "op": "relu"}]}"#;

/// Two reshapes that fuse to none; what lies between them has one channel, which takes a vector of lanes for each pixel.
const TOO_LARGE_BETWEEN: &str = r#"{"frit": 1, "name": "between", "input": {"name": "image", "shape": [1500, 1500, 16]},
 "weights": {"seed": 7},
 "layers": [{"name": "tall", "op": "reshape", "shape": [36000000, 1]},
  {"name": "back", "op": "reshape", "shape": [1500, 1500, 16]}, "global_avg_pool"]}"#;

#[test]
fn check_refuses_what_compilation_does() {
    let folder = Folder::new();
    folder.write("large.json", TOO_LARGE);
    let compiled = folder.frit("compile large.json -o large.frit").fails(1);
    let checked = folder.frit("check large.json").fails(1);
    assert!(checked.contains("error[FR0010]") && checked.contains("image (input)"), "{checked}");
    assert_eq!(compiled.lines().next(), checked.lines().next());
    assert_eq!(folder.names(), ["large.json"]);
}

#[test]
fn check_warns_of_what_only_the_unfused_network_is_refused_for() {
    let folder = Folder::new();
    folder.write("between.json", TOO_LARGE_BETWEEN);
    let checked = folder.frit("check between.json --target x86-64-v3");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(
        checked.stderr.contains("warning[FR0010]") && checked.stderr.contains("tall"),
        "{}",
        checked.stderr
    );
    assert!(checked.stderr.contains("--no-fuse"), "{}", checked.stderr);
    folder.frit("compile between.json --target x86-64-v3 -o between.frit").ok();
    let refused = folder.frit("check between.json --target x86-64-v3 --no-fuse").fails(1);
    assert!(refused.contains("error[FR0010]"), "{refused}");
    let compiled = folder.frit("compile between.json --target x86-64-v3 --no-fuse -o b.frit").fails(1);
    assert!(compiled.contains("error[FR0010]"), "{compiled}");
}

#[test]
fn check_needs_no_values_of_weights() {
    let folder = Folder::new();
    folder.write("tiny.json", super::TINY);
    folder.frit("convert tiny.json -o tiny.onnx").ok();
    folder.frit("check tiny.onnx").ok();
}

/// A network of two images in the file's words, whose batch is open or one.
fn summed(axes: &str) -> Vec<u8> {
    nodes::file(&format!("version 17\ninput x {axes}\ny = Relu(x) as y\noutput y"))
}

#[test]
fn a_batch_that_shape_gives_is_run_as_one() {
    let folder = Folder::new();
    for (name, axes) in [("open.onnx", "Nx2x3x4"), ("one.onnx", "1x2x3x4"), ("four.onnx", "4x2x3x4")] {
        folder.write(name, summed(axes));
        folder.frit(&format!("run {name} --shape x=4x2x3x4 -o y.npz")).ok();
        assert_eq!(array::archive(&folder.path("y.npz")).unwrap()["y"].shape(), [4, 2, 3, 4], "{name}");
        let noted = folder.frit(&format!("check {name} --shape 4x2x3x4")).stderr;
        assert!(noted.contains("x a batch of 4 images"), "{noted}");
    }
    folder.frit("run open.onnx --shape x=1x2x3x4 -o y.npz").ok();
    assert_eq!(array::archive(&folder.path("y.npz")).unwrap()["y"].shape(), [1, 2, 3, 4]);
    let bench = folder.frit("bench open.onnx --shape 3x2x3x4 --runs 1 --format json").json();
    assert_eq!(bench["variants"][0]["batch"], 3, "{bench}");
}

#[test]
fn inputs_of_another_batch_than_shape_gives_are_refused() {
    let folder = Folder::new();
    folder.write("open.onnx", summed("Nx2x3x4"));
    let write = |name: &str, images: usize| {
        let array = ndarray::ArrayD::<f32>::from_elem(vec![images, 2, 3, 4], 0.5);
        ndarray_npy::WriteNpyExt::write_npy(&array, std::fs::File::create(folder.path(name)).unwrap())
            .unwrap();
    };
    write("two.npy", 2);
    write("four.npy", 4);
    folder.frit("run open.onnx four.npy --shape x=4x2x3x4").ok();
    folder.frit("run open.onnx two.npy two.npy --shape x=4x2x3x4").ok();
    let said = folder.frit("run open.onnx two.npy --shape x=4x2x3x4").fails(1);
    assert!(said.contains("FR0031") && said.contains("batch of 4 images, the inputs hold 2"), "{said}");
}

#[test]
fn the_first_axis_of_what_has_no_batch_is_no_batch() {
    let folder = Folder::new();
    folder.write("plain.onnx", summed("3x5x6"));
    let said = folder.frit("check plain.onnx --shape x=4x5x6").fails(1);
    assert!(said.contains("FR0004") && said.contains("other axes than its file"), "{said}");
    folder.frit("run plain.onnx --shape x=3x5x6 -o y.npz").ok();
    assert_eq!(array::archive(&folder.path("y.npz")).unwrap()["y"].shape(), [3, 5, 6]);
}
