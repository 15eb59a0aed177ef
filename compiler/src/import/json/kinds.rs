//! What fields hold: each kind is read, and stands in the schema.

use frit_ir::Diagnostic;
use frit_ir::Shape;
use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Padding, Scalar};
use frit_ir::weights;
use serde_json::{Value as Json, json};

use super::section::{Choice, FieldKind, Spell};
use crate::import::document::{Content, Value};
use crate::import::findings::wrong;
use crate::import::limits;
use crate::import::values::Values;
use crate::import::window::PaddingRule;

/// A whole number from 1 on.
impl FieldKind for usize {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<usize> {
        values.as_count(value, name)
    }

    fn schema() -> Json {
        json!({"type": "integer", "minimum": 1, "maximum": limits::ATTRIBUTE})
    }
}

impl Spell for Scalar {
    fn spell(&self) -> Json {
        json!(self.get())
    }
}

impl Spell for usize {
    fn spell(&self) -> Json {
        json!(self)
    }
}

/// Height and width, as two whole numbers from 1 on; one number means both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair(pub(super) [usize; 2]);

impl Pair {
    /// The same for height and width.
    pub(super) const fn both(both: usize) -> Pair {
        Pair([both; 2])
    }
}

impl FieldKind for Pair {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Pair> {
        match values.content(value)? {
            Content::Array(_) => values.as_array(value, name, Values::as_count).map(Pair),
            _ => values.as_count(value, name).map(Pair::both),
        }
    }

    fn schema() -> Json {
        let count = usize::schema();
        json!({"anyOf": [count, {"type": "array", "items": count, "minItems": 2, "maxItems": 2}]})
    }
}

impl Spell for Pair {
    fn spell(&self) -> Json {
        if self.0[0] == self.0[1] { json!(self.0[0]) } else { json!(self.0) }
    }
}

impl FieldKind for bool {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<bool> {
        values.as_flag(value, name)
    }

    fn schema() -> Json {
        json!({"type": "boolean"})
    }
}

impl Spell for bool {
    fn spell(&self) -> Json {
        json!(self)
    }
}

/// A number that f32 can hold.
impl FieldKind for Scalar {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Scalar> {
        values.as_scalar(value, name)
    }

    fn schema() -> Json {
        json!({"type": "number", "minimum": Scalar::MIN.get(), "maximum": Scalar::MAX.get()})
    }
}

/// A number greater than 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Positive(pub(super) Scalar);

impl FieldKind for Positive {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Positive> {
        let number = values.as_scalar(value, name)?;
        if number.get() <= 0.0 {
            values.fault(value, wrong(&format!("{name} {} is not greater than 0 in f32", value.spelling())));
            return None;
        }
        Some(Positive(number))
    }

    fn schema() -> Json {
        json!({"type": "number", "exclusiveMinimum": 0, "maximum": Scalar::MAX.get()})
    }
}

/// An axis, without that of the batch: 0 is the first, -1 the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis(pub(super) i64);

impl Axis {
    /// Its index in `shape`.
    ///
    /// # Errors
    /// There is no such axis.
    pub(super) fn of(self, shape: &Shape) -> Result<usize, Diagnostic> {
        let from_end = i64::try_from(shape.rank()).ok().and_then(|rank| rank.checked_add(self.0));
        let index = if self.0 < 0 { from_end } else { Some(self.0) };
        index.and_then(|index| usize::try_from(index).ok()).filter(|&index| index < shape.rank()).ok_or_else(
            || {
                let message = format!("{shape} has no axis {}", self.0);
                Diagnostic::error(codes::BAD_ATTRIBUTE, message).help("axes count without that of the batch")
            },
        )
    }
}

impl FieldKind for Axis {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Axis> {
        let axis = values.as_integer(value, name)?;
        if !(-4..4).contains(&axis) {
            values.fault(value, wrong(&format!("{name} {axis} is no axis: tensors have 1 to 4, -4 to 3")));
            return None;
        }
        Some(Axis(axis))
    }

