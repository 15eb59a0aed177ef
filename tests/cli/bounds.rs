//! Files, pipes and devices that would cost too much or never end: each gets a code, in little time and memory, and leaves
//! nothing behind. The system says how much is little: a command past it is killed, or can't go on.

use std::io::{Read, Seek};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use image::ImageFormat;

use super::siblings::{
    archive, description, jpeg, listed, npy_header, photograph, png, replaced, safetensors, tensor,
};
use super::{Folder, TINY, nodes};

/// Kilobytes of addresses that a command may have.
const ADDRESSES: usize = 2 << 20;
/// Kilobytes of memory that it may have beyond the size of its files.
const MEMORY: usize = 256 << 10;
/// Seconds that it may compute.
const SECONDS: usize = 3;
/// How long it may wait for whatever else runs on the machine.
const LONGEST: Duration = Duration::from_secs(60);

/// A kind of file that costs too much.
struct Kind {
    name: &'static str,
    /// What is put beside `tiny.json`.
    make: fn(&Folder),
    command: &'static str,
    /// What the command says, at the least.
    says: &'static [&'static str],
}

/// A description of a network that takes pictures.
fn with_pictures(folder: &Folder) {
    let input = r#""shape": [16, 16, 3], "preprocess": {"range": [0, 1]}"#;
    folder.write("picture.json", TINY.replace(r#""shape": [16, 16, 3]"#, input));
}

/// A pipe that nobody writes to.
fn pipe(folder: &Folder, name: &str) {
    assert!(Command::new("mkfifo").arg(folder.path(name)).status().unwrap().success());
}

fn link(folder: &Folder, to: &str, name: &str) {
    std::os::unix::fs::symlink(to, folder.path(name)).unwrap();
}

/// A network of one convolution whose weights lie in `w.safetensors`.
fn with_weights(folder: &Folder, weights: &[u8]) {
    folder.write(
        "w.json",
        description(r#"{"name": "c", "op": "conv2d", "filters": 1, "kernel": 1}"#)
            .replace(r#"{"seed": 1}"#, r#""w.safetensors""#),
    );
    folder.write("w.safetensors", weights);
}

const PICTURES: &[Kind] = &[
    Kind {
        name: "a PNG of 900 megapixels",
        make: |folder| folder.write("a.png", png(30_000, 30_000, 8, 2)),
        command: "run picture.json a.png",
        says: &[
            "FR0030",
            "a.png",
            "30000x30000 pixels take 2700000000 bytes",
            "the limit for a file of its size",
        ],
    },
    Kind {
        name: "a PNG of one bit a pixel",
        make: |folder| folder.write("a.png", png(32_768, 32_768, 1, 0)),
        command: "run picture.json a.png",
        says: &["FR0030", "3221225472 bytes"],
    },
    Kind {
        name: "a PNG of 64 bits a pixel",
        make: |folder| folder.write("a.png", png(9_000, 9_000, 16, 6)),
        command: "run picture.json a.png",
        says: &["FR0030", "648000000 bytes"],
    },
    Kind {
        name: "a PNG of four billion pixels a side",
        make: |folder| folder.write("a.png", png(u32::MAX >> 1, u32::MAX >> 1, 8, 2)),
        command: "run picture.json a.png",
        says: &["FR0030"],
    },
    Kind {
        name: "a JPEG of 4,000 megapixels",
        make: |folder| folder.write("a.jpg", jpeg(65_500, 65_500)),
        command: "run picture.json a.jpg",
        says: &["FR0030", "a.jpg"],
    },
    Kind {
        name: "a JPEG of 1,000 megapixels",
        make: |folder| folder.write("a.jpg", jpeg(32_000, 32_000)),
        command: "run picture.json a.jpg",
        says: &["FR0030", "3072000000 bytes"],
    },
    Kind {
        name: "a JPEG that is cut off",
        make: |folder| {
            let whole = photograph(ImageFormat::Jpeg);
            folder.write("a.jpg", &whole[..whole.len() - 20]);
        },
        command: "run picture.json a.jpg",
        says: &["FR0030", "cut off"],
    },
    Kind {
        name: "a PNG that is cut off behind its pixels",
        make: |folder| {
            let whole = photograph(ImageFormat::Png);
            folder.write("a.png", &whole[..whole.len() - 12]);
        },
        command: "run picture.json a.png",
        says: &["FR0030", "cut off"],
    },
    Kind {
        name: "a pipe as a picture",
        make: |folder| pipe(folder, "a.png"),
        command: "run picture.json a.png",
        says: &["FR0030", "it is a pipe, not a file"],
    },
    Kind {
        name: "a device as a picture",
        make: |folder| link(folder, "/dev/zero", "a.jpg"),
        command: "run picture.json a.jpg",
        says: &["FR0030", "it is a device, not a file"],
    },
];

const ARRAYS: &[Kind] = &[
    Kind {
        name: "an archive of zeros, a thousand times its size",
        make: |folder| {
            folder.write("a.npz", archive(&[("input.npy", npy_header("(1, 16, 16, 3)", false), 300 << 20)]))
        },
        command: "run tiny.json a.npz",
        says: &["FR0010", "input unpacks to", "bytes"],
    },
    Kind {
        name: "an archive of many arrays of zeros",
        make: |folder| {
            let names: Vec<String> = (0..40).map(|index| format!("{index}.npy")).collect();
            let header = npy_header("(524288,)", false);
            let member = |name| (name, header.clone(), 2 << 20);
            let members: Vec<_> = names.iter().map(|name| member(name.as_str())).collect();
            folder.write("a.npz", archive(&members));
        },
        command: "verify tiny.json --against a.npz",
        says: &["FR0010", "larger than a file of this size may hold"],
    },
    Kind {
        name: "an archive of 60,000 entries",
        make: |folder| {
            let names: Vec<String> = (0..60_000).map(|index| index.to_string()).collect();
            let members: Vec<_> = names.iter().map(|name| (name.as_str(), Vec::new(), 0)).collect();
            folder.write("a.npz", archive(&members));
        },
        command: "run tiny.json a.npz",
        says: &["FR0030", "it has 60000 entries"],
    },
    Kind {
        name: "an archive with one array twice",
        make: |folder| {
            let array = npy_header("(0,)", false);
            let bytes = archive(&[("input.npy", array.clone(), 0), ("jnput.npy", array, 0)]);
            folder.write("a.npz", replaced(bytes, b"jnput.npy", b"input.npy"));
        },
        command: "run tiny.json a.npz",
        says: &["FR0030", "input.npy stands in it twice"],
    },
    Kind {
        name: "an archive with one array in two spellings",
        make: |folder| {
            let array = npy_header("(0,)", false);
            folder.write("a.npz", archive(&[("input.npy", array.clone(), 0), ("input", array, 0)]));
        },
        command: "run tiny.json a.npz",
        says: &["FR0030", "input stands in it twice"],
    },
    Kind {
        name: "an archive whose array says that it is larger",
        make: |folder| {
            folder.write("a.npz", archive(&[("input.npy", npy_header("(1000, 1000, 1000)", false), 0)]))
        },
        command: "run tiny.json a.npz",
        says: &["FR0030", "ends too early", "in the array input"],
    },
    Kind {
        name: "an array of 4 GB with nothing behind its header",
        make: |folder| folder.write("a.npy", npy_header("(1000, 1000, 1000)", true)),
        command: "run tiny.json a.npy",
        says: &["FR0030", "ends too early"],
    },
    Kind {
        name: "an array whose axes overflow",
        make: |folder| folder.write("a.npy", npy_header("(4294967296, 4294967296, 16)", false)),
        command: "run tiny.json a.npy",
        says: &["FR0010"],
    },
    Kind {
        name: "an array whose header is 4 GB long",
        make: |folder| folder.write("a.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}"),
        command: "run tiny.json a.npy",
        says: &["FR0010", "header"],
    },
    Kind {
        name: "a pipe as a golden file",
        make: |folder| pipe(folder, "a.npz"),
        command: "verify tiny.json --against a.npz",
        says: &["FR0030", "it is a pipe, not a file"],
    },
    Kind {
        name: "a device as an array",
        make: |folder| link(folder, "/dev/zero", "a.npy"),
        command: "run tiny.json a.npy",
        says: &["FR0030", "it is a device, not a file"],
    },
];

const WEIGHTS: &[Kind] = &[
    Kind {
        name: "weights with one tensor twice",
        make: |folder| {
            let header =
                format!("{{{},{},{}}}", tensor("c.kernel", 0), tensor("c.bias", 4), tensor("c.bias", 8));
            with_weights(folder, &safetensors(&header, 12));
        },
        command: "check w.json",
        says: &["FR0020", "the tensor c.bias stands in it twice"],
    },
    Kind {
        name: "weights that overlap",
        make: |folder| {
            let header = format!("{{{},{}}}", tensor("c.kernel", 0), tensor("c.bias", 2));
            with_weights(folder, &safetensors(&header, 8));
        },
        command: "check w.json",
        says: &["FR0020"],
    },
    Kind {
        name: "weights whose header is longer than any file",
        make: |folder| with_weights(folder, &[0xff; 16]),
        command: "check w.json",
        says: &["FR0020", "its header has 18446744073709551615 bytes"],
    },
    Kind {
        name: "weights whose header is 40 MB of tensors",
        make: |folder| {
            let tensors = listed(400_000, |index| {
                format!(r#""{index:>50}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#)
            });
            with_weights(folder, &safetensors(&format!("{{{tensors}}}"), 0));
        },
        command: "check w.json",
        says: &["FR0020", "the limit is"],
    },
    Kind {
        name: "weights of 250,000 tensors that nobody needs",
        make: |folder| {
            let tensors = listed(250_000, |index| {
                format!(r#""{index}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#)
            });
            with_weights(folder, &safetensors(&format!("{{{tensors}}}"), 0));
        },
        command: "check w.json",
        says: &["FR0021", "c.kernel"],
    },
    Kind {
        name: "a pipe as weights",
        make: |folder| {
            with_weights(folder, &[]);
            std::fs::remove_file(folder.path("w.safetensors")).unwrap();
            pipe(folder, "w.safetensors");
        },
        command: "check w.json",
        says: &["FR0020", "it is a pipe, not a file"],
    },
];

const DESCRIPTIONS: &[Kind] = &[
    Kind {
        name: "60 MB of layers that are none",
        make: |folder| folder.write("a.json", description(&"0,".repeat(30 << 20))),
        command: "check a.json",
        says: &["FR0002"],
    },
    Kind {
        name: "60 MB of numbers as layers",
        make: |folder| folder.write("a.json", description(&format!("{}0", "0,".repeat(30 << 20)))),
        command: "check a.json",
        says: &["FR0010", "more than 2000000 values"],
    },
    Kind {
        name: "as many values as a document may have, as layers",
        make: |folder| folder.write("a.json", description(&format!("{}0", "0,".repeat(1_999_000)))),
        command: "check a.json",
        says: &["FR0010", "1999001 layers"],
    },
    Kind {
        name: "as many values as a document may have, as operands",
        make: |folder| {
            let operands = listed(1_900_000, |_| "\"x\"".to_owned());
            folder.write("a.json", description(&format!(r#"{{"op": "concat", "inputs": [{operands}]}}"#)));
        },
        command: "check a.json",
        says: &["FR0"],
    },
    Kind {
        name: "as many values as a document may have, as fields that are none",
        make: |folder| {
            let fields = listed(1_900_000, |index| format!("\"{index}\":0"));
            folder.write("a.json", description(&format!(r#"{{"op": "relu", {fields}}}"#)));
        },
        command: "check a.json",
        says: &["FR0010", "more than 100000 fields"],
    },
    Kind {
        name: "60 MB of empty lines",
        make: |folder| {
            folder.write("a.json", description("\"what\"").replace(", ", ",") + &"\n".repeat(60 << 20))
        },
        command: "check a.json",
        says: &["FR0005"],
    },
    Kind {
        name: "lists in lists, 30 million deep",
        make: |folder| folder.write("a.json", description(&("[".repeat(30 << 20) + &"]".repeat(30 << 20)))),
        command: "check a.json",
        says: &["FR0010"],
    },
    Kind {
        name: "a name of 60 MB",
        make: |folder| {
            folder.write(
                "a.json",
                description(&format!(r#"{{"name": "{}", "op": "relu"}}"#, "n".repeat(60 << 20))),
            )
        },
        command: "check a.json",
        says: &["FR0010", "name has 62914560 bytes"],
    },
    Kind {
        name: "60,000 names of no layer",
        make: |folder| {
            let layer =
                |index| format!(r#"{{"name": "layer{index}", "op": "relu", "inputs": ["loyer{index}"]}}"#);
            folder.write("a.json", description(&listed(60_000, layer)));
        },
        command: "check a.json",
        says: &["FR0006", "the nearest is layer", "59800 more errors are left out"],
    },
    Kind {
        name: "60,000 names of no op",
        make: |folder| {
            folder.write("a.json", description(&listed(60_000, |index| format!("\"conv{index}d\""))))
        },
        command: "check a.json",
        says: &["FR0005", "more errors are left out"],
    },
    Kind {
        name: "15 MB of empty labels",
        make: |folder| folder.write("labels.json", format!("[{}]", listed(5_000_000, |_| "\"\"".to_owned()))),
        command: "run tiny.json --top 1 --labels labels.json",
        says: &["FR0033", "more than 1048576 labels"],
    },
    Kind {
        name: "a pipe as labels",
        make: |folder| pipe(folder, "labels.json"),
        command: "run tiny.json --top 1 --labels labels.json",
        says: &["FR0033", "it is a pipe, not a file"],
    },
    Kind {
        name: "a pipe that says how pictures become inputs",
        make: |folder| {
            folder.write("a.png", photograph(ImageFormat::Png));
            pipe(folder, "p.json");
        },
        command: "run tiny.json a.png --preprocess p.json",
        says: &["FR0001", "it is a pipe, not a file"],
    },
];

const SYSTEM: &[Kind] = &[
    Kind {
        name: "weights of 3.6 GB, drawn from a seed",
        make: |folder| {
            let layers = r#"{"op": "flatten"}, {"name": "d", "op": "dense", "units": 18750000}"#;
            folder.write("a.json", description(layers));
        },
        command: "run a.json",
        says: &["FR0902", "the system refuses 3600000000 bytes of memory for the weight d.kernel"],
    },
    Kind {
        name: "a random input of 3.6 GB",
        make: |folder| {
            folder.write("a.json", description("\"relu\"").replace("[4, 4, 3]", "[10000, 30000, 3]"))
        },
        command: "run a.json",
        says: &["FR0902", "the system refuses 3600000000 bytes of memory for 1 inputs"],
    },
    Kind {
        name: "a thousand random inputs of 4 MB",
        make: |folder| {
            folder.write("a.json", description("\"relu\"").replace("[4, 4, 3]", "[1000, 1000, 1]"))
        },
        command: "verify a.json --samples 1000",
        says: &["FR0902", "1000 inputs"],
    },
    Kind {
        name: "an evaluation of 100 GB",
        make: |folder| {
            let layers = r#"{"op": "resize", "size": [30000, 30000], "method": "bilinear", "coordinates": "half_pixel"}, {"op": "conv2d", "filters": 16, "kernel": 1}, "global_avg_pool""#;
            folder.write("a.json", description(layers));
        },
        command: "verify a.json",
        says: &["FR0"],
    },
    Kind {
        name: "memory between steps of 2 GB",
        make: |folder| {
            let layers = r#"{"op": "conv2d", "filters": 16, "kernel": 1}, {"op": "resize", "size": [4096, 4096], "method": "bilinear", "coordinates": "half_pixel"}, {"op": "max_pool", "kernel": 3, "stride": 1, "padding": "same"}, "global_avg_pool""#;
            folder.write("a.json", description(layers));
        },
        command: "run a.json",
        says: &["FR0902", "the system refuses"],
    },
    Kind {
        name: "an output whose name is longer than an archive holds",
        make: |folder| {
            let name = "n".repeat(65_533);
            let text = format!("version 17\ninput x 1x3x4x4\n{name} = Relu(x)\noutput {name}");
            folder.write("long.onnx", nodes::file(&text));
        },
        command: "run long.onnx -o y.npz",
        says: &["FR0301", "y.npz can't be written", "65467"],
    },
];

/// Makes what is no file under a name.
type Make = fn(&Folder, &str);

/// Everything that is opened, and everything that is no file.
#[test]
fn what_is_no_file_is_refused_by_what_it_is() {
    let commands = [
        ("m.json", "check m.json", "FR0001"),
        ("m.onnx", "check m.onnx", "FR0001"),
        ("m.keras", "check m.keras", "FR0001"),
        ("m.h5", "check m.h5", "FR0001"),
        ("m.frit", "run m.frit", "FR0001"),
        ("a.png", "run picture.json a.png", "FR0030"),
        ("a.npy", "run tiny.json a.npy", "FR0030"),
        ("a.npz", "verify tiny.json --against a.npz", "FR0030"),
        ("l.json", "run tiny.json --top 1 --labels l.json", "FR0033"),
        ("p.json", "check tiny.json --preprocess p.json", "FR0001"),
    ];
    let kinds: [(&str, Make); 4] = [
        ("a pipe", pipe),
        ("a folder", |folder, name| std::fs::create_dir(folder.path(name)).unwrap()),
        ("a device", |folder, name| link(folder, "/dev/zero", name)),
        ("a socket", |folder, name| drop(std::os::unix::net::UnixListener::bind(folder.path(name)).unwrap())),
    ];
    let mut faults = Vec::new();
    for (name, command, code) in commands {
        for (what, make) in kinds {
            let folder = Folder::with_tiny();
            with_pictures(&folder);
            make(&folder, name);
            let said = format!("it is {what}, not a file");
            faults.extend(
                answer(&folder, command, &[code, &said]).err().map(|why| format!("{name} as {what}: {why}")),
            );
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn pictures_are_bounded() {
    judge(PICTURES);
}

#[test]
fn arrays_are_bounded() {
    judge(ARRAYS);
}

#[test]
fn weights_are_bounded() {
    judge(WEIGHTS);
}

#[test]
fn descriptions_and_labels_are_bounded() {
    judge(DESCRIPTIONS);
}

#[test]
fn what_the_system_refuses_is_told_as_that() {
    judge(SYSTEM);
}

/// Fails with all kinds that are not answered as they should be.
#[track_caller]
fn judge(kinds: &[Kind]) {
    let fault = |kind: &Kind| {
        let folder = Folder::with_tiny();
        with_pictures(&folder);
        (kind.make)(&folder);
        answer(&folder, kind.command, kind.says).err().map(|why| format!("{}: {why}", kind.name))
    };
    let faults: Vec<String> = kinds.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Runs `frit command` within the limits. It must end with 1, say all of `says`, and leave nothing behind.
fn answer(folder: &Folder, command: &str, says: &[&str]) -> Result<(), String> {
    let before = folder.names();
    let sizes = before.iter().filter_map(|name| std::fs::symlink_metadata(folder.path(name)).ok());
    let memory = MEMORY + (sizes.map(|found| found.len()).sum::<u64>() >> 10) as usize;
    let limits =
        format!("ulimit -v {ADDRESSES}; ulimit -d {memory}; ulimit -t {SECONDS}; exec \"$0\" \"$@\"");
    let mut ran = Command::new("sh");
    ran.args(["-c", &limits, env!("CARGO_BIN_EXE_frit")]).args(command.split(' '));
    let mut stderr = tempfile::tempfile().unwrap();
    ran.current_dir(folder.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr.try_clone().unwrap());
    let started = Instant::now();
    let status = ended(&mut ran.spawn().unwrap(), started)?;
    let mut said = String::new();
    stderr.rewind().and_then(|()| stderr.read_to_string(&mut said)).unwrap();
    let fault = |what: String| Err(format!("{what} after {:?}\n{said}", started.elapsed()));
    if status.code() != Some(1) || said.contains("panicked") {
        return fault(format!("{status}"));
    }
    if folder.names() != before {
        return fault(format!("left {:?} behind", folder.names()));
    }
    match says.iter().find(|words| !said.contains(**words)) {
        Some(words) => fault(format!("it does not say {words:?}")),
        None => Ok(()),
    }
}

/// Waits for the end of `child`, up to a limit.
fn ended(child: &mut Child, started: Instant) -> Result<ExitStatus, String> {
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Ok(status);
        }
        if started.elapsed() > LONGEST {
            child.kill().and_then(|()| child.wait()).unwrap();
            return Err(format!("did not end within {LONGEST:?}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
