//! Damaged, illegal and hostile model files of other frameworks: each gets what its manifest says, for the reason that it
//! names, in little time and memory, and leaves nothing behind.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Folder, manifest};

/// What the diagnostic of a file says, at the least: the reason, in words that only this fault has.
const REASONS: &[(&str, &[&str])] = &[
    ("attribute_of_wrong_type", &["c2", "strides", "string"]),
    ("batch_norm_training", &["bn", "training mode"]),
    ("concat_axis", &["cat", "axis 7 of a tensor of 4"]),
    ("concat_mismatch", &["cat", "16x16x8", "8x8x8"]),
    ("constant_of_shape_huge", &["ConstantOfShape", "412316860416 elements would be computed"]),
    ("control_flow", &["operator If", "control flow"]),
    ("cycle", &["cycle", "r1 → c1 → r1"]),
    ("dilation_zero", &["c2", "dilations [0, 1]"]),
    ("dimension_negative", &["w2", "axis of -8", "negative"]),
    ("dimensions_overflow", &["w2", "1099511627776x1099511627776", "more than 2^40"]),
    ("empty", &["it is empty"]),
    ("external_absolute", &["w2", "/etc/passwd", "in the folder of the model"]),
    ("external_missing", &["weights.missing", "No such file"]),
    ("external_offset_negative", &["offset", "-8", "no number of bytes"]),
    ("external_offset_overflow", &["offset", "no number of bytes"]),
    ("external_too_short", &["ends after 100 bytes"]),
    ("external_traversal", &["w2", "../etc/passwd", "in the folder of the model"]),
    ("external_traversal_hidden", &["w2", "sub/../../", "in the folder of the model"]),
    ("float16", &["float16", "float32"]),
    ("float64", &["float64", "float32"]),
    ("garbage", &["no ONNX model"]),
    ("groups_do_not_divide", &["c2", "3 groups do not divide 8"]),
    ("groups_zero", &["c2", "group 0"]),
    ("input_huge", &["3x2147483648x2147483648", "more than 2^40"]),
    ("int32", &["int32", "float32"]),
    ("kernel_larger_than_map", &["kernel of 3", "does not fit"]),
    ("kernel_shape_contradicts", &["c2", "kernel_shape 5x5", "3x3"]),
    ("lfs_pointer", &["Git LFS"]),
    ("missing_operand", &["c2", "1 operand", "its weights"]),
    ("missing_output", &["elsewhere", "made by nothing"]),
    ("missing_tensor", &["c2", "nowhere", "nothing makes"]),
    ("mixed_types", &["weights", "float64", "float32"]),
    ("nested_subgraphs", &["nested too deep"]),
    ("no_graph", &["no graph"]),
    ("no_output", &["no output"]),
    ("opset_missing", &["which version of ONNX"]),
    ("opset_unknown", &["999", "newer than any"]),
    ("padding_huge", &["c2", "4611686018427387904", "above 2^31"]),
    ("padding_negative", &["c2", "pads", "-1 is below 0"]),
    ("picture", &["PNG"]),
    ("quantised", &["QuantizeLinear", "quantised"]),
    ("reshape_mismatch", &["768 elements", "7x100"]),
    ("reshape_two_unknowns", &["two lengths left open"]),
    (
        "residual_mismatch",
        &["add", "8x8x16", "16x16x8", "stride 2", "8 → 16", "--residual drop", "--residual project"],
    ),
    ("resize_huge", &["by 1000000000"]),
    ("resize_zero", &["by 0"]),
    ("shape_unknown", &["--shape x="]),
    ("split_uneven", &["Split of 3 elements"]),
    ("stride_negative", &["c2", "strides", "-1 is below 1"]),
    ("stride_zero", &["c2", "strides", "0 is below 1"]),
    ("strides_of_wrong_length", &["c2", "strides has 3 entries for 2"]),
    ("symbolic_size", &["h, w", "--shape x=1x3x"]),
    ("tensor_made_twice", &["\"a\" is made twice"]),
    ("transpose_not_a_permutation", &["[0, 1, 1, 3]", "no permutation"]),
    ("truncated", &["ends early"]),
    ("two_faults", &["add1", "c3", "7 channels", "8 channels"]),
    ("unknown_operator", &["Wonder of ai.example"]),
    ("unsupported_operator", &["LSTM"]),
    ("variance_negative", &["bn", "variance is negative"]),
    ("variance_of_wrong_length", &["bn", "4", "3"]),
    ("weight_bytes_missing", &["w2", "1000 bytes", "2304"]),
    ("weight_shape", &["c2", "5 channels", "8 channels"]),
    ("zero_channels", &["c", "convolution without channels or filters"]),
    ("zero_size_input", &["3x0x16"]),
    ("h5_external_link", &["FirstConv2d.kernel", "another file"]),
    ("h5_float64", &["FirstConv2d.kernel", "float64"]),
    ("h5_garbage", &["HDF5"]),
    ("h5_huge_dataset", &["1048576x1048576", "another shape"]),
    ("h5_int8", &["int8"]),
    ("h5_link_cycle", &["FirstConv2d.kernel", "link"]),
    ("h5_no_config", &["model_config", "weights alone"]),
    ("h5_signature_only", &["HDF5"]),
    ("h5_text", &["text, not float32"]),
    ("h5_truncated", &["unexpected end of data"]),
    ("h5_weight_missing", &["FirstConv2d.kernel is not in"]),
    ("h5_weight_shape", &["FirstConv2d.kernel", "another shape"]),
    ("h5_weight_transposed", &["FirstConv2d.kernel", "another shape"]),
    ("keras_add_mismatch", &["FR0201", "2 → 5"]),
    ("keras_axis", &["axis 9"]),
    ("keras_cycle", &["cycle", "conv2d ← "]),
    ("keras_duplicate_names", &["re_lu is given twice"]),
    ("keras_filters_float", &["filters 1e+30"]),
    ("keras_filters_huge", &["filters 1000000000000000"]),
    ("keras_filters_negative", &["filters -8"]),
    ("keras_filters_text", &["filters must be a whole number, not a string"]),
    ("keras_float64", &["compute in float64"]),
    ("keras_hostile_names", &["control character"]),
    ("keras_input_huge", &["1000000000x1000000000x3"]),
    ("keras_input_unknown", &["open size", "--shape image="]),
    ("keras_input_zero", &["batch_shape 0"]),
    ("keras_json_nested", &["nested"]),
    ("keras_json_other", &["the field frit is missing"]),
    ("keras_json_truncated", &["the JSON ends too early"]),
    ("keras_lambda", &["serialised Python code"]),
    ("keras_missing_layer", &["there is no layer not_there"]),
    ("keras_missing_output", &["no output 3 of re_lu_1"]),
    ("keras_mixed_float16", &["compute in mixed_float16"]),
    ("keras_no_config", &["no config.json"]),
    ("keras_no_input", &["no input layer"]),
    ("keras_no_layers", &["no layers"]),
    ("keras_no_weights", &["no model.weights.h5"]),
    ("keras_padding_unknown", &["padding can't be sideways"]),
    ("keras_stride_negative", &["strides -1"]),
    ("keras_stride_zero", &["strides 0"]),
    ("keras_truncated", &["ends early"]),
    ("keras_unknown_activation", &["wiggle"]),
    ("keras_unknown_layer", &["Conv2DWonder"]),
    ("keras_upsampling_zero", &["size 0"]),
    ("keras_zip_bomb", &["config.json unpacks to 1073741824 bytes"]),
    ("keras_zip_checksum", &["checksum of model.weights.h5"]),
    ("keras_zip_duplicate", &["config.json stands in it twice"]),
    ("keras_zip_size_lie", &["a size of 10 bytes"]),
];

