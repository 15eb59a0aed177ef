//! Arrays as NumPy writes them, as inputs: `.npy` and `.npz`.

mod directory;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;

use frit_ir::diagnostic::codes;
use frit_ir::noise::Noise;
use frit_ir::{Diagnostic, Faults, Shape, Tensor, memory};
use frit_runtime::map::MappedFile;
use ndarray::{IxDyn, ShapeBuilder};
use ndarray_npy::npy::header::{Header, Layout};
use zip::ZipArchive;

use super::files::place;
use super::limits;

/// The first bytes of a `.npy` file.
const MAGIC: &[u8] = b"\x93NUMPY";
/// Brackets in the header of a `.npy` file: a dictionary and a tuple have two pairs, and the parser recurses on each.
const HEADER_BRACKETS: usize = 16;
/// Bytes of all arrays that an archive of any size may hold: plain ones pack well.
const LEAST_BYTES: u64 = 64 << 20;
/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;
/// The array of an archive of several that is the input.
const INPUT: &str = "input";

/// The images in a `.npy` or `.npz` file, or the one, as a dense tensor `[batch, axes of shape...]`. Of an archive with several arrays, the
/// one called `input` is taken.
///
/// # Errors
/// The file can't be read or is no such file, its array is not f32, or not a batch of `shape`.
pub fn load(path: &Path, shape: &Shape) -> Result<Tensor, Faults> {
    let named = |fault: Diagnostic| Faults::from(fault.in_file(place(&path.display().to_string())));
    let mut arrays = read(path).map_err(named)?;
    let array = match (arrays.len(), arrays.remove(INPUT)) {
        (_, Some(input)) => input,
        (1, None) => arrays.pop_first().map(|(_, array)| array).unwrap_or_default(),
        (count, None) => {
            let names = arrays.keys().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
            let message = format!("of its {count} arrays none is called {INPUT}");
            return Err(named(
                Diagnostic::error(codes::INPUT_UNREADABLE, message).note(format!("it has {names}")),
            ));
        }
    };
    batch(array, shape).map_err(named)
}

/// All arrays of a `.npz` file by name, or the one of a `.npy` file under the name `input`; dense, in row-major order.
///
/// # Errors
/// The file can't be read or is no such file, or an array is not f32.
pub fn archive(path: &Path) -> Result<BTreeMap<String, Tensor>, Faults> {
    read(path).map_err(|fault| fault.in_file(place(&path.display().to_string())).into())
}

/// `batch` images of `shape` with standard normal values, as a tensor `[batch, axes of shape...]`; the same for the same seed
/// anywhere, and the first image the same for any batch.
///
/// # Errors
/// They are larger than an input may be.
pub fn seeded(shape: &Shape, batch: usize, seed: u64) -> Result<Tensor, Faults> {
    let elements = shape.elements().and_then(|elements| elements.checked_mul(batch));
    let Some(elements) = elements.filter(|&elements| elements as u64 <= limits::ARRAY_BYTES / 4) else {
        let message = format!("{batch} inputs of {shape} are larger than {} bytes", limits::ARRAY_BYTES);
        return Err(Diagnostic::error(codes::LIMIT, message).into());
    };
    let mut values = memory::reserved(elements, &format!("{batch} inputs of {shape}"))?;
    let mut noise = Noise::new(seed);
    values.extend(std::iter::repeat_with(|| noise.normal() as f32).take(elements));
    tensor(&batched(batch, shape), values).map_err(Faults::from)
}

fn read(path: &Path) -> Result<BTreeMap<String, Tensor>, Diagnostic> {
    let file = MappedFile::open(path).map_err(|error| unreadable(error.to_string()))?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz")) {
        return members(&file);
    }
    Ok(BTreeMap::from([(INPUT.to_owned(), npy(&mut &*file, file.len() as u64)?)]))
}

/// The arrays of an archive, by name without `.npy`.
fn members(file: &[u8]) -> Result<BTreeMap<String, Tensor>, Diagnostic> {
    let damaged = |reason: String| unreadable(format!("no complete .npz: {reason}"));
    directory::check(file).map_err(damaged)?;
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|error| damaged(error.to_string()))?;
    directory::check_names(file, archive.central_directory_start()).map_err(damaged)?;
    let mut left = (file.len() as u64).saturating_mul(limits::UNPACKED).max(LEAST_BYTES);
    let mut arrays = BTreeMap::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|error| damaged(error.to_string()))?;
        let size = member.size();
        let name = member.name().map_err(|error| damaged(error.to_string()))?;
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        let shown: String = name.chars().take(limits::NAME_BYTES).collect();
        let Some(rest) = left.checked_sub(size) else {
            let message = "the arrays are larger than a file of this size may hold";
            let fault = Diagnostic::error(codes::LIMIT, message);
            return Err(fault.note(format!("{shown} unpacks to {size} bytes of the {left} that are left")));
        };
        left = rest;
        let array = npy(&mut member, size).map_err(|fault| fault.note(format!("in the array {shown}")))?;
        if arrays.insert(name, array).is_some() {
            return Err(damaged(format!("{shown} stands in it twice, with .npy and without")));
        }
    }
    Ok(arrays)
}

