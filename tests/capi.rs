//! C programs: libfrit, linked both ways, against a session of the runtime; a standalone model of several ports.

#![allow(clippy::unwrap_used, reason = "a test that can't set up its files has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use frit_compiler::emit::header::header;
use frit_compiler::emit::interface::Interface;
use frit_compiler::machine::{Level, Machine};
use frit_compiler::{Built, Options};
use frit_ir::text;
use frit_runtime::{Model, Session};
use frit_tests::root;
use tempfile::TempDir;

// The library is built for this test, and nothing of it is called from here.
use frit as _;

const TINY: &str = r#"{"frit": 1, "name": "tiny", "input": {"name": "image", "shape": [16, 16, 3]},
 "weights": {"seed": 7}, "labels": "labels.json", "defaults": {"padding": "same", "activation": "relu6", "batch_norm": {"epsilon": 1e-3}},
 "layers": [{"name": "stem", "op": "conv2d", "filters": 8, "kernel": 3, "stride": 2},
   {"name": "s1", "stage": "inverted_residual", "expand": 2, "filters": 8, "stride": 1, "repeat": 2},
   "global_avg_pool", {"name": "logits", "op": "dense", "units": 10}, "softmax"]}"#;

/// Images of the batch.
const BATCH: usize = 3;

/// The folder that Cargo has built the libraries in, as `install.sh` wants it: without hashes in names.
fn libraries(folder: &Path) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let built = own.parent().unwrap();
    let newest = |begins: &str, ends: &str| {
        let entries = fs::read_dir(built).unwrap().map(|entry| entry.unwrap().path());
        let named = entries.filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let hash = name.strip_prefix(begins).and_then(|rest| rest.strip_suffix(ends));
            hash.is_some_and(|hash| hash.is_empty() || hash.starts_with('-'))
        });
        named.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap()
    };
    let libraries = folder.join("libraries");
    fs::create_dir(&libraries).unwrap();
    for ending in [".so", ".a"] {
        fs::copy(newest("libfrit", ending), libraries.join(format!("libfrit{ending}"))).unwrap();
    }
    libraries
}

/// Runs a command in `folder`; it must succeed and say nothing against it.
#[track_caller]
fn run(folder: &Path, command: &str) -> String {
    let mut words = command.split_whitespace();
    let run = Command::new(words.next().unwrap()).args(words).current_dir(folder).output();
    let run = run.unwrap_or_else(|error| panic!("{command}: {error}"));
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && stderr.is_empty(), "{command}: {}\n{stderr}", run.status);
    String::from_utf8(run.stdout).unwrap()
}

fn built(folder: &Path, machine: Machine) -> Built {
    let labels: Vec<String> = (0..10).map(|class| format!("class {class}")).collect();
    fs::write(folder.join("labels.json"), serde_json::to_vec(&labels).unwrap()).unwrap();
    fs::write(folder.join("tiny.json"), TINY).unwrap();
    let request = frit_compiler::import::Request::default();
    let (graph, _) = frit_compiler::import::load(&folder.join("tiny.json"), &request).unwrap();
    let options = Options { machine, ..Options::native() };
    frit_compiler::build(graph, &options, &mut |_, _| {}).unwrap()
}

fn write(built: &Built, path: &Path) {
    built.write(&mut fs::File::create(path).unwrap()).unwrap();
}

/// What a session of the runtime makes of `image`.
fn expected(folder: &Path, image: &[f32]) -> Vec<u8> {
    let request = frit_compiler::import::Request::default();
    let (graph, _) = frit_compiler::import::load(&folder.join("tiny.json"), &request).unwrap();
    let compiled = frit_compiler::compile(graph, &Options::native()).unwrap();
    let model = Model::new(compiled.program).unwrap();
    let mut output = vec![0.0f32; BATCH * 10];
    Session::new(&model, 1).unwrap().run(&[image.into()], &mut [(&mut output).into()], BATCH).unwrap();
    output.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

#[test]
fn the_installed_library_runs_artifacts_from_c_as_the_runtime_does() {
    let temporary = TempDir::new().unwrap();
    let folder = temporary.path();
    write(&built(folder, Machine::native()), &folder.join("tiny.frit"));
    let other = if cfg!(target_arch = "aarch64") { Level::V2 } else { Level::Aarch64 };
    write(&built(folder, Machine::of(other)), &folder.join("other.frit"));
    let image: Vec<f32> = (0..BATCH * 768).map(|index| (index % 23) as f32 / 11.0 - 1.0).collect();
    fs::write(folder.join("image"), image.iter().flat_map(|value| value.to_ne_bytes()).collect::<Vec<u8>>())
        .unwrap();
    let expected = expected(folder, &image);

    let install = Command::new(root().join("capi/install.sh"))
        .arg(folder.join("installed"))
        .env("FRIT_LIBRARIES", libraries(folder))
        .output()
        .unwrap();
    assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));

    let warnings = "-Wall -Wextra -Wpedantic -Werror -Iinstalled/include";
    let source = |path: &str| root().join(path).display().to_string();
    for link in
        ["-Linstalled/lib -lfrit -Wl,-rpath,$ORIGIN/installed/lib", "installed/lib/libfrit.a -ldl -lm"]
    {
        let file = source("tests/capi/run.c");
        run(folder, &format!("cc -std=c11 {warnings} {file} {link} -pthread -o program"));
        for threads in [1, 2] {
            run(folder, &format!("./program {threads} {BATCH} image found"));
            assert_eq!(fs::read(folder.join("found")).unwrap(), expected, "{threads} threads, {link}");
        }
        let file = source("examples/c/load.c");
        run(folder, &format!("cc -std=c11 {warnings} {file} {link} -pthread -o load"));
        let told = run(folder, "./load tiny.frit 2");
        assert!(told.starts_with("tiny for ") && told.contains("takes image: float32 16x16x3\n"), "{told}");
    }
}

