//! Bad inputs: each gets a code and its place, ends with 1, panics nowhere and writes nothing.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, TensorView, serialize};

use super::{Folder, TINY};

/// Runs `check` and `run -o` on `bad.json`, which must both refuse it with `code`, and returns what `check` says.
#[track_caller]
fn refused(folder: &Folder, code: &str) -> String {
    let before = folder.names();
    let ran = folder.frit("run bad.json -o y.npz").fails(1);
    assert!(ran.contains(&format!("error[{code}]: ")), "{ran}");
    let stderr = folder.frit("check bad.json").fails(1);
    assert!(stderr.contains(&format!("error[{code}]: ")), "{stderr}");
    assert!(stderr.contains("bad.json"), "{stderr}");
    assert_eq!(folder.names(), before);
    stderr
}

/// The same for TINY with `from` replaced by `to`.
#[track_caller]
fn refused_with(from: &str, to: &str, code: &str) -> String {
    assert!(TINY.contains(from));
    let folder = Folder::new();
    folder.write("bad.json", TINY.replacen(from, to, 1));
    refused(&folder, code)
}

#[test]
fn a_truncated_description() {
    for part in [1, 2, 3] {
        let folder = Folder::new();
        folder.write("bad.json", &TINY[..part * TINY.len() / 4]);
        let stderr = refused(&folder, "FR0002");
        assert!(stderr.contains("bad.json:"), "no line: {stderr}");
    }
}

#[test]
fn a_description_that_is_not_there() {
    let stderr = Folder::new().frit("check bad.json").fails(1);
    assert!(stderr.starts_with("error[FR0001]: "), "{stderr}");
}

#[test]
fn layers_in_a_cycle() {
    let layers = r#""layers": [{"name": "a", "op": "relu", "inputs": ["b"]}, {"name": "b", "op": "relu", "inputs": ["a"]}, "#;
    let stderr = refused_with("\"layers\": [", layers, "FR0008");
    assert!(stderr.contains('a') && stderr.contains('b'), "{stderr}");
}

#[test]
fn a_stride_of_zero() {
    let stderr = refused_with("\"stride\": 2", "\"stride\": 0", "FR0101");
    assert!(stderr.contains("bad.json:6:"), "no line: {stderr}");
    assert!(stderr.contains("/layers/0/stride"), "no path: {stderr}");
}

#[test]
fn a_tensor_of_more_than_two_to_the_forty() {
    let stderr = refused_with("[16, 16, 3]", "[1048576, 1048576, 3]", "FR0102");
    assert!(stderr.contains("/input/shape"), "no path: {stderr}");
}

#[test]
fn an_unknown_op() {
    let stderr = refused_with("\"global_avg_pool\"", "\"global_awg_pool\"", "FR0005");
    assert!(stderr.contains("global_avg_pool"), "no near name: {stderr}");
}

#[test]
fn an_unknown_field() {
    let stderr = refused_with("\"filters\": 8, \"kernel\"", "\"filtres\": 8, \"kernel\"", "FR0003");
    assert!(stderr.contains("filters"), "no near name: {stderr}");
    assert!(stderr.contains("bad.json:6:"), "no line: {stderr}");
}

#[test]
fn something_that_is_no_picture() {
    let folder = Folder::new();
    let preprocess = "\"shape\": [16, 16, 3], \"preprocess\": {\"crop\": \"center_square\", \"resize\": \"bilinear\", \
                      \"range\": [0, 1], \"mean\": [0, 0, 0], \"std\": [1, 1, 1]}";
    folder.write("model.json", TINY.replace("\"shape\": [16, 16, 3]", preprocess));
    for (name, content) in
        [("a.png", "\u{89}PNG\r\n"), ("b.jpg", ""), ("c.npy", "\u{93}NUMPY"), ("d.npz", "PK"), ("e.txt", "x")]
    {
        folder.write(name, content);
        let stderr = folder.frit(&format!("run model.json {name} -o y.npz")).fails(1);
        assert!(stderr.starts_with("error[FR0030]: ") && stderr.contains(name), "{stderr}");
    }
    assert!(!folder.path("y.npz").exists());
}

