//! Arrays for NumPy: one an output, under its name in the source.

use std::io::{Seek, Write};

use frit_ir::{Names, Shape};
use ndarray::ArrayViewD;
use ndarray_npy::WriteNpyExt;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// An output of all images.
#[derive(Debug, Clone, Copy)]
pub struct Array<'a> {
    /// Its name in the source.
    pub name: &'a str,
    /// Its shape, the batch first where it has one.
    pub shape: &'a Shape,
    /// Its values, dense.
    pub values: &'a [f32],
}

/// Bytes of a name in a zip archive without the ending that NumPy puts behind it: the header of an entry, which has 30 bytes
/// and up to 28 of sizes beside the name, has 65,535 in all, as the writer takes it.
const NAME_BYTES: usize = u16::MAX as usize - 64 - ".npy".len();
/// Bytes from which on an entry needs 64 bits for its size, with room for the header of an array.
const LARGE: u64 = u32::MAX as u64 - (1 << 20);

/// Writes `arrays` in their order; the same arrays give the same bytes.
///
/// # Errors
/// The writer's. An array whose values are not as many as its shape says, or whose name is too long for an archive, is
/// `InvalidInput`; nothing was written of it then.
pub fn write<W: Write + Seek>(writer: W, arrays: &[Array<'_>]) -> std::io::Result<()> {
    let mut npz = ZipWriter::new(writer);
    let mut taken = Names::default();
    for array in arrays {
        let view = ArrayViewD::from_shape(array.shape.axes(), array.values)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
        let name = taken.free(&file_name(array.name));
        if name.len() > NAME_BYTES {
            let shown: String = name.chars().take(40).collect();
            let message = format!(
                "the name of the output {shown}... has {} bytes, and an archive holds names of {NAME_BYTES}",
                name.len()
            );
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message));
        }
        npz.start_file(format!("{name}.npy"), member(array.values))?;
        view.write_npy(&mut npz).map_err(std::io::Error::other)?;
    }
    npz.finish()?;
    Ok(())
}

/// How the archive holds `values`: not packed, since floats hardly shrink.
fn member(values: &[f32]) -> SimpleFileOptions {
    let large = size_of_val(values) as u64 > LARGE;
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large)
}

/// `name` as a flat name, never a path: `/`, `\`, `:` and control characters become `_`, and so does a name of dots.
fn file_name(name: &str) -> String {
    let flat: String =
        name.chars().map(|c| if matches!(c, '/' | '\\' | ':') || c.is_control() { '_' } else { c }).collect();
    if flat.chars().all(|c| c == '.') { "_".repeat(flat.len().max(1)) } else { flat }
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
        let names: Vec<_> = archive.file_names().map(|name| name.unwrap()).collect();
        assert_eq!(names, ["a_b_0.npy", "a_b_0_2.npy", "__.npy"]);
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
    fn a_name_is_written_up_to_what_an_archive_holds() {
        let shape = Shape::new(&[1]);
        let long = "n".repeat(NAME_BYTES);
        let array = |name| [Array { name, shape: &shape, values: &[1.0] }];
        let archive = ZipArchive::new(Cursor::new(written(&array(&long)))).unwrap();
        let names: Vec<_> = archive.file_names().map(|name| name.unwrap()).collect();
        assert_eq!(names, [format!("{long}.npy")]);
        let longer = format!("{long}n");
        let error = write(Cursor::new(Vec::new()), &array(&longer)).unwrap_err();
        assert!(error.to_string().contains("has 65468 bytes"), "{error}");
    }

    #[test]
    fn values_must_fit_their_shape() {
        let shape = Shape::new(&[3]);
        let arrays = [Array { name: "y", shape: &shape, values: &[1.0] }];
        assert!(write(Cursor::new(Vec::new()), &arrays).is_err());
    }
}
