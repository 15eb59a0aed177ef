//! Archives of f32 arrays as NumPy writes and reads them, by name.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use ndarray::ArrayD;
use ndarray_npy::{ReadNpyExt, WriteNpyExt};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// What stands behind the name of an array in its archive.
const ENDING: &str = ".npy";

/// The arrays of the archive at `path`.
///
/// # Panics
/// It can't be read, is no such archive, or an array is not f32.
pub fn read(path: &Path) -> BTreeMap<String, ArrayD<f32>> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut archive = ZipArchive::new(file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let members = (0..archive.len()).map(|index| {
        let member = archive.by_index(index).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = member.name().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = name.trim_end_matches(ENDING).to_owned();
        let array = ArrayD::read_npy(member);
        let array = array.unwrap_or_else(|error| panic!("{}, {name}: {error}", path.display()));
        (name, array)
    });
    members.collect()
}

/// Writes `arrays` in their order.
///
/// # Panics
/// The file can't be written, or two arrays have one name.
pub fn write<N: AsRef<str>>(path: &Path, arrays: &[(N, ArrayD<f32>)]) {
    let file = File::create(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut archive = ZipWriter::new(file);
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, array) in arrays {
        archive.start_file(format!("{}{ENDING}", name.as_ref()), stored).expect("the name is free");
        array.write_npy(&mut archive).expect("the file can be written");
    }
    archive.finish().expect("the file can be written");
}
