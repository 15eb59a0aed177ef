//! Keras archives and HDF5 files that ask for much, and a description with as many wrong names.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::Costly;

const LIMIT: Option<&str> = Some("FR0010");
/// A real archive, whose weights and version the others have.
const REAL: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/goldens/keras/nested_deep.keras"));
/// A real file of a whole network.
const WHOLE: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/goldens/keras/nested_deep.h5"));

const INPUT: &str = r#"{"class_name": "InputLayer", "config": {"batch_shape": [null, 4], "name": "image"}, "name": "image", "inbound_nodes": []}"#;

/// Some of each kind.
pub(super) fn files() -> Vec<Costly> {
    let costly = |name, code, content| Costly { name, code, ending: "keras", content };
    let layer = |index: usize| activation(&format!("a{index}"));
    let unknown = |index: usize| {
        format!(r#"{{"class_name": "Wonder{index}", "config": {{"name": "w{index}"}}, "name": "w{index}"}}"#)
    };
    vec![
        costly("spaces-unpacked", LIMIT, archive(&[(CONFIG, &" ".repeat(60 << 20).into_bytes(), true)])),
        costly("text-past-its-limit", LIMIT, archive(&[(CONFIG, &" ".repeat(70 << 20).into_bytes(), true)])),
        costly("weights-unpacked", LIMIT, archive(&[(WEIGHTS, &vec![0; 100 << 20], true)])),
        costly("too-many-layers", LIMIT, described(&sequential("s", (0..110_000).map(layer)))),
        costly("unknown-classes", Some("FR0053"), described(&sequential("s", (0..60_000).map(unknown)))),
        costly("models-called-twice", LIMIT, described(&doubled(25))),
        costly("large-model-called-often", LIMIT, described(&often())),
        costly("names-in-names", LIMIT, described(&named(30))),
        costly(
            "units-past-all",
            Some("FR0102"),
            described(&sequential("s", [dense("a"), dense("b")].into_iter())),
        ),
        Costly {
            name: "hdf5-of-its-head",
            code: Some("FR0052"),
            ending: "h5",
            content: WHOLE[..96].repeat(10_000),
        },
        Costly {
            name: "hdf5-cut",
            code: Some("FR0052"),
            ending: "h5",
            content: WHOLE[..WHOLE.len() / 2].to_vec(),
        },
        Costly {
            name: "unknown-operands",
            code: Some("FR0006"),
            ending: "json",
            content: operands().into_bytes(),
        },
        Costly {
            name: "unknown-fields",
            code: Some("FR0003"),
            ending: "json",
            content: fields().into_bytes(),
        },
    ]
}

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.weights.h5";

/// The real archive with other content under some names, packed where that is said.
fn archive(others: &[(&str, &[u8], bool)]) -> Vec<u8> {
    let mut real = ZipArchive::new(Cursor::new(REAL)).unwrap();
    let mut made = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..real.len() {
        let mut content = Vec::new();
        let mut member = real.by_index(index).unwrap();
        member.read_to_end(&mut content).unwrap();
        let name = member.name().unwrap().into_owned();
        let other = others.iter().find(|(other, ..)| *other == name);
        let (content, packed) =
            other.map_or((&content[..], false), |&(_, content, packed)| (content, packed));
        let method = if packed { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        made.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        made.write_all(content).unwrap();
    }
    made.finish().unwrap().into_inner()
}

fn described(config: &str) -> Vec<u8> {
    archive(&[(CONFIG, config.as_bytes(), false)])
}

fn sequential(name: &str, layers: impl Iterator<Item = String>) -> String {
    let layers: Vec<String> = layers.collect();
    format!(
        r#"{{"class_name": "Sequential", "config": {{"name": "{name}", "layers": [{INPUT}, {}]}}, "name": "{name}"}}"#,
        layers.join(", ")
    )
}

fn activation(name: &str) -> String {
    format!(r#"{{"class_name": "ReLU", "config": {{"name": "{name}"}}, "name": "{name}"}}"#)
}

fn dense(name: &str) -> String {
    format!(
        r#"{{"class_name": "Dense", "config": {{"name": "{name}", "units": 2000000000, "activation": "linear", "use_bias": true}}, "name": "{name}"}}"#
    )
}

/// A network of two calls of `inner`, one behind the other.
fn twice(name: &str, inner: &str, layer: &str) -> String {
    let layer = layer.strip_suffix('}').unwrap_or(layer);
    let from = |layer: &str, call: usize| {
        format!(
            r#"{{"args": [{{"class_name": "__keras_tensor__", "config": {{"shape": [null, 4], "dtype": "float32", "keras_history": ["{layer}", {call}, 0]}}}}], "kwargs": {{}}}}"#
        )
    };
    format!(
        r#"{{"class_name": "Functional", "config": {{"name": "{name}", "layers": [{INPUT}, {layer}, "inbound_nodes": [{}, {}]}}], "input_layers": [["image", 0, 0]], "output_layers": [["{inner}", 1, 0]]}}, "name": "{name}"}}"#,
        from("image", 0),
        from(inner, 0),
    )
}

/// Models of which each calls the next one twice.
fn doubled(levels: usize) -> String {
    let mut model = activation("m0");
    for level in 1..=levels {
        model = twice(&format!("m{level}"), &format!("m{}", level - 1), &model);
    }
    model
}

/// A model of many layers, of which its output needs none, called as often as may be.
fn often() -> String {
    let idle: Vec<String> = (0..20_000).map(|index| activation(&format!("a{index}"))).collect();
    let inner = format!(
        r#"{{"class_name": "Functional", "config": {{"name": "m0", "layers": [{INPUT}, {}], "input_layers": [["image", 0, 0]], "output_layers": [["image", 0, 0]]}}, "name": "m0"}}"#,
        idle.join(", ")
    );
    let mut model = inner;
    for level in 1..=16 {
        model = twice(&format!("m{level}"), &format!("m{}", level - 1), &model);
    }
    model
}

/// Models inside models with long names, around many layers.
fn named(levels: usize) -> String {
    let name = "n".repeat(200);
    let mut model = sequential(&name, (0..50_000).map(|index| activation(&format!("a{index}"))));
    for _ in 0..levels {
        model = sequential(&name, std::iter::once(model));
    }
    model
}

/// A description whose layers read what is not there.
fn operands() -> String {
    let layers: Vec<String> = (0..60_000)
        .map(|index| {
            format!(r#"{{"name": "layer_number_{index}", "op": "relu", "inputs": ["layer_numbre_{index}"]}}"#)
        })
        .collect();
    described_with(&layers.join(",\n"))
}

/// A description with fields that are not there.
fn fields() -> String {
    let fields: Vec<String> = (0..60_000).map(|index| format!(r#""strides_{index}": 1"#)).collect();
    described_with(&format!(r#"{{"name": "a", "op": "relu", {}}}"#, fields.join(", ")))
}

fn described_with(layers: &str) -> String {
    format!(
        r#"{{"frit": 1, "name": "n", "input": {{"name": "image", "shape": [4, 4, 3]}}, "weights": {{"seed": 1}},
 "layers": [{layers}]}}"#
    )
}