/// The array that `reader` holds from its first byte to its last, of which there are `length`.
fn npy(reader: &mut impl Read, length: u64) -> Result<Tensor, Diagnostic> {
    let (Header { type_descriptor, layout, shape }, begin) = header(reader)?;
    let kind = type_descriptor.to_string();
    if kind != "'<f4'" {
        let fault = Diagnostic::error(codes::INPUT_SHAPE, format!("an input is f32 ('<f4'), not {kind}"));
        return Err(fault.help("write x.astype(numpy.float32)"));
    }
    let bytes = shape.iter().try_fold(4u64, |bytes, &axis| bytes.checked_mul(axis as u64));
    let Some(bytes) = bytes.filter(|&bytes| bytes <= limits::ARRAY_BYTES) else {
        let message = format!("an array of {shape:?} is larger than {} bytes", limits::ARRAY_BYTES);
        return Err(Diagnostic::error(codes::LIMIT, message));
    };
    let misfit =
        |found: &str| unreadable(format!("an array of {shape:?} has {bytes} bytes, the file ends {found}"));
    // Before there is memory for them: the header may say anything.
    match (begin as u64 + bytes).cmp(&length) {
        Ordering::Greater => return Err(misfit("too early")),
        Ordering::Less => return Err(misfit("too late")),
        Ordering::Equal => {}
    }
    let values = values(reader, bytes as usize / 4)?.ok_or_else(|| misfit("too early"))?;
    match layout {
        Layout::Standard => tensor(&shape, values),
        Layout::Fortran => {
            let mut turned = memory::reserved(values.len(), "an array")?;
            let array = Tensor::from_shape_vec(IxDyn(&shape).f(), values);
            turned.extend(array.map_err(|error| unreadable(error.to_string()))?.iter().copied());
            tensor(&shape, turned)
        }
    }
}

/// The next `count` values of `reader`; none where it ends before. A packed one is read to its end, where its checksum is
/// compared.
fn values(reader: &mut impl Read, count: usize) -> Result<Option<Vec<f32>>, Diagnostic> {
    let mut values = memory::reserved(count, "an array")?;
    let mut chunk = vec![0; CHUNK];
    while values.len() < count {
        let part = &mut chunk[..CHUNK.min(4 * (count - values.len()))];
        match reader.read_exact(part) {
            Ok(()) => values.extend(part.as_chunks().0.iter().copied().map(f32::from_le_bytes)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string())),
        }
    }
    match reader.read(&mut chunk[..1]) {
        Ok(0) => Ok(Some(values)),
        Ok(_) => Err(unreadable("there is more than its size says".to_owned())),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

/// The header of a `.npy`, and how many bytes it has; it is kept from the parser where it is long or deep.
fn header(reader: &mut impl Read) -> Result<(Header, usize), Diagnostic> {
    let mut start = [0; 12];
    let ended = |error: std::io::Error| unreadable(format!("no complete .npy: {error}"));
    reader.read_exact(&mut start[..10]).map_err(ended)?;
    if !start.starts_with(MAGIC) {
        return Err(unreadable("it does not begin as a .npy does".to_owned()));
    }
    let (prefix, length) = if start[6] == 1 {
        (10, usize::from(u16::from_le_bytes([start[8], start[9]])))
    } else {
        reader.read_exact(&mut start[10..]).map_err(ended)?;
        (12, u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize)
    };
    if length > limits::ARRAY_HEADER_BYTES {
        let message = format!("its header has {length} bytes, the limit is {}", limits::ARRAY_HEADER_BYTES);
        return Err(Diagnostic::error(codes::LIMIT, message));
    }
    let mut bytes = start[..prefix].to_vec();
    bytes.resize(prefix + length, 0);
    reader.read_exact(&mut bytes[prefix..]).map_err(ended)?;
    if bytes[prefix..].iter().filter(|byte| b"([{".contains(byte)).count() > HEADER_BRACKETS {
        return Err(unreadable("its header is no .npy header".to_owned()));
    }
    let header = Header::from_reader(&mut bytes.as_slice()).map_err(|error| unreadable(error.to_string()))?;
    Ok((header, bytes.len()))
}

/// `array`, if it is a batch of `shape`, or one image of it.
fn batch(array: Tensor, shape: &Shape) -> Result<Tensor, Diagnostic> {
    let axes = array.shape();
    if axes == shape.axes() {
        return Ok(array.insert_axis(ndarray::Axis(0)));
    }
    if axes.len() == shape.rank() + 1 && axes[1..] == *shape.axes() && axes[0] > 0 {
        return Ok(array);
    }
    let fault = Diagnostic::error(codes::INPUT_SHAPE, "the input has another shape than the model takes")
        .operand("given", "", Shape::new(axes).to_string())
        .operand("needed", "", format!("batch x {shape}"));
    let turned = |order: [usize; 3]| {
        let map = shape.map();
        axes.len() == 4 && map.is_some_and(|map| axes[1..] == order.map(|axis| map[axis]))
    };
    Err(if turned([2, 0, 1]) {
        fault.help("channels come last: write x.transpose(0, 2, 3, 1)")
    } else if turned([1, 2, 0]) {
        fault.help("channels come first: write x.transpose(0, 3, 1, 2)")
    } else {
        fault
    })
}

fn batched(batch: usize, shape: &Shape) -> Vec<usize> {
    let mut axes = vec![batch];
    axes.extend(shape.axes());
    axes
}

/// `values` as a dense tensor.
fn tensor(axes: &[usize], values: Vec<f32>) -> Result<Tensor, Diagnostic> {
    Tensor::from_shape_vec(axes, values).map_err(|error| unreadable(error.to_string()))
}

fn unreadable(reason: String) -> Diagnostic {
    Diagnostic::error(codes::INPUT_UNREADABLE, "the input can't be read").note(reason)
}

#[cfg(test)]
mod tests;
