//! `compile`, and what the other commands make of what it writes.

use frit_compiler::machine::Machine;
use ndarray::{ArrayD, IxDyn};
use serde_json::{Value, json};

use super::runs::with_pictures;
use super::{Folder, TINY, fields, list, npz};

/// A folder with `tiny.json`, and `tiny.frit` compiled from it with `options`.
fn compiled(options: &str) -> Folder {
    let folder = Folder::with_tiny();
    folder.frit(&format!("compile tiny.json -o tiny.frit {options}")).ok();
    folder
}

/// Asserts that `artifact` gives the bytes that `model` gives, with 1 and 2 threads.
#[track_caller]
fn same_bits(folder: &Folder, model: &str, artifact: &str) {
    folder.frit(&format!("run {model} -o expected.npz --threads 1")).ok();
    for flags in ["--threads 1", "--threads 2", "--threads 2 --huge-pages"] {
        folder.frit(&format!("run {artifact} -o found.npz {flags}")).ok();
        assert_eq!(folder.read("expected.npz"), folder.read("found.npz"), "{artifact} {flags}");
    }
}

/// The CRC-32 of an artifact stands in bytes 12 to 16, and covers all others.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..12]);
    hasher.update(&bytes[16..]);
    bytes[12..16].copy_from_slice(&hasher.finalize().to_le_bytes());
    bytes
}

#[test]
fn an_artifact_of_every_network_gives_the_bits_that_its_source_gives() {
    let folder = Folder::new();
    for name in folder.frit("zoo").ok().lines() {
        // Smaller maps than these have no room for the windows of some networks.
        let resolution = if ["xception", "inception_resnet_v2"].contains(&name) { 96 } else { 64 };
        let description = folder.frit(&format!("zoo {name} --width 0.25 --resolution {resolution}")).ok();
        folder.write("model.json", description);
        folder.frit("compile model.json -o model.frit").ok();
        same_bits(&folder, "model.json", "model.frit");
    }
}

#[test]
fn so_does_one_of_every_lowering_and_schedule() {
    for options in ["--lower portable", "--schedule bands", "--schedule groups", "--no-fuse"] {
        let folder = compiled(options);
        same_bits(&folder, &format!("tiny.json {options}"), "tiny.frit");
    }
}

#[test]
fn images_that_streams_share_give_the_bits_of_one_session() {
    let folder = compiled("");
    for batch in [1, 2, 5] {
        let images = ArrayD::from_shape_fn(IxDyn(&[batch, 16, 16, 3]), |at| {
            (at[0] * 7 + at[1] * at[2] + at[3]) as f32
        });
        ndarray_npy::write_npy(folder.path("x.npy"), &images).unwrap();
        folder.frit("run tiny.json x.npy -o expected.npz --threads 1").ok();
        for flags in ["--streams 2", "--streams 3 --threads 2", "--batch 2", "--batch 2 --streams 2"] {
            folder.frit(&format!("run tiny.json x.npy -o found.npz {flags}")).ok();
            assert_eq!(folder.read("expected.npz"), folder.read("found.npz"), "{batch} images, {flags}");
        }
    }
}

#[test]
fn a_batch_without_inputs_is_of_random_images() {
    let folder = compiled("");
    for model in ["tiny.json", "tiny.frit"] {
        let value = folder.frit(&format!("run {model} --batch 3 --format json")).json();
        assert_eq!(value["outputs"]["logits/softmax"]["shape"], serde_json::json!([3, 10]), "{value}");
    }
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    let first = compiled("").read("tiny.frit");
    assert_eq!(first, compiled("").read("tiny.frit"));
    assert_ne!(first, compiled("--no-fuse").read("tiny.frit"));
}

#[test]
fn an_artifact_can_be_compiled_for_every_target_and_runs_where_the_cpu_has_what_it_needs() {
    let folder = Folder::with_tiny();
    for target in ["x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64"] {
        let told = folder.frit(&format!("compile tiny.json -o {target}.frit --target {target}")).ok();
        assert!(told.contains(target), "{told}");
        let outcome = folder.frit(&format!("run {target}.frit -o y.npz"));
        if target.parse::<Machine>().unwrap().runs_here() {
            outcome.ok();
            std::fs::remove_file(folder.path("y.npz")).unwrap();
            continue;
        }
        let stderr = outcome.fails(1);
        assert!(stderr.starts_with("error[FR0405]: "), "{stderr}");
        assert!(stderr.contains("avx512f") || stderr.contains("aarch64"), "{stderr}");
        assert!(!folder.path("y.npz").exists());
        folder.frit(&format!("bench {target}.frit")).fails(1);
        folder.frit(&format!("verify {target}.frit --source tiny.json")).fails(1);
    }
}

