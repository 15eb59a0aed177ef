use super::*;
use crate::abi::TENSORS;
use crate::program::{Block, Preprocess, Source, Step, Target};

/// Everything that metadata can hold, with values that all differ.
fn metadata() -> Metadata {
    let border = |name: &str, shape: &[usize]| Border { name: name.into(), shape: shape.to_vec() };
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
        inputs: vec![border("image", &[2, 2, 3])],
        outputs: vec![border("y/1", &[5]), border("y/2", &[])],
        steps: vec![Step {
            node: "n".into(),
            block: "b".into(),
            sources: names(&["n", "m"]),
            kernels: names(&["conv_1x1"]),
            macs: 7,
            bytes: 8,
            predicted_ms: [0.5, 0.25],
        }],
        blocks: vec![Block { layers: names(&["n", "b"]), way: "bands".into() }],
        arena_bytes: 128,
        scratch_bytes: 64,
        reach: vec![12, 128, 60, 48, 20, 4],
    }
}

const CODE: [u8; 5] = [1, 2, 3, 4, 5];
const WEIGHTS: [f32; 3] = [1.5, -2.0, 1e-30];

fn encoded(metadata: &Metadata) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write(&Contents { metadata, code: &CODE, entry: 3, weights: &WEIGHTS }, &mut bytes)?;
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

/// Contents that contradict each other after `change`, which the writer refuses, in words.
#[track_caller]
fn refused(change: impl FnOnce(&mut Metadata), word: &str) {
    let mut changed = metadata();
    change(&mut changed);
    let error = encoded(&changed).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(error.to_string().contains(word), "{error}");
    // The reader finds the same: the changed metadata in a file that is otherwise whole.
    let mut text = Vec::new();
    changed.encode(&mut text);
    let lengths = Lengths { metadata: text.len(), code: CODE.len(), entry: 3, weights: 12 };
    let sections = lengths.sections().unwrap();
    let mut bytes = lengths.header(sections.weights.end).to_vec();
    bytes.extend(text);
    bytes.resize(sections.weights.end, 0);
    inconsistent(&sealed(bytes), word);
}

#[test]
fn what_was_written_is_read_back() {
    let bytes = artifact();
    let read = decode(&bytes).unwrap();
    assert_eq!((&read.metadata, read.entry), (&metadata(), 3));
    assert_eq!(bytes[read.code.clone()], CODE);
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
    for at in [32, 48] {
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
    for entry in [CODE.len() as u64, u64::MAX] {
        inconsistent(&with(40, &entry.to_le_bytes()), "the entry");
    }
}

#[test]
fn weights_are_whole_values() {
    let mut bytes = with(48, &13u64.to_le_bytes());
    bytes.push(0);
    let length = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
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
    refused(|metadata| metadata.inputs[0].shape = vec![1 << 40, 1 << 40], "image is larger");
    refused(|metadata| metadata.inputs[0].shape = vec![1 << 41], "image is larger");
}

#[test]
fn code_is_for_exactly_one_architecture() {
    refused(|metadata| metadata.target.features = vec!["avx2".into()], "one architecture");
    refused(|metadata| metadata.target.features.push("aarch64".into()), "one architecture");
}

#[test]
fn metadata_that_is_none_is_refused_without_asking_for_memory() {
    let read = |bytes: &[u8]| Reader::new(bytes).all::<Vec<String>>();
    assert_eq!(read(&[0; 4]).unwrap(), Vec::<String>::new());
    assert!(read(&[0xff; 4]).is_err());
    assert!(read(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, b'a']).is_err());
    assert!(read(&[1, 0, 0, 0, 1, 0, 0, 0, 0xff]).unwrap_err().to_string().contains("UTF-8"));
    assert!(Reader::new(&[2]).all::<bool>().is_err());
    assert!(Reader::new(&[2, 0]).all::<Option<bool>>().is_err());
}
