//! The house rules that a machine can check. Every fault says where it is and what to do about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use frit_tests::source::{self, Function, SourceFile};
use frit_tests::types::{self, Size};
use frit_tests::{licences, matches, modules, root, tokens};

/// Fails with all of `faults`, if there is any.
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// What each crate of the workspace may use of the others.
const CRATES: [(&str, &[&str]); 9] = [
    ("frit-ir", &[]),
    ("frit-passes", &["frit-ir"]),
    ("frit-runtime", &[]),
    ("frit-capi", &["frit-runtime"]),
    ("frit-images", &["frit-runtime"]),
    ("frit-compiler", &["frit-images", "frit-ir", "frit-passes", "frit-runtime"]),
    ("frit-python", &["frit-images", "frit-ir", "frit-passes", "frit-compiler", "frit-runtime"]),
    ("frit-tests", &["frit-images", "frit-ir", "frit-passes", "frit-compiler", "frit-runtime", "frit-capi"]),
    ("frit-benches", &["frit-ir", "frit-passes", "frit-compiler", "frit-runtime"]),
];

/// What each room of the compiler may use of the others. Code flows from `import` down to `emit`; the rooms at the end
/// look at all that came before them, and nothing looks at them.
const ROOMS: [(&str, &[&str]); 23] = [
    ("onnx", &[]),
    ("import", &["onnx"]),
    ("export", &["import", "onnx"]),
    ("zoo", &["import"]),
    ("vector", &[]),
    ("machine", &["vector"]),
    ("kernels", &["vector"]),
    ("pack", &["kernels", "vector"]),
    ("plan", &["kernels", "pack", "vector"]),
    ("schedule", &["kernels", "machine", "pack", "plan", "vector"]),
    ("prove", &["kernels", "plan", "vector"]),
    ("lower", &["machine", "vector"]),
    ("driver", &["plan"]),
    ("emit", &["driver", "lower", "machine", "pack", "plan", "prove", "vector"]),
    ("(root)", &["cost", "emit", "machine", "plan", "prove", "schedule"]),
    ("execute", &["(root)", "machine", "plan", "schedule"]),
    ("probe", &["emit", "execute", "machine", "vector"]),
    ("cost", &[]),
    ("explain", &[]),
    ("verify", &["(root)", "execute", "import", "machine", "plan", "schedule"]),
    ("bench", &["(root)", "cost", "execute", "import", "machine", "plan", "probe", "schedule"]),
    ("alternatives", &["(root)", "bench", "cost", "execute", "schedule"]),
    (
        "report",
        &[
            "(root)",
            "alternatives",
            "bench",
            "cost",
            "execute",
            "explain",
            "import",
            "machine",
            "plan",
            "probe",
            "schedule",
            "vector",
            "verify",
        ],
    ),
];

/// The same for the passes: each knows what a legal network is, and what a report; only the pipeline knows all of them.
const PASSES: [(&str, &[&str]); 9] = [
    ("(root)", &[]),
    ("report", &[]),
    ("legality", &[]),
    ("cut", &["legality"]),
    ("stitch", &[]),
    ("repair", &["legality", "report"]),
    ("lint", &["legality", "repair"]),
    ("egraph", &["legality", "report"]),
    ("pipeline", &["egraph", "legality", "repair", "report"]),
];

/// What each room of `import` may use of the others. `(shared)` is what lies beside them: limits, files, the reading of JSON, the
/// graph under construction.
const IMPORTERS: [(&str, &[&str]); 7] = [
    ("(shared)", &[]),
    ("json", &["(shared)", "load"]),
    ("keras", &["(shared)"]),
    ("onnx", &["(shared)"]),
    ("load", &["(shared)", "json", "keras", "onnx"]),
    ("chain", &["(shared)", "json"]),
    ("import", &["(shared)", "load"]),
];

/// Where a parser calls itself: a description whose input is a model, which may be a description; a layer of Keras whose
/// activation is a layer; the text of a graph, whose ops read and write their own attributes, some of which are ops.
const RECURSIONS: [(&str, &str, &str); 6] = [
    ("compiler/src/", "import/json/header", "import/load"),
    ("compiler/src/", "import/keras/functions", "import/keras/layers"),
    ("ir/src/", "text/attributes", "ops"),
    ("ir/src/", "text/written", "ops"),
    ("ir/src/", "text/parse", "infer"),
    ("ir/src/", "text/print", "infer"),
];

