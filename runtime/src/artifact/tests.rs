use super::*;
use crate::abi::TENSORS;
use crate::port::Port;
use crate::program::{BlockWay, Preprocess, Source, Step, Target};

/// Everything that metadata can hold, with values that all differ.
fn metadata() -> Metadata {
    let port = |name: &str, shape: &[usize]| Port::new(name, shape);
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    Metadata {
        name: "net".into(),
        producer: "frit 9".into(),
        source: Source {
            weights: "drawn from seed 3".into(),
            macs: 1 << 40,
            preprocess: Some(Preprocess {
                crop_center_square: true,
                bicubic: false,
                range: [-1.0, 2.0],
                mean: [0.1, 0.2, 0.3],
                std: [4.0, 5.0, 6.0],
            }),
            labels: Some(names(&["cat", "été", ""])),
            gives_probabilities: true,
        },
        target: Target {
            level: "x86-64-v3".into(),
            lowering: "wide".into(),
            lanes: 8,
            features: names(&["x86-64", "avx2"]),
        },
        fused: true,
        inputs: vec![port("image", &[2, 2, 3])],
        outputs: vec![Port { is_unbatched: true, ..port("y/1", &[5]) }, port("y/2", &[])],
        steps: vec![Step {
            node: "n".into(),
            block: "b".into(),
            sources: names(&["n", "m"]),
            kernels: names(&["conv_1x1"]),
            macs: 7,
            bytes: 8,
            predicted_ms: [0.5, 0.25],
        }],
        blocks: vec![BlockWay { layers: names(&["n", "b"]), way: "bands".into() }],
        arena_bytes: 128,
        scratch_bytes: 64,
        reach: vec![12, 128, 60, 48, 20, 4],
    }
}

/// What stands behind the record of the code.
const CODE: [u8; 5] = [1, 2, 3, 4, 5];
const WEIGHTS: [f32; 3] = [1.5, -2.0, 1e-30];

/// The record of code that is made for a program of `metadata` and `weights` values.
fn record(metadata: &Metadata, weights: usize) -> Record {
    let shapes = |ports: &[Port]| ports.iter().map(|port| port.shape.clone()).collect();
    Record {
        metadata: digest(metadata),
        steps: metadata.steps.len(),
        weights: 4 * weights,
        arena: metadata.arena_bytes,
        scratch: metadata.scratch_bytes,
        inputs: shapes(&metadata.inputs),
        outputs: shapes(&metadata.outputs),
        target: metadata.target.clone(),
        ..Record::default()
    }
}

/// `code`, whose entry is at its byte `entry`, behind its record.
pub(crate) fn recorded(metadata: &Metadata, weights: usize, code: &[u8], entry: usize) -> Vec<u8> {
    laid(record(metadata, weights), code, entry)
}

fn laid(record: Record, code: &[u8], entry: usize) -> Vec<u8> {
    let room = record.room();
    let mut bytes = [vec![0; room], code.to_vec()].concat();
    Record { code: bytes.len(), entry: room + entry, ..record }.lay(&mut bytes);
    bytes
}

fn encoded(metadata: &Metadata) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let code = recorded(metadata, WEIGHTS.len(), &CODE, 3);
    write(&Contents { metadata, code: &code, weights: bytemuck::cast_slice(&WEIGHTS) }, &mut bytes)?;
    Ok(bytes)
}

fn artifact() -> Vec<u8> {
    encoded(&metadata()).unwrap()
}

/// `bytes` with another checksum: the one that they have.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let (head, behind) = bytes.split_first_chunk::<HEADER_BYTES>().unwrap();
    let sum = checksum(head, &[behind]).to_le_bytes();
    bytes[CHECKSUM].copy_from_slice(&sum);
    bytes
}

/// The artifact with `value` at byte `at` of its header, and a checksum that fits.
fn with(at: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = artifact();
    bytes[at..at + value.len()].copy_from_slice(value);
    sealed(bytes)
}

#[track_caller]
fn inconsistent(bytes: &[u8], word: &str) {
    match decode(bytes) {
        Err(LoadError::Inconsistent(reason)) => assert!(reason.contains(word), "{reason}"),
        other => panic!("{other:?}"),
    }
}

