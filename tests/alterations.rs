//! Artifacts whose head or metadata was altered and whose checksum was made right: each is refused, or gives the very same
//! output. Half of them also have the digest of their metadata made right, so that nothing but the comparison of sizes, shapes
//! and names stands between them and the code. Code and weights are the compiler's own: those a loader takes as they are.
//!
//! `FRIT_ALTERATIONS=10000 cargo test --release -p frit-tests --test alterations -- --nocapture` alters each network that often,
//! MobileNetV2 at full size among them, and says how many were refused. `FRIT_ALTERATIONS_SEED` begins elsewhere.

use std::fs;
use std::ops::Range;
use std::path::Path;

use frit_compiler::Options;
use frit_compiler::import::{Source, json};
use frit_compiler::zoo::{self, ZooOptions};
use frit_runtime::{LoadError, Model, RunError, Session, ViewMut, artifact};
use frit_tests::draw::Draw;
use frit_tests::file;

/// A network with a block, a residual and labels of its own.
const TINY: &str = r#"{"frit": 1, "name": "tiny",
 "input": {"name": "image", "shape": [8, 8, 3],
           "preprocess": {"crop": "center_square", "resize": "bilinear", "range": [0, 1], "mean": [0.5, 0.5, 0.5], "std": [1, 1, 1]}},
 "weights": {"seed": 7},
 "defaults": {"padding": "same", "activation": "relu6", "batch_norm": {"epsilon": 1e-3}},
 "layers": [
   {"name": "s1", "stage": "inverted_residual", "expand": 2, "filters": 8, "stride": 1, "repeat": 2},
   "global_avg_pool", {"name": "logits", "op": "dense", "units": 10}, "softmax"]}"#;

/// Bytes of the head, as the format says; the metadata follows.
const HEAD: usize = 48;
/// Where in the head the length of the metadata stands.
const METADATA: Range<usize> = 28..32;
/// Where in the code's record the digest of the metadata stands.
const DIGEST: Range<usize> = 16..24;
const PAGE: usize = 4096;

fn compiled(text: &str) -> Vec<u8> {
    let (graph, _) = json::read(text, &Source::default()).expect("it is a description");
    let built = frit_compiler::build(graph, &Options::native(), &mut |_, _| {}).expect("it is legal");
    let mut bytes = Vec::new();
    built.write(&mut bytes).expect("memory takes all that is written to it");
    bytes
}

/// The description of a network of the zoo.
fn network(name: &str, width: f64, resolution: usize) -> String {
    let options = ZooOptions { width, resolution: Some(resolution), ..ZooOptions::default() };
    zoo::description(name, &options).expect("the zoo has it")
}

/// An artifact in its parts.
struct Parts {
    head: Vec<u8>,
    metadata: Vec<u8>,
    code: Vec<u8>,
    weights: Vec<u8>,
}

impl Parts {
    fn of(bytes: &[u8]) -> Parts {
        let whole = artifact::decode(bytes).expect("the compiler wrote it");
        let metadata = u32::from_le_bytes(bytes[METADATA].try_into().expect("four bytes")) as usize;
        Parts {
            head: bytes[..HEAD].to_vec(),
            metadata: bytes[HEAD..HEAD + metadata].to_vec(),
            code: bytes[whole.code].to_vec(),
            weights: bytes[whole.weights].to_vec(),
        }
    }

    /// The file, in which all lengths but those of `head` fit, and the checksum fits too.
    fn file(&self, head: &[u8]) -> Vec<u8> {
        let mut bytes = [head, &self.metadata].concat();
        for section in [&self.code, &self.weights] {
            bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
            bytes.extend_from_slice(section);
        }
        let length = bytes.len() as u64;
        bytes[16..24].copy_from_slice(&length.to_le_bytes());
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[..12]);
        hasher.update(&bytes[16..]);
        let checksum = hasher.finalize().to_le_bytes();
        bytes[12..16].copy_from_slice(&checksum);
        bytes
    }

    /// The head with the length that the metadata has.
    fn fitting(&self) -> Vec<u8> {
        let mut head = self.head.clone();
        head[METADATA].copy_from_slice(&(self.metadata.len() as u32).to_le_bytes());
        head
    }

    /// Lets the code say that it was made with this very metadata.
    fn digested(&mut self) {
        let digest = self.metadata.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.code[DIGEST].copy_from_slice(&digest.to_le_bytes());
    }
}

/// One change of `bytes`, which may become more or fewer.
fn alter(draw: &mut Draw, bytes: &mut Vec<u8>) {
    let at = draw.below(bytes.len());
    let end = (at + 1 + draw.below(24)).min(bytes.len());
    match draw.below(8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let piece = bytes[at..end].to_vec();
            let to = draw.below(bytes.len());
            bytes.splice(to..to, piece);
        }
        3 => {
            let from = draw.below(bytes.len());
            let piece = bytes[from..(from + end - at).min(bytes.len())].to_vec();
            bytes.splice(at..end, piece);
        }
        4 | 5 => number(draw, bytes, at),
        _ => bytes[at] ^= 1 << draw.below(8),
    }
}

