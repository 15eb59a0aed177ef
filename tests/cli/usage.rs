//! Exit status 2, pipes, completions, and the form of diagnostics.

use std::process::Stdio;

use serde_json::Value;

use super::{Folder, TINY, fields, frit};

#[test]
fn wrong_usage_ends_with_2() {
    let folder = Folder::with_tiny();
    for arguments in [
        "",
        "make tiny.json",
        "check",
        "check tiny.json --frobnicate",
        "check tiny.json --target pentium",
        "check tiny.json --disable no-such-rule",
        "check tiny.json --format xml",
        "inspect tiny.json --stage finished",
        "inspect tiny.json --passes --format dot",
        "run tiny.json --threads 0",
        "run tiny.json --top 0",
        "run tiny.json --labels labels.json",
        "run tiny.json -o y.txt",
        "bench tiny.json --compare fused,fast",
        "bench tiny.json --compare fused --no-fuse",
        "bench tiny.json --runs 0",
        "verify tiny.json --samples 0",
        "verify tiny.json --against golden.npz --samples 2",
        "run tiny.json --lower wide --target x86-64-v2",
        "zoo no_such_network",
        "explain FR0200",
        "explain FR0201 --rules",
        "schema conv2d",
        "zoo --width 0.5",
        "completions tcsh",
        "man nothing",
    ] {
        let stderr = folder.frit(arguments).fails(2);
        assert!(!stderr.is_empty(), "{arguments}");
    }
    assert_eq!(folder.names(), ["tiny.json"]);
}

#[test]
fn code_for_another_cpu_can_be_looked_at_but_not_run() {
    let folder = Folder::with_tiny();
    let other = if cfg!(target_arch = "aarch64") { "x86-64-v2" } else { "aarch64" };
    folder.frit(&format!("inspect tiny.json --stage scheduled --target {other}")).ok();
    for command in ["run", "bench", "verify"] {
        let stderr = folder.frit(&format!("{command} tiny.json --target {other}")).fails(2);
        assert!(stderr.contains(other), "{stderr}");
    }
}

#[test]
fn every_command_explains_itself_with_examples() {
    let folder = Folder::new();
    for command in [
        "check",
        "inspect",
        "cost",
        "compile",
        "run",
        "bench",
        "verify",
        "zoo",
        "explain",
        "schema",
        "completions",
        "man",
    ] {
        let help = folder.frit(&format!("{command} --help")).ok();
        assert!(help.contains("Examples:") && help.contains(&format!("frit {command}")), "{help}");
    }
    assert!(folder.frit("--help").ok().contains("Exit status"));
    assert!(folder.frit("--version").ok().starts_with("frit "));
}

#[test]
fn shells_get_their_completions() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(folder.frit(&format!("completions {shell}")).ok().contains("inspect"), "{shell}");
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let folder = Folder::new();
    let page = folder.frit("man").ok();
    assert!(
        page.starts_with(".ie") && page.contains(".TH frit 1") && page.contains("frit\\-inspect(1)"),
        "{page}"
    );
    let page = folder.frit("man compile").ok();
    assert!(page.contains(".TH frit-compile 1") && page.contains("\\-\\-target"), "{page}");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let folder = Folder::with_tiny();
    let mut child = frit(folder.0.path(), "inspect tiny.json --stage legal --format json")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stderr, b"");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn diagnostics_in_text_begin_with_severity_and_code() {
    let folder = Folder::new();
    folder.write("bad.json", TINY.replace("\"kernel\": 3", "\"kernle\": 3"));
    let stderr = folder.frit("check bad.json").fails(1);
    let first = stderr.lines().next().unwrap();
    let code = first.strip_prefix("error[FR").and_then(|rest| rest.split_once("]: ")).unwrap().0;
    assert!(code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit()), "{first}");
}

#[test]
fn diagnostics_in_json_are_one_object_a_line() {
    let folder = Folder::new();
    folder.write(
        "bad.json",
        TINY.replace("\"kernel\": 3", "\"kernle\": 3").replace("\"softmax\"", "\"softmin\""),
    );
    for command in ["check bad.json", "run bad.json", "inspect bad.json"] {
        let stderr = folder.frit(&format!("{command} --format json")).fails(1);
        assert!(stderr.lines().count() >= 2, "{stderr}");
        for line in stderr.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            for field in ["code", "severity", "message", "layers", "shapes", "help"] {
                assert!(fields(&value).contains(&field), "{field}: {line}");
            }
        }
    }
}

#[test]
fn notes_in_json_have_the_fields_of_diagnostics() {
    let outcome = Folder::with_tiny().frit("run tiny.json --format json");
    let value: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!((&value["severity"], &value["code"]), (&Value::from("note"), &Value::Null));
}