/// What `changed` and `record` contradict each other in, which the writer refuses, in words.
#[track_caller]
fn refused_with(changed: &Metadata, record: Record, word: &str) {
    let code = laid(record, &CODE, 3);
    let error = write(
        &Contents { metadata: changed, code: &code, weights: bytemuck::cast_slice(&WEIGHTS) },
        &mut Vec::new(),
    );
    let error = error.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(error.to_string().contains(word), "{error}");
    // The reader finds the same: the changed metadata in a file that is otherwise whole.
    let mut text = Vec::new();
    changed.encode(&mut text);
    let lengths = Lengths { metadata: text.len(), code: code.len(), weights: 12 };
    let sections = lengths.sections().unwrap();
    let mut bytes = lengths.header(sections.weights.end).to_vec();
    bytes.extend(text);
    bytes.resize(sections.code.start, 0);
    bytes.extend(code);
    bytes.resize(sections.weights.end, 0);
    inconsistent(&sealed(bytes), word);
}

/// Metadata that contradicts itself after `change`, though the code was made with it.
#[track_caller]
fn refused(change: impl FnOnce(&mut Metadata), word: &str) {
    let mut changed = metadata();
    change(&mut changed);
    refused_with(&changed, record(&changed, WEIGHTS.len()), word);
}

/// Metadata that was altered by `change` after the code was made, the digest of it made right.
#[track_caller]
fn altered(change: impl FnOnce(&mut Metadata), word: &str) {
    let mut changed = metadata();
    change(&mut changed);
    let record = Record { metadata: digest(&changed), ..record(&metadata(), WEIGHTS.len()) };
    refused_with(&changed, record, word);
}

#[test]
fn what_was_written_is_read_back() {
    let bytes = artifact();
    let read = decode(&bytes).unwrap();
    assert_eq!(read.metadata, metadata());
    let code = &bytes[read.code.clone()];
    assert_eq!(code[read.entry - 3..], CODE);
    assert_eq!(code, recorded(&metadata(), WEIGHTS.len(), &CODE, 3));
    assert_eq!(bytes[read.weights.clone()], *bytemuck::cast_slice::<f32, u8>(&WEIGHTS));
    assert_eq!([read.code.start % PAGE, read.weights.start % PAGE], [0, 0]);
    let (code, weights) = (read.code, read.weights);
    assert!(bytes[code.end..weights.start].iter().all(|&byte| byte == 0));
}

#[test]
fn what_may_be_absent_may_be_absent() {
    let source = Source { preprocess: None, labels: None, ..metadata().source };
    let sparse = Metadata { source, steps: Vec::new(), blocks: Vec::new(), ..metadata() };
    assert_eq!(decode(&encoded(&sparse).unwrap()).unwrap().metadata, sparse);
}

#[test]
fn the_same_contents_give_the_same_bytes() {
    assert_eq!(artifact(), artifact());
}

#[test]
fn a_file_that_is_something_else_is_no_artifact() {
    for bytes in [&b""[..], b"\x7fELF\x02\x01\x01\x00", b"{\"frit\": 1}", &MAGIC[..7]] {
        assert!(!is_artifact(bytes));
        assert!(matches!(decode(bytes), Err(LoadError::NotAnArtifact)));
    }
    assert!(is_artifact(&artifact()));
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    let bytes = artifact();
    for length in 0..bytes.len() {
        let error = decode(&bytes[..length]).unwrap_err();
        let told = if length < MAGIC.len() {
            matches!(error, LoadError::NotAnArtifact)
        } else {
            matches!(error, LoadError::Damaged(_))
        };
        assert!(told, "{length} bytes: {error}");
    }
    let longer = [bytes, vec![0]].concat();
    assert!(matches!(decode(&longer), Err(LoadError::Damaged(_))));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let mut bytes = artifact();
    for bit in 0..8 * bytes.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(decode(&bytes).is_ok());
}

#[test]
fn another_version_is_told_before_anything_else_is_read() {
    let mut bytes = artifact();
    bytes[8..12].copy_from_slice(&7u32.to_le_bytes());
    bytes.truncate(100);
    let error = decode(&bytes).unwrap_err();
    assert!(matches!(error, LoadError::Version { what: "format", found: 7, expected: VERSION }), "{error}");
    let error = decode(&with(24, &99u32.to_le_bytes())).unwrap_err();
    assert!(matches!(error, LoadError::Version { what: "calling convention", found: 99, .. }), "{error}");
}

