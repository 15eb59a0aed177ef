//! `--residual` and `check --fix`.

use serde_json::{Value, json};

use super::{Folder, TINY, list};

/// A block with a stride on each of its convolutions, as in a network that was once written by hand: the add joins
/// 16x16x24 and 128x128x16.
const BROKEN: &str = r#"{"frit": 1, "name": "broken",
 "input": {"name": "image", "shape": [128, 128, 3]},
 "weights": {"seed": 7},
 "defaults": {"padding": "same"},
 "layers": [
   {"name": "bneck1", "op": "conv2d", "filters": 16, "kernel": 3, "activation": "relu6"},
   {"name": "bneck2/expand", "op": "conv2d", "filters": 64, "kernel": 1, "stride": 2, "activation": "relu6"},
   {"name": "bneck2/depthwise", "op": "depthwise_conv2d", "kernel": 3, "stride": 2, "activation": "relu6"},
   {"name": "bneck2/project", "op": "conv2d", "filters": 24, "kernel": 1, "stride": 2},
   {"name": "add_1", "op": "add", "inputs": ["bneck1", "bneck2/project"]},
   {"name": "head", "op": "conv2d", "filters": 32, "kernel": 1, "activation": "relu6"},
   "global_avg_pool",
   {"name": "logits", "op": "dense", "units": 10}, "softmax"]}
"#;

fn broken() -> Folder {
    let folder = Folder::new();
    folder.write("broken.json", BROKEN);
    folder
}

#[test]
fn a_broken_residual_is_an_error_that_names_both_conditions_every_stride_and_the_ways_out() {
    let folder = broken();
    for command in ["check", "cost", "inspect", "run", "bench", "verify"] {
        let stderr = folder.frit(&format!("{command} broken.json")).fails(1);
        assert_eq!(stderr.matches("error[").count(), 1, "{stderr}");
        for part in [
            "error[FR0201]: residual add joins different shapes",
            "add_1 (add) of broken.json",
            "128x128x16 → stride 8 → 16x16x24",
            "here stride 8, 16 → 24",
            "stride 8 is the product of bneck2/expand (2), bneck2/depthwise (2), bneck2/project (2)",
            "--residual drop",
            "--residual project",
        ] {
            assert!(stderr.contains(part), "{part}: {stderr}");
        }
    }
    let stderr = folder.frit("check broken.json --format json").fails(1);
    let fault: Value = serde_json::from_str(&stderr).unwrap();
    let flags: Vec<&Value> = list(&fault["help"]).iter().map(|help| &help["flag"]).collect();
    assert_eq!(flags, ["--residual drop", "--residual project"]);
}

#[test]
fn the_flags_that_an_error_offers_make_every_command_go_on() {
    let folder = broken();
    for policy in ["drop", "project", "project --projection-weights zero"] {
        for command in ["check", "cost", "inspect", "run", "bench --runs 1", "verify"] {
            let (command, more) = command.split_once(' ').unwrap_or((command, ""));
            let outcome = folder.frit(&format!("{command} broken.json {more} --residual {policy}"));
            assert!(outcome.stderr.contains("note: "), "{}", outcome.stderr);
            assert_eq!(outcome.stderr.contains("warning[FR0205]"), policy != "drop", "{}", outcome.stderr);
            outcome.ok();
        }
    }
}

#[test]
fn a_repair_that_waits_for_another_fault_says_so_instead_of_asking_for_its_flag_again() {
    let folder = Folder::new();
    folder.write("broken.json", BROKEN.replace("\"global_avg_pool\",", ""));
    let asked = folder.frit("check broken.json").fails(1);
    assert!(asked.contains("--residual drop ") && asked.contains("--residual project "), "{asked}");
    for policy in ["drop", "project"] {
        let told = folder.frit(&format!("check broken.json --residual {policy}")).fails(1);
        let waits = format!("= --residual {policy} repairs this as soon as the other faults are gone");
        assert!(told.contains("error[FR0104]") && told.contains(&waits), "{told}");
        assert!(!told.contains("help: drop") && !told.contains("help: insert"), "{told}");
    }
    // That one repairs nothing of the kind.
    let told = folder.frit("check broken.json --residual insert").fails(1);
    assert!(told.contains("--residual drop ") && !told.contains("as soon as"), "{told}");
}

#[test]
fn scripts_are_told_of_every_repair() {
    let outcome = broken().frit("check broken.json --residual project --format json");
    let lines: Vec<Value> = outcome.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["severity"], "note");
    assert_eq!(lines[0]["layers"], json!(["add_1", "bneck2/project", "bneck1/relu6", "add_1/projection"]));
    assert_eq!(lines[0]["shapes"], json!(["16x16x24", "128x128x16"]));
    assert_eq!((&lines[1]["severity"], &lines[1]["code"]), (&json!("warning"), &json!("FR0205")));
    assert_eq!((lines.len(), &outcome.json()["warnings"]), (2, &json!(1)));
}