/// Where code may say f32, in how many files of each room, and why. Elsewhere an attribute is a `Scalar`, what a weight holds
/// `Values`, and what is computed a `Tensor`: none of them has to be touched when an element of another kind comes.
const SINGLE: [(&str, usize, &str); 19] = [
    ("ir/src/element.rs", 1, "what an element is in memory"),
    ("ir/src/number.rs", 1, "the arithmetic of the interpreter"),
    ("ir/src/ops/", 2, "Scalar itself, and the formulas of activations"),
    ("ir/src/tensor.rs", 1, "what a Tensor holds where nobody says otherwise"),
    ("ir/src/text/parse.rs", 1, "values by their bits"),
    ("ir/src/weights", 2, "Values themselves"),
    ("passes/src/egraph/fold", 2, "whether f32 holds folded weights as well as it held what they were"),
    ("compiler/src/import/", 4, "files whose bits these are: arrays, JSON, ONNX, whose resizes round in f32"),
    ("compiler/src/export/onnx/resize.rs", 1, "a size as the operator computes it"),
    ("compiler/src/kernels/", 3, "the arithmetic of transcendental functions"),
    ("compiler/src/pack.rs", 1, "what lies where among the packed weights"),
    ("compiler/src/vector/", 3, "the arithmetic of a vector program, and constants in it"),
    (
        "compiler/src/",
        6,
        "memory that plans, kernels and compiled networks work on, and the machine's speed in it",
    ),
    ("compiler/src/verify/", 2, "how far numbers are apart in steps of f32; the inputs of a golden file"),
    ("compiler/src/report/", 3, "the results of a run, and the least and largest of them"),
    ("images/src/", 2, "pixels as values, scores and probabilities"),
    ("python/src/lent.rs", 1, "memory of arrays that Python lends"),
    ("runtime/src/artifact/", 1, "numbers of the metadata"),
    ("runtime/src/", 3, "views of the caller's memory"),
];

/// The files that may hold unsafe code.
const UNSAFE: [&str; 13] = [
    "capi/src/functions.rs",
    "compiler/src/bin/frit/artifact.rs",
    "compiler/src/bin/frit/memory.rs",
    "compiler/src/emit/jit.rs",
    "examples/classify_artifact.rs",
    "python/src/artifact.rs",
    "python/src/lent.rs",
    "runtime/src/call.rs",
    "runtime/src/code.rs",
    "runtime/src/load.rs",
    "runtime/src/map.rs",
    "runtime/src/pool.rs",
    "tests/harness/file.rs",
];

