use std::fs;
use std::io::Write;
use std::path::PathBuf;

use frit_ir::diagnostic::Code;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;
use crate::import::load;

const CONFIG: &str = r#"{"class_name": "Sequential", "config": {"name": "net", "layers": [
    {"class_name": "InputLayer", "config": {"batch_shape": [null, 4], "name": "x"}},
    {"class_name": "Dense", "config": {"name": "y", "units": 2}}]}}"#;

/// An archive of these entries.
fn archive_of(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The codes of what is said of a file with this content.
fn codes_of(name: &str, content: &[u8]) -> Vec<Code> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let faults = load(&path, &Request::default()).unwrap_err();
    faults.iter().map(|fault| fault.code).collect()
}

#[test]
fn an_archive_is_whole_or_refused() {
    let whole = archive_of(
        &[("config.json", CONFIG.as_bytes()), ("model.weights.h5", b"none")],
        CompressionMethod::Stored,
    );
    assert_eq!(codes_of("a.keras", &whole), [codes::HDF5_DAMAGED]);
    assert_eq!(codes_of("a.keras", &whole[..whole.len() - 30]), [codes::ARCHIVE_DAMAGED]);
    assert_eq!(codes_of("a.keras", b""), [codes::ARCHIVE_DAMAGED]);
    let place = whole.windows(4).position(|bytes| bytes == b"none").unwrap();
    let mut damaged = whole.clone();
    damaged[place] ^= 1;
    assert_eq!(codes_of("a.keras", &damaged), [codes::ARCHIVE_DAMAGED]);
    let without = archive_of(&[("config.json", CONFIG.as_bytes())], CompressionMethod::Stored);
    assert_eq!(codes_of("a.keras", &without), [codes::NOT_KERAS]);
}

#[test]
fn what_is_packed_too_well_is_not_unpacked() {
    let zeros = vec![0; 1 << 20];
    let entries: &[(&str, &[u8])] = &[("config.json", CONFIG.as_bytes()), ("model.weights.h5", &zeros)];
    assert_eq!(codes_of("a.keras", &archive_of(entries, CompressionMethod::Deflated)), [codes::LIMIT]);
    let entries: &[(&str, &[u8])] = &[("config.json", CONFIG.as_bytes()), ("model.weights.h5", b"none none")];
    assert_eq!(codes_of("a.keras", &archive_of(entries, CompressionMethod::Deflated)), [codes::HDF5_DAMAGED]);
}

#[test]
fn an_hdf5_file_is_one_or_refused() {
    for content in [&b""[..], b"no HDF5", b"\x89HDF\r\n\x1a\n", &[0x89; 4096]] {
        assert_eq!(codes_of("a.h5", content), [codes::HDF5_DAMAGED]);
    }
}

#[test]
fn the_version_is_what_the_file_says_or_shows() {
    assert_eq!(stated(r#"{"keras_version": "2.15.0"}"#), Some(Version::Keras2));
    assert_eq!(stated(r#"{"keras_version": "3.1.1"}"#), Some(Version::Keras3));
    assert_eq!(stated("{}"), None);
    assert_eq!(guessed(r#"[["image", 0, 0, {}]], "batch_input_shape": []"#), Version::Keras2);
    assert_eq!(guessed(r#""batch_shape": [], "keras_history": []"#), Version::Keras3);
}

#[test]
fn depth_counts_lists_and_objects_but_no_text() {
    let deep = |levels: usize| format!("{}\"[[[\\\"[[\"{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(too_deep(&deep(limits::KERAS_DEPTH)), None);
    assert_eq!(too_deep(&deep(limits::KERAS_DEPTH + 1)), Some(limits::KERAS_DEPTH + 1));
}
