//! The frit command as a process: what it promises to scripts, and what bad inputs get.

#![allow(clippy::unwrap_used, reason = "a test that can't set up its files has failed")]

#[path = "cli/alternatives.rs"]
mod alternatives;
#[path = "cli/artifacts.rs"]
mod artifacts;
#[path = "cli/bad.rs"]
mod bad;
#[path = "cli/bounds.rs"]
mod bounds;
#[path = "cli/costly.rs"]
mod costly;
#[path = "cli/cut.rs"]
mod cut;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/foreseen.rs"]
mod foreseen;
#[path = "cli/hostile.rs"]
mod hostile;
#[path = "cli/interrupted.rs"]
mod interrupted;
#[path = "cli/lint.rs"]
mod lint;
#[path = "cli/native.rs"]
mod native;
#[path = "cli/networks.rs"]
mod networks;
#[path = "cli/onnx.rs"]
mod onnx;
#[path = "cli/outcomes.rs"]
mod outcomes;
#[path = "cli/outputs.rs"]
mod outputs;
#[path = "cli/repairs.rs"]
mod repairs;
#[path = "cli/runs.rs"]
mod runs;
#[path = "cli/siblings.rs"]
mod siblings;
#[path = "cli/stitch.rs"]
mod stitch;
#[path = "cli/usage.rs"]
mod usage;

/// The part of the harness that finds model files: this package's tests can't use the crate of tests, which uses the package.
#[path = "harness/manifest.rs"]
#[allow(dead_code, unreachable_pub, reason = "this test needs the entries of bad files alone")]
mod manifest;

/// The part of the harness that writes ONNX files, for the same reason.
#[path = "harness/nodes.rs"]
#[allow(unreachable_pub, reason = "in the crate of tests it is public")]
mod nodes;

/// The part of the harness that reads and writes archives of arrays, for the same reason.
#[path = "harness/npz.rs"]
#[allow(unreachable_pub, reason = "in the crate of tests it is public")]
mod npz;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A small network with every kind of layer that the optimiser changes.
const TINY: &str = r#"{"frit": 1, "name": "tiny",
 "input": {"name": "image", "shape": [16, 16, 3]},
 "weights": {"seed": 7},
 "defaults": {"padding": "same", "activation": "relu6", "batch_norm": {"epsilon": 1e-3}},
 "layers": [
   {"name": "stem", "op": "conv2d", "filters": 8, "kernel": 3, "stride": 2, "bias": false}, "batch_norm", "relu6",
   {"name": "s1", "stage": "inverted_residual", "expand": 2, "filters": 8, "stride": 1, "repeat": 2},
   "global_avg_pool",
   {"name": "logits", "op": "dense", "units": 10}, "softmax"]}
"#;

/// What a run of the command gave.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    /// Stdout of a run that must have succeeded.
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// Stdout of a run that must have succeeded, as JSON.
    #[track_caller]
    fn json(self) -> Value {
        let stdout = self.ok();
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
    }

    /// Stderr of a run that must have ended with `code`, without a panic and without a result.
    #[track_caller]
    fn fails(self, code: i32) -> String {
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert_eq!(self.stdout, "");
        self.stderr
    }
}

/// A folder of its own for each test, in which the command runs.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// One with `tiny.json` in it.
    fn with_tiny() -> Folder {
        let folder = Folder::new();
        folder.write("tiny.json", TINY);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// The names of all files, sorted.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Runs `frit` with `arguments`, separated by spaces, in the folder.
    fn frit(&self, arguments: &str) -> Outcome {
        self.frit_reading(arguments, "")
    }

    /// The same, with something on the standard input.
    fn frit_reading(&self, arguments: &str, stdin: &str) -> Outcome {
        let mut child = frit(self.0.path(), arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input closes it, which is not this test's matter.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

fn frit(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_frit"));
    command.current_dir(folder).args(arguments.split_whitespace());
    command
}

/// The field names of an object, sorted.
fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The elements of a list.
fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}
