//! Several sessions of one model side by side, which share the images of a batch.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::error::{LoadError, RunError};
use crate::model::Model;
use crate::pool::Pool;
use crate::profile::Profile;
use crate::program::Metadata;
use crate::session::Session;
use crate::view::{View, ViewMut};

/// Sessions of one model that compute different images at the same time: more images a second than one session of as many
/// threads, which computes each image sooner. Results are the same bits.
///
/// ```no_run
/// # fn run(model: &frit_runtime::Model, images: &[f32], scores: &mut [f32]) -> Result<(), Box<dyn std::error::Error>> {
/// // Four images at a time, each by one thread.
/// let mut streams = frit_runtime::Streams::new(model, 4, 1)?;
/// streams.run(&[images.into()], &mut [scores.into()], 64)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Streams {
    model: Model,
    /// Each is locked by the worker of its own number alone.
    sessions: Vec<Mutex<Session>>,
    pool: Pool,
}

/// What one stream computes.
struct Share<'a> {
    inputs: Vec<View<'a>>,
    outputs: Vec<ViewMut<'a>>,
    images: usize,
}

impl Streams {
    /// `streams` sessions of `threads` threads each, at least one of each.
    ///
    /// # Errors
    /// The system refuses memory or threads.
    pub fn new(model: &Model, streams: usize, threads: usize) -> Result<Streams, LoadError> {
        let sessions = (0..streams.max(1)).map(|_| Ok(Mutex::new(Session::new(model, threads)?)));
        let sessions = sessions.collect::<Result<Vec<_>, LoadError>>()?;
        let pool = Pool::new(sessions.len())?;
        Ok(Streams { model: model.clone(), sessions, pool })
    }