/// Another number of eight or four bytes at or near `at`: an edge, or one that is a little more or less.
fn number(draw: &mut Draw, bytes: &mut [u8], at: usize) {
    let size = [4, 8][draw.below(2)];
    let Some(field) = bytes.get_mut(at..at + size) else { return };
    let mut word = [0; 8];
    word[..size].copy_from_slice(field);
    let found = u64::from_le_bytes(word);
    let edges =
        [0, 1, 4, 64, 4096, 1 << 31, 1 << 32, 1 << 42, 1 << 62, u64::MAX, u64::MAX - 3, f64::NAN.to_bits()];
    let changed = match draw.below(5) {
        0 => found.wrapping_add(1),
        1 => found.wrapping_sub(1),
        2 => found.wrapping_mul(2),
        3 => found / 2,
        _ => edges[draw.below(edges.len())],
    };
    field.copy_from_slice(&changed.to_le_bytes()[..size]);
}

/// An altered file: its head as it is in the file, or its metadata, with or without the digest made right.
fn altered(draw: &mut Draw, original: &Parts) -> Vec<u8> {
    let mut parts = Parts {
        head: original.head.clone(),
        metadata: original.metadata.clone(),
        code: original.code.clone(),
        weights: original.weights.clone(),
    };
    let changes = 1 + draw.below(3);
    if draw.below(8) == 0 {
        let mut head = parts.head.clone();
        for _ in 0..changes {
            // The magic number and the version are said to be another format's at once.
            let at = 16 + draw.below(HEAD - 16);
            match draw.below(2) {
                0 => head[at] ^= 1 << draw.below(8),
                _ => number(draw, &mut head, at),
            }
        }
        return parts.file(&head);
    }
    for _ in 0..changes {
        alter(draw, &mut parts.metadata);
        if parts.metadata.is_empty() {
            break;
        }
    }
    if draw.below(2) == 0 {
        parts.digested();
    }
    let head = parts.fitting();
    parts.file(&head)
}

/// The outputs for an input that is the same each time.
fn outputs(model: &Model, input: &[f32]) -> Result<Vec<Vec<u32>>, RunError> {
    let sizes = model.metadata().outputs.iter().map(|port| port.elements());
    let mut outputs: Vec<Vec<f32>> = sizes.map(|size| vec![0.0; size]).collect();
    let mut views: Vec<ViewMut<'_>> = outputs.iter_mut().map(ViewMut::from).collect();
    let mut session = Session::new(model, 2).expect("the system has two threads");
    session.run(&[input.into()], &mut views, 1)?;
    session.profile(&[input.into()], &mut views)?;
    Ok(outputs.iter().map(|values| values.iter().map(|value| value.to_bits()).collect()).collect())
}

/// Alters `text`'s artifact `times`, and tells how many were taken.
fn survives(name: &str, text: &str, times: usize, seed: u64) -> usize {
    let original = Parts::of(&compiled(text));
    let folder = tempfile::tempdir().expect("a folder");
    // Where something crashes, the file that it crashed on stays here.
    let path = folder.path().join("altered.frit");
    fs::write(&path, original.file(&original.head)).expect("the folder can be written to");
    let model = file::altered(&path).unwrap_or_else(|error| panic!("{name} as it is: {error}"));
    let input: Vec<f32> =
        (0..model.metadata().inputs[0].elements()).map(|index| (index % 17) as f32 / 17.0).collect();
    let expected = outputs(&model, &input).expect("the input fits");
    drop(model);
    let mut draw = Draw(seed);
    let mut taken = 0;
    for time in 0..times {
        rewrite(&path, &altered(&mut draw, &original));
        match file::altered(&path) {
            Ok(model) => {
                taken += 1;
                assert_eq!(
                    outputs(&model, &input).as_ref(),
                    Ok(&expected),
                    "{name}, seed {seed}, alteration {time}"
                );
            }
            Err(LoadError::Refused(error)) => panic!("{name}, seed {seed}, alteration {time}: {error}"),
            Err(_) => {}
        }
    }
    println!("{name}: {times} alterations, {taken} gave the same output, the others were refused");
    taken
}

/// Puts a new file there: nobody has it mapped.
fn rewrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).expect("it is there");
    fs::write(path, bytes).expect("the folder can be written to");
}

#[test]
fn an_altered_artifact_is_refused_or_gives_the_same_output() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<usize>().ok());
    let (asked, seed) = (number("FRIT_ALTERATIONS"), number("FRIT_ALTERATIONS_SEED").unwrap_or(1) as u64);
    let taken = survives("tiny", TINY, asked.unwrap_or(4_000), seed);
    assert!(taken > 0, "no alteration that changes nothing was drawn");
    let middle = network("mobilenet_v3_small", 0.35, 64);
    survives("mobilenet_v3_small", &middle, asked.unwrap_or(400), seed);
    if let Some(times) = asked {
        survives("mobilenet_v2", &network("mobilenet_v2", 1.0, 224), times, seed);
    }
}