/// Kilobytes of memory that a file may take.
const KILOBYTES: usize = 512 << 10;
/// How long a file may take, in a build with checks on a machine that does other things too: what hangs takes longer.
const LONGEST: Duration = Duration::from_secs(20);

#[test]
#[cfg_attr(not(frit_models), ignore = "set FRIT_MODELS to a folder of models")]
fn bad_files_are_refused_for_what_is_wrong_with_them() {
    treat_all(&manifest::folder("bad"));
}

#[test]
fn small_bad_files_are_refused_for_what_is_wrong_with_them() {
    treat_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/bad"));
}

/// Checks every file of the manifest in `folder`.
fn treat_all(folder: &Path) {
    let entries = manifest::entries(folder);
    let faults: Vec<String> = entries.iter().filter_map(|entry| treat(folder, entry).err()).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Checks one file, in a folder of its own.
fn treat(folder: &Path, entry: &Value) -> Result<(), String> {
    let (name, expect) =
        (entry["name"].as_str().unwrap_or_default(), entry["expect"].as_str().unwrap_or_default());
    let files: Vec<&str> =
        entry["files"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let place = Folder::new();
    for file in &files {
        place.write(file, std::fs::read(folder.join(file)).map_err(|error| format!("{file}: {error}"))?);
    }
    let before = place.names();
    let started = Instant::now();
    let script = format!("ulimit -d {KILOBYTES}; exec \"$0\" check \"$1\"");
    let mut ran = Command::new("sh");
    ran.args(["-c", &script, env!("CARGO_BIN_EXE_frit"), files[0]]);
    let output = ran.current_dir(place.path("")).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let fault = |what: String| Err(format!("{name}: {what}, expected {expect}\n{said}"));
    if started.elapsed() > LONGEST {
        return fault(format!("took {:?}", started.elapsed()));
    }
    if said.contains("panicked") || said.chars().any(|letter| letter.is_control() && letter != '\n') {
        return fault("panicked, or printed what a name holds".to_owned());
    }
    match output.status.code() {
        Some(0) if !expect.starts_with("error") || expect.starts_with("error or ok") => {}
        Some(1) if !expect.starts_with("ok:") => {}
        other => return fault(format!("exit status {other:?}")),
    }
    if place.names() != before {
        return fault(format!("left {:?} behind", place.names()));
    }
    let reasons = REASONS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, words)| words);
    match reasons.iter().find(|word| !said.contains(**word)) {
        Some(word) => fault(format!("the diagnostic does not say {word:?}")),
        None if reasons.is_empty() && output.status.code() == Some(1) => {
            fault("REASONS holds no word of its diagnostic".to_owned())
        }
        None => Ok(()),
    }
}

