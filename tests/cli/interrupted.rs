//! Commands that don't come to their end: killed, or on a disk that is full. The user's files are what they were or what they
//! were to be, and nothing else is left behind.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Folder, frit};

/// Signals by name and number.
const ENDING: [(&str, i32); 3] = [("HUP", 1), ("INT", 2), ("TERM", 15)];
const KILL: i32 = 9;

/// How often each signal interrupts each command.
const TIMES: u32 = 8;

fn start(folder: &Folder, arguments: &str) -> Child {
    let mut command = frit(folder.0.path(), arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn signal(child: &Child, number: i32) {
    let killed = Command::new("kill").args([format!("-{number}"), child.id().to_string()]).status().unwrap();
    assert!(killed.success(), "the command is not reaped yet");
}

/// Runs the command, and sends it the signal after `delay`.
fn interrupted(folder: &Folder, arguments: &str, number: i32, delay: Duration) -> ExitStatus {
    let mut child = start(folder, arguments);
    sleep(delay);
    signal(&child, number);
    child.wait().unwrap()
}

/// Writes `script`, with `$frit` for the command, into a shell in the folder, which may see other file systems than this
/// process where `private` says so.
fn shell(folder: &Folder, private: bool, script: &str) -> std::process::Output {
    let mut command = match private {
        true => Command::new("unshare"),
        false => Command::new("sh"),
    };
    if private {
        command.args(["--mount", "sh"]);
    }
    command.args(["-c", script]).env("frit", env!("CARGO_BIN_EXE_frit")).current_dir(folder.0.path());
    command.stdin(Stdio::null()).output().unwrap()
}

/// Whether this user may mount file systems that only a child sees. Where not, the two tests that need it say so.
fn mounts(test: &str) -> bool {
    let tried = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    let can = tried.is_ok_and(|tried| tried.status.success());
    if !can {
        eprintln!("{test} did not run: this user may not mount file systems");
    }
    can
}

/// A folder with a network whose compilation takes a moment, as description and as ONNX file with weights.
fn network() -> Folder {
    let folder = Folder::new();
    let description = folder.frit("zoo mobilenet_v3_small --width 0.35 --resolution 64").ok();
    folder.write("net.json", description);
    folder.frit("convert net.json -o net.onnx").ok();
    folder
}

#[test]
fn a_signal_at_any_moment_leaves_files_that_are_whole_and_no_others() {
    let folder = network();
    for (arguments, outputs) in [
        ("compile net.json -o y.frit", &["y.frit"][..]),
        ("run net.json -o y.npz", &["y.npz"]),
        ("convert net.onnx -o y.json", &["y.json", "y.safetensors"]),
    ] {
        let started = Instant::now();
        folder.frit(arguments).ok();
        let whole = started.elapsed();
        let read = || outputs.iter().map(|name| folder.read(name)).collect::<Vec<_>>();
        let done = read();
        let names = folder.names();
        for index in 0..TIMES * ENDING.len() as u32 {
            let (name, number) = ENDING[index as usize % ENDING.len()];
            let old: Vec<Vec<u8>> = outputs.iter().map(|name| format!("old {name} {index}").into()).collect();
            outputs.iter().zip(&old).for_each(|(name, old)| folder.write(name, old));
            let status = interrupted(&folder, arguments, number, whole * index / (TIMES * 3 - 2));
            let found = read();
            let is_done = found == done;
            assert!(is_done || found == old, "{arguments}, {name}: neither all old nor all new");
            assert_eq!(folder.names(), names, "{arguments}, {name}");
            // One that comes before the command has begun ends it as the system ends processes.
            let ended = status.code() == Some(128 + number) || status.signal() == Some(number);
            assert!(ended || status.success(), "{arguments}, {name}: {status:?}");
            assert!(status.code() != Some(0) || is_done, "{arguments}: done, and nothing written");
        }
        outputs.iter().for_each(|name| fs::remove_file(folder.path(name)).unwrap());
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_file_or_none() {
    let folder = network();
    let arguments = "compile net.json -o y.frit";
    let started = Instant::now();
    folder.frit(arguments).ok();
    let whole = started.elapsed();
    let done = folder.read("y.frit");
    for index in 0..TIMES {
        fs::remove_file(folder.path("y.frit")).unwrap();
        let status = interrupted(&folder, arguments, KILL, whole * index / (TIMES - 2));
        assert!(status.signal() == Some(KILL) || status.success(), "{status:?}");
        let names = folder.names();
        if names.contains(&"y.frit".to_owned()) {
            assert!(folder.read("y.frit") == done);
        } else {
            assert!(!status.success());
            folder.write("y.frit", "");
        }
        assert_eq!(folder.names(), ["net.json", "net.onnx", "y.frit"], "{names:?}");
    }
    for index in 0..TIMES {
        folder.write("y.frit", "old");
        interrupted(&folder, arguments, KILL, whole * index / (TIMES - 2));
        let found = folder.read("y.frit");
        assert!(found == b"old" || found == done, "half a file after {index}");
    }
}

#[test]
fn a_long_compilation_ends_at_once() {
    let folder = Folder::new();
    folder.write("net.json", folder.frit("zoo inception_resnet_v2").ok());
    for (_, number) in ENDING {
        let mut child = start(&folder, "compile net.json -o y.frit");
        sleep(Duration::from_millis(300));
        let asked = Instant::now();
        signal(&child, number);
        assert_eq!(child.wait().unwrap().code(), Some(128 + number));
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert_eq!(folder.names(), ["net.json"]);
    }
}

#[test]
fn a_pipe_without_a_reader_is_waited_for_until_a_signal_comes() {
    let folder = Folder::with_tiny();
    assert!(Command::new("mkfifo").arg(folder.path("pipe.frit")).status().unwrap().success());
    let mut child = start(&folder, "compile tiny.json -o pipe.frit");
    sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "nobody reads it yet");
    signal(&child, 15);
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    assert_eq!(folder.names(), ["pipe.frit", "tiny.json"]);
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let folder = network();
    for (name, number) in ENDING {
        let script = format!("trap '' {name}; exec $frit compile net.json -o {name}.frit");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).env("frit", env!("CARGO_BIN_EXE_frit")).current_dir(folder.0.path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(150));
        signal(&child, number);
        assert!(child.wait().unwrap().success(), "{name}");
        assert!(folder.path(&format!("{name}.frit")).exists());
    }
}

#[test]
fn a_file_that_grows_beyond_its_limit_is_an_error_and_leaves_nothing() {
    for arguments in
        ["compile tiny.json -o y.frit", "convert tiny.json -o y.onnx", "inspect tiny.json -o y.txt"]
    {
        let folder = Folder::with_tiny();
        let name = arguments.rsplit(' ').next().unwrap();
        for old in [None, Some("old")] {
            old.into_iter().for_each(|old| folder.write(name, old));
            let before = folder.names();
            let output = shell(&folder, false, &format!("ulimit -f 1; exec $frit {arguments}"));
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{arguments}: {stderr}");
            assert!(stderr.contains("FR0301") && stderr.contains("File too large"), "{stderr}");
            assert_eq!(folder.names(), before, "{arguments}");
            assert!(old.is_none_or(|old| folder.read(name) == old.as_bytes()), "{arguments}");
        }
    }
}

#[test]
fn a_full_disk_is_an_error_and_leaves_what_was_there() {
    if !mounts("a_full_disk_is_an_error_and_leaves_what_was_there") {
        return;
    }
    let folder = network();
    fs::create_dir(folder.path("disk")).unwrap();
    for (arguments, names) in [
        ("compile ../net.json -o y.frit", "y.frit"),
        ("convert ../net.onnx -o y.onnx", "y.onnx"),
        ("convert ../net.onnx -o y.json", "y.json y.safetensors"),
    ] {
        let script = format!(
            "mount -t tmpfs -o size=64k none disk && cd disk && for name in {names}; do echo $name > $name; done;
             $frit {arguments}; echo status $?; ls -A; cat *"
        );
        let output = shell(&folder, true, &script);
        let (stdout, stderr) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(stderr.contains("FR0301") && stderr.contains("No space left"), "{arguments}: {stderr}");
        let listed = names.replace(' ', "\n");
        assert_eq!(stdout, format!("status 1\n{listed}\n{listed}\n"), "{arguments}: {stderr}");
    }
}

/// Without `/proc` a file without a name can't be given one: it has another name until it is whole.
#[test]
fn a_file_under_another_name_is_removed_by_signals_too() {
    if !mounts("a_file_under_another_name_is_removed_by_signals_too") {
        return;
    }
    let folder = network();
    for (signal, number) in [("TERM", 143), ("HUP", 129)] {
        let script = format!(
            "mount -t tmpfs none /proc; echo old > y.frit; $frit compile net.json -o y.frit > told & child=$!
             while ! ls -A | grep -q '^\\.frit-'; do sleep 0.01; done; kill -{signal} $child
             wait $child; echo status $?; rm told; ls -A; cat y.frit"
        );
        let output = shell(&folder, true, &script);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(stdout, format!("status {number}\nnet.json\nnet.onnx\ny.frit\nold\n"), "{signal}");
    }
    let script = "mount -t tmpfs none /proc; echo old > y.json; chmod 640 y.json; $frit convert net.onnx -o y.json; echo status $?
        $frit compile net.json -o y.frit > told; echo status $?; rm told; ls -A; stat -c %a y.json y.frit; $frit check y.json > told";
    let stdout = String::from_utf8(shell(&folder, true, script).stdout).unwrap();
    let names = "net.json\nnet.onnx\ny.frit\ny.json\ny.safetensors";
    assert_eq!(stdout, format!("status 0\nstatus 0\n{names}\n640\n644\n"));
    folder.frit("run y.frit").ok();
}

/// The second file of a description can't be put in its place, when the first one is: the first one is what it was again.
#[test]
fn two_files_are_written_both_or_neither() {
    for old in [None, Some("old weights")] {
        let folder = network();
        let mut command = frit(folder.0.path(), "convert net.onnx -o y.json");
        folder.write("y.json", "old");
        old.into_iter().for_each(|old| folder.write("y.safetensors", old));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // When the command has begun, what it found to be a file becomes a folder.
        let open = format!("/proc/{}/fd", child.id());
        let open = || fs::read_dir(&open).into_iter().flatten().flatten();
        let unnamed = |to: PathBuf| to.to_string_lossy().ends_with("(deleted)");
        while !open().any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(unnamed)) {
            assert!(child.try_wait().unwrap().is_none(), "it is done already");
        }
        fs::remove_file(folder.path("y.json")).unwrap();
        fs::create_dir_all(folder.path("y.json/full")).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("FR0301") && stderr.contains("y.json"), "{stderr}");
        match old {
            Some(old) => assert_eq!(folder.read("y.safetensors"), old.as_bytes()),
            None => assert!(!folder.path("y.safetensors").exists()),
        }
        let expected = ["net.json", "net.onnx", "y.json"].iter().copied().chain(old.map(|_| "y.safetensors"));
        assert_eq!(folder.names(), expected.collect::<Vec<_>>());
    }
}
