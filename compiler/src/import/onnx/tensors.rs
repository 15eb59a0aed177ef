//! The values of tensors: in the file, or in one beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;
use frit_ir::tensor::MAX_ELEMENTS;
use frit_runtime::map::MappedFile;

use super::constant::Constant;
use super::data_type::DataType;
use super::fault::ranked;
use crate::import::budget::Budget;
use crate::import::files::inside;
use crate::import::identity::Identity;
use crate::onnx::Tensor;

/// Says that a tensor's values lie in another file.
const EXTERNAL: i32 = 1;

/// Where values are read from.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// The folder of the model, which files of values must not leave; none where there may be no such file.
    folder: Option<PathBuf>,
    /// Files that are about to be written, which are none of these.
    written: Vec<Identity>,
    /// Files that were opened, by their real paths: each is counted once, whatever the model calls it.
    files: BTreeMap<PathBuf, Bytes>,
}

impl Store {
    pub(super) fn new(folder: Option<&Path>, written: &[Identity]) -> Store {
        Store { folder: folder.map(Path::to_path_buf), written: written.to_vec(), files: BTreeMap::new() }
    }

    /// The values of `tensor`, which is called `name` where it has no name of its own.
    pub(super) fn read(
        &mut self,
        budget: &Budget,
        tensor: &Tensor,
        name: &str,
    ) -> Result<Constant, Diagnostic> {
        let name = if tensor.name().is_empty() { name } else { tensor.name() };
        let fault = |reason: String| {
            let message = format!("the values of the tensor {name} can't be read");
            Diagnostic::error(codes::ONNX_TENSOR, message).note(reason)
        };
        ranked(tensor.dims.len()).map_err(|fault| *fault)?;
        let dims = dims(tensor).map_err(|reason| match reason {
            Axes::Negative(length) => fault(format!("its axis of {length} elements is negative")),
            Axes::TooLarge => {
                let message = format!("the tensor {name} of {} has more than 2^40 elements", spelled(tensor));
                Diagnostic::error(codes::TENSOR_SIZE, message)
            }
        })?;
        let kind = DataType(tensor.data_type());
        let Some(bytes) = kind.bytes() else {
            let message = format!("the tensor {name} is of {kind}, which frit does not read");
            return Err(Diagnostic::error(codes::ONNX_TYPE, message)
                .help("convert the model to float32 before it is exported"));
        };
        // Both factors are at most 2^40 and 2^3.
        let count = dims.iter().product::<usize>();
        let needed = count * bytes;
        let data = if tensor.data_location() == EXTERNAL || !tensor.external_data.is_empty() {
            self.external(budget, tensor, needed).map_err(fault)?
        } else {
            match &tensor.raw_data {
                Some(bytes) => bytes.clone(),
                None => typed(budget, tensor, kind)?,
            }
        };
        if data.len() != needed {
            let (found, shape) = (data.len(), spelled(tensor));
            return Err(fault(format!("there are {found} bytes of data, its shape {shape} needs {needed}")));
        }
        Ok(Constant::lent(kind, dims, data))
    }

    /// The bytes of a tensor that lie in another file.
    fn external(&mut self, budget: &Budget, tensor: &Tensor, needed: usize) -> Result<Bytes, String> {
        let entry = |key: &str| {
            tensor.external_data.iter().find(|entry| entry.key() == key).map(|entry| entry.value().to_owned())
        };
        let number = |key: &str, default: usize| match entry(key) {
            None => Ok(default),
            Some(text) => {
                let bytes = text.trim().parse::<i64>().ok().and_then(|bytes| usize::try_from(bytes).ok());
                bytes.ok_or_else(|| {
                    format!(
                        "the {key} of its external data is {text:?}, which is no number of bytes in a file"
                    )
                })
            }
        };
        let location = entry("location").ok_or("its external data has no location")?;
        let (offset, length) = (number("offset", 0)?, number("length", needed)?);
        let file =
            self.file(budget, &location).map_err(|reason| format!("external data {location:?}: {reason}"))?;
        match offset.checked_add(length) {
            Some(end) if end <= file.len() => Ok(file.slice(offset..end)),
            _ => Err(format!(
                "external data {location:?} ends after {} bytes, before the {length} from {offset} on",
                file.len()
            )),
        }
    }

    fn file(&mut self, budget: &Budget, location: &str) -> Result<Bytes, String> {
        let folder = self.folder.as_ref().ok_or("a model without a folder can't name files")?;
        let path = inside(folder, location.strip_prefix("./").unwrap_or(location), &self.written)?;
        let path = path.canonicalize().map_err(|error| error.to_string())?;
        if let Some(bytes) = self.files.get(&path) {
            return Ok(bytes.clone());
        }
        let bytes = Bytes::from_owner(MappedFile::open(&path).map_err(|error| error.to_string())?);
        budget.grow(bytes.len() as u64);
        self.files.insert(path, bytes.clone());
        Ok(bytes)
    }
}

/// Why there are no axes.
enum Axes {
    Negative(i64),
    TooLarge,
}

fn dims(tensor: &Tensor) -> Result<Vec<usize>, Axes> {
    let length = |&length: &i64| match usize::try_from(length) {
        Ok(length) if length as u64 <= MAX_ELEMENTS => Ok(length),
        Ok(_) => Err(Axes::TooLarge),
        Err(_) => Err(Axes::Negative(length)),
    };
    let dims = tensor.dims.iter().map(length).collect::<Result<Vec<usize>, Axes>>()?;
    let product = dims.iter().try_fold(1u64, |product, &length| product.checked_mul(length as u64));
    product.filter(|&product| product <= MAX_ELEMENTS).ok_or(Axes::TooLarge)?;
    Ok(dims)
}

