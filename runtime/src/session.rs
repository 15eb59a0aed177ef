//! One caller's memory and threads.

use crate::call;
use crate::error::{LoadError, RunError};
use crate::gate::Meeting;
use crate::memory::Memory;
use crate::model::Model;
use crate::pool::Pool;
use crate::profile::Profile;
use crate::program::Border;

/// Runs a model. Sessions of one model are independent of each other.
#[derive(Debug)]
pub struct Session {
    model: Model,
    arena: Memory,
    scratch: Memory,
    pool: Pool,
    meeting: Meeting,
}

impl Session {
    /// Memory and `threads` threads for `model`, at least one.
    ///
    /// # Errors
    /// The system refuses memory or threads.
    pub fn new(model: &Model, threads: usize) -> Result<Session, LoadError> {
        let threads = threads.max(1);
        Ok(Session {
            model: model.clone(),
            arena: Memory::zeroed(model.metadata().arena_bytes / 4)?,
            scratch: Memory::zeroed(threads.saturating_mul(model.metadata().scratch_bytes / 4))?,
            pool: Pool::new(threads)?,
            meeting: Meeting::new(threads as u32),
        })
    }

    /// Runs a batch of images, one after the other: each tensor holds `batch` images, dense.
    ///
    /// # Errors
    /// A tensor too many, too few, too long or too short; nothing was run then.
    pub fn run(
        &mut self,
        inputs: &[&[f32]],
        outputs: &mut [&mut [f32]],
        batch: usize,
    ) -> Result<(), RunError> {
        self.check(inputs, outputs, batch)?;
        for image in 0..batch {
            self.image(inputs, outputs, image, None);
        }
        Ok(())
    }

    /// Runs one image and returns the time of each step.
    ///
    /// # Errors
    /// As [`Session::run`] with a batch of 1.
    pub fn profile(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<Profile, RunError> {
        self.check(inputs, outputs, 1)?;
        let mut profile = Profile::begin(self.model.metadata().steps.len());
        self.image(inputs, outputs, 0, Some(&mut profile));
        Ok(profile)
    }

    fn check(&self, inputs: &[&[f32]], outputs: &[&mut [f32]], batch: usize) -> Result<(), RunError> {
        let program = self.model.metadata();
        check("input", &program.inputs, inputs.iter().map(|values| values.len()), batch)?;
        check("output", &program.outputs, outputs.iter().map(|values| values.len()), batch)
    }

    fn image(
        &mut self,
        inputs: &[&[f32]],
        outputs: &mut [&mut [f32]],
        image: usize,
        profile: Option<&mut Profile>,
    ) {
        let program = self.model.program();
        let part = |border: &Border| image * border.elements()..(image + 1) * border.elements();
        let inputs: Vec<&[f32]> = inputs
            .iter()
            .zip(&program.metadata.inputs)
            .map(|(values, border)| &values[part(border)])
            .collect();
        let mut outputs: Vec<&mut [f32]> = outputs
            .iter_mut()
            .zip(&program.metadata.outputs)
            .map(|(values, border)| &mut values[part(border)])
            .collect();
        let tensors = call::Tensors {
            inputs: &inputs,
            outputs: &mut outputs,
            arena: self.arena.values_mut(),
            scratch: self.scratch.values_mut(),
        };
        let workers = call::Workers { pool: &mut self.pool, meeting: &self.meeting, profile };
        call::entry(program, tensors, workers);
    }
}

fn check(
    kind: &'static str,
    borders: &[Border],
    lengths: impl ExactSizeIterator<Item = usize>,
    batch: usize,
) -> Result<(), RunError> {
    if lengths.len() != borders.len() {
        return Err(RunError::Count { kind, got: lengths.len(), expected: borders.len() });
    }
    for (got, border) in lengths.zip(borders) {
        let expected = border.elements().saturating_mul(batch);
        if got != expected {
            return Err(RunError::Length { kind, name: border.name.clone(), got, expected, batch });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
