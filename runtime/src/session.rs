//! One caller's memory and threads.

use std::ops::Range;

use crate::barrier::Barrier;
use crate::call::{self, Regions};
use crate::error::{LoadError, RunError};
use crate::memory::Memory;
use crate::model::Model;
use crate::pool::Pool;
use crate::port::Port;
use crate::profile::Profile;
use crate::view::{Lie, View, ViewMut, gather, scatter};

/// Runs a model. Sessions of one model are independent of each other: several threads have one each.
///
/// ```no_run
/// # fn run(model: &frit_runtime::Model) -> Result<(), Box<dyn std::error::Error>> {
/// use frit_runtime::Session;
///
/// let mut session = Session::new(model, 2)?;
/// let images = vec![0.0; 4 * model.metadata().inputs[0].elements()];
/// let mut scores = vec![0.0; 4 * model.metadata().outputs[0].elements()];
/// session.run(&[(&images).into()], &mut [(&mut scores).into()], 4)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session {
    model: Model,
    arena: Memory,
    scratch: Memory,
    /// Dense copies of one image of each input and output, as far as one was needed.
    copies: Vec<Option<Memory>>,
    regions: Regions,
    pool: Pool,
    barrier: Barrier,
}

impl Session {
    /// Memory and `threads` threads for `model`, at least one.
    ///
    /// # Errors
    /// The system refuses memory or threads.
    pub fn new(model: &Model, threads: usize) -> Result<Session, LoadError> {
        let threads = threads.max(1);
        let metadata = model.metadata();
        let ports = metadata.inputs.len() + metadata.outputs.len();
        Ok(Session {
            model: model.clone(),
            arena: Memory::zeroed(metadata.arena_bytes)?,
            scratch: Memory::zeroed(threads.saturating_mul(metadata.scratch_bytes))?,
            copies: (0..ports).map(|_| None).collect(),
            regions: Regions::new(ports, threads),
            pool: Pool::new(threads)?,
            barrier: Barrier::new(threads as u32),
        })
    }

    /// Runs a batch of images, one after the other, on the caller's own memory: where each image of a tensor is dense, its
    /// images may lie anywhere. One that is not is copied, an image at a time, to and from memory of the session, which is
    /// asked for at the first time.
    ///
    /// # Errors
    /// A tensor too many, too few, of another element, too long or too short, or one that leaves the memory that it was given;
    /// no memory for a copy. Nothing was run then.
    pub fn run(
        &mut self,
        inputs: &[View<'_>],
        outputs: &mut [ViewMut<'_>],
        batch: usize,
    ) -> Result<(), RunError> {
        let is_dense = self.check(inputs, outputs, batch)?;
        match batch {
            0 => {}
            _ if is_dense => self.images(inputs, outputs, (batch, 0..batch), None),
            _ => {
                (0..batch).for_each(|image| self.images(inputs, outputs, (batch, image..image + 1), None));
            }
        }
        Ok(())
    }

    /// Runs one image and returns the time of each step.
    ///
    /// # Errors
    /// As [`Session::run`] with a batch of 1.
    pub fn profile(&mut self, inputs: &[View<'_>], outputs: &mut [ViewMut<'_>]) -> Result<Profile, RunError> {
        self.check(inputs, outputs, 1)?;
        let mut profile = Profile::begin(self.model.metadata().steps.len());
        self.images(inputs, outputs, (1, 0..1), Some(&mut profile));
        Ok(profile)
    }

    /// Whether all images of all tensors are dense; asks for memory to copy those that are not.
    pub(crate) fn check(
        &mut self,
        inputs: &[View<'_>],
        outputs: &[ViewMut<'_>],
        batch: usize,
    ) -> Result<bool, RunError> {
        let metadata = self.model.metadata();
        count("input", inputs.len(), &metadata.inputs)?;
        count("output", outputs.len(), &metadata.outputs)?;
        let inputs = inputs.iter().zip(&metadata.inputs).map(|(view, port)| (port, view.lie(port, batch)));
        let outputs = outputs.iter().zip(&metadata.outputs).map(|(view, port)| (port, view.lie(port, batch)));
        let mut is_dense = true;
        for ((port, lie), copy) in inputs.chain(outputs).zip(&mut self.copies) {
            if lie?.strides.is_some() {
                is_dense = false;
                if copy.is_none() {
                    *copy = Some(Memory::zeroed(port.bytes())?);
                }
            }
        }
        Ok(is_dense)
    }

    /// Runs so many `images` of a `batch` that was found to be right; one of them, where a tensor has to be copied.
    fn images(
        &mut self,
        inputs: &[View<'_>],
        outputs: &mut [ViewMut<'_>],
        (batch, images): (usize, Range<usize>),
        profile: Option<&mut Profile>,
    ) {
        let Session { model, arena, scratch, copies, regions, pool, barrier } = self;
        let program = model.program();
        let (read, written) = copies.split_at_mut(inputs.len());
        let mut tensors = regions.bind();
        for ((view, port), copy) in inputs.iter().zip(&program.metadata.inputs).zip(read) {
            let Ok(Lie { image, strides }) = view.lie(port, batch) else { return };
            let bytes = view.bytes.get(images.start * image..).unwrap_or_default();
            match (strides, copy) {
                (Some(strides), Some(copy)) => {
                    gather(port, strides, bytes, copy.bytes_mut());
                    tensors.read(copy.bytes(), 0);
                }
                _ => tensors.read(bytes, image),
            }
        }
        for ((view, port), copy) in outputs.iter_mut().zip(&program.metadata.outputs).zip(&mut *written) {
            let Ok(Lie { image, strides }) = view.lie(port, batch) else { return };
            match (strides, copy) {
                (Some(_), Some(copy)) => tensors.write(copy.bytes_mut(), 0),
                _ => tensors.write(view.bytes.get_mut(images.start * image..).unwrap_or_default(), image),
            }
        }
        let memory = call::Own { arena: arena.bytes_mut(), scratch: scratch.bytes_mut() };
        let workers = call::Workers { pool, barrier, profile };
        call::entry(program, tensors, memory, images.len(), workers);
        for ((view, port), copy) in outputs.iter_mut().zip(&program.metadata.outputs).zip(&*written) {
            if let (Ok(Lie { image, strides: Some(strides) }), Some(copy)) = (view.lie(port, batch), copy) {
                let bytes = view.bytes.get_mut(images.start * image..).unwrap_or_default();
                scatter(port, strides, copy.bytes(), bytes);
            }
        }
    }
}

fn count(kind: &'static str, got: usize, ports: &[Port]) -> Result<(), RunError> {
    match ports.len() {
        expected if got != expected => Err(RunError::Count { kind, got, expected }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