/// A network of one convolution with weights in a file.
const ONE: &str = r#"{"frit": 1, "name": "one", "input": {"name": "x", "shape": [2, 2, 1]}, "weights": "one.safetensors",
 "layers": [{"name": "c", "op": "conv2d", "filters": 2, "kernel": 1, "padding": "valid"}]}"#;

fn with_weights(tensors: &[(&str, &[usize], f32)]) -> Folder {
    let folder = Folder::new();
    folder.write("bad.json", ONE);
    let data: Vec<(&str, &[usize], Vec<u8>)> = tensors
        .iter()
        .map(|&(name, shape, value)| (name, shape, value.to_le_bytes().repeat(shape.iter().product())))
        .collect();
    let views: HashMap<&str, TensorView<'_>> = data
        .iter()
        .map(|(name, shape, bytes)| (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()))
        .collect();
    folder.write("one.safetensors", serialize(views, None).unwrap());
    folder
}

#[test]
fn a_missing_weight() {
    let stderr = refused(&with_weights(&[("c.kernel", &[1, 1, 1, 2], 1.0)]), "FR0021");
    assert!(stderr.contains("c.bias"), "{stderr}");
}

#[test]
fn a_weight_of_another_shape() {
    let stderr = refused(&with_weights(&[("c.kernel", &[1, 1, 2, 1], 1.0), ("c.bias", &[2], 0.0)]), "FR0022");
    assert!(stderr.contains("1x1x2x1") && stderr.contains("1x1x1x2"), "{stderr}");
}

#[test]
fn a_damaged_weights_file() {
    let folder = with_weights(&[("c.kernel", &[1, 1, 1, 2], 1.0), ("c.bias", &[2], 0.0)]);
    let whole = folder.read("one.safetensors");
    for part in [0, 4, whole.len() / 2, whole.len() - 1] {
        folder.write("one.safetensors", &whole[..part]);
        refused(&folder, "FR0020");
    }
    std::fs::remove_file(folder.path("one.safetensors")).unwrap();
    refused(&folder, "FR0020");
}

#[test]
fn weights_that_are_no_numbers_are_a_warning() {
    let folder = with_weights(&[("c.kernel", &[1, 1, 1, 2], f32::NAN), ("c.bias", &[2], 0.0)]);
    let outcome = folder.frit("check bad.json");
    assert!(outcome.stderr.starts_with("warning[FR0024]: "), "{}", outcome.stderr);
    assert!(outcome.ok().contains("1 warning"));
    assert_eq!(folder.frit("run bad.json -o y.npz").code, Some(0));
}

#[test]
fn weights_outside_of_the_folder_of_the_description() {
    for name in ["../one.safetensors", "/etc/passwd"] {
        let folder = with_weights(&[]);
        folder.write("bad.json", ONE.replace("one.safetensors", name));
        refused(&folder, "FR0020");
    }
}

#[test]
fn a_residual_that_joins_different_shapes_is_told_with_both_layers_both_shapes_and_both_causes() {
    let broken = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/broken/residual.json");
    let folder = Folder::new();
    folder.write("bad.json", std::fs::read(broken).unwrap());
    let stderr = refused(&folder, "FR0201");
    for part in ["128x128x16", "64x64x24", "stride 2", "16 → 24", "--residual drop", "--residual project"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
}

#[test]
fn many_kinds_of_nonsense_never_panic() {
    let folder = Folder::new();
    let cases = [
        "",
        "null",
        "[]",
        "{}",
        "{\"frit\": 2}",
        "\u{feff}{}",
        "{\"frit\": 1, \"layers\": []}",
        "nan",
        "[[[[[[[[",
        "{\"frit\": 1, \"name\": 3, \"input\": [], \"layers\": {}}",
    ];
    for case in cases {
        folder.write("bad.json", case);
        folder.frit("check bad.json").fails(1);
        folder.frit_reading("check -", case).fails(1);
    }
}