    fn schema() -> Json {
        json!({"type": "integer", "minimum": -4, "maximum": 3})
    }
}

impl Spell for Axis {
    fn spell(&self) -> Json {
        json!(self.0)
    }
}

/// The schema of a list of values, or one value.
fn list_or_one_of(element: &Json) -> Json {
    json!({"anyOf": [element, {"type": "array", "items": element}]})
}

/// Axes; one number means a list of one.
#[derive(Debug, Clone)]
pub(super) struct Axes(Vec<Axis>);

impl Axes {
    /// Their indices in `shape`, as they are written.
    ///
    /// # Errors
    /// There is no such axis, or one stands twice.
    pub(super) fn of(&self, shape: &Shape) -> Result<Vec<usize>, Diagnostic> {
        let found: Vec<usize> = self.0.iter().map(|axis| axis.of(shape)).collect::<Result<_, _>>()?;
        match found.iter().enumerate().find(|&(place, axis)| found[..place].contains(axis)) {
            Some((_, axis)) => {
                Err(Diagnostic::error(codes::BAD_ATTRIBUTE, format!("the axis {axis} stands twice")))
            }
            None => Ok(found),
        }
    }
}

impl FieldKind for Axes {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Axes> {
        values.as_list_or_one(value, name, Axis::parse).map(Axes)
    }

    fn schema() -> Json {
        list_or_one_of(&Axis::schema())
    }
}

/// Whole numbers of either sign; one means a list of one.
#[derive(Debug, Clone)]
pub(super) struct Integers(pub(super) Vec<i64>);

impl FieldKind for Integers {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Integers> {
        values.as_list_or_one(value, name, Values::as_integer).map(Integers)
    }

    fn schema() -> Json {
        let most = limits::ATTRIBUTE as i64;
        list_or_one_of(&json!({"type": "integer", "minimum": -most, "maximum": most}))
    }
}

/// A list of whole numbers from 1 on.
#[derive(Debug, Clone)]
pub(super) struct Counts(pub(super) Vec<usize>);

impl FieldKind for Counts {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Counts> {
        values.as_elements(value, name, Values::as_count).map(Counts)
    }

    fn schema() -> Json {
        json!({"type": "array", "items": usize::schema()})
    }
}

/// Numbers; one means a list of one.
#[derive(Debug, Clone)]
pub(super) struct Numbers(pub(super) weights::Values);

impl FieldKind for Numbers {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Numbers> {
        values.as_list_or_one(value, name, Values::as_number).map(|numbers| Numbers(numbers.into()))
    }

    fn schema() -> Json {
        list_or_one_of(&Scalar::schema())
    }
}

/// Factors for height and width; one means both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factors(pub(super) [Scalar; 2]);

impl FieldKind for Factors {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Factors> {
        match values.content(value)? {
            Content::Array(_) => {
                <[Positive; 2]>::parse(values, value, name).map(|pair| Factors(pair.map(|p| p.0)))
            }
            _ => Positive::parse(values, value, name).map(|both| Factors([both.0; 2])),
        }
    }

    fn schema() -> Json {
        json!({"anyOf": [Positive::schema(), <[Positive; 2]>::schema()]})
    }
}

/// `N` values of one kind.
impl<T: FieldKind, const N: usize> FieldKind for [T; N] {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<[T; N]> {
        values.as_array(value, name, T::parse)
    }

    fn schema() -> Json {
        json!({"type": "array", "items": T::schema(), "minItems": N, "maxItems": N})
    }
}

impl<const N: usize> Spell for [Scalar; N] {
    fn spell(&self) -> Json {
        json!(self.map(Scalar::get).to_vec())
    }
}

impl<const N: usize> Spell for [Positive; N] {
    fn spell(&self) -> Json {
        json!(self.map(|positive| positive.0.get()).to_vec())
    }
}

/// The name of a layer, an input or a network.
#[derive(Debug, Clone, Default)]
pub(super) struct Name(pub(super) String);