#[test]
fn files_of_other_libraries_name_what_converts_them() {
    let folder = Folder::new();
    for (file, what, command) in [
        (
            "graph.pb",
            "a frozen graph",
            "tf2onnx.convert --graphdef graph.pb --inputs INPUT:0 --outputs OUTPUT:0 --output graph.onnx",
        ),
        ("net.tflite", "TensorFlow Lite", "tf2onnx.convert --tflite net.tflite --output net.onnx"),
        (
            "net.ckpt.meta",
            "a checkpoint",
            "tf2onnx.convert --checkpoint net.ckpt.meta --inputs INPUT:0 --outputs OUTPUT:0 --output net.ckpt.onnx",
        ),
        ("net.pth", "what PyTorch saves", "torch.onnx.export(model.eval(), images, \"net.onnx\")"),
        ("saved/saved_model.pb", "a SavedModel", "tf2onnx.convert --saved-model saved --output saved.onnx"),
        ("saved", "a SavedModel", "tf.keras.models.load_model(\"saved\").save(\"saved.keras\")"),
    ] {
        if file.contains('/') {
            std::fs::create_dir_all(folder.path(file).parent().unwrap()).unwrap();
        }
        if file != "saved" {
            folder.write(file, "");
        }
        let told = folder.frit(&format!("check {file}")).fails(1);
        assert!(told.contains("error[FR0001]") && told.contains(what) && told.contains(command), "{told}");
    }
    let told = folder.frit("check .").fails(1);
    assert!(!told.contains("SavedModel"), "{told}");
}
