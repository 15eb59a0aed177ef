//! Arrays of Python's as memory that a call reads and writes where it lies.

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults};
use frit_runtime::{Element, Port, View, ViewMut};
use pyo3::buffer::{PyBuffer, PyUntypedBuffer};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

use crate::fault::{About, Raise};

/// An array that lends its memory for a call, found to hold images of a port.
#[derive(Debug)]
pub(crate) struct Lent {
    buffer: PyBuffer<f32>,
    /// Bytes from the first element to behind the last.
    extent: usize,
    /// Bytes from one element to the next along each axis, the images first.
    strides: Vec<usize>,
    /// How many images it holds; none where it is one image without an axis for them.
    pub(crate) batch: Option<usize>,
}

impl Lent {
    /// An array to be read as `port`: where it lies if a call can read it there, else as a copy.
    ///
    /// # Errors
    /// `frit.InputError`: no array, or one of another element or shape.
    pub(crate) fn input(array: &Bound<'_, PyAny>, port: &Port) -> PyResult<Lent> {
        if let Some(buffer) = direct(array) {
            return Lent::new(buffer, port, "input").raised(array.py(), About::Input);
        }
        let array = numpy_array(array, port, "input")?;
        let buffer = match direct(&array) {
            Some(buffer) => buffer,
            None => PyBuffer::get(&array.call_method1("copy", ("C",))?)?,
        };
        Lent::new(buffer, port, "input").raised(array.py(), About::Input)
    }

    /// An array to be written as `port`, where it lies.
    ///
    /// # Errors
    /// `frit.InputError`: as [`Lent::input`], or an array that can't be written, or not where it lies.
    pub(crate) fn output(array: &Bound<'_, PyAny>, port: &Port) -> PyResult<Lent> {
        let buffer = match direct(array) {
            Some(buffer) => buffer,
            None => {
                let array = numpy_array(array, port, "output")?;
                let unfit = || unfit(port, "output", "has negative strides, or elements at odd addresses");
                direct(&array).ok_or_else(unfit).raised(array.py(), About::Input)?
            }
        };
        let writable = match buffer.readonly() {
            true => Err(unfit(port, "output", "can't be written")),
            false => Ok(()),
        };
        writable.raised(array.py(), About::Input)?;
        Lent::new(buffer, port, "output").raised(array.py(), About::Input)
    }

    /// A new array for `port`, of this shape, and its memory.
    ///
    /// # Errors
    /// NumPy has no memory for it.
    pub(crate) fn new_output<'py>(
        py: Python<'py>,
        axes: &[usize],
        port: &Port,
    ) -> PyResult<(Bound<'py, PyAny>, Lent)> {
        static EMPTY: PyOnceLock<(Py<PyAny>, Py<PyAny>)> = PyOnceLock::new();
        let (empty, element) = EMPTY.get_or_try_init(py, || {
            let numpy = py.import("numpy")?;
            let element = numpy.call_method1("dtype", (Element::F32.name(),))?;
            Ok::<_, PyErr>((numpy.getattr("empty")?.unbind(), element.unbind()))
        })?;
        let array = empty.bind(py).call1((PyTuple::new(py, axes)?, element))?;
        let lent = Lent::output(&array, port)?;
        Ok((array, lent))
    }

    /// `buffer` as images of `port`.
    fn new(buffer: PyBuffer<f32>, port: &Port, kind: &str) -> Result<Lent, Faults> {
        let (shape, steps) = (buffer.shape(), buffer.strides());
        let is_image = shape == port.shape.as_slice();
        let is_batch = shape.split_first().is_some_and(|(_, axes)| axes == port.shape.as_slice());
        if !is_image && !is_batch {
            return Err(misfit(shape, port, kind).into());
        }
        // Along an axis of one element NumPy's stride may be any number.
        let stride =
            |(&length, &stride): (&usize, &isize)| if length > 1 { stride.unsigned_abs() } else { 0 };
        let strides: Vec<usize> =
            std::iter::once(0).filter(|_| is_image).chain(shape.iter().zip(steps).map(stride)).collect();
        let reach = |(&length, &stride): (&usize, &usize)| length.saturating_sub(1).saturating_mul(stride);
        let own = &strides[usize::from(is_image)..];
        let extent = match shape.contains(&0) {
            true => 0,
            false => shape.iter().zip(own).map(reach).fold(Element::F32.bytes(), usize::saturating_add),
        };
        let batch = is_batch.then(|| shape[0]);
        Ok(Lent { buffer, extent, strides, batch })
    }

    /// Its elements, to be read.
    pub(crate) fn view(&self) -> View<'_> {
        let bytes = match self.extent {
            0 => &[],
            // SAFETY: the exporter of the buffer says that its elements are there, up to `extent` as no stride is negative, and
            // keeps them until the buffer is released. That nobody writes them meanwhile is up to the caller, as it is with
            // every function of NumPy's that runs without the interpreter's lock: the documentation of `frit.Model` says so.
            extent => unsafe { std::slice::from_raw_parts(self.buffer.buf_ptr().cast(), extent) },
        };
        View::strided(Element::F32, bytes, &self.strides)
    }

    /// Its elements, to be written.
    pub(crate) fn view_mut(&mut self) -> ViewMut<'_> {
        let bytes = match self.extent {
            0 => &mut [],
            // SAFETY: as in `view`; [`Lent::output`] refused what can't be written, and whoever calls has asked `meets` about all
            // other memory of the call.
            extent => unsafe { std::slice::from_raw_parts_mut(self.buffer.buf_ptr().cast(), extent) },
        };
        ViewMut::strided(Element::F32, bytes, &self.strides)
    }

    /// Whether it shares memory with `other`.
    pub(crate) fn meets(&self, other: &Lent) -> bool {
        let range = |lent: &Lent| {
            let begin = lent.buffer.buf_ptr() as usize;
            begin..begin.saturating_add(lent.extent)
        };
        let (own, other) = (range(self), range(other));
        own.start.max(other.start) < own.end.min(other.end)
    }
}

