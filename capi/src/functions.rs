//! The functions of `include/frit.h`. Whoever calls them keeps what the header says of pointers.

use std::ffi::{CStr, OsStr, c_char, c_int, c_uint, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::slice;

use frit_runtime::load::Pages;
use frit_runtime::{Port, View, ViewMut};

use crate::fault::{Fault, guarded, last, message};
use crate::model::{CPort, Model, Runner};

/// `FRIT_HUGE_PAGES`.
const HUGE_PAGES: c_uint = 1;

/// The most threads of a session.
const MOST_THREADS: c_uint = 1024;

/// The value that `pointer` points to.
///
/// # Safety
/// It is null, or points to a value that lives and is not changed while the result is used.
unsafe fn given<'a, T>(pointer: *const T, what: &str) -> Result<&'a T, Fault> {
    // SAFETY: by this function's contract.
    unsafe { pointer.as_ref() }.ok_or_else(|| Fault::argument(format!("{what} is null")))
}

/// Where a result is written to; it holds `nothing` until then.
///
/// # Safety
/// It is null, or may be written to while the result is used.
unsafe fn result<'a, T>(pointer: *mut T, nothing: T, what: &str) -> Result<&'a mut T, Fault> {
    // SAFETY: by this function's contract it may be written to; what it held is not looked at.
    unsafe {
        if !pointer.is_null() {
            pointer.write(nothing);
        }
        pointer.as_mut()
    }
    .ok_or_else(|| Fault::argument(format!("{what} is null: there is no place for the result")))
}

/// # Safety
/// `path` is a text or null, `model` may be written to or is null, and the file is what `Model::load` asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn frit_model_load(
    path: *const c_char,
    flags: c_uint,
    model: *mut *mut Model,
) -> c_int {
    guarded(|| {
        // SAFETY: by this function's contract.
        let model = unsafe { result(model, std::ptr::null_mut(), "model") }?;
        if path.is_null() {
            return Err(Fault::argument("path is null"));
        }
        // SAFETY: as above.
        let path = unsafe { CStr::from_ptr(path) };
        if flags & !HUGE_PAGES != 0 {
            return Err(Fault::argument(format!("flags are {flags:#x}: FRIT_HUGE_PAGES is the only one")));
        }
        let pages = if flags & HUGE_PAGES == 0 { Pages::Shared } else { Pages::Huge };
        let path = Path::new(OsStr::from_bytes(path.to_bytes()));
        // SAFETY: by this function's contract, which the header hands on: the caller trusts the file like a program.
        let loaded = unsafe { frit_runtime::Model::load(path, pages) };
        let loaded = loaded.map_err(|error| {
            let fault = Fault::from(error);
            Fault { reason: format!("{}: {}", path.display(), fault.reason), ..fault }
        })?;
        *model = Box::into_raw(Box::new(Model::new(loaded)));
        Ok(())
    })
}

/// # Safety
/// `model` is null, or of `frit_model_load` and not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn frit_model_free(model: *mut Model) {
    guarded(|| {
        if !model.is_null() {
            // SAFETY: by this function's contract nobody else has it; sessions have the program themselves.
            drop(unsafe { Box::from_raw(model) });
        }
        Ok(())
    });
}

/// Declares functions that look at a model, for which null is a model of nothing.
macro_rules! look {
    ($($name:ident($model:ident $(, $index:ident)?) -> $result:ty = $value:expr, else $nothing:expr;)+) => {$(
        /// # Safety
        /// The model is null, or of `frit_model_load` and not freed yet.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($model: *const Model $(, $index: usize)?) -> $result {
            // SAFETY: by this function's contract.
            unsafe { $model.as_ref() }.map_or($nothing, |$model| $value)
        }
    )+};
}

look! {
    frit_model_name(model) -> *const c_char = model.name.as_ptr(), else std::ptr::null();
    frit_model_target(model) -> *const c_char = model.target.as_ptr(), else std::ptr::null();
    frit_model_inputs(model) -> usize = model.inputs.len(), else 0;
    frit_model_outputs(model) -> usize = model.outputs.len(), else 0;
    frit_model_labels(model) -> usize = model.labels.len(), else 0;
    frit_model_label(model, index) -> *const c_char =
        model.labels.get(index).map_or(std::ptr::null(), |label| label.as_ptr()), else std::ptr::null();
}

/// # Safety
/// The model is null, or of `frit_model_load` and not freed yet; `port` may be written to or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn frit_model_input(model: *const Model, index: usize, port: *mut CPort) -> c_int {
    // SAFETY: by this function's contract.
    guarded(|| unsafe {
        let model = given(model, "model")?;
        write(port, CPort::new(&model.inputs, &model.model.metadata().inputs, index)?)
    })
}