#[test]
fn an_artifact_carries_labels_and_how_pictures_become_inputs() {
    let folder = with_pictures();
    folder.frit("compile tiny.json -o tiny.frit").ok();
    let of = |model: &str| folder.frit(&format!("run {model} a.png b.jpg --top 3 --format json")).ok();
    let expected = of("tiny.json");
    for file in ["tiny.json", "labels.json"] {
        std::fs::remove_file(folder.path(file)).unwrap();
    }
    assert_eq!(of("tiny.frit"), expected);
}

#[test]
fn an_artifact_is_known_by_its_content() {
    let folder = compiled("");
    std::fs::rename(folder.path("tiny.frit"), folder.path("tiny.bin")).unwrap();
    folder.frit("run tiny.bin").ok();
    folder.write("text.frit", TINY);
    folder.write("empty.frit", "");
    for name in ["text.frit", "empty.frit"] {
        let stderr = folder.frit(&format!("run {name} -o y.npz")).fails(1);
        assert!(stderr.starts_with("error[FR0401]: ") && stderr.contains(name), "{stderr}");
    }
    let stderr = folder.frit("run nowhere.frit -o y.npz").fails(1);
    assert!(stderr.starts_with("error[FR0001]: "), "{stderr}");
    assert!(!folder.path("y.npz").exists());
}

/// Runs `bad.frit`, which must be refused with `code` by every command that takes artifacts.
#[track_caller]
fn refused(folder: &Folder, bytes: &[u8], code: &str) {
    folder.write("bad.frit", bytes);
    for command in ["run bad.frit -o y.npz", "bench bad.frit", "verify bad.frit --source tiny.json"] {
        let stderr = folder.frit(command).fails(1);
        assert!(stderr.starts_with(&format!("error[{code}]: ")), "{command}: {stderr}");
        assert!(stderr.contains("bad.frit"), "{stderr}");
    }
    assert!(!folder.path("y.npz").exists());
}

#[test]
fn a_damaged_artifact_is_refused_and_not_run() {
    let folder = compiled("");
    let whole = folder.read("tiny.frit");
    for length in [8, 40, 56, 100, 4096, 5000, whole.len() / 2, whole.len() - 4, whole.len() - 1] {
        refused(&folder, &whole[..length], "FR0403");
    }
    for at in [12, 30, 60, 4096, 4200, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        refused(&folder, &bytes, "FR0403");
    }
}

#[test]
fn an_artifact_of_another_version_is_refused() {
    let folder = compiled("");
    for at in [8, 24] {
        let mut bytes = folder.read("tiny.frit");
        bytes[at] += 1;
        refused(&folder, &sealed(bytes), "FR0402");
    }
    let mut older = folder.read("tiny.frit");
    older[8..12].copy_from_slice(&1u32.to_le_bytes());
    folder.write("older.frit", older);
    let stderr = folder.frit("run older.frit").fails(1);
    assert!(stderr.contains("version 1 of the format, this program reads version 4"), "{stderr}");
    assert!(stderr.contains("compile the model again"), "{stderr}");
}

/// The head and the metadata are the first page; what stands there is not what the code was made with.
#[test]
fn metadata_that_is_not_its_own_is_refused_by_every_command() {
    let folder = compiled("");
    let whole = folder.read("tiny.frit");
    folder.frit("compile tiny.json -o other.frit --no-fuse").ok();
    let other = folder.read("other.frit");
    let length = |bytes: &[u8]| u32::from_le_bytes(bytes[28..32].try_into().unwrap()) as usize;
    let code = |bytes: &[u8]| (48 + length(bytes)).next_multiple_of(4096);
    let spliced = [&other[..code(&other)], &whole[code(&whole)..]].concat();
    let mut spliced = spliced;
    let end = spliced.len() as u64;
    spliced[16..24].copy_from_slice(&end.to_le_bytes());
    spliced[32..48].copy_from_slice(&whole[32..48]);
    refused(&folder, &sealed(spliced), "FR0404");
    for at in (48..48 + length(&whole)).step_by(37) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        refused(&folder, &sealed(bytes), "FR0404");
    }
}