#[test]
fn a_repair_is_a_pass_and_stays_in_the_sources() {
    let folder = broken();
    let passes = folder.frit("inspect broken.json --residual drop --passes --format json").json();
    assert!(passes.to_string().contains("\"repair\""), "{passes}");
    let legal = folder.frit("inspect broken.json --residual drop --stage legal --format json").json();
    let project = list(&legal["nodes"]).iter().find(|node| node["name"] == "bneck2/project").unwrap();
    assert_eq!(project["sources"], json!(["add_1", "bneck2/project"]));
    let imported = folder.frit("inspect broken.json --residual drop --stage imported").ok();
    assert!(imported.contains("%add_1 = add"), "{imported}");
}

#[test]
fn a_fixed_model_is_legal_and_computes_what_the_repaired_one_does() {
    for (policy, files) in [
        ("drop", vec!["broken.json", "fixed.json"]),
        ("project", vec!["broken.json", "fixed.json"]),
        ("project --projection-weights zero", vec!["broken.json", "fixed.json", "fixed.safetensors"]),
    ] {
        let folder = broken();
        folder.frit(&format!("check broken.json --residual {policy} --fix -o fixed.json")).ok();
        assert_eq!(folder.names(), files, "{policy}");
        let outcome = folder.frit("check fixed.json");
        assert_eq!(outcome.stderr, "", "{policy}");
        outcome.ok();
        let run = |arguments: &str| folder.frit(&format!("run {arguments} --format json --top 3")).json();
        assert_eq!(run("fixed.json"), run(&format!("broken.json --residual {policy}")), "{policy}");
        let again = folder.frit(&format!("check fixed.json --residual {policy} --fix -o again.json"));
        assert!(!again.stderr.contains("note: "), "{}", again.stderr);
        let text = |name: &str| String::from_utf8(folder.read(name)).unwrap();
        assert_eq!(text("again.json").replace("again.", "fixed."), text("fixed.json"), "{policy}");
    }
}

#[test]
fn insert_gives_blocks_their_residuals_and_fix_writes_them() {
    let folder = Folder::with_tiny();
    folder.write("bare.json", TINY.replace("\"repeat\": 2", "\"repeat\": 2, \"id_skip\": false"));
    let outcome = folder.frit("check bare.json --residual insert --fix -o fixed.json");
    assert_eq!(outcome.stderr.matches("note: inserted the residual s1/").count(), 2, "{}", outcome.stderr);
    outcome.ok();
    let graph = |model: &str| folder.frit(&format!("inspect {model} --stage legal")).ok();
    assert_eq!(graph("fixed.json"), graph("tiny.json"));
    assert_eq!(folder.frit("check tiny.json --residual insert").stderr, "");
}

#[test]
fn nothing_is_written_where_a_fault_is_left() {
    let folder = Folder::new();
    folder.write("broken.json", BROKEN.replace("\"global_avg_pool\",", ""));
    let stderr = folder.frit("check broken.json --residual drop --fix -o fixed.json").fails(1);
    assert!(stderr.contains("error[FR0104]") && stderr.contains("error[FR0201]"), "{stderr}");
    assert_eq!(folder.names(), ["broken.json"]);
    let folder = broken();
    let stderr = folder.frit("check broken.json --residual drop --fix -o no/such/fixed.json").fails(1);
    assert!(stderr.contains("FR0301"), "{stderr}");
    std::fs::create_dir(folder.path("fixed.json")).unwrap();
    let flags = "--residual project --projection-weights zero --fix -o fixed.json";
    let stderr = folder.frit(&format!("check broken.json {flags}")).fails(1);
    assert!(stderr.contains("FR0301"), "{stderr}");
    assert_eq!(folder.names(), ["broken.json", "fixed.json"]);
}

#[test]
fn repairs_that_make_no_sense_are_wrong_usage() {
    let folder = broken();
    for arguments in [
        "check broken.json --residual mend",
        "check broken.json --fix -o fixed.json",
        "check broken.json --residual error --fix -o fixed.json",
        "check broken.json --residual drop --fix",
        "check broken.json --residual drop -o fixed.json",
        "check broken.json --residual drop --fix -o fixed.txt",
        "check broken.json --residual drop --projection-weights zero",
    ] {
        let stderr = folder.frit(arguments).fails(2);
        assert!(!stderr.is_empty(), "{arguments}");
    }
    assert_eq!(folder.names(), ["broken.json"]);
}
