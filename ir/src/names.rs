//! Names that are taken, and free ones made of them.

use std::collections::{BTreeMap, BTreeSet};

/// The names of a graph's nodes, or of anything else whose names are told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    taken: BTreeSet<String>,
    /// The last number that was put behind a name that was taken.
    numbers: BTreeMap<String, usize>,
}

impl Names {
    /// `wanted`, or where that is taken the first of `wanted_2`, `wanted_3` and so on that is free; it is taken now.
    pub fn free(&mut self, wanted: &str) -> String {
        let mut free = wanted.to_owned();
        while !self.take(&free) {
            let number = self.numbers.entry(wanted.to_owned()).or_insert(1);
            *number += 1;
            free = format!("{wanted}_{number}");
        }
        free
    }

    /// Takes `name`; whether it was free.
    pub fn take(&mut self, name: &str) -> bool {
        self.taken.insert(name.to_owned())
    }

    /// Gives `name` back.
    pub fn release(&mut self, name: &str) {
        self.taken.remove(name);
    }
}

impl<S: Into<String>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(taken: I) -> Names {
        Names { taken: taken.into_iter().map(Into::into).collect(), numbers: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_the_first_number_that_is_free() {
        let mut names = Names::from_iter(["a", "a_3"]);
        assert_eq!(names.free("b"), "b");
        assert_eq!(["a", "a", "a"].map(|name| names.free(name)), ["a_2", "a_4", "a_5"]);
        assert_eq!(names.free("a_2"), "a_2_2");
    }

    #[test]
    fn a_name_that_was_given_back_is_free() {
        let mut names = Names::default();
        assert!(names.take("a") && !names.take("a"));
        names.release("a");
        assert_eq!(names.free("a"), "a");
    }
}
