//! How long each step took.

use std::time::{Duration, Instant};

/// Times of the steps of one inference, as worker 0 saw them: a step ends where its barrier opens, the last one where all
/// workers have come back.
#[derive(Debug)]
pub struct Profile {
    last: Instant,
    steps: Vec<Duration>,
}

impl Profile {
    /// For a program of `steps` steps, begun now.
    pub(crate) fn begin(steps: usize) -> Profile {
        Profile { last: Instant::now(), steps: Vec::with_capacity(steps) }
    }

    /// Ends a step: what has passed since the last mark is its time.
    pub(crate) fn mark(&mut self) {
        let now = Instant::now();
        self.steps.push(now - self.last);
        self.last = now;
    }

    /// The time of each step, in order.
    pub fn steps(&self) -> &[Duration] {
        &self.steps
    }
}