#[test]
fn sections_that_do_not_fill_the_file_are_refused() {
    for at in [32, 40] {
        for length in [0u64, 1 << 20, 1 << 62, u64::MAX - 4095, u64::MAX] {
            let error = decode(&with(at, &length.to_le_bytes())).unwrap_err();
            assert!(matches!(error, LoadError::Inconsistent(_)), "{length} at {at}: {error}");
        }
    }
    inconsistent(&with(28, &u32::MAX.to_le_bytes()), "the metadata is larger");
    // Less metadata still ends on the same page: its last field is cut off.
    let length = u32::from_le_bytes(artifact()[28..32].try_into().unwrap());
    inconsistent(&with(28, &(length - 1).to_le_bytes()), "ends early");
    inconsistent(&with(28, &(length + 1).to_le_bytes()), "goes on");
}

#[test]
fn an_entry_outside_of_the_code_is_refused() {
    let bytes = artifact();
    let Artifact { code, .. } = decode(&bytes).unwrap();
    let room = record(&metadata(), 3).room();
    for entry in [0, room - 1, code.len(), usize::MAX] {
        let mut bytes = bytes.clone();
        bytes[code.start + 8..code.start + 16].copy_from_slice(&entry.to_le_bytes());
        inconsistent(&sealed(bytes), "the entry");
    }
}

#[test]
fn what_the_code_was_made_for_can_not_be_altered_in_the_metadata() {
    altered(|metadata| metadata.arena_bytes = 192, "192 bytes of the arena, the code was made for 128");
    altered(|metadata| metadata.scratch_bytes = 128, "128 bytes of scratch memory");
    altered(|metadata| metadata.steps.clear(), "0 steps, the code was made for 1");
    altered(|metadata| metadata.steps.push(metadata.steps[0].clone()), "2 steps");
    altered(
        |metadata| metadata.outputs[0].shape = vec![6],
        "y/1 has the shape [6], the code was made for [5]",
    );
    altered(|metadata| metadata.outputs[0].shape = vec![1, 5], "the output y/1");
    altered(|metadata| metadata.inputs[0].shape = vec![3, 2, 2], "the input image");
    altered(|metadata| drop(metadata.outputs.pop()), "1 outputs, the code was made for 2");
    altered(|metadata| metadata.target.lanes = 16, "of 8 values");
    altered(|metadata| metadata.target.level = "x86-64-v2".into(), "x86-64-v3");
    altered(|metadata| drop(metadata.target.features.pop()), "avx2");
}

#[test]
fn weights_and_code_are_as_many_bytes_as_the_code_was_made_with() {
    let made = record(&metadata(), WEIGHTS.len());
    refused_with(&metadata(), Record { weights: 16, ..made.clone() }, "12 bytes of weights");
    let bytes = artifact();
    let Artifact { code, .. } = decode(&bytes).unwrap();
    // The section still ends on the same page.
    inconsistent(&with(32, &(code.len() as u64 + 1).to_le_bytes()), "bytes of code");
}

#[test]
fn what_does_not_change_a_run_can_not_be_altered_either() {
    for change in [
        |metadata: &mut Metadata| metadata.name.push('a'),
        |metadata: &mut Metadata| metadata.producer.push('a'),
        |metadata: &mut Metadata| metadata.fused = false,
        |metadata: &mut Metadata| metadata.inputs[0].name.push('a'),
        |metadata: &mut Metadata| metadata.source.labels = None,
        |metadata: &mut Metadata| metadata.source.preprocess = None,
        |metadata: &mut Metadata| metadata.source.macs += 1,
        |metadata: &mut Metadata| metadata.steps[0].kernels.clear(),
        |metadata: &mut Metadata| metadata.reach[0] = 8,
    ] {
        let mut changed = metadata();
        change(&mut changed);
        refused_with(&changed, record(&metadata(), WEIGHTS.len()), "not that which the code was made with");
    }
}

