//! Damaged, illegal and hostile model files of other frameworks: each gets what its manifest says, for the reason that it
//! names, in little time and memory, and leaves nothing behind.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Folder, manifest};

/// The formats that frit reads.
const READ: &[&str] = &[];

/// What the diagnostic of a file says, at the least: the reason, in words that only this fault has.
const REASONS: &[(&str, &[&str])] = &[];

/// Kilobytes of memory that a file may take.
const KILOBYTES: usize = 512 << 10;
/// How long a file may take.
const LONGEST: Duration = Duration::from_secs(2);

#[test]
fn bad_files_are_refused_for_what_is_wrong_with_them() {
    let Some(models) = manifest::models() else { return };
    let folder = models.join("bad");
    let entries = manifest::entries(&folder);
    let read = entries.iter().filter(|entry| READ.contains(&entry["format"].as_str().unwrap_or_default()));
    let faults: Vec<String> = read.filter_map(|entry| treat(&folder, entry).err()).collect();
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
