//! `check --lint`.

use serde_json::{Value, json};

use super::{Folder, TINY, fields, list};

/// A convolution with a bias before a batch normalisation.
fn biased() -> String {
    let bias = TINY.replacen("\"stride\": 2, \"bias\": false", "\"stride\": 2, \"bias\": true", 1);
    assert_ne!(bias, TINY);
    bias
}

/// The same, and a residual over a stride.
fn illegal() -> String {
    let stride = "{\"name\": \"wide\", \"op\": \"conv2d\", \"filters\": 8, \"kernel\": 3, \"stride\": 2},
   {\"name\": \"sum\", \"op\": \"add\", \"inputs\": [\"wide\", \"s1\"]}, \"global_avg_pool\",";
    let illegal = biased().replacen("\"global_avg_pool\",", stride, 1);
    assert_ne!(illegal, biased());
    illegal
}

fn rules(value: &Value) -> Vec<&str> {
    list(&value["findings"]).iter().map(|finding| finding["rule"].as_str().unwrap()).collect()
}

#[test]
fn findings_are_part_of_the_result_and_no_failure() {
    let folder = Folder::with_tiny();
    assert!(folder.frit("check tiny.json --lint").ok().ends_with(" MACs\nno findings\n"));
    folder.write("biased.json", biased());
    let outcome = folder.frit("check biased.json --lint");
    assert_eq!(outcome.stderr, "");
    let stdout = outcome.ok();
    assert!(
        stdout.contains("hint[FR0703]: ") && stdout.ends_with("1 finding: 0 warnings, 1 hint\n"),
        "{stdout}"
    );
    assert!(!folder.frit("check biased.json").ok().contains("FR0703"));
}

#[test]
fn a_finding_in_json_says_what_why_where_and_how_sure() {
    let folder = Folder::new();
    folder.write("biased.json", biased());
    let value = folder.frit("check biased.json --lint --format json").json();
    assert_eq!(rules(&value), ["bias-before-norm"]);
    let finding = &value["findings"][0];
    assert_eq!(fields(finding), ["code", "layers", "message", "rule", "severity", "sure", "what", "why"]);
    assert_eq!((&finding["severity"], &finding["sure"]), (&json!("hint"), &json!("certain")));
    let layer = json!({"role": "bias", "name": "stem", "index": 0, "op": "conv2d", "shape": [8, 8, 8]});
    assert_eq!(finding["layers"][0], layer);
    assert_eq!(folder.frit("check biased.json --format json").json().get("findings"), None);
}

#[test]
fn deny_fails_where_anything_is_found() {
    let folder = Folder::with_tiny();
    folder.write("biased.json", biased());
    folder.frit("check tiny.json --lint=deny").ok();
    folder.frit("check biased.json --lint=warn").ok();
    for format in ["text", "json"] {
        let outcome = folder.frit(&format!("check biased.json --lint=deny --format {format}"));
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), ""));
        assert!(outcome.stdout.contains("FR0703"), "{}", outcome.stdout);
    }
    assert!(folder.frit("check tiny.json --lint=never").fails(2).contains("warn, deny"));
}

#[test]
fn an_illegal_network_has_its_faults_and_then_its_findings() {
    let folder = Folder::new();
    folder.write("illegal.json", illegal());
    let outcome = folder.frit("check illegal.json --lint");
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.starts_with("error[FR0201]"), "{}", outcome.stderr);
    assert!(outcome.stdout.starts_with("hint[FR0703]"), "{}", outcome.stdout);
    let outcome = folder.frit("check illegal.json --lint --format json");
    let value: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((outcome.code, &value["legal"]), (Some(1), &json!(false)));
    assert_eq!(rules(&value), ["bias-before-norm"]);
    // What can't be read has no layers to look at.
    folder.write("damaged.json", "{");
    folder.frit("check damaged.json --lint").fails(1);
}

#[test]
fn what_is_repaired_is_linted_as_it_is_written() {
    let folder = Folder::new();
    let text = TINY.replacen("\"repeat\": 2", "\"repeat\": 2, \"id_skip\": false", 1);
    folder.write("bare.json", &text);
    let value = folder.frit("check bare.json --lint --residual insert --format json").json();
    assert_eq!(rules(&value), ["missing-residual"]);
}
