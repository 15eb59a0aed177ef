//! What an output may be, and what becomes of the user's files: each kind of target, by what the system says of it afterwards.

use std::fs::{self, File, Metadata, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::runs::with_pictures;
use super::{Folder, TINY, frit};

/// Commands that write, each with an output of its own kind: what stands before its name, and its ending.
const WRITERS: [(&str, &str); 5] = [
    ("compile tiny.json -o", "frit"),
    ("run tiny.json -o", "npz"),
    ("convert tiny.json -o", "onnx"),
    ("inspect tiny.json -o", "txt"),
    ("check tiny.json --residual drop --fix -o", "json"),
];

/// The user that owns nothing.
const NOBODY: u32 = 65534;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Runs the command as a user that permissions bind: this one, or nobody where this is root.
fn as_user(folder: &Folder, arguments: &str) -> (Option<i32>, String) {
    let mut command = frit(folder.0.path(), arguments);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Gives `name` of `folder`, or all of the folder, to the user that [`as_user`] runs commands as.
fn give(folder: &Folder, name: &str) {
    if is_root() {
        std::os::unix::fs::chown(folder.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// Asserts that the command refuses with FR0301 and `word`, and that all files are what they were.
#[track_caller]
fn refused(folder: &Folder, arguments: &str, word: &str) {
    let before = state(folder);
    let stderr = folder.frit(arguments).fails(1);
    assert!(stderr.contains("FR0301") && stderr.contains(word), "{arguments}: {stderr}");
    assert_eq!(state(folder), before, "{arguments}");
}

/// Name, kind, inode and content of everything in the folder.
fn state(folder: &Folder) -> Vec<(String, u64, Option<Vec<u8>>)> {
    let names = folder.names().into_iter();
    let entry = |name: String| {
        let found = fs::symlink_metadata(folder.path(&name)).unwrap();
        let content = found.is_file().then(|| folder.read(&name));
        (name, found.ino(), content)
    };
    names.map(entry).collect()
}

#[test]
fn a_new_file_has_the_permissions_that_the_users_mask_leaves() {
    let folder = Folder::with_tiny();
    for (index, (command, ending)) in WRITERS.iter().enumerate() {
        let line = format!("umask 027; exec {} {command} y{index}.{ending}", env!("CARGO_BIN_EXE_frit"));
        let status = Command::new("sh").args(["-c", &line]).current_dir(folder.0.path()).output().unwrap();
        assert!(status.status.success(), "{command}: {status:?}");
        assert_eq!(mode(&folder.path(&format!("y{index}.{ending}"))), 0o640, "{command}");
    }
    assert_eq!(folder.names(), ["tiny.json", "y0.frit", "y1.npz", "y2.onnx", "y3.txt", "y4.json"]);
}

#[test]
fn a_file_that_is_replaced_keeps_its_permissions_and_its_owner() {
    let folder = Folder::with_tiny();
    for (command, ending) in WRITERS {
        let name = format!("y.{ending}");
        folder.write(&name, "old");
        set_mode(&folder.path(&name), 0o604);
        give(&folder, &name);
        let owner = |found: Metadata| (found.uid(), found.gid());
        let before = owner(fs::metadata(folder.path(&name)).unwrap());
        folder.frit(&format!("{command} {name}")).ok();
        assert_ne!(folder.read(&name), b"old");
        assert_eq!(mode(&folder.path(&name)), 0o604, "{command}");
        assert_eq!(owner(fs::metadata(folder.path(&name)).unwrap()), before, "{command}");
        fs::remove_file(folder.path(&name)).unwrap();
    }
    assert_eq!(folder.names(), ["tiny.json"]);
}

#[test]
fn a_link_stays_and_its_target_is_replaced() {
    for (command, ending) in WRITERS {
        let folder = Folder::with_tiny();
        fs::create_dir(folder.path("sub")).unwrap();
        let target = format!("sub/real.{ending}");
        let (near, far) = (format!("near.{ending}"), format!("far.{ending}"));
        folder.write(&target, "old");
        symlink(&target, folder.path(&near)).unwrap();
        symlink(folder.path(&near), folder.path(&far)).unwrap();
        folder.frit(&format!("{command} {far}")).ok();
        assert_ne!(folder.read(&target), b"old", "{command}");
        assert_eq!(fs::read_link(folder.path(&near)).unwrap(), Path::new(&target));
        assert_eq!(fs::read_link(folder.path(&far)).unwrap(), folder.path(&near));
        assert_eq!(fs::read_dir(folder.path("sub")).unwrap().count(), 1);
    }
}

#[test]
fn what_a_dangling_link_names_is_made() {
    for (command, ending) in WRITERS {
        let folder = Folder::with_tiny();
        let (link, target) = (format!("y.{ending}"), format!("new.{ending}"));
        symlink(&target, folder.path(&link)).unwrap();
        folder.frit(&format!("{command} {link}")).ok();
        assert!(!folder.read(&target).is_empty());
        assert_eq!(fs::read_link(folder.path(&link)).unwrap(), Path::new(&target));
        fs::remove_file(folder.path(&link)).unwrap();
        symlink(format!("nowhere/{target}"), folder.path(&link)).unwrap();
        refused(&folder, &format!("{command} {link}"), "No such file");
    }
}

#[test]
fn loops_folders_and_what_lies_in_none_are_refused() {
    for (command, ending) in WRITERS {
        let folder = Folder::with_tiny();
        symlink(format!("b.{ending}"), folder.path(&format!("a.{ending}"))).unwrap();
        symlink(format!("a.{ending}"), folder.path(&format!("b.{ending}"))).unwrap();
        fs::create_dir(folder.path(&format!("folder.{ending}"))).unwrap();
        symlink(format!("folder.{ending}"), folder.path(&format!("link.{ending}"))).unwrap();
        for (name, word) in [
            (format!("a.{ending}"), "symbolic links"),
            (format!("folder.{ending}"), "irectory"),
            (format!("folder.{ending}/"), "irectory"),
            (format!("link.{ending}"), "irectory"),
            (format!("new.{ending}/"), "irectory"),
            (format!("nowhere/y.{ending}"), "No such file"),
            (format!("tiny.json/y.{ending}"), "ot a directory"),
        ] {
            refused(&folder, &format!("{command} {name}"), word);
        }
    }
}

#[test]
fn another_name_of_a_replaced_file_keeps_what_it_had() {
    let folder = Folder::with_tiny();
    folder.write("old.frit", "old");
    fs::hard_link(folder.path("old.frit"), folder.path("y.frit")).unwrap();
    folder.frit("compile tiny.json -o y.frit").ok();
    assert_eq!(folder.read("old.frit"), b"old");
    assert_eq!(folder.names(), ["old.frit", "tiny.json", "y.frit"]);
}

#[test]
fn what_may_not_be_written_is_not_replaced() {
    for (command, ending) in WRITERS {
        let folder = Folder::with_tiny();
        set_mode(folder.0.path(), 0o755);
        give(&folder, "");
        let name = format!("y.{ending}");
        folder.write(&name, "old");
        let arguments = format!("{command} {name}");
        let refused = |why: &str| {
            let before = state(&folder);
            let (code, stderr) = as_user(&folder, &arguments);
            assert_eq!(code, Some(1), "{why}: {stderr}");
            assert!(stderr.contains("FR0301") && stderr.contains("ermission denied"), "{why}: {stderr}");
            assert_eq!(state(&folder), before, "{why}");
            stderr
        };
        give(&folder, &name);
        set_mode(&folder.path(&name), 0o444);
        refused("a file that is read only");
        set_mode(&folder.path(&name), 0o644);
        set_mode(folder.0.path(), 0o555);
        assert!(refused("a file in a folder that is read only").contains("its folder must be writable"));
        set_mode(folder.0.path(), 0o755);
        fs::remove_file(folder.path(&name)).unwrap();
        set_mode(folder.0.path(), 0o555);
        refused("nothing, in a folder that is read only");
        set_mode(folder.0.path(), 0o755);
    }
}

#[test]
fn devices_are_written_to_and_stay_devices() {
    let device = |path: &str| {
        let found = fs::metadata(path).unwrap();
        (found.file_type().is_char_device(), found.ino(), found.rdev())
    };
    let before = ["/dev/null", "/dev/full"].map(device);
    for (command, ending) in WRITERS {
        let folder = Folder::with_tiny();
        let link = format!("null.{ending}");
        symlink("/dev/null", folder.path(&link)).unwrap();
        folder.frit(&format!("{command} {link}")).ok();
        assert_eq!(fs::read_link(folder.path(&link)).unwrap(), Path::new("/dev/null"));
        let link = format!("full.{ending}");
        symlink("/dev/full", folder.path(&link)).unwrap();
        refused(&folder, &format!("{command} {link}"), "No space left");
    }
    for (command, _) in &WRITERS[..2] {
        let folder = Folder::with_tiny();
        folder.frit(&format!("{command} /dev/null")).ok();
        refused(&folder, &format!("{command} /dev/full"), "No space left");
    }
    assert_eq!(["/dev/null", "/dev/full"].map(device), before);
}

/// What `command` writes to a file of `ending`, but for where it says that it went.
fn expected(folder: &Folder, command: &str, ending: &str) -> Vec<u8> {
    folder.frit(&format!("{command} expected.{ending}")).ok();
    let bytes = folder.read(&format!("expected.{ending}"));
    fs::remove_file(folder.path(&format!("expected.{ending}"))).unwrap();
    bytes
}

#[test]
fn the_standard_output_has_the_result_and_nothing_else() {
    let link = fs::read_link("/dev/stdout").unwrap();
    for (command, ending) in &WRITERS[..2] {
        let folder = Folder::with_tiny();
        let expected = expected(&folder, command, ending);
        let mut piped = frit(folder.0.path(), &format!("{command} /dev/stdout"));
        let piped = piped.stdin(Stdio::null()).output().unwrap();
        assert!(piped.status.success(), "{piped:?}");
        assert!(piped.stdout == expected, "{command}: {} bytes of {}", piped.stdout.len(), expected.len());
        let file = File::create(folder.path("redirected")).unwrap();
        let mut redirected = frit(folder.0.path(), &format!("{command} /dev/stdout"));
        assert!(redirected.stdin(Stdio::null()).stdout(file).status().unwrap().success());
        assert!(folder.read("redirected") == expected, "{command}");
        assert_eq!(folder.names(), ["redirected", "tiny.json"]);
    }
    assert_eq!(fs::read_link("/dev/stdout").unwrap(), link);
}

#[test]
fn a_file_without_a_name_is_written_to() {
    let folder = Folder::with_tiny();
    let expected = expected(&folder, "compile tiny.json -o", "frit");
    let line = format!(
        "exec 3<>gone; echo something longer than nothing >&3; rm gone; {} compile tiny.json -o /dev/fd/3 >/dev/null && cat /dev/fd/3",
        env!("CARGO_BIN_EXE_frit")
    );
    let found = Command::new("sh").args(["-c", &line]).current_dir(folder.0.path()).output().unwrap();
    assert!(found.stdout == expected, "{found:?}");
    assert_eq!(folder.names(), ["tiny.json"]);
}

#[test]
fn a_pipe_gets_all_of_it_and_stays_a_pipe() {
    for (command, ending) in WRITERS {
        let folder = Folder::with_tiny();
        let expected = expected(&folder, command, ending);
        let pipe = format!("pipe.{ending}");
        assert!(Command::new("mkfifo").arg(folder.path(&pipe)).status().unwrap().success());
        let mut writer =
            frit(folder.0.path(), &format!("{command} {pipe}")).stdout(Stdio::null()).spawn().unwrap();
        let read = fs::read(folder.path(&pipe)).unwrap();
        assert!(writer.wait().unwrap().success());
        assert!(read == expected, "{command}");
        assert!(fs::symlink_metadata(folder.path(&pipe)).unwrap().file_type().is_fifo());
    }
}

#[test]
fn a_pipe_that_is_closed_too_early_is_no_fault() {
    let folder = Folder::new();
    folder.write("tiny.json", TINY.replace("\"units\": 10", "\"units\": 9000"));
    assert!(Command::new("mkfifo").arg(folder.path("pipe.frit")).status().unwrap().success());
    let mut writer = frit(folder.0.path(), "compile tiny.json -o pipe.frit").spawn().unwrap();
    drop(File::open(folder.path("pipe.frit")).unwrap());
    assert!(writer.wait().unwrap().success());
    assert_eq!(folder.names(), ["pipe.frit", "tiny.json"]);
}

#[test]
fn a_socket_is_refused() {
    let folder = Folder::with_tiny();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path("y.frit")).unwrap();
    refused(&folder, "compile tiny.json -o y.frit", "No such device or address");
}

#[test]
fn a_dash_is_no_name_and_is_refused_by_every_command() {
    let folder = Folder::with_tiny();
    for (command, _) in WRITERS {
        let stderr = folder.frit(&format!("{command} -")).fails(2);
        assert!(!stderr.is_empty(), "{command}");
        assert_eq!(folder.names(), ["tiny.json"]);
    }
    let stderr = folder.frit("compile tiny.json -o -").fails(2);
    assert!(stderr.contains("/dev/stdout") && stderr.contains("./-"), "{stderr}");
    folder.frit("inspect tiny.json -o ./-").ok();
    assert_eq!(folder.names(), ["-", "tiny.json"]);
}

#[test]
fn a_name_says_what_is_in_the_file() {
    let folder = Folder::with_tiny();
    for (command, ending) in WRITERS.iter().filter(|(_, ending)| *ending != "txt") {
        for name in ["x.so.1", "x.exe", "x.obj", "x.tflite", "x", ".frit", "x.frit.bak", "x.npy"] {
            folder.write("x.exe", "old");
            let stderr = folder.frit(&format!("{command} {name}")).fails(2);
            assert!(stderr.contains(&format!(".{ending}")), "{stderr}");
            assert_eq!(
                (folder.names(), folder.read("x.exe")),
                (vec!["tiny.json".into(), "x.exe".into()], b"old".to_vec())
            );
            fs::remove_file(folder.path("x.exe")).unwrap();
        }
    }
    for name in ["x.onnx", "x.json", "x.npz"] {
        folder.frit(&format!("compile tiny.json -o {name}")).fails(2);
    }
    folder.frit("compile tiny.json -o X.FRIT").ok();
    assert_eq!(folder.names(), ["X.FRIT", "tiny.json"]);
}

#[test]
fn an_output_is_none_of_the_inputs_under_any_name() {
    for (command, ending) in WRITERS {
        let folder = Folder::with_tiny();
        let named = |name: &str| format!("{name}.{ending}");
        fs::hard_link(folder.path("tiny.json"), folder.path(&named("hard"))).unwrap();
        symlink("tiny.json", folder.path(&named("link"))).unwrap();
        for name in ["hard", "link"] {
            refused(&folder, &format!("{command} {}", named(name)), "reads");
        }
    }
    let folder = Folder::with_tiny();
    for arguments in [
        "inspect tiny.json -o tiny.json",
        "inspect tiny.json -o ./tiny.json",
        "convert tiny.json -o tiny.json",
        "check tiny.json --residual drop --fix -o tiny.json",
    ] {
        refused(&folder, arguments, "reads");
    }
}

#[test]
fn nor_is_it_what_is_read_besides_the_model() {
    let folder = with_pictures();
    folder.write("scale.json", r#"{"range": [0, 1]}"#);
    folder.frit("run tiny.json a.png -o x.npz").ok();
    folder.write("names.npz", "[]");
    symlink("a.png", folder.path("picture.npz")).unwrap();
    for arguments in [
        "run tiny.json x.npz -o x.npz",
        "run tiny.json a.png -o picture.npz",
        "run tiny.json a.png --top 1 --labels names.npz -o names.npz",
        "inspect tiny.json --weights x.npz -o x.npz",
        "inspect tiny.json --preprocess scale.json -o scale.json",
    ] {
        refused(&folder, arguments, "reads");
    }
    folder.frit("compile tiny.json -o tiny.frit").ok();
    fs::hard_link(folder.path("tiny.frit"), folder.path("hard.npz")).unwrap();
    refused(&folder, "run tiny.frit a.png -o hard.npz", "tiny.frit, which the command reads");
    let before = state(&folder);
    let mut stdin = frit(folder.0.path(), "convert - -o tiny.json");
    let refused = stdin.stdin(File::open(folder.path("tiny.json")).unwrap()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(state(&folder), before);
}

#[test]
fn nor_is_it_what_the_model_names() {
    let folder = with_pictures();
    // The pictures' description has its labels in a file of their own; one that is converted has its weights in another.
    folder.frit("convert tiny.json -o a.onnx").ok();
    folder.frit("convert a.onnx -o w.json").ok();
    folder.write("other.json", folder.read("w.json"));
    for (arguments, name) in [
        ("inspect tiny.json -o labels.json", "labels.json"),
        ("inspect other.json -o w.safetensors", "w.safetensors"),
        ("convert other.json -o w.json", "w.safetensors"),
        ("check other.json --residual drop --fix -o w.json", "w.safetensors"),
    ] {
        let before = state(&folder);
        let stderr = folder.frit(arguments).fails(1);
        assert!(stderr.contains("to be written") && stderr.contains(name), "{arguments}: {stderr}");
        assert_eq!(state(&folder), before, "{arguments}");
    }
}

#[test]
fn outputs_of_one_command_are_different_files() {
    let folder = Folder::with_tiny();
    folder.frit("convert tiny.json -o a.onnx").ok();
    symlink("b.json", folder.path("b.safetensors")).unwrap();
    refused(&folder, "convert a.onnx -o b.json", "the same file");
    folder.write("b.json", "old");
    refused(&folder, "convert a.onnx -o b.json", "the same file");
}

#[test]
fn what_can_not_be_written_beside_a_description_leaves_all_as_it_was() {
    let folder = Folder::with_tiny();
    folder.frit("convert tiny.json -o a.onnx").ok();
    fs::create_dir(folder.path("b.safetensors")).unwrap();
    folder.write("b.json", "old");
    refused(&folder, "convert a.onnx -o b.json", "b.safetensors");
    // A description whose weights are drawn needs no such file.
    folder.frit("convert tiny.json -o b.json").ok();
    assert_ne!(folder.read("b.json"), b"old");
}