fn spelled(tensor: &Tensor) -> String {
    match tensor.dims.as_slice() {
        [] => "scalar".to_owned(),
        dims => dims.iter().map(i64::to_string).collect::<Vec<_>>().join("x"),
    }
}

/// The values in the field that is meant for `kind`, as if they lay in the file.
fn typed(budget: &Budget, tensor: &Tensor, kind: DataType) -> Result<Bytes, Diagnostic> {
    let size = kind.bytes().unwrap_or(0);
    Ok(match kind {
        DataType::F32 => match tensor.float_data.as_slice() {
            [one] => one.clone(),
            parts => {
                let mut data = budget.list(parts.iter().map(Bytes::len).sum())?;
                parts.iter().for_each(|part| data.extend_from_slice(part));
                data.into()
            }
        },
        DataType::I64 => little(budget, &tensor.int64_data, size, |value| value.to_le_bytes())?,
        DataType::F64 => little(budget, &tensor.double_data, size, |value| value.to_le_bytes())?,
        DataType::U32 | DataType::U64 => {
            little(budget, &tensor.uint64_data, size, |value| value.to_le_bytes())?
        }
        _ => little(budget, &tensor.int32_data, size, |value| i64::from(value).to_le_bytes())?,
    })
}

/// The first `size` bytes of each of `values`.
fn little<T: Copy>(
    budget: &Budget,
    values: &[T],
    size: usize,
    bytes: impl Fn(T) -> [u8; 8],
) -> Result<Bytes, Diagnostic> {
    budget.take_work(values.len())?;
    let mut data = budget.list(values.len().saturating_mul(size))?;
    for &value in values {
        data.extend_from_slice(&bytes(value)[..size]);
    }
    Ok(data.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::Entry;

    fn tensor(kind: DataType, dims: &[i64]) -> Tensor {
        Tensor {
            name: Some("w".to_owned()),
            data_type: Some(kind.0),
            dims: dims.to_vec(),
            ..Tensor::default()
        }
    }

    fn read(tensor: &Tensor) -> Result<Constant, Diagnostic> {
        Store::new(None, &[]).read(&Budget::default(), tensor, "")
    }

    #[test]
    fn values_come_from_any_of_the_fields() {
        let floats = [1.0f32, -2.0];
        let bytes: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
        let raw = Tensor { raw_data: Some(bytes.clone().into()), ..tensor(DataType::F32, &[2]) };
        let parts = vec![Bytes::from(bytes[..4].to_vec()), Bytes::from(bytes[4..].to_vec())];
        let typed = Tensor { float_data: parts, ..tensor(DataType::F32, &[2]) };
        for tensor in [raw, typed] {
            assert_eq!(
                read(&tensor).unwrap().known_floats(&Budget::default()).unwrap().unwrap(),
                [1.0, -2.0]
            );
        }
        let ints = Tensor { int64_data: vec![-1, i64::MAX], ..tensor(DataType::I64, &[2]) };
        assert_eq!(read(&ints).unwrap().known_ints(&Budget::default()).unwrap().unwrap(), [-1, i64::MAX]);
        let halves = Tensor { int32_data: vec![0x3c00, 0xc000, 0x0001], ..tensor(DataType::F16, &[3]) };
        assert_eq!(
            read(&halves).unwrap().known_floats(&Budget::default()).unwrap().unwrap(),
            [1.0, -2.0, 2f64.powi(-24)]
        );
        let bytes = Tensor { raw_data: Some(vec![255, 1].into()), ..tensor(DataType::I8, &[2]) };
        assert_eq!(read(&bytes).unwrap().known_ints(&Budget::default()).unwrap().unwrap(), [-1, 1]);
    }

    #[test]
    fn as_many_values_as_the_shape_says_and_no_impossible_shape() {
        let short = Tensor { raw_data: Some(vec![0; 4].into()), ..tensor(DataType::F32, &[2]) };
        assert_eq!(read(&short).unwrap_err().code, codes::ONNX_TENSOR);
        assert_eq!(read(&tensor(DataType::F32, &[-1])).unwrap_err().code, codes::ONNX_TENSOR);
        assert_eq!(read(&tensor(DataType::F32, &[1 << 40, 1 << 40])).unwrap_err().code, codes::TENSOR_SIZE);
        assert_eq!(read(&tensor(DataType(8), &[1])).unwrap_err().code, codes::ONNX_TYPE);
    }

    #[test]
    fn other_files_lie_in_the_folder_and_are_long_enough() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("sub/w"), 7.0f32.to_le_bytes().repeat(2)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        let mut store = Store::new(Some(folder.path()), &[]);
        let mut external = |entries: &[(&str, &str)]| {
            let entry =
                |&(key, value): &(&str, &str)| Entry { key: Some(key.into()), value: Some(value.into()) };
            let external_data = entries.iter().map(entry).collect();
            let tensor = Tensor { external_data, ..tensor(DataType::F32, &[1]) };
            store.read(&Budget::default(), &tensor, "")
        };
        let at = ("location", "./sub/w");
        assert_eq!(external(&[at, ("offset", "4")]).unwrap().scalar(), Some(7.0));
        for entries in [
            &[at, ("offset", "8")][..],
            &[at, ("offset", "-4")],
            &[at, ("offset", "99999999999999999999")],
            &[at, ("offset", "18446744073709551615")],
            &[at, ("length", "8")],
            &[("location", "/etc/passwd")],
            &[("location", "sub/../../w")],
            &[("location", "link")],
            &[("location", "sub")],
            &[("offset", "0")],
        ] {
            assert_eq!(external(entries).unwrap_err().code, codes::ONNX_TENSOR, "{entries:?}");
        }
    }
}
