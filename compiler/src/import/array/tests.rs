//! Arrays that are read, and arrays that are not.

use std::fs::{self, File};
use std::path::PathBuf;

use frit_ir::diagnostic::Code;
use ndarray::{Array, Array4};
use ndarray_npy::WriteNpyExt;
use proptest::prelude::*;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn shape() -> Shape {
    Shape::new(&[2, 3, 4])
}

fn counting(batch: usize) -> Array4<f32> {
    Array::from_iter((0..batch * 24).map(|value| value as f32))
        .into_shape_with_order((batch, 2, 3, 4))
        .unwrap()
}

/// The bytes of `array` as a `.npy` file.
fn bytes(array: &impl WriteNpyExt) -> Vec<u8> {
    let mut bytes = Vec::new();
    array.write_npy(&mut bytes).unwrap();
    bytes
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn code(&self, bytes: &[u8]) -> Option<Code> {
        load(&self.file("a.npy", bytes), &shape()).err().map(|faults| faults.iter().next().unwrap().code)
    }
}

#[test]
fn a_batch_comes_as_it_was_written_whatever_the_order_of_its_axes() {
    let folder = Folder::new();
    let array = counting(5);
    let read = load(&folder.file("a.npy", &bytes(&array)), &shape()).unwrap();
    assert_eq!(read, array.clone().into_dyn());
    let mut fortran = Array4::zeros((5, 2, 3, 4).f());
    fortran.assign(&array);
    let written = bytes(&fortran);
    assert!(written.windows(4).any(|word| word == b"True"));
    let read = load(&folder.file("f.npy", &written), &shape()).unwrap();
    assert!(read.is_standard_layout());
    assert_eq!(read, array.into_dyn());
}

#[test]
fn another_shape_or_type_is_told_with_the_way_to_the_right_one() {
    let folder = Folder::new();
    let fault = |written: Vec<u8>| {
        let faults = load(&folder.file("a.npy", &written), &shape()).unwrap_err();
        let fault = faults.iter().next().unwrap().clone();
        assert_eq!(fault.code, codes::INPUT_SHAPE);
        fault.help.first().map(|help| help.text.clone()).unwrap_or_default()
    };
    assert!(fault(bytes(&Array::<f32, _>::zeros((3, 4, 2, 3)))).contains("transpose(0, 2, 3, 1)"));
    assert!(fault(bytes(&Array::<f32, _>::zeros((1, 3, 4, 2)))).contains("transpose(0, 3, 1, 2)"));
    assert!(fault(bytes(&Array::<f64, _>::zeros((1, 2, 3, 4)))).contains("float32"));
    assert_eq!(fault(bytes(&Array::<f32, _>::zeros((0, 2, 3, 4)))), "");
}

#[test]
fn one_image_needs_no_axis_for_a_batch() {
    let folder = Folder::new();
    let image = counting(1).index_axis_move(ndarray::Axis(0), 0);
    let read = load(&folder.file("a.npy", &bytes(&image)), &shape()).unwrap();
    assert_eq!(read, counting(1).into_dyn());
}

#[test]
fn what_is_damaged_or_lies_about_its_size_is_refused_without_being_believed() {
    let folder = Folder::new();
    let good = bytes(&counting(1));
    for length in [0, 5, 9, 11, 40, good.len() - 1] {
        assert_eq!(folder.code(&good[..length]), Some(codes::INPUT_UNREADABLE), "{length} bytes");
    }
    assert_eq!(folder.code(&[good.as_slice(), b"x"].concat()), Some(codes::INPUT_UNREADABLE));
    assert_eq!(folder.code(b"no array at all"), Some(codes::INPUT_UNREADABLE));
    let header = |text: &str| {
        let length = u16::try_from(text.len() + 1).unwrap().to_le_bytes();
        [b"\x93NUMPY\x01\x00".as_slice(), &length, text.as_bytes(), b"\n"].concat()
    };
    let huge = "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }";
    assert_eq!(folder.code(&header(huge)), Some(codes::LIMIT));
    let large = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1), }";
    assert_eq!(folder.code(&header(large)), Some(codes::INPUT_UNREADABLE));
    assert_eq!(folder.code(&header(&"(".repeat(60_000))), Some(codes::INPUT_UNREADABLE));
    assert_eq!(folder.code(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}"), Some(codes::LIMIT));
}

#[test]
fn an_archive_gives_its_only_array_or_the_one_called_input() {
    let folder = Folder::new();
    let archive = |names: &[&str]| {
        let path = folder.0.path().join("a.npz");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        for name in names {
            writer.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
            counting(2).write_npy(&mut writer).unwrap();
        }
        writer.finish().unwrap();
        path
    };
    assert_eq!(load(&archive(&["x"]), &shape()).unwrap().shape(), [2, 2, 3, 4]);
    assert_eq!(load(&archive(&["x", "input"]), &shape()).unwrap().shape(), [2, 2, 3, 4]);
    let faults = load(&archive(&["x", "y"]), &shape()).unwrap_err();
    assert_eq!(faults.iter().next().unwrap().notes, ["it has x, y"]);
    assert!(load(&archive(&[]), &shape()).is_err());
    let cut = fs::read(archive(&["x"])).unwrap();
    assert!(load(&folder.file("b.npz", &cut[..cut.len() / 2]), &shape()).is_err());
}

#[test]
fn random_images_depend_on_the_seed_alone_and_are_standard_normal() {
    let shape = Shape::new(&[100, 100, 3]);
    let image = seeded(&shape, 1, 7).unwrap();
    assert_eq!(image.shape(), [1, 100, 100, 3]);
    assert_ne!(image, seeded(&shape, 1, 8).unwrap());
    let two = seeded(&shape, 2, 7).unwrap();
    assert!(two.iter().zip(&image).all(|(a, b)| a == b));
    let mean = image.iter().sum::<f32>() / image.len() as f32;
    let variance = image.iter().map(|value| value * value).sum::<f32>() / image.len() as f32;
    assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
}

#[test]
fn a_random_image_beyond_all_memory_is_refused() {
    let faults = seeded(&Shape::new(&[1 << 20, 1 << 20, 1]), 1, 7).unwrap_err();
    assert_eq!(faults.iter().next().unwrap().code, codes::LIMIT);
    assert!(seeded(&shape(), usize::MAX, 7).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut written = bytes(&counting(1));
        for (at, byte) in changes {
            let at = at.index(written.len());
            written[at] = byte;
        }
        let length = written.len() as u64;
        let _ = npy(&mut written.as_slice(), length);
    }
}
