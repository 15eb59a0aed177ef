//! Arrays for NumPy: one an output, under its name in the source.

use std::collections::BTreeSet;
use std::io::{Seek, Write};

use frit_ir::Shape;
use ndarray::ArrayViewD;
use ndarray_npy::WriteNpyExt;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Bytes past which a member needs the fields of 64 bits; below 4 GiB, by more than a header is long.
const LARGE: usize = (u32::MAX as usize) - (1 << 20);

/// An output of all images.
#[derive(Debug, Clone, Copy)]
pub struct Array<'a> {
    /// Its name in the source.
    pub name: &'a str,
    /// Its shape, the batch first.
    pub shape: &'a Shape,
    /// Its values, dense.
    pub values: &'a [f32],
}

/// Writes `arrays` in their order; the same arrays give the same bytes.
///
/// # Errors
/// The writer's. An array whose values are not as many as its shape says is `InvalidInput`.
pub fn write<W: Write + Seek>(writer: W, arrays: &[Array<'_>]) -> std::io::Result<()> {
    let mut npz = ZipWriter::new(writer);
    let mut taken = BTreeSet::new();
    for array in arrays {
        let view = ArrayViewD::from_shape(array.shape.axes(), array.values)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
        let name = unique(file_name(array.name), &mut taken);
        npz.start_file(format!("{name}.npy"), member(array.values))?;
        view.write_npy(&mut npz).map_err(std::io::Error::other)?;
    }
    npz.finish()?;
    Ok(())
}

/// How the archive holds `values`: not packed, since floats hardly shrink.
fn member(values: &[f32]) -> SimpleFileOptions {
    let large = size_of_val(values) > LARGE;
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large)
}

/// `name` as a flat name, never a path: `/`, `\`, `:` and control characters become `_`, and so does a name of dots.
fn file_name(name: &str) -> String {
    let flat: String =
        name.chars().map(|c| if matches!(c, '/' | '\\' | ':') || c.is_control() { '_' } else { c }).collect();
    if flat.chars().all(|c| c == '.') { "_".repeat(flat.len().max(1)) } else { flat }
}

/// `name`, with a number behind it where another array has it.
fn unique(name: String, taken: &mut BTreeSet<String>) -> String {
    let mut free = name.clone();
    let mut number = 2;
    while !taken.insert(free.clone()) {
        free = format!("{name}_{number}");
        number += 1;
    }
    free
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use ndarray::ArrayD;
    use ndarray_npy::ReadNpyExt;
    use zip::ZipArchive;

    use super::*;

    fn written(arrays: &[Array<'_>]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        write(&mut bytes, arrays).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn arrays_come_back_under_flat_and_unique_names() {
        let shape = Shape::new(&[1, 2]);
        let array = |name| Array { name, shape: &shape, values: &[1.0, 2.0] };
        let bytes = written(&[array("a/b:0"), array("a_b_0"), array("..")]);
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(archive.file_names().collect::<Vec<_>>(), ["a_b_0.npy", "a_b_0_2.npy", "__.npy"]);
        let values = ArrayD::<f32>::read_npy(archive.by_name("a_b_0_2.npy").unwrap()).unwrap();
        assert_eq!(values.shape(), [1, 2]);
    }

    #[test]
    fn the_same_arrays_give_the_same_bytes() {
        let shape = Shape::new(&[2]);
        let arrays = [Array { name: "y", shape: &shape, values: &[1.0, 2.0] }];
        assert_eq!(written(&arrays), written(&arrays));
    }

    #[test]
    fn values_must_fit_their_shape() {
        let shape = Shape::new(&[3]);
        let arrays = [Array { name: "y", shape: &shape, values: &[1.0] }];
        assert!(write(Cursor::new(Vec::new()), &arrays).is_err());
    }
}
