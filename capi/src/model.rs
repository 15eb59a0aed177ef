//! What the handles of C stand for.

use std::ffi::{CStr, CString, c_char};
use std::sync::{Mutex, MutexGuard, TryLockError};

use frit_runtime::{Element, Port, Session};

use crate::fault::{Fault, Status, text};

/// `frit_model`: a model, and its names as C has them.
#[derive(Debug)]
pub struct Model {
    /// The model.
    pub model: frit_runtime::Model,
    /// Its name.
    pub name: CString,
    /// What it was compiled for.
    pub target: CString,
    /// Names of the inputs.
    pub inputs: Vec<CString>,
    /// Names of the outputs.
    pub outputs: Vec<CString>,
    /// Names of the classes.
    pub labels: Vec<CString>,
}

impl Model {
    /// The handle of `model`.
    pub fn new(model: frit_runtime::Model) -> Model {
        let metadata = model.metadata();
        let names = |ports: &[Port]| ports.iter().map(|port| text(&port.name)).collect();
        let labels = metadata.source.labels.iter().flatten().map(|label| text(label)).collect();
        Model {
            name: text(&metadata.name),
            target: text(&metadata.target.level),
            inputs: names(&metadata.inputs),
            outputs: names(&metadata.outputs),
            labels,
            model,
        }
    }
}

/// `frit_port` of the header.
#[derive(Debug)]
#[repr(C)]
pub struct CPort {
    name: *const c_char,
    element: *const c_char,
    element_bytes: usize,
    rank: usize,
    shape: *const usize,
    elements: usize,
}

impl CPort {
    /// What C sees of port `index` of `ports`, which are called `names`.
    ///
    /// # Errors
    /// There is no such port.
    pub fn new(names: &[CString], ports: &[Port], index: usize) -> Result<CPort, Fault> {
        let (Some(name), Some(port)) = (names.get(index), ports.get(index)) else {
            return Err(Fault::argument(format!("there is no port {index} of {}", ports.len())));
        };
        Ok(CPort {
            name: name.as_ptr(),
            element: element(port.element).as_ptr(),
            element_bytes: port.element.bytes(),
            rank: port.shape.len(),
            shape: port.shape.as_ptr(),
            elements: port.elements(),
        })
    }
}

fn element(element: Element) -> &'static CStr {
    match element {
        Element::F32 => c"float32",
        // An element that this library does not know is none that it can run.
        _ => c"unknown",
    }
}

/// `frit_session`: one caller's memory and threads.
#[derive(Debug)]
pub struct Runner {
    session: Mutex<Session>,
    /// The model that it runs.
    pub model: frit_runtime::Model,
    /// Bytes from one element to the next along each axis of each port, the images first.
    pub strides: Vec<Vec<usize>>,
}

impl Runner {
    /// A session of `model` with so many threads.
    ///
    /// # Errors
    /// The system refuses memory or threads.
    pub fn new(model: &frit_runtime::Model, threads: usize) -> Result<Runner, Fault> {
        let metadata = model.metadata();
        let strides = metadata.inputs.iter().chain(&metadata.outputs).map(dense).collect();
        Ok(Runner { session: Mutex::new(Session::new(model, threads)?), model: model.clone(), strides })
    }

    /// The session, where nobody else has it.
    ///
    /// # Errors
    /// Somebody has.
    pub fn session(&self) -> Result<MutexGuard<'_, Session>, Fault> {
        match self.session.try_lock() {
            Ok(session) => Ok(session),
            Err(TryLockError::Poisoned(session)) => Ok(session.into_inner()),
            Err(TryLockError::WouldBlock) => {
                let reason = "the session runs in another thread: every caller needs a session of its own";
                Err(Fault { status: Status::InUse, reason: reason.to_owned() })
            }
        }
    }
}

/// The strides of dense images, one behind the other.
fn dense(port: &Port) -> Vec<usize> {
    let mut strides = vec![port.element.bytes()];
    for length in port.shape.iter().rev() {
        strides.push(strides[strides.len() - 1] * length);
    }
    strides.reverse();
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_of_dense_images_grow_from_the_last_axis_on() {
        assert_eq!(dense(&Port::new("x", &[2, 3, 5])), [120, 60, 20, 4]);
        assert_eq!(dense(&Port::new("x", &[])), [4]);
    }
}
