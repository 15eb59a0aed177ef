//! `frit explain` and `frit schema`: every example on a page is run, and says what the page says.

use frit_compiler::explain::{self, Page};
use frit_ir::diagnostic::codes;
use frit_ir::text;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use serde_json::Value;

use super::{Folder, fields, list, nodes};

/// The fenced blocks of a page: the words behind the fence, and the text.
fn blocks(page: &'static str) -> Vec<(Vec<&'static str>, &'static str)> {
    let fenced = page.split("```").skip(1).step_by(2);
    let block = |fenced: &'static str| {
        let (words, text) = fenced.split_once('\n').unwrap();
        (words.split(' ').collect(), text)
    };
    fenced.map(block).collect()
}

/// A safetensors file from lines of name, type, shape and a number for all elements.
fn tensors(lines: &'static str) -> Vec<u8> {
    let tensor = |line: &'static str| {
        let words: Vec<&str> = line.split(' ').collect();
        let shape: Vec<usize> = words[2].split('x').map(|axis| axis.parse().unwrap()).collect();
        let (dtype, element) = match words[1] {
            "F32" => (Dtype::F32, words[3].parse::<f32>().unwrap().to_le_bytes().to_vec()),
            _ => (Dtype::F16, vec![0; 2]),
        };
        let bytes = element.repeat(shape.iter().product());
        (words[0], dtype, shape, bytes)
    };
    let tensors: Vec<_> = lines.lines().map(tensor).collect();
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    serialize(views, None).unwrap()
}

/// Codes whose example would need a file that no frit writes, or another system; their pages say so.
const WITHOUT_EXAMPLE: [codes::Code; 5] = [
    codes::NOT_EXPRESSIBLE,
    codes::ARTIFACT_VERSION,
    codes::ARTIFACT_INCONSISTENT,
    codes::INTERNAL,
    codes::SYSTEM_REFUSES,
];

/// What the last of these commands says on stderr, or as its result where that is what lints find. All are frit's but `truncate`, which cuts a file off.
fn said(folder: &Folder, commands: &[&str]) -> String {
    let (last, first) = commands.split_last().unwrap();
    for command in first {
        match command.split(' ').collect::<Vec<_>>()[..] {
            ["truncate", "-s", bytes, name] => {
                let mut content = folder.read(name);
                content.truncate(bytes.parse().unwrap());
                folder.write(name, content);
            }
            _ => drop(folder.frit(command.strip_prefix("frit ").unwrap()).ok()),
        }
    }
    let said = folder.frit(last.strip_prefix("frit ").unwrap());
    if last.contains(" --lint") { said.stdout } else { said.stderr }
}

/// The page with what its example says today, and whether the example shows the page's code.
fn rewritten(page: &Page) -> (String, bool) {
    let folder = Folder::new();
    let mut found = false;
    let mut text = page.text.to_owned();
    for (words, content) in blocks(page.text) {
        match words[..] {
            ["json" | "text", name] => folder.write(name, content),
            ["safetensors", name] => folder.write(name, tensors(content)),
            ["onnx", name] => folder.write(name, nodes::file(content)),
            ["graph"] => {
                found = text::parse(content).unwrap_err().iter().any(|fault| fault.code == page.code);
            }
            ["console"] => {
                let commands: Vec<&str> =
                    content.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
                let stderr = said(&folder, &commands);
                found = stderr.contains(&format!("[{}]", page.code));
                let shown: String = commands.iter().map(|command| format!("$ {command}\n")).collect();
                text = text.replace(content, &(shown + &stderr));
            }
            _ => panic!("{}: what is a block of {words:?}?", page.code),
        }
    }
    (text, found)
}

#[test]
fn the_example_on_every_page_says_what_the_page_says() {
    let bless = std::env::var("FRIT_BLESS").is_ok_and(|value| value == "1");
    let mut faults = Vec::new();
    for page in explain::pages() {
        let elsewhere = page.code == codes::ARTIFACT_CPU && !cfg!(target_arch = "x86_64");
        if elsewhere || WITHOUT_EXAMPLE.contains(&page.code) {
            assert!(elsewhere || !page.text.contains("## Example"), "{} has an example: run it", page.code);
            continue;
        }
        let (text, found) = rewritten(&page);
        if !found {
            faults.push(format!("{}: the example does not show it:\n{text}", page.code));
        } else if text != page.text && bless {
            let path = format!("{}/src/explain/{}.md", env!("CARGO_MANIFEST_DIR"), page.code);
            std::fs::write(path, text).unwrap();
        } else if text != page.text {
            faults.push(format!("{}: it says otherwise (FRIT_BLESS=1 writes it):\n{text}", page.code));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn codes_and_rules_are_listed_and_explained() {
    let folder = Folder::new();
    assert!(folder.frit("explain").ok().contains("FR0201  A residual add joins different shapes."));
    assert!(folder.frit("explain FR0201").ok().starts_with("# FR0201: "));
    assert!(folder.frit("explain --rules").ok().contains("fold-batch-norm"));
    let page = folder.frit("explain fr0201 --format json").json();
    assert_eq!(fields(&page), ["code", "meaning", "text"]);
    let listed = folder.frit("explain --format json").json();
    assert_eq!(list(&listed["codes"]).len(), codes::ALL.len());
    let rules = folder.frit("explain --rules --format json").json();
    assert_eq!(fields(&rules["rules"][0]), ["name", "sound"]);
    assert!(folder.frit("explain FR0200").fails(2).contains("the nearest is FR0201"));
}

#[test]
fn the_schema_is_json_of_its_draft() {
    let schema: Value = Folder::new().frit("schema").json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema["$defs"]["conv2d"]["properties"]["filters"].is_object());
}