    /// Runs a batch of images as [`Session::run`] does, each stream a part of it: neighbouring images, of which no stream has
    /// two more than another. Images whose elements lie between each other's in an output are run one after the other.
    ///
    /// # Errors
    /// As [`Session::run`]. Nothing was run then, unless the system refused memory for a copy.
    pub fn run(
        &mut self,
        inputs: &[View<'_>],
        outputs: &mut [ViewMut<'_>],
        batch: usize,
    ) -> Result<(), RunError> {
        let Streams { model, sessions, pool } = self;
        let streams = sessions.len();
        let first = sessions[0].get_mut().unwrap_or_else(PoisonError::into_inner);
        if streams == 1 || batch <= 1 {
            return first.run(inputs, outputs, batch);
        }
        first.check(inputs, outputs, batch)?;
        let metadata = model.metadata();
        if !outputs.iter().zip(&metadata.outputs).all(|(view, port)| view.is_apart_by_image(port)) {
            return first.run(inputs, outputs, batch);
        }
        let shares = shares(metadata, inputs, outputs, (batch, streams));
        let shares: Vec<Mutex<Share<'_>>> = shares.into_iter().map(Mutex::new).collect();
        let results = Mutex::new(Ok(()));
        pool.run(&|worker| {
            let worker = worker as usize;
            let mut session = sessions[worker].lock().unwrap_or_else(PoisonError::into_inner);
            let mut share = shares[worker].lock().unwrap_or_else(PoisonError::into_inner);
            let Share { inputs, outputs, images } = &mut *share;
            if let Err(error) = session.run(inputs, outputs, *images) {
                *results.lock().unwrap_or_else(PoisonError::into_inner) = Err(error);
            }
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one image in one stream and returns the time of each step.
    ///
    /// # Errors
    /// As [`Session::profile`].
    pub fn profile(&mut self, inputs: &[View<'_>], outputs: &mut [ViewMut<'_>]) -> Result<Profile, RunError> {
        self.sessions[0].get_mut().unwrap_or_else(PoisonError::into_inner).profile(inputs, outputs)
    }
}

/// The parts of a batch that was found to be right and whose outputs can be parted, one for each stream.
fn shares<'a>(
    metadata: &Metadata,
    inputs: &[View<'a>],
    outputs: &'a mut [ViewMut<'_>],
    (batch, streams): (usize, usize),
) -> Vec<Share<'a>> {
    let mut rests: Vec<ViewMut<'a>> = outputs.iter_mut().map(ViewMut::reborrowed).collect();
    let mut shares = Vec::with_capacity(streams);
    for stream in 0..streams {
        let images = images(batch, streams, stream);
        let inputs =
            inputs.iter().zip(&metadata.inputs).map(|(view, port)| view.images(port, images.clone()));
        let mut outputs = Vec::with_capacity(rests.len());
        for (rest, port) in rests.iter_mut().zip(&metadata.outputs) {
            outputs.push(rest.take_images(port, images.len()));
        }
        shares.push(Share { inputs: inputs.collect(), outputs, images: images.len() });
    }
    shares
}

/// The images of one of `streams`.
fn images(batch: usize, streams: usize, stream: usize) -> Range<usize> {
    let begin = |stream: usize| stream * (batch / streams) + stream.min(batch % streams);
    begin(stream)..begin(stream + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::tests::{LENGTH, program};
    use crate::port::Element;

    fn model() -> Model {
        Model::new(program(0.5, Vec::new())).unwrap()
    }

    /// So many images, and what the program makes of them.
    fn images_of(batch: usize) -> (Vec<f32>, Vec<f32>) {
        let images: Vec<f32> = (0..batch * LENGTH).map(|index| index as f32).collect();
        let outputs = images.chunks(LENGTH).flat_map(|image| image.iter().rev().map(|value| value + 0.5));
        (images.clone(), outputs.collect())
    }

    #[test]
    fn images_are_shared_out_to_the_last_and_no_stream_has_two_more_than_another() {
        for batch in 0..20 {
            for streams in 1..7 {
                let shares: Vec<_> = (0..streams).map(|stream| images(batch, streams, stream)).collect();
                assert_eq!(
                    shares.iter().flat_map(Clone::clone).collect::<Vec<_>>(),
                    (0..batch).collect::<Vec<_>>()
                );
                let counts = shares.iter().map(ExactSizeIterator::len);
                assert!(counts.clone().max().unwrap() - counts.min().unwrap() <= 1, "{batch} over {streams}");
            }
        }
    }

    #[test]
    fn any_number_of_streams_gives_what_one_session_gives() {
        for (streams, threads) in [(0, 1), (1, 2), (2, 1), (3, 2), (8, 1)] {
            let mut streams = Streams::new(&model(), streams, threads).unwrap();
            for batch in [0, 1, 2, 7, 16, 3] {
                let (images, expected) = images_of(batch);
                let mut outputs = vec![f32::NAN; batch * LENGTH];
                streams.run(&[(&images).into()], &mut [(&mut outputs).into()], batch).unwrap();
                assert_eq!(outputs, expected);
            }
        }
    }

    #[test]
    fn views_with_strides_are_shared_out_too_or_run_as_a_whole() {
        let mut streams = Streams::new(&model(), 2, 1).unwrap();
        let (images, expected) = images_of(5);
        let (apart, between) = ([4 * (LENGTH + 3), 4], [4, 4 * 5]);
        for strides in [apart, between] {
            let mut outputs = vec![f32::NAN; 5 * (LENGTH + 3)];
            let view = ViewMut::strided(Element::F32, bytemuck::cast_slice_mut(&mut outputs), &strides);
            streams.run(&[(&images).into()], &mut [view], 5).unwrap();
            for (index, value) in expected.iter().enumerate() {
                let place = index / LENGTH * strides[0] + index % LENGTH * strides[1];
                assert_eq!(outputs[place / 4], *value, "strides {strides:?}, element {index}");
            }
            let written = outputs.iter().filter(|value| !value.is_nan()).count();
            assert_eq!(written, expected.len(), "nothing else is written");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_before_anything_runs() {
        let mut streams = Streams::new(&model(), 2, 1).unwrap();
        let (images, _) = images_of(4);
        let mut outputs = vec![9.0; 3 * LENGTH];
        assert!(streams.run(&[(&images).into()], &mut [(&mut outputs).into()], 4).is_err());
        assert_eq!(outputs, [9.0; 3 * LENGTH]);
    }
}
