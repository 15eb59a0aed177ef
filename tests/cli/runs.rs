//! `run`: inputs, outputs, classes.

use ndarray::{ArrayD, Axis, IxDyn, Slice};
use ndarray_npy::write_npy;
use serde_json::{Value, json};
use std::io::Cursor;

use super::{Folder, TINY, fields, list, npz};

/// TINY for pictures, with labels.
pub(super) fn with_pictures() -> Folder {
    let folder = Folder::new();
    let input = "\"shape\": [16, 16, 3], \"preprocess\": {\"crop\": \"center_square\", \"resize\": \"bicubic\", \
                 \"range\": [0, 1], \"mean\": [0.5, 0.5, 0.5], \"std\": [0.25, 0.25, 0.25]}";
    let description = TINY.replace("\"shape\": [16, 16, 3]", input);
    folder
        .write("tiny.json", description.replace("\"weights\":", "\"labels\": \"labels.json\", \"weights\":"));
    let labels: Vec<String> = (0..10).map(|class| format!("class {class}")).collect();
    folder.write("labels.json", serde_json::to_vec(&labels).unwrap());
    for (name, format) in [("a.png", image::ImageFormat::Png), ("b.jpg", image::ImageFormat::Jpeg)] {
        let picture = image::RgbImage::from_fn(24, 20, |x, y| image::Rgb([x as u8 * 10, y as u8 * 12, 77]));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        folder.write(name, bytes.into_inner());
    }
    folder
}

