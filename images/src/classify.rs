//! From the scores of a classifier to names.

use std::fmt;

use frit_runtime::Model;

/// One class and how likely it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// Its place in the output.
    pub index: usize,
    /// Its name, where names are known.
    pub label: Option<String>,
    /// Between 0 and 1.
    pub probability: f32,
}

impl fmt::Display for Guess {
    /// Its name, or else its place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => f.write_str(label),
            None => write!(f, "class {}", self.index),
        }
    }
}

/// The `count` likeliest classes by the `scores` that `model` gave for one picture, by the names that it carries.
pub fn guesses(model: &Model, scores: &[f32], count: usize) -> Vec<Guess> {
    let source = &model.metadata().source;
    top(&probabilities(scores, source.gives_probabilities), count, source.labels.as_deref())
}

/// Probabilities of `scores`: themselves where a softmax made them, else by a softmax.
pub fn probabilities(scores: &[f32], given: bool) -> Vec<f32> {
    if given {
        return scores.to_vec();
    }
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = scores.iter().map(|&score| f64::from(score - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| (power / sum) as f32).collect()
}

/// The `count` likeliest classes, likeliest first; of equal ones the first in the output, NaN last.
pub fn top(probabilities: &[f32], count: usize, labels: Option<&[String]>) -> Vec<Guess> {
    let rank =
        |index: usize| if probabilities[index].is_nan() { f32::NEG_INFINITY } else { probabilities[index] };
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| rank(b).total_cmp(&rank(a)));
    order.truncate(count);
    let guess = |index: usize| Guess {
        index,
        label: labels.and_then(|labels| labels.get(index)).cloned(),
        probability: probabilities[index],
    };
    order.into_iter().map(guess).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_scores_do_not_overflow() {
        let found = probabilities(&[1000.0, 1000.0, -1000.0], false);
        assert_eq!(found, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn given_probabilities_stay_as_they_are() {
        assert_eq!(probabilities(&[0.25, 0.75], true), [0.25, 0.75]);
    }

    #[test]
    fn the_likeliest_come_first_and_equal_ones_in_order() {
        let labels = ["a".to_owned(), "b".to_owned()];
        let guesses = top(&[0.2, 0.2, f32::NAN, 0.6], 9, Some(&labels));
        let indices: Vec<_> = guesses.iter().map(|guess| guess.index).collect();
        assert_eq!(indices, [3, 0, 1, 2]);
        let told: Vec<_> = guesses.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["class 3", "a", "b", "class 2"]);
        assert_eq!((guesses[0].label.as_deref(), guesses[1].label.as_deref()), (None, Some("a")));
    }
}
