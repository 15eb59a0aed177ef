//! How long each step took.

use std::time::{Duration, Instant};

/// Times of the steps of one inference, as worker 0 saw them.
#[derive(Debug)]
pub struct Profile {
    last: Instant,
    steps: Vec<Duration>,
}

impl Profile {
    /// For a program of `steps` steps, begun now.
    pub(crate) fn begin(steps: usize) -> Profile {
        Profile { last: Instant::now(), steps: vec![Duration::ZERO; steps] }
    }

    /// Ends `step`: what has passed since the last mark is its time.
    pub(crate) fn mark(&mut self, step: usize) {
        let now = Instant::now();
        if let Some(time) = self.steps.get_mut(step) {
            *time = now - self.last;
        }
        self.last = now;
    }

    /// The time of each step, in order.
    pub fn steps(&self) -> &[Duration] {
        &self.steps
    }
}