#[test]
fn an_artifact_that_contradicts_itself_is_refused() {
    let folder = compiled("");
    for (at, value) in [(28, 1u64 << 40), (32, 1 << 40), (32, 0), (40, 1 << 40), (40, 4), (40, u64::MAX)] {
        let mut bytes = folder.read("tiny.frit");
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        refused(&folder, &sealed(bytes), "FR0404");
    }
}

#[test]
fn what_needs_a_source_says_that_an_artifact_has_none() {
    let folder = compiled("");
    for command in [
        "check tiny.frit",
        "inspect tiny.frit --stage legal",
        "inspect tiny.frit --passes",
        "inspect tiny.frit --dump asm",
        "inspect tiny.frit --format dot",
        "cost tiny.frit",
        "compile tiny.frit -o y.frit",
    ] {
        let stderr = folder.frit(command).fails(1);
        assert!(stderr.starts_with("error[FR0406]: ") && stderr.contains("tiny.frit"), "{stderr}");
    }
    assert_eq!(folder.names(), ["tiny.frit", "tiny.json"]);
}

#[test]
fn inspect_says_what_is_in_an_artifact_for_any_cpu() {
    for (flags, lacks) in [("", false), ("--target aarch64", cfg!(target_arch = "x86_64"))] {
        let folder = compiled(flags);
        let text = folder.frit("inspect tiny.frit").ok();
        for line in
            ["file         tiny.frit, ", "model        tiny", "input        image, 16x16x3 of float32"]
        {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert_eq!(text.contains("not for this CPU, which lacks aarch64"), lacks, "{text}");
        let value = folder.frit("inspect tiny.frit --format json").json();
        assert_eq!(value["bytes"], folder.read("tiny.frit").len());
        assert_eq!(value["inputs"][0]["shape"], serde_json::json!([16, 16, 3]));
        assert_eq!(value["target"]["lacks"].as_array().is_some_and(Vec::is_empty), !lacks);
        assert!(
            value["steps"].as_array().is_some_and(|steps| !steps.is_empty())
                && value["macs"].as_u64() > Some(0),
            "{value}"
        );
    }
}

#[test]
fn what_an_artifact_can_not_do_is_wrong_usage() {
    let folder = compiled("");
    for arguments in [
        "run tiny.frit --target native",
        "run tiny.frit --weights w.safetensors",
        "bench tiny.frit --compare fused",
        "bench tiny.frit --no-fuse",
        "bench tiny.frit --lower auto",
        "verify tiny.frit",
        "verify tiny.frit --source tiny.json --against golden.npz",
        "verify tiny.frit --source tiny.json --schedule bands",
        "verify tiny.json --source tiny.json",
        "compile tiny.json",
        "compile tiny.json -o y.frit --emit object",
        "compile tiny.json -o y.frit --dump asm --format json",
        "compile tiny.json -o y.frit --lower wide --target aarch64",
    ] {
        let stderr = folder.frit(arguments).fails(2);
        assert!(!stderr.is_empty(), "{arguments}");
    }
    let other = if cfg!(target_arch = "aarch64") { "x86-64-v2" } else { "aarch64" };
    folder.frit(&format!("compile tiny.json -o y.frit --target {other} --verify")).fails(2);
    assert_eq!(folder.names(), ["tiny.frit", "tiny.json"]);
}

#[test]
fn a_failed_compilation_leaves_what_was_there() {
    let folder = Folder::with_tiny();
    folder.write("bad.json", TINY.replace("\"kernel\": 3", "\"kernel\": 0"));
    folder.frit("compile bad.json -o y.frit").fails(1);
    folder.write("y.frit", "old");
    folder.frit("compile bad.json -o y.frit").fails(1);
    assert_eq!(folder.read("y.frit"), b"old");
    let stderr = folder.frit("compile tiny.json -o nowhere/y.frit").fails(1);
    assert!(stderr.starts_with("error[FR0301]: "), "{stderr}");
    assert_eq!(folder.names(), ["bad.json", "tiny.json", "y.frit"]);
}

#[test]
fn compile_tells_what_it_wrote_and_how_long_that_took() {
    let folder = Folder::with_tiny();
    let outcome = folder.frit("compile tiny.json -o tiny.frit --verify --timings --format json");
    for phase in ["read", "legality and e-graph", "schedule", "code", "writing", "verifying"] {
        assert!(outcome.stderr.contains(phase), "{phase}: {}", outcome.stderr);
    }
    let value = outcome.json();
    let expected = [
        "arena_bytes",
        "code_bytes",
        "file",
        "isa",
        "kernels",
        "model",
        "scratch_bytes",
        "steps",
        "verified",
        "weight_bytes",
    ];
    assert_eq!(fields(&value), expected);
    assert_eq!((&value["file"], &value["verified"]), (&json!("tiny.frit"), &json!(true)));
    let size = folder.read("tiny.frit").len() as u64;
    let sections = value["code_bytes"].as_u64().unwrap() + value["weight_bytes"].as_u64().unwrap();
    assert!(sections < size && size < sections + 3 * 4096, "{sections} of {size}");
    let text = folder.frit("compile tiny.json -o tiny.frit").ok();
    assert!(text.starts_with("tiny.frit: tiny for ") && text.lines().count() == 2, "{text}");
}

#[test]
fn compile_shows_the_plan_and_the_kernels_that_it_wrote() {
    let folder = Folder::with_tiny();
    for level in ["plan", "vector", "clif", "asm"] {
        let arguments = format!("--dump {level} --lower portable");
        let shown = folder.frit(&format!("compile tiny.json -o tiny.frit {arguments}")).ok();
        assert_eq!(shown, folder.frit(&format!("inspect tiny.json {arguments}")).ok());
    }
    folder.frit("run tiny.frit").ok();
}

#[test]
fn bench_times_an_artifact_as_the_variant_that_it_is() {
    for (options, name) in [("", "fused"), ("--no-fuse", "unfused")] {
        let folder = compiled(options);
        let value = folder.frit("bench tiny.frit --threads 1,2 --runs 2 --profile --format json").json();
        let named: Vec<(&Value, &Value)> =
            list(&value["variants"]).iter().map(|variant| (&variant["name"], &variant["threads"])).collect();
        assert_eq!(json!(named), json!([[name, 1], [name, 2]]));
        let source = folder.frit(&format!("bench tiny.json --runs 1 --format json {options}")).json();
        for field in ["model", "isa", "machine", "macs"] {
            assert_eq!(value[field], source[field], "{field}");
        }
        assert!(!list(&value["profile"]).is_empty());
    }
}

#[test]
fn verify_compares_an_artifact_with_its_source() {
    let folder = compiled("");
    let value =
        folder.frit("verify tiny.frit --source tiny.json --samples 2 --threads 1,3 --format json").json();
    assert_eq!((&value["passed"], &value["samples"]), (&json!(true), &json!(2)));
    assert_eq!(list(&value["runs"]).len(), 2);
    folder.write("other.json", TINY.replace("\"units\": 10", "\"units\": 11"));
    let stderr = folder.frit("verify tiny.frit --source other.json").fails(1);
    assert!(stderr.starts_with("error[FR0407]: ") && stderr.contains("other.json"), "{stderr}");
    folder.write("seed.json", TINY.replace("\"seed\": 7", "\"seed\": 8"));
    let outcome = folder.frit("verify tiny.frit --source seed.json");
    assert!(outcome.stderr.contains("FR0302"), "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(3));
}

#[test]
fn verify_compares_an_artifact_with_a_golden_file() {
    let folder = compiled("");
    let input = ArrayD::<f32>::from_elem(IxDyn(&[1, 16, 16, 3]), 0.25);
    ndarray_npy::write_npy(folder.path("x.npy"), &input).unwrap();
    folder.frit("run tiny.json x.npy -o y.npz").ok();
    let output = npz::read(&folder.path("y.npz"))["logits_softmax"].clone();
    for (off, code) in [(0.0, 0), (0.1, 1)] {
        let arrays = [("input", input.clone()), ("output", &output + off)];
        npz::write(&folder.path("golden.npz"), &arrays);
        let outcome = folder.frit("verify tiny.frit --against golden.npz");
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    }
}

#[test]
fn the_help_says_whom_an_artifact_trusts() {
    let folder = Folder::new();
    let help = folder.frit("--help").ok();
    assert!(help.contains("machine code") && help.contains("trust"), "{help}");
}