fn images(batch: usize) -> ArrayD<f32> {
    let mut next = 0u32;
    ArrayD::from_shape_simple_fn(IxDyn(&[batch, 16, 16, 3]), || {
        next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (next >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
}

fn output(folder: &Folder, archive: &str) -> ArrayD<f32> {
    npz::read(&folder.path(archive))["logits_softmax"].clone()
}

#[test]
fn without_an_input_a_random_one_is_taken_and_said_so() {
    let folder = Folder::with_tiny();
    let first = folder.frit("run tiny.json --format json");
    assert!(first.stderr.contains("random"), "{}", first.stderr);
    assert_eq!(first.ok(), folder.frit("run tiny.json --format json").ok());
}

#[test]
fn arrays_of_several_images_give_an_array_of_several_results() {
    let folder = Folder::with_tiny();
    write_npy(folder.path("x.npy"), &images(3)).unwrap();
    folder.frit("run tiny.json x.npy -o y.npz").ok();
    let together = output(&folder, "y.npz");
    assert_eq!(together.shape(), [3, 10]);
    write_npy(folder.path("one.npy"), &images(3).slice_axis(Axis(0), Slice::from(1..2)).to_owned()).unwrap();
    folder.frit("run tiny.json one.npy -o one.npz").ok();
    let alone = output(&folder, "one.npz");
    assert_eq!(together.index_axis(Axis(0), 1), alone.index_axis(Axis(0), 0));
}

#[test]
fn an_archive_is_an_input_too() {
    let folder = Folder::with_tiny();
    write_npy(folder.path("x.npy"), &images(1)).unwrap();
    npz::write(&folder.path("x.npz"), &[("input", images(1))]);
    let run = |input: &str| folder.frit(&format!("run tiny.json {input} --format json")).ok();
    assert_eq!(run("x.npy"), run("x.npz"));
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let folder = Folder::with_tiny();
    write_npy(folder.path("x.npy"), &images(2)).unwrap();
    for threads in [1, 2, 3] {
        folder.frit(&format!("run tiny.json x.npy -o {threads}.npz --threads {threads}")).ok();
    }
    assert_eq!(folder.read("1.npz"), folder.read("2.npz"));
    assert_eq!(folder.read("1.npz"), folder.read("3.npz"));
}

#[test]
fn the_top_of_one_picture_is_a_list_of_classes_with_labels() {
    let value = with_pictures().frit("run tiny.json a.png --top 3 --format json").json();
    let top = list(&value["top"]);
    assert_eq!(top.len(), 3);
    for class in top {
        assert_eq!(fields(class), ["index", "label", "probability"]);
        assert_eq!(class["label"], format!("class {}", class["index"]));
    }
    let probabilities: Vec<f64> = top.iter().map(|class| class["probability"].as_f64().unwrap()).collect();
    assert!(probabilities.is_sorted_by(|a, b| a >= b), "{probabilities:?}");
    assert_eq!(value["outputs"]["logits/softmax"]["shape"], json!([1, 10]));
}

#[test]
fn several_pictures_are_one_batch_with_a_list_of_classes_each() {
    let folder = with_pictures();
    let value = folder.frit("run tiny.json a.png b.jpg --top 2 --format json").json();
    assert_eq!(list(&value["top"]).len(), 2);
    assert!(list(&value["top"]).iter().all(|classes| list(classes).len() == 2));
    let text = folder.frit("run tiny.json a.png b.jpg --top 2").ok();
    assert!(text.starts_with("a.png\n") && text.contains("\nb.jpg\n"), "{text}");
}

#[test]
fn labels_may_come_from_a_file_and_must_be_as_many_as_classes() {
    let folder = with_pictures();
    let other: Vec<String> = (0..10).map(|class| format!("other {class}")).collect();
    folder.write("other.json", serde_json::to_vec(&other).unwrap());
    let text = folder.frit("run tiny.json a.png --top 1 --labels other.json").ok();
    assert!(text.contains("other "), "{text}");
    folder.write("few.json", "[\"one\"]");
    let stderr = folder.frit("run tiny.json a.png --top 1 --labels few.json").fails(1);
    assert!(stderr.starts_with("error[FR0033]: "), "{stderr}");
}

#[test]
fn classes_without_labels_have_null() {
    let value = Folder::with_tiny().frit("run tiny.json --top 1 --format json").json();
    assert_eq!(list(&value["top"])[0]["label"], Value::Null);
}

#[test]
fn scores_become_probabilities_for_the_display_only() {
    let folder = Folder::new();
    folder.write("scores.json", TINY.replace(", \"softmax\"", ""));
    folder.write("tiny.json", TINY);
    let scores = folder.frit("run scores.json --top 10 --format json").json();
    let sum: f64 = list(&scores["top"]).iter().map(|class| class["probability"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    let total = 10.0 * scores["outputs"]["logits"]["mean"].as_f64().unwrap();
    assert!((total - 1.0).abs() > 1e-3, "the output itself is not changed: {total}");
    let given = folder.frit("run tiny.json --top 10 --format json").json();
    for (given, made) in list(&given["top"]).iter().zip(list(&scores["top"])) {
        assert_eq!(given["index"], made["index"]);
        let difference = given["probability"].as_f64().unwrap() - made["probability"].as_f64().unwrap();
        assert!(difference.abs() < 1e-5, "a second softmax would flatten: {difference}");
    }
}

#[test]
fn a_picture_for_a_model_that_takes_none_names_the_ways_out() {
    let folder = with_pictures();
    folder.write("tiny.json", TINY);
    let stderr = folder.frit("run tiny.json a.png -o y.npz").fails(1);
    assert!(stderr.starts_with("error[FR0032]: "), "{stderr}");
    assert!(stderr.contains("preprocess") && stderr.contains(".npy"), "{stderr}");
    assert!(!folder.path("y.npz").exists());
}

#[test]
fn timings_go_to_stderr_by_phase() {
    let outcome = Folder::with_tiny().frit("run tiny.json --timings");
    for phase in ["read", "legality and e-graph", "schedule", "code", "load", "inference", "in all"] {
        assert!(outcome.stderr.contains(phase), "{phase}: {}", outcome.stderr);
    }
    assert!(!outcome.ok().contains(" ms"));
}

#[test]
fn a_failed_run_leaves_the_old_output_as_it_was() {
    let folder = with_pictures();
    folder.write("y.npz", "old");
    folder.write("bad.png", "no picture");
    let stderr = folder.frit("run tiny.json bad.png -o y.npz").fails(1);
    assert!(stderr.starts_with("error[FR0030]: ") && stderr.contains("bad.png"), "{stderr}");
    assert_eq!(folder.read("y.npz"), b"old");
    let stderr = folder.frit("run tiny.json a.png -o nowhere/y.npz").fails(1);
    assert!(stderr.starts_with("error[FR0301]: "), "{stderr}");
}

#[test]
fn an_input_of_another_shape_is_told_with_both_shapes() {
    let folder = Folder::with_tiny();
    write_npy(folder.path("x.npy"), &ArrayD::<f32>::zeros(IxDyn(&[1, 8, 8, 3]))).unwrap();
    let stderr = folder.frit("run tiny.json x.npy").fails(1);
    assert!(stderr.starts_with("error[FR0031]: "), "{stderr}");
    assert!(stderr.contains("8x8x3") && stderr.contains("16x16x3"), "{stderr}");
}