impl FieldKind for Name {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Name> {
        values.as_name(value, name).map(Name)
    }

    fn schema() -> Json {
        json!({"type": "string", "minLength": 1, "maxLength": limits::NAME_BYTES,
               "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"})
    }
}

/// A list of layers' names; one name means a list of one.
#[derive(Debug, Clone)]
pub(super) struct References;

impl FieldKind for References {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<References> {
        values.as_names(value, name).map(|_| References)
    }

    fn schema() -> Json {
        json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
    }
}

/// Any string.
impl FieldKind for String {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<String> {
        values.as_text(value, name)
    }

    fn schema() -> Json {
        json!({"type": "string"})
    }
}

/// One to four axes.
impl FieldKind for Shape {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Shape> {
        let axes = values.as_list(value, name)?.len();
        if axes == 0 || axes > 4 {
            values.fault(value, wrong(&format!("{name} takes 1 to 4 axes, not {axes}")));
            return None;
        }
        values.as_elements(value, name, Values::as_count).map(|axes| Shape::new(&axes))
    }

    fn schema() -> Json {
        json!({"type": "array", "items": usize::schema(), "minItems": 1, "maxItems": 4})
    }
}

/// Four numbers of zeros: top, bottom, left, right.
impl FieldKind for Padding {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Padding> {
        let [top, bottom, left, right] = values.as_array(value, name, Values::as_whole)?;
        Some(Padding { top, bottom, left, right })
    }

    fn schema() -> Json {
        let whole = json!({"type": "integer", "minimum": 0, "maximum": limits::ATTRIBUTE});
        json!({"type": "array", "items": whole, "minItems": 4, "maxItems": 4})
    }
}

/// The rules that have a name.
const PADDINGS: [(&str, PaddingRule); 3] =
    [("same", PaddingRule::Same), ("valid", PaddingRule::Valid), ("torch", PaddingRule::Torch)];

impl FieldKind for PaddingRule {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<PaddingRule> {
        match values.content(value)? {
            Content::Array(_) => Padding::parse(values, value, name).map(PaddingRule::Given),
            _ => values.as_choice(value, name, &PADDINGS),
        }
    }

    fn schema() -> Json {
        json!({"anyOf": [{"enum": PADDINGS.map(|(word, _)| word)}, Padding::schema()]})
    }
}

/// The activation behind a layer: none where it is `linear`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Follower(pub(super) Option<Activation>);

impl Choice for Follower {
    const CHOICES: &'static [(&'static str, Follower)] = &[
        ("relu", Follower(Some(Activation::Relu))),
        ("relu6", Follower(Some(Activation::Relu6))),
        ("sigmoid", Follower(Some(Activation::Sigmoid))),
        ("swish", Follower(Some(Activation::Swish))),
        ("hard_sigmoid", Follower(Some(Activation::HardSigmoid))),
        ("hard_swish", Follower(Some(Activation::HardSwish))),
        ("tanh", Follower(Some(Activation::Tanh))),
        ("gelu", Follower(Some(Activation::Gelu))),
        ("gelu_tanh", Follower(Some(Activation::GeluTanh))),
        ("mish", Follower(Some(Activation::Mish))),
        ("softplus", Follower(Some(Activation::Softplus))),
        ("linear", Follower(None)),
    ];
}

/// How often a stage repeats its block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeat(pub(super) usize);

impl FieldKind for Repeat {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Repeat> {
        let repeat = values.as_count(value, name)?;
        if repeat as u64 > limits::REPEAT {
            let message = format!("{name} {repeat} is above the limit of {}", limits::REPEAT);
            values.fault(value, Diagnostic::error(codes::LIMIT, message));
            return None;
        }
        Some(Repeat(repeat))
    }

    fn schema() -> Json {
        json!({"type": "integer", "minimum": 1, "maximum": limits::REPEAT})
    }
}

impl Spell for Repeat {
    fn spell(&self) -> Json {
        json!(self.0)
    }
}
