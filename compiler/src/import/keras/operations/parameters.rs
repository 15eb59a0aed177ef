//! What operations are told.

use frit_ir::diagnostic::codes;
use frit_ir::ops::Scalar;
use frit_ir::weights::Values;
use frit_ir::{Diagnostic, Shape};

use crate::import::keras::calls::{Argument, Call};
use crate::import::keras::site::Site;
use crate::import::keras::tensors::Tensor;

/// What an operation is told, by its call and its configuration.
pub(super) struct Parameters {
    pub(super) call: Call<Tensor>,
    pub(super) config: Vec<(String, Argument<Tensor>)>,
}

impl Parameters {
    /// What is handed over first.
    pub(super) fn first(&self) -> Option<&Argument<Tensor>> {
        self.call
            .positional
            .first()
            .or_else(|| self.get(&["x", "x1", "input", "inputs", "values", "a", "tensor", "features"]))
    }

    /// What is handed over second.
    pub(super) fn second(&self) -> Option<&Argument<Tensor>> {
        self.call.positional.get(1).or_else(|| self.get(&["y", "x2", "b"]))
    }

    /// The argument or field of one of these names.
    pub(super) fn get(&self, names: &[&str]) -> Option<&Argument<Tensor>> {
        let all = self.call.keyword.iter().chain(&self.config);
        let mut known =
            all.filter(|(name, item)| names.contains(&name.as_str()) && !matches!(item, Argument::Nothing));
        known.next().map(|(_, item)| item)
    }

    /// The same, or the one at a place among those without a name.
    pub(super) fn at(&self, place: usize, names: &[&str]) -> Option<&Argument<Tensor>> {
        let placed = self.call.positional.get(place).filter(|item| !matches!(item, Argument::Nothing));
        self.get(names).or(placed)
    }

    pub(super) fn number(&self, names: &[&str]) -> Option<Scalar> {
        self.get(names).and_then(number)
    }

    pub(super) fn flag(&self, names: &[&str]) -> bool {
        matches!(self.get(names), Some(Argument::Flag(true)))
    }
}

pub(super) fn number(argument: &Argument<Tensor>) -> Option<Scalar> {
    match argument {
        Argument::Number(number) => Some(Scalar::nearest(*number)).filter(|number| number.is_finite()),
        _ => None,
    }
}

pub(super) fn integer(argument: &Argument<Tensor>) -> Option<i64> {
    match argument {
        Argument::Number(number) if number.fract() == 0.0 && number.abs() < 2e9 => Some(*number as i64),
        _ => None,
    }
}

/// Whole numbers; one means a list of one.
pub(super) fn integers(argument: &Argument<Tensor>) -> Option<Vec<i64>> {
    match argument {
        Argument::List(items) => items.iter().map(integer).collect(),
        one => integer(one).map(|one| vec![one]),
    }
}

/// A constant: a number, or lists of numbers, all of one length.
pub(super) fn constant(argument: &Argument<Tensor>) -> Option<(Shape, Values)> {
    match argument {
        Argument::List(items) => {
            let parts: Vec<(Shape, Values)> = items.iter().map(constant).collect::<Option<_>>()?;
            let (first, _) = parts.first()?;
            if parts.iter().any(|(shape, _)| shape != first) {
                return None;
            }
            let axes: Vec<usize> = std::iter::once(parts.len()).chain(first.axes().iter().copied()).collect();
            Some((Shape::new(&axes), parts.iter().flat_map(|(_, values)| values.iter().copied()).collect()))
        }
        &Argument::Number(one) => number(argument).map(|_| (Shape::new(&[]), Values::nearest([one]))),
        _ => None,
    }
}

/// The tensor that is handed over first.
pub(super) fn tensor(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Option<Tensor> {
    match parameters.first() {
        Some(Argument::Tensor(tensor)) => Some(*tensor),
        _ => refuse(site, "it is handed no tensor"),
    }
}

/// Tells that a call is not of a kind that is read.
pub(super) fn refuse<T>(site: &mut Site<'_, '_, '_>, reason: &str) -> Option<T> {
    site.fault(Diagnostic::error(codes::KERAS_ARGUMENT, reason));
    None
}
