//! `cost --alternatives`.

use serde_json::{Value, json};

use super::{Folder, fields, list};

/// A separable block and one that expands.
const NET: &str = r#"{"frit": 1, "name": "net", "input": {"name": "image", "shape": [12, 12, 8]}, "weights": {"seed": 7},
 "defaults": {"padding": "same", "activation": "relu6", "batch_norm": {"epsilon": 1e-3}},
 "layers": [
   {"name": "a", "stage": "separable", "filters": 8, "kernel": 5},
   {"name": "b", "stage": "inverted_residual", "expand": 6, "filters": 16, "kernel": 3, "stride": 2}]}"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("net.json", NET);
    std::fs::create_dir(folder.path("kept")).unwrap();
    folder
}

/// The only block of `found`.
fn block(found: &Value) -> &Value {
    let [block] = list(&found["blocks"]) else { panic!("{found}") };
    block
}

#[test]
fn the_numbers_of_an_alternative_are_those_of_the_network_that_it_is() {
    let folder = folder();
    let found = folder.frit("cost net.json --alternatives --block b/1 --keep kept --format json").json();
    let others = list(&block(&found)["alternatives"]);
    assert_eq!(others.len(), 13, "{found}");
    for other in others {
        let file = format!("kept/{}.json", other["what"].as_str().unwrap().replace(' ', "-"));
        let cost = folder.frit(&format!("cost {file} --format json")).json();
        for field in fields(&cost["totals"]) {
            assert_eq!(cost["totals"][field], other[field], "{field} of {file}");
        }
    }
    // A stage in a description of its own is the block as it stands.
    let alone =
        NET.replace("{\"name\": \"a\", \"stage\": \"separable\", \"filters\": 8, \"kernel\": 5},", "");
    folder.write("alone.json", alone);
    let alone = folder.frit("cost alone.json --format json").json();
    for field in ["parameters", "statistics", "macs", "weight_bytes", "activation_bytes"] {
        assert_eq!(alone["totals"][field], others[0][field], "{field}");
    }
}

#[test]
fn measured_times_stand_beside_predicted_ones_and_name_the_cpu() {
    let folder = folder();
    let command = "cost net.json --alternatives --measure --block a/1";
    let found = folder.frit(&format!("{command} --format json")).json();
    assert!(found["machine"].as_str().is_some_and(|machine| machine.contains("hardware thread")), "{found}");
    for other in list(&block(&found)["alternatives"]) {
        for field in ["predicted_ms", "measured_ms"] {
            assert!(other[field].as_f64().is_some_and(|ms| ms > 0.0), "{field}: {other}");
        }
    }
    let crossings = list(&block(&found)["crossings"]);
    let by: Vec<&Value> = crossings.iter().map(|crossing| &crossing["by"]).collect();
    assert_eq!(json!(by), json!(["macs", "predicted_ms", "measured_ms"]));
    assert_eq!((&crossings[0]["from_channels"], &crossings[0]["tried"]), (&json!(8), &json!([])));
    assert_eq!(crossings[2]["tried"], json!([4, 8, 16, 32]));
    let text = folder.frit(command).ok();
    assert!(
        text.contains("measured ms") && text.contains("\nmeasured on ") && text.contains("By measured time")
    );
    let unmeasured = folder.frit("cost net.json --alternatives --block a/1").ok();
    assert!(!unmeasured.contains("measured") && unmeasured.contains("predicted ms"), "{unmeasured}");
}

#[test]
fn a_block_that_is_not_there_is_told_with_those_that_are() {
    let told = folder().frit("cost net.json --alternatives --block c").fails(1);
    assert!(told.contains("error[FR0006]: there is no block c") && told.contains("are a/1, b/1"), "{told}");
    for arguments in ["--measure", "--block a/1", "--alternatives --keep kept"] {
        folder().frit(&format!("cost net.json {arguments}")).fails(2);
    }
}