/// The header of libfrit, read by the compiler `how`.
#[track_caller]
fn header_is_read(how: &str) {
    let header = root().join("capi/include/frit.h");
    run(&root(), &format!("{how} -Wall -Wextra -Wpedantic -Werror -fsyntax-only {}", header.display()));
}

#[test]
fn the_header_is_c99() {
    header_is_read("cc -std=c99 -x c");
}

#[test]
#[cfg_attr(not(frit_cxx), ignore = "needs a C++ compiler, c++")]
fn the_header_is_every_c_plus_plus() {
    header_is_read("c++ -std=c++11 -x c++");
    header_is_read("c++ -std=c++20 -x c++");
}

#[test]
fn ports_have_their_names_in_c_and_their_order_does_not_matter_there() {
    let temporary = TempDir::new().unwrap();
    let folder = temporary.path();
    let text = "model sums\n%x = input {shape=1x1x3}\n%int = input {shape=1x1x3}\n%a/b = add %x, %int\n\
                %a.b = add %x, %x\noutput %a/b, %a.b\n";
    let built = frit_compiler::build(text::parse(text).unwrap(), &Options::native(), &mut |_, _| {}).unwrap();
    let interface = Interface::new(None, &built.metadata);
    fs::write(folder.join("sums.o"), built.object(&interface, &Options::native()).unwrap()).unwrap();
    fs::write(folder.join("sums.h"), header(&interface)).unwrap();
    let source = r#"
        #include <stdio.h>
        #include "sums.h"
        int main(void) {
            const float x[] = {1, 2, 3, 4, 5, 6}, y[] = {10, 20, 30, 40, 50, 60};
            float sum[2 * SUMS_OUTPUT_A_B_ELEMENTS], twice[2 * SUMS_OUTPUT_A_B_2_ELEMENTS];
            sums_inputs inputs = {.int_tensor = y, .x = x};
            sums_outputs outputs = {.a_b_2 = twice, .a_b = sum};
            sums_session *session;
            if (sums_create(&session, 2) || sums_run(session, &inputs, &outputs, 2))
                return 1;
            sums_destroy(session);
            for (int i = 0; i < 6; i++)
                printf("%g %g ", sum[i], twice[i]);
            return 0;
        }"#;
    fs::write(folder.join("sums.c"), source).unwrap();
    run(folder, "cc -std=c11 -Wall -Wextra -Wpedantic -Werror sums.c sums.o -pthread -o sums");
    assert_eq!(run(folder, "./sums"), "11 2 22 4 33 6 44 8 55 10 66 12 ");
}

/// The header and the functions are the same set of names.
#[test]
fn the_header_declares_what_there_is() {
    let header = fs::read_to_string(root().join("capi/include/frit.h")).unwrap();
    let source = fs::read_to_string(root().join("capi/src/functions.rs")).unwrap();
    let names = |text: &str, behind: &str| {
        let mut names: Vec<String> = text
            .match_indices("frit_")
            .map(|(at, _)| &text[at..])
            .filter_map(|text| text.split_once('(').map(|(name, _)| name.to_owned()))
            .filter(|name| name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'))
            .collect();
        names.sort();
        names.dedup();
        assert!(names.len() > 15, "{behind}: {names:?}");
        names
    };
    assert_eq!(names(&header, "frit.h"), names(&source, "functions.rs"));
}
