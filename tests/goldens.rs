//! Networks against what other frameworks computed.
//!
//! `tests/goldens` holds what the tests need, with how it was made. A folder named by `FRIT_MODELS` is read besides, where
//! there is one: what it has must agree too.

use std::path::{Path, PathBuf};

use frit_compiler::import;
use frit_images::{Picture, guesses};
use frit_ir::{Graph, Tensor};
use frit_tests::{compare, manifest, npz, root};
use ndarray::Axis;

fn network() -> Graph {
    let path = root().join("examples/mobilenet_v2/model.json");
    let (graph, warnings) =
        import::load(&path, &import::Request::default()).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(warnings.is_empty(), "{warnings}");
    graph
}

/// The golden files that there are: the one in the tree, and that of the models.
fn goldens(name: &str) -> Vec<PathBuf> {
    let models = manifest::models().map(|models| models.join("pretrained").join(name));
    std::iter::once(root().join("tests/goldens").join(name)).chain(models).collect()
}

/// Images (rows, columns, channels) and the logits that PyTorch computed for each.
fn read(path: &Path) -> Vec<(Tensor<f32>, Vec<f64>)> {
    let arrays = npz::read(path);
    let (input, output) = (&arrays["input"], &arrays["output"]);
    let images = input.axis_iter(Axis(0)).map(|image| {
        let image = image.permuted_axes(vec![1, 2, 0]);
        Tensor::from_shape_vec(image.shape().to_vec(), image.iter().copied().collect())
            .expect("as many elements")
    });
    let rows = output.axis_iter(Axis(0)).map(|row| row.iter().map(|&value| f64::from(value)).collect());
    images.zip(rows).collect()
}

#[test]
fn mobilenet_v2_gives_the_logits_of_pytorch_in_every_way_and_with_any_number_of_threads() {
    let graph = network();
    let images: Vec<_> = goldens("mobilenet_v2_imagenet.npz").iter().flat_map(|path| read(path)).collect();
    for way in compare::ways() {
        let model = compare::model(&graph, way).unwrap_or_else(|error| panic!("{way:?}: {error}"));
        for (image, logits) in &images {
            let input = compare::values(std::slice::from_ref(image));
            let first = compare::run(&model, 1, &input).expect("the image fits");
            compare::close(logits, &first[0], compare::TOLERANCE)
                .unwrap_or_else(|error| panic!("{way:?}: {error}"));
            for threads in [2, 3] {
                let again = compare::run(&model, threads, &input).expect("the image fits");
                assert!(
                    compare::bits(&again) == compare::bits(&first),
                    "{way:?}: {threads} threads, other bits"
                );
            }
        }
    }
}

#[test]
fn the_interpreter_gives_the_logits_of_pytorch() {
    let (image, logits) = read(&root().join("tests/goldens/mobilenet_v2_imagenet.npz")).swap_remove(0);
    let exact = compare::interpreted(&network(), &[image]).expect("the network is legal");
    let exact: Vec<f32> = exact[0].iter().map(|&value| value as f32).collect();
    compare::close(&logits, &exact, 2e-5).unwrap_or_else(|error| panic!("{error}"));
}

/// What the trained network sees in the example's pictures, by the framework that its weights come from.
#[test]
fn pictures_are_classified_as_by_the_framework_that_trained_the_network() {
    let graph = network();
    assert!(graph.labels.is_some(), "the description names the classes");
    let model = compare::model(&graph, compare::ways()[0]).unwrap_or_else(|error| panic!("{error}"));
    let cases: [(&str, &[(&str, f64)]); 2] = [
        ("cat.png", &[("Egyptian cat", 0.787), ("tiger cat", 0.126), ("tabby", 0.081)]),
        ("coffee.png", &[("espresso", 0.990)]),
    ];
    for (picture, expected) in cases {
        let path = root().join("examples/mobilenet_v2").join(picture);
        let picture_of = Picture::load(&path).and_then(|picture| picture.input_of(&model));
        let image = picture_of.unwrap_or_else(|error| panic!("{error}"));
        let scores = compare::run(&model, 2, &[image]).expect("the picture fits");
        let found = guesses(&model, &scores[0], expected.len());
        for (found, (label, probability)) in found.iter().zip(expected) {
            assert_eq!(found.label.as_deref(), Some(*label), "{picture}");
            let off = f64::from(found.probability) - probability;
            assert!(off.abs() < 0.005, "{picture}: {label} {}", found.probability);
        }
    }
}