/// # Safety
/// As [`frit_model_input`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn frit_model_output(model: *const Model, index: usize, port: *mut CPort) -> c_int {
    // SAFETY: by this function's contract.
    guarded(|| unsafe {
        let model = given(model, "model")?;
        write(port, CPort::new(&model.outputs, &model.model.metadata().outputs, index)?)
    })
}

/// # Safety
/// `place` may be written to, or is null.
unsafe fn write(place: *mut CPort, port: CPort) -> Result<(), Fault> {
    // SAFETY: by this function's contract.
    unsafe { result(place, port, "port") }.map(drop)
}

/// # Safety
/// The model is null, or of `frit_model_load` and not freed yet; `session` may be written to or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn frit_session_new(
    model: *const Model,
    threads: c_uint,
    session: *mut *mut Runner,
) -> c_int {
    guarded(|| {
        // SAFETY: by this function's contract.
        let (session, model) =
            unsafe { (result(session, std::ptr::null_mut(), "session")?, given(model, "model")?) };
        if threads > MOST_THREADS {
            return Err(Fault::argument(format!(
                "{threads} threads are more than the {MOST_THREADS} that a session has"
            )));
        }
        *session = Box::into_raw(Box::new(Runner::new(&model.model, threads as usize)?));
        Ok(())
    })
}

/// # Safety
/// `session` is null, or of `frit_session_new`, not freed yet, and does not run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn frit_session_free(session: *mut Runner) {
    guarded(|| {
        if !session.is_null() {
            // SAFETY: by this function's contract nobody else has it.
            drop(unsafe { Box::from_raw(session) });
        }
        Ok(())
    });
}

/// # Safety
/// The session is null, or of `frit_session_new` and not freed yet. `inputs` and `outputs` are null, or have an address for
/// each port, each null or of the values of `batch` images; outputs overlap nothing, and nobody else looks at them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn frit_session_run(
    session: *const Runner,
    inputs: *const *const c_void,
    outputs: *const *mut c_void,
    batch: usize,
) -> c_int {
    guarded(|| {
        // SAFETY: by this function's contract.
        let runner = unsafe { given(session, "session") }?;
        let mut session = runner.session()?;
        let metadata = runner.model.metadata();
        let (read, written) = runner.strides.split_at(metadata.inputs.len());
        let mut views = Vec::with_capacity(read.len());
        for (index, (port, strides)) in metadata.inputs.iter().zip(read).enumerate() {
            // SAFETY: by this function's contract there is an address for each input.
            let address = unsafe { address(inputs, index, port) }?;
            let bytes = bytes(port, batch)?;
            // SAFETY: by this function's contract the values of so many images are there.
            let values = unsafe { slice::from_raw_parts(address.cast::<u8>(), bytes) };
            views.push(View::strided(port.element, values, strides));
        }
        let mut changed = Vec::with_capacity(written.len());
        for (index, (port, strides)) in metadata.outputs.iter().zip(written).enumerate() {
            // SAFETY: by this function's contract there is an address for each output.
            let address = unsafe { address(outputs.cast(), index, port) }?;
            let bytes = bytes(port, batch)?;
            // SAFETY: by this function's contract there is room for so many images, which is this call's alone.
            let values = unsafe { slice::from_raw_parts_mut(address.cast::<u8>().cast_mut(), bytes) };
            changed.push(ViewMut::strided(port.element, values, strides));
        }
        Ok(session.run(&views, &mut changed, batch)?)
    })
}

/// The address of `port`, the one at `index` of `ports`.
///
/// # Safety
/// `ports` is null, or has an address there.
unsafe fn address(ports: *const *const c_void, index: usize, port: &Port) -> Result<*const c_void, Fault> {
    let null = || Fault::argument(format!("{} has no address: a null pointer", port.name));
    if ports.is_null() {
        return Err(null());
    }
    // SAFETY: by this function's contract.
    let address = unsafe { *ports.add(index) };
    if address.is_null() { Err(null()) } else { Ok(address) }
}

/// Bytes of `batch` images of `port`, which are no more than memory can be.
fn bytes(port: &Port, batch: usize) -> Result<usize, Fault> {
    let bytes = port.bytes().checked_mul(batch).filter(|&bytes| isize::try_from(bytes).is_ok());
    bytes.ok_or_else(|| {
        Fault::argument(format!("a batch of {batch} images of {} is larger than memory", port.name))
    })
}

/// The sentence about the last fault of this thread.
#[unsafe(no_mangle)]
pub extern "C" fn frit_last_error() -> *const c_char {
    last()
}

/// A status in words.
#[unsafe(no_mangle)]
pub extern "C" fn frit_message(status: c_int) -> *const c_char {
    message(status).as_ptr()
}

/// The version of the library.
#[unsafe(no_mangle)]
pub extern "C" fn frit_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}