#[test]
fn what_lies_between_the_sections_is_zero() {
    let bytes = artifact();
    let Artifact { code, weights, .. } = decode(&bytes).unwrap();
    for at in [code.start - 1, code.end, weights.start - 1] {
        let mut bytes = bytes.clone();
        bytes[at] = 1;
        inconsistent(&sealed(bytes), "between its sections");
    }
}

#[test]
fn blocks_and_steps_name_each_other() {
    refused(|metadata| metadata.blocks[0].layers.clear(), "no layers");
    refused(
        |metadata| metadata.blocks[0].layers.push("c".into()),
        "no step belongs to the block that ends at c",
    );
    refused(|metadata| metadata.blocks[0].way.clear(), "goes in no way");
    refused(|metadata| metadata.blocks.clear(), "n belongs to the block b, which is none");
}

#[test]
fn what_reports_add_up_is_no_more_than_they_can_hold() {
    let twice = |metadata: &mut Metadata| metadata.steps.push(metadata.steps[0].clone());
    refused(
        |metadata| {
            metadata.steps[0].macs = u64::MAX;
            twice(metadata)
        },
        "what the steps do together",
    );
    refused(
        |metadata| {
            metadata.steps[0].bytes = 1 << 63;
            twice(metadata)
        },
        "what the steps do together",
    );
    refused(|metadata| metadata.steps[0].predicted_ms[1] = f64::NAN, "NaN");
}

#[test]
fn weights_are_whole_values() {
    let made = Record { weights: 13, ..record(&metadata(), 0) };
    let code = laid(made, &CODE, 3);
    let mut bytes = artifact();
    let Artifact { code: place, .. } = decode(&bytes).unwrap();
    bytes[place].copy_from_slice(&code);
    bytes.push(0);
    let length = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    bytes[40..48].copy_from_slice(&13u64.to_le_bytes());
    inconsistent(&sealed(bytes), "the weights of 13 bytes");
}

#[test]
fn memory_that_the_plan_reaches_beyond_is_refused() {
    refused(|metadata| metadata.arena_bytes = 124, "byte 128 of the arena, which has 124");
    refused(|metadata| metadata.scratch_bytes = 56, "byte 60 of the scratch memory");
    refused(|metadata| metadata.reach[0] = 16, "byte 16 of the weights, which has 12");
    refused(|metadata| metadata.reach[TENSORS] = 52, "byte 52 of image");
    refused(|metadata| metadata.outputs[0].shape = vec![4], "byte 20 of y/1");
    refused(|metadata| metadata.arena_bytes = 129, "a part of a value");
    refused(|metadata| metadata.arena_bytes = usize::MAX - 3, "the arena is larger");
}

#[test]
fn a_signature_that_does_not_fit_the_regions_is_refused() {
    refused(|metadata| metadata.reach.truncate(4), "4 regions, 6");
    refused(|metadata| drop(metadata.outputs.pop()), "6 regions, 5");
    refused(|metadata| metadata.inputs[0].name.clear(), "an input has no name");
    refused(|metadata| metadata.inputs[0].shape = vec![1 << 40, 1 << 40], "image is larger");
    refused(|metadata| metadata.inputs[0].shape = vec![1 << 41], "image is larger");
}

#[test]
fn code_is_for_exactly_one_architecture() {
    refused(|metadata| metadata.target.features = vec!["avx2".into()], "one architecture");
    refused(|metadata| metadata.target.features.push("aarch64".into()), "one architecture");
    refused(|metadata| metadata.target.lanes = 7, "no wide code has vectors of 7 values");
    refused(|metadata| metadata.target.lowering = "portable".into(), "no portable code has vectors of 8");
}

#[test]
fn metadata_that_is_none_is_refused_without_asking_for_memory() {
    let read = |bytes: &[u8]| Reader::new("list", bytes).all::<Vec<String>>();
    assert_eq!(read(&[0; 4]).unwrap(), Vec::<String>::new());
    assert!(read(&[0xff; 4]).is_err());
    assert!(read(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, b'a']).is_err());
    assert!(read(&[1, 0, 0, 0, 1, 0, 0, 0, 0xff]).unwrap_err().to_string().contains("UTF-8"));
    assert!(Reader::new("flag", &[2]).all::<bool>().is_err());
    assert!(Reader::new("flag", &[2, 0]).all::<Option<bool>>().is_err());
}