#[test]
fn crates_depend_in_one_direction() {
    let mut faults = Vec::new();
    let text = cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata: serde_json::Value = serde_json::from_str(&text).expect("cargo metadata prints JSON");
    for package in metadata["packages"].as_array().expect("metadata lists packages") {
        let name = package["name"].as_str().expect("a package has a name");
        let Some((_, may)) = CRATES.iter().find(|(known, _)| known == &name) else {
            faults.push(format!(
                "Cargo.toml: {name} is not in tidy's list of crates; say there what it may use"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("a package lists dependencies") {
            let used = dependency["name"].as_str().expect("a dependency has a name");
            if used.starts_with("frit-") && used != name && !may.contains(&used) {
                faults.push(format!("{name} depends on {used}; it may use {may:?}: move what it needs down"));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn rooms_of_the_compiler_depend_in_one_direction() {
    assert_none(&misused("compiler/src/", &ROOMS));
}

#[test]
fn rooms_of_the_passes_depend_in_one_direction() {
    assert_none(&misused("passes/src/", &PASSES));
}

/// The rooms of `folder`, the modules below its `lib.rs`, that use others than `rooms` lets them.
fn misused(folder: &str, rooms: &[(&str, &[&str])]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in source::all(&root()).iter().filter(|file| !file.test) {
        let Some(inside) = file.path.strip_prefix(folder).filter(|path| !path.starts_with("bin/")) else {
            continue;
        };
        let parts: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
        let depth = if parts == ["lib"] { 0 } else { parts.len() };
        let room = if depth == 0 { "(root)" } else { parts[0] };
        let Some((_, may)) = rooms.iter().find(|(known, _)| *known == room) else {
            faults
                .push(format!("{}: room {room} is not in tidy's list; say there what it may use", file.path));
            continue;
        };
        for (named, line) in tokens::rooms(&tokens::product(file), depth) {
            let used = if rooms.iter().any(|(known, _)| *known == named) { named.as_str() } else { "(root)" };
            if used != room && !may.contains(&used) {
                faults.push(format!("{}:{line}: {room} uses {used}; it may use {may:?}", file.path));
            }
        }
    }
    faults
}

#[test]
fn importers_share_what_lies_beside_them_and_nothing_of_each_other() {
    let room = |path: &str| {
        let known = |room: &&str| IMPORTERS.iter().any(|(known, _)| known == room);
        path.split('/')
            .nth(1)
            .map_or("import".to_owned(), |room| Some(room).filter(known).unwrap_or("(shared)").to_owned())
    };
    let mut faults = Vec::new();
    let uses = modules::uses(&source::all(&root()), "compiler/src/");
    let inside = |path: &str| path == "import" || path.starts_with("import/");
    for (path, used) in uses.into_iter().filter(|(path, _)| inside(path)) {
        let own = room(&path);
        let (_, may) = IMPORTERS.iter().find(|(known, _)| *known == own).expect("each file has a room");
        for used in used
            .iter()
            .filter(|used| inside(used) && room(used) != own && !may.contains(&room(used).as_str()))
        {
            faults.push(format!("compiler/src/{path}.rs: {own} uses {used}; it may use {may:?}"));
        }
    }
    assert_none(&faults);
}

/// A file and those in its folder are one module: what these use of it is no way back.
#[test]
fn files_use_each_other_in_no_circle() {
    let sources = source::all(&root());
    for begin in [
        "ir/src/",
        "passes/src/",
        "runtime/src/",
        "images/src/",
        "capi/src/",
        "compiler/src/",
        "compiler/src/bin/frit/",
        "python/src/",
    ] {
        let mut uses = modules::uses(&sources, begin);
        for (path, used) in &mut uses {
            used.retain(|used| !path.starts_with(&format!("{used}/")));
        }
        for (_, from, to) in RECURSIONS.iter().filter(|(root, ..)| *root == begin) {
            let there = uses.get_mut(*from).is_some_and(|used| used.remove(*to));
            assert!(there, "{from} does not use {to}: take it out of the list");
        }
        if let Some(circle) = modules::circle(&uses) {
            panic!("a circle in {begin}: {}: move what both need into a file below", circle.join(" uses "));
        }
    }
}

#[test]
fn types_have_few_fields_and_methods() {
    let mut faults = Vec::new();
    for Size { place, name, fields, methods } in types::sizes(&source::all(&root())) {
        if fields > 12 {
            faults.push(format!("{place}: {name} has {fields} fields, the most is 12: find the second type"));
        }
        if methods > 25 {
            faults
                .push(format!("{place}: {name} has {methods} methods, the most is 25: find the second type"));
        }
    }
    assert_none(&faults);
}

#[test]
fn a_deployed_program_links_no_compiler() {
    let tree = cargo(&["tree", "-p", "frit-runtime", "-e", "normal", "--prefix", "none", "--offline"]);
    let forbidden = ["cranelift", "egg ", "petgraph", "ndarray", "serde_json", "frit-ir", "frit-passes"];
    let faults: Vec<String> = tree
        .lines()
        .filter(|line| forbidden.iter().any(|name| line.starts_with(name)))
        .map(|line| {
            format!("runtime/Cargo.toml: frit-runtime links {line}; a program that only runs may not")
        })
        .collect();
    assert!(tree.contains("frit-runtime"), "cargo tree gave no tree: {tree}");
    assert_none(&faults);
}

#[test]
fn functions_are_short_and_take_few_parameters() {
    let functions: Vec<Function> = source::all(&root()).iter().flat_map(SourceFile::functions).collect();
    let mut faults = Vec::new();
    for function in &functions {
        let Function { place, name, lines, parameters, .. } = function;
        if *lines > 100 {
            faults.push(format!(
                "{place}: {name} has {lines} lines, the most is 100: find the second function"
            ));
        }
        if *parameters > 5 {
            faults
                .push(format!("{place}: {name} takes {parameters} parameters, the most is 5: make a struct"));
        }
    }
    let mut lengths: Vec<usize> = functions.iter().filter(|f| !f.test).map(|f| f.lines).collect();
    lengths.sort_unstable();
    for (percent, most) in [(50, 9), (90, 30), (99, 70)] {
        let found = lengths[(lengths.len() - 1) * percent / 100];
        if found > most {
            faults.push(format!("{percent} in 100 functions have up to {found} lines, should be {most}"));
        }
    }
    assert_none(&faults);
}

#[test]
fn files_are_short() {
    let mut lengths: Vec<(usize, String)> =
        source::all(&root()).into_iter().map(|file| (file.text.lines().count(), file.path)).collect();
    lengths.sort_unstable();
    let mut faults: Vec<String> = lengths
        .iter()
        .filter(|(lines, _)| *lines > 800)
        .map(|(lines, path)| format!("{path}:1: {lines} lines, the most is 800: find the second subject"))
        .collect();
    let (lines, path) = &lengths[(lengths.len() - 1) * 9 / 10];
    if *lines > 500 {
        faults.push(format!("{path}:1: a tenth of all files has more than 500 lines ({lines} here)"));
    }
    assert_none(&faults);
}

#[test]
fn names_say_what_a_thing_is() {
    let vague = ["utils", "util", "helpers", "helper", "common", "misc", "manager"];
    let faults: Vec<String> = source::all(&root())
        .iter()
        .filter(|file| file.path.trim_end_matches(".rs").split(['/', '_']).any(|part| vague.contains(&part)))
        .map(|file| format!("{}:1: the name says nothing; name the subject", file.path))
        .collect();
    assert_none(&faults);
}

#[test]
fn comments_are_about_now() {
    let history = ["previously", "no longer", "new version", "used to be", "FIXME", "XXX", "HACK"];
    let mut faults = Vec::new();
    for file in &source::all(&root()) {
        for (line, comment) in file.comments() {
            for word in history.iter().filter(|word| comment.contains(**word)) {
                faults.push(format!("{}:{line}: \"{word}\": say what is so today", file.path));
            }
            if comment.contains("TODO") && !comment.contains("TODO(#") {
                faults.push(format!(
                    "{}:{line}: a TODO without an issue: do it, or write TODO(#number)",
                    file.path
                ));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn unsafe_code_is_where_the_list_says_and_gives_its_reason() {
    let mut faults = Vec::new();
    for file in &source::all(&root()) {
        let lines: Vec<&str> = file.text.lines().collect();
        let places = tokens::unsafe_code(&tokens::whole(file));
        let listed = UNSAFE.contains(&file.path.as_str());
        for tokens::Unsafe { line, promises } in places {
            let place = format!("{}:{line}", file.path);
            if !listed {
                faults.push(format!("{place}: unsafe code outside tidy's list: build on what is there"));
            }
            let mut above = lines[..line - 1].iter().rev().take(8);
            if promises && !above.any(|text| text.contains("SAFETY:")) {
                faults.push(format!("{place}: unsafe without a SAFETY comment: who keeps the promise?"));
            }
        }
    }
    for (path, lint) in [
        ("ir/src/lib.rs", "#![forbid(unsafe_code)]"),
        ("passes/src/lib.rs", "#![forbid(unsafe_code)]"),
        ("compiler/src/lib.rs", "#![deny(unsafe_code)]"),
        ("runtime/src/lib.rs", "#![deny(unsafe_code)]"),
        ("images/src/lib.rs", "#![forbid(unsafe_code)]"),
        ("capi/src/lib.rs", "#![deny(unsafe_code)]"),
        ("python/src/lib.rs", "#![deny(unsafe_code)]"),
    ] {
        if !fs::read_to_string(root().join(path)).is_ok_and(|text| text.contains(lint)) {
            faults.push(format!("{path}:1: {lint} is missing"));
        }
    }
    assert_none(&faults);
}

#[test]
fn importers_have_no_way_to_panic_on_input() {
    let mut faults = Vec::new();
    for file in source::all(&root()).iter().filter(|file| file.path.starts_with("compiler/src/import")) {
        let found = tokens::product(file);
        for pair in found.windows(2) {
            let name = pair[0].text.as_str();
            let call = ["unwrap", "expect"].contains(&name) && pair[1].text == "(";
            let macro_call =
                ["panic", "unreachable", "todo", "unimplemented"].contains(&name) && pair[1].text == "!";
            if call || macro_call {
                faults.push(format!("{}:{}: {name} in an importer: return a fault", file.path, pair[0].line));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn only_the_command_prints_exits_and_reads_the_environment() {
    let mut faults = Vec::new();
    let libraries = [
        "ir/src/",
        "passes/src/",
        "compiler/src/",
        "runtime/src/",
        "images/src/",
        "capi/src/",
        "python/src/",
    ];
    for file in &source::all(&root()) {
        let library = libraries.iter().any(|folder| file.path.starts_with(folder));
        if !library || file.path.starts_with("compiler/src/bin/") {
            continue;
        }
        for words in tokens::product(file).windows(4) {
            let text: Vec<&str> = words.iter().map(|token| token.text.as_str()).collect();
            let prints =
                ["println", "eprintln", "print", "eprint", "dbg"].contains(&text[0]) && text[1] == "!";
            let exits = text[0] == "process" && text[1] == ":" && text[3] == "exit";
            let reads =
                text[0] == "env" && text[1] == ":" && ["var", "var_os", "vars", "args"].contains(&text[3]);
            if prints || exits || reads {
                faults.push(format!(
                    "{}:{}: {} in a library: return a value",
                    file.path, words[0].line, text[0]
                ));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn tests_say_when_they_do_not_run_and_keep_what_failed() {
    let wrong = [
        (
            "models() else { return",
            "ignore the test where FRIT_MODELS is not set: #[cfg_attr(not(frit_models), ignore = ...)]",
        ),
        (
            "failure_persistence: None",
            "a seed that failed is lost: take frit_tests::cases, or ProptestConfig::with_cases",
        ),
    ];
    let mut faults = Vec::new();
    for file in source::all(&root()).iter().filter(|file| file.path != "tests/tidy.rs") {
        for (index, line) in file.text.lines().enumerate() {
            for (_, repair) in wrong.iter().filter(|(text, _)| line.contains(text)) {
                faults.push(format!("{}:{}: {repair}", file.path, index + 1));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_diagnostic_code_is_shown_by_a_test() {
    let root = root();
    let sources = source::all(&root);
    let mut shown: String =
        sources.iter().filter(|file| file.path != "tests/tidy.rs").map(SourceFile::tests).collect();
    for case in source::files(&root.join("tests/files"), "test") {
        shown += &fs::read_to_string(case).expect("file tests can be read");
    }
    let table =
        fs::read_to_string(root.join("ir/src/diagnostic/codes.rs")).expect("the table of codes is there");
    let mut faults = Vec::new();
    for (index, line) in table.lines().enumerate() {
        let Some((name, number)) = line.trim().strip_suffix(';').and_then(|line| line.split_once(" = "))
        else {
            continue;
        };
        let Ok(number) = number.parse::<u16>() else { continue };
        if !shown.contains(&format!("FR{number:04}")) && !shown.contains(&format!("codes::{name}")) {
            faults.push(format!(
                "ir/src/diagnostic/codes.rs:{}: no test shows FR{number:04}, {name}: add one to tests/files",
                index + 1
            ));
        }
    }
    assert_none(&faults);
}

#[test]
fn every_rule_has_a_file_test_of_its_name() {
    let faults: Vec<String> = frit_passes::egraph::rules::ALL
        .iter()
        .map(|rule| format!("tests/files/egraph/{}.test", rule.name))
        .filter(|path| !root().join(path).is_file())
        .map(|path| format!("{path}: missing; write the smallest graph that the rule changes and bless it"))
        .collect();
    assert_none(&faults);
}

#[test]
fn every_lint_has_a_network_that_has_it_and_one_that_nearly_has_it() {
    let folder = root().join("tests/files/lint");
    let mut faults = Vec::new();
    for lint in frit_passes::lint::LINTS {
        for (file, finds) in
            [(format!("{}.test", lint.name), true), (format!("{}-near.test", lint.name), false)]
        {
            let case = fs::read_to_string(folder.join(&file)).unwrap_or_default();
            let (body, answer) = case.split_once("\n----\n").unwrap_or_default();
            if body.is_empty() || answer.contains(&format!("[{}]", lint.code)) != finds {
                let should = if finds { "has" } else { "nearly has, and that is silent" };
                faults.push(format!(
                    "tests/files/lint/{file}: the smallest network that {should} {}",
                    lint.code
                ));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn a_match_on_an_op_says_something_of_every_op() {
    let mut faults = Vec::new();
    for file in &source::all(&root()) {
        for line in matches::open(file) {
            faults.push(format!(
                "{}:{line}: an arm for all other ops: name them, or ask about the one op by `if let` or `matches!`",
                file.path
            ));
        }
    }
    assert_none(&faults);
}

#[test]
fn every_op_is_read_and_drawn() {
    let sources = source::all(&root());
    let file = sources.iter().find(|file| file.path == "ir/src/ops.rs").expect("it declares the ops");
    let declared = tokens::product(file);
    let table = declared
        .windows(3)
        .position(|found| found.iter().map(|token| token.text.as_str()).eq(["ops", "!", "{"]));
    let table = &declared[table.expect("the table of ops")..];
    let end = table.iter().position(|token| token.text == "}").expect("the table has an end");
    let ops = table[..end].windows(2).filter(|pair| pair[0].text == "]" && pair[1].text != "#");
    let ops: BTreeSet<&str> = ops.map(|pair| pair[1].text.as_str()).collect();
    assert!(ops.len() > 20, "{ops:?}");
    // Rules make it of the layers that a description has.
    let made = ["SqueezeExcite"];
    let mut faults = Vec::new();
    for (folder, does) in [("compiler/src/import/json", "reads"), ("ir/src/random", "draws")] {
        let mut named: BTreeSet<String> = BTreeSet::new();
        for file in sources.iter().filter(|file| file.path.starts_with(folder)) {
            for found in tokens::product(file).windows(4).filter(|found| found[0].text == "Op") {
                named.insert(found[3].text.clone());
            }
        }
        let exempt = |op: &str| does == "reads" && made.contains(&op);
        let missing = ops.iter().filter(|op| !named.contains(**op) && !exempt(op));
        faults
            .extend(missing.map(|op| format!("{folder}: nothing {does} Op::{op}: CONTRIBUTING.md says how")));
    }
    assert_none(&faults);
}

#[test]
fn every_op_has_a_file_test_of_its_name() {
    let pages = source::files(&root().join("ir/src/ops"), "rs");
    let attributes = ["epilogue", "scalar"];
    let faults: Vec<String> = pages
        .iter()
        .filter_map(|page| page.file_stem()?.to_str())
        .filter(|page| !attributes.contains(page))
        .map(|page| format!("tests/files/interpret/{page}.test"))
        .filter(|path| !root().join(path).is_file())
        .map(|path| format!("{path}: missing; write the smallest graph with this op and bless it"))
        .collect();
    assert_none(&faults);
}

#[test]
fn faults_are_planted_in_what_stands_there_and_in_every_file_of_the_schedule() {
    let sources = root().join("compiler/src");
    let list = fs::read_to_string(root().join("tests/planted.txt")).expect("the list is there");
    let (mut faults, mut planted) = (Vec::new(), BTreeMap::new());
    let (mut file, mut text) = ("", String::new());
    for (index, line) in list.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let place = format!("tests/planted.txt:{}", index + 1);
        if let Some(right) = line.strip_prefix("- ") {
            let found = text.matches(&right.replace(['«', '»'], "")).count();
            if found != 1 {
                faults.push(format!(
                    "{place}: stands {found} times in {file}: plant in what stands there once"
                ));
            }
        } else if line.starts_with("+ ") {
            *planted.entry(file).or_insert(0) += 1;
        } else if let Some((path, kind)) = line.split_once(": ") {
            file = path;
            text = fs::read_to_string(sources.join(path)).expect("a file below compiler/src");
            planted.entry(file).or_insert(usize::from(kind.starts_with("none, ")));
        }
    }
    for path in
        source::files(&sources.join("schedule"), "rs").into_iter().chain([sources.join("schedule.rs")])
    {
        let path =
            path.strip_prefix(&sources).expect("below compiler/src").to_string_lossy().replace('\\', "/");
        if planted.get(path.as_str()).is_none_or(|&faults| faults == 0) {
            faults.push(format!(
                "tests/planted.txt: no fault in {path}: add one, or \"{path}: none, \" and why"
            ));
        }
    }
    assert!(planted.values().sum::<usize>() > 100, "{planted:?}");
    assert_none(&faults);
}

#[test]
fn code_says_f32_where_it_has_a_reason_to() {
    let says = |file: &SourceFile| {
        tokens::product(file).iter().any(|token| {
            token.text == "f32"
                || token.text.ends_with("f32") && token.text.starts_with(|c: char| c.is_ascii_digit())
        })
    };
    let sources = source::all(&root());
    let product = sources.iter().filter(|file| {
        let tests = ["tests/", "benches/", "examples/"].iter().any(|folder| file.path.starts_with(folder));
        !tests && !file.test && !file.path.contains("/random")
    });
    let mut found = [const { Vec::new() }; SINGLE.len()];
    let mut faults = Vec::new();
    for SourceFile { path, .. } in product.filter(|file| says(file)) {
        let rooms = SINGLE.iter().enumerate().filter(|(_, (room, ..))| path.starts_with(room));
        match rooms.max_by_key(|(_, (room, ..))| room.len()) {
            Some((place, _)) => found[place].push(path.as_str()),
            None => faults.push(format!("{path}: says f32: take Scalar, Values or Tensor")),
        }
    }
    for ((room, files, why), found) in SINGLE.iter().zip(&found) {
        if found.len() != *files {
            faults.push(format!(
                "{room}: {} files say f32 and not {files} ({why}): take Scalar, Values or Tensor, or say why not: {found:?}",
                found.len()
            ));
        }
    }
    let files: usize = SINGLE.iter().map(|(_, files, _)| files).sum();
    if files > 40 {
        faults.push(format!("tests/tidy.rs: {files} files may say f32, and 40 are enough"));
    }
    assert_none(&faults);
}

#[test]
fn no_text_stands_twice() {
    const WINDOW: usize = 12;
    let sources = source::all(&root());
    let mut seen: BTreeMap<Vec<&str>, String> = BTreeMap::new();
    let mut faults = Vec::new();
    for file in &sources {
        let lines: Vec<(usize, &str)> = file
            .text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim()))
            .filter(|(_, line)| line.len() > 3 && !line.starts_with("//") && !line.starts_with("use "))
            .collect();
        for window in lines.windows(WINDOW) {
            let place = format!("{}:{}", file.path, window[0].0);
            let text = window.iter().map(|(_, line)| *line).collect();
            if let Some(first) = seen.insert(text, place.clone()) {
                faults.push(format!("{place}: the same {WINDOW} lines as {first}: give them one home"));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_package_has_a_licence_that_the_project_can_keep() {
    let tree = cargo(&["tree", "--workspace", "--prefix", "none", "--format", "{p}|{l}"]);
    let packages: BTreeSet<(&str, &str)> =
        tree.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('|')).collect();
    assert!(packages.len() > 50, "cargo tree gave no tree: {tree}");
    let faults: Vec<String> = packages
        .iter()
        .filter(|(_, licence)| !licences::allowed(licence))
        .map(|(package, licence)| {
            format!("Cargo.lock: {package} is under \"{licence}\": choose another package")
        })
        .collect();
    assert_none(&faults);
}

/// What cargo prints when it is run at the root.
fn cargo(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}