/// The numbers of a dense array.
///
/// # Errors
/// It holds other elements.
pub(crate) fn values(array: &Bound<'_, PyAny>) -> PyResult<Vec<f32>> {
    PyBuffer::get(array)?.to_vec(array.py())
}

/// The memory of `array`, where a call can take it as it is: aligned elements in this machine's order of bytes, no negative
/// stride, no pointers between.
fn direct(array: &Bound<'_, PyAny>) -> Option<PyBuffer<f32>> {
    let buffer = PyBuffer::<f32>::get(array).ok()?;
    // `PyBuffer` takes both orders of bytes for this machine's.
    let native = [b"f".as_slice(), b"@f", b"=f"].contains(&buffer.format().to_bytes());
    let forward =
        buffer.strides().iter().zip(buffer.shape()).all(|(&stride, &length)| stride >= 0 || length < 2);
    (native && forward && buffer.suboffsets().is_none()).then_some(buffer)
}

/// `array` as NumPy sees it, without a copy; of the element that `port` has.
fn numpy_array<'py>(array: &Bound<'py, PyAny>, port: &Port, kind: &str) -> PyResult<Bound<'py, PyAny>> {
    let py = array.py();
    let numpy = py.import("numpy")?;
    let seen = if array.is_instance(&numpy.getattr("ndarray")?)? {
        Ok(array.clone())
    } else if array.hasattr("__dlpack__")? {
        numpy.call_method1("from_dlpack", (array,))
    } else if array.hasattr("__array__")? || PyUntypedBuffer::get(array).is_ok() {
        numpy.call_method1("asarray", (array,))
    } else {
        let how = format!("is no array but of type {}", array.get_type().name()?);
        let fault = unfit(port, kind, &how);
        return Err(fault.help(format!("numpy.asarray({}, numpy.float32)", port.name)))
            .raised(py, About::Input);
    };
    let unreadable = |error: PyErr| {
        unfit(port, kind, "can't be read where it lies")
            .note(error.to_string())
            .help("give an array in the memory of the CPU, without gradients")
    };
    let seen = seen.map_err(unreadable).raised(py, About::Input)?;
    let dtype = seen.getattr("dtype")?;
    if dtype.eq(port.element.name())? {
        // A buffer without axes has no shape that `PyBuffer` would read.
        let is_number = seen.getattr("ndim")?.eq(0)?;
        return if is_number { seen.call_method1("reshape", (1,)) } else { Ok(seen) };
    }
    let found = dtype.str()?.to_string();
    let fault = unfit(port, kind, &format!("is {found}, the model takes {}", port.element.name()));
    Err(fault.help(format!("{}.astype(numpy.{})", port.name, port.element.name()))).raised(py, About::Input)
}

fn unfit(port: &Port, kind: &str, how: &str) -> Diagnostic {
    Diagnostic::error(codes::INPUT_SHAPE, format!("{kind} {} {how}", port.name))
}

fn misfit(shape: &[usize], port: &Port, kind: &str) -> Diagnostic {
    let fault = unfit(port, kind, "has another shape than the model takes")
        .operand("given", &port.name, spelled(shape))
        .operand("needed", &port.name, format!("{} or Nx{0}", spelled(&port.shape)));
    let image = if shape.len() > port.shape.len() { &shape[1..] } else { shape };
    match (image, port.shape.as_slice()) {
        ([a, b, c], [height, width, channels]) if [b, c, a] == [height, width, channels] => {
            fault.help(format!("put its channels last: numpy.moveaxis({}, -3, -1)", port.name))
        }
        ([a, b, c], [channels, height, width]) if [c, a, b] == [channels, height, width] => {
            fault.help(format!("put its channels first: numpy.moveaxis({}, -1, -3)", port.name))
        }
        _ => fault,
    }
}

/// `2x3`; a number alone has no axes.
fn spelled(shape: &[usize]) -> String {
    match shape {
        [] => "a number".to_owned(),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x"),
    }
}
