//! A node of the file at the moment of its translation: what it reads, and its attributes with their types.

use std::cell::RefCell;
use std::collections::BTreeSet;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;
use frit_ir::ops::Scalar;

use super::constant::Constant;
use super::data_type::DataType;
use super::fault::{Outcome, unsupported, wrong};
use super::layout::View;
use crate::import::budget::Budget;
use crate::onnx::{Attribute, Node, Tensor};

/// What a name in the file stands for.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Values that are known.
    Constant(Constant),
    /// A tensor of the graph.
    Tensor(View),
    /// The result of a node that is at fault.
    Unknown,
}

impl Value {
    /// The length of each axis, none for the batch.
    pub(super) fn dims(&self) -> Vec<Option<usize>> {
        match self {
            Value::Constant(constant) => constant.dims.iter().copied().map(Some).collect(),
            Value::Tensor(view) => view.dims(),
            Value::Unknown => Vec::new(),
        }
    }
}

/// A node and its operands.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// Its name in the graph.
    pub(super) name: String,
    pub(super) node: &'a Node,
    /// The version of the operators that it is written in.
    pub(super) version: i64,
    /// What is computed for it is taken from here.
    pub(super) budget: &'a Budget,
    /// Its operands; none where one is left out.
    pub(super) inputs: Vec<Option<Value>>,
    /// The normalisation whose mean or variance it makes, if it does so over the images of a batch.
    pub(super) moment_of: Option<String>,
    /// The attributes that were asked for so far.
    asked: RefCell<BTreeSet<&'a str>>,
}

/// Attributes that mean nothing at inference, or nothing in a form that frit has, by operator.
const MEANINGLESS: [(&str, &str); 13] = [
    ("BatchNormalization", "momentum"),
    ("Cast", "round_mode"),
    ("Cast", "saturate"),
    ("CastLike", "round_mode"),
    ("CastLike", "saturate"),
    ("Dropout", "ratio"),
    ("Dropout", "seed"),
    // The order in which the second result counts elements, which is refused where it is read.
    ("MaxPool", "storage_order"),
    // Of cubic interpolation and of crops, which are refused.
    ("Resize", "cubic_coeff_a"),
    ("Resize", "exclude_outside"),
    ("Resize", "extrapolation_value"),
    // A bound for the sizes, where they are given as scales.
    ("Resize", "keep_aspect_ratio_policy"),
    ("Upsample", "cubic_coeff_a"),
];

/// The names of the types of attributes by their numbers.
const TYPES: [&str; 11] = [
    "nothing",
    "a float",
    "a whole number",
    "a string",
    "a tensor",
    "a graph",
    "floats",
    "whole numbers",
    "strings",
    "tensors",
    "graphs",
];
const FLOAT: i32 = 1;
const INT: i32 = 2;
const STRING: i32 = 3;
const TENSOR: i32 = 4;
const FLOATS: i32 = 6;
const INTS: i32 = 7;

/// The type of an attribute: what it says, else, in very old files, what it holds.
fn type_of(attribute: &Attribute) -> i32 {
    match attribute.r#type {
        Some(said) if said != 0 => said,
        _ if attribute.f.is_some() => FLOAT,
        _ if attribute.i.is_some() => INT,
        _ if attribute.s.is_some() => STRING,
        _ if attribute.t.is_some() => TENSOR,
        _ if !attribute.floats.is_empty() => FLOATS,
        _ if !attribute.ints.is_empty() => INTS,
        _ => 0,
    }
}

impl<'a> Call<'a> {
    /// A node with the name that it has in the graph, before its operands are known.
    pub(super) fn new(name: String, node: &'a Node, version: i64, budget: &'a Budget) -> Call<'a> {
        Call { name, node, version, budget, inputs: Vec::new(), moment_of: None, asked: RefCell::default() }
    }

    /// The attributes that nobody asked for, of those that may mean something.
    pub(super) fn unread(&self) -> impl Iterator<Item = &'a str> {
        let (op, asked) = (self.op(), self.asked.borrow().clone());
        let names = self.node.attribute.iter().map(Attribute::name);
        names.filter(move |name| {
            let says_nothing = MEANINGLESS.contains(&(op, *name))
                || (op.starts_with("Reduce") && *name == "noop_with_empty_axes");
            !says_nothing && !asked.contains(name)
        })
    }

    /// The operator.
    pub(super) fn op(&self) -> &'a str {
        self.node.op_type()
    }

    /// The operand `index`.
    pub(super) fn operand(&self, index: usize, role: &str) -> Outcome<&Value> {
        self.optional(index).ok_or_else(|| {
            let given = self.inputs.iter().flatten().count();
            let operands = if given == 1 { "operand" } else { "operands" };
            wrong(format!("{} has {given} {operands}; it needs its {role}", self.op()))
        })
    }

    /// The operand `index`, where there is one.
    pub(super) fn optional(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index).and_then(Option::as_ref)
    }

    /// The operand `index` as something that is known when the file is read, where there is one.
    pub(super) fn constant(&self, index: usize, role: &str) -> Outcome<Option<&Constant>> {
        match self.optional(index) {
            None => Ok(None),
            Some(Value::Constant(constant)) => Ok(Some(constant)),
            Some(_) => Err(unsupported(format!(
                "the {role} of {} is computed from the input; frit takes one that is known when the file is read",
                self.op()
            ))),
        }
    }

    /// The whole numbers of the operand `index`, where there is one.
    pub(super) fn known_ints(&self, index: usize, role: &str) -> Outcome<Option<Vec<i64>>> {
        let Some(constant) = self.constant(index, role)? else { return Ok(None) };
        constant.known_ints(self.budget)?.map(Some).ok_or_else(|| {
            wrong(format!("the {role} of {} depends on the number of images of a batch", self.op()))
        })
    }

    /// The f32 values of the operand `index`, which has the axes `dims`.
    pub(super) fn weight(&self, index: usize, role: &str) -> Outcome<&Constant> {
        self.operand(index, role)?;
        let Some(constant) = self.constant(index, role)? else { return Err(wrong("no weight")) };
        single_precision(constant.kind, &format!("the {role} of {}", self.op()))?;
        Ok(constant)
    }

    fn attribute(&self, name: &str, expected: i32) -> Outcome<Option<&'a Attribute>> {
        let Some(found) = self.find(name) else { return Ok(None) };
        let given = type_of(found);
        if given == expected {
            return Ok(Some(found));
        }
        let called = |number: i32| {
            usize::try_from(number)
                .ok()
                .and_then(|number| TYPES.get(number))
                .copied()
                .unwrap_or("of an unknown type")
        };
        let message =
            format!("the attribute {name} of {} is {}, not {}", self.op(), called(given), called(expected));
        Err(Box::new(Diagnostic::error(codes::ONNX_NODE, message)))
    }

    /// Whether there is an attribute of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&'a Attribute> {
        let found = self.node.attribute.iter().find(|attribute| attribute.name() == name)?;
        self.asked.borrow_mut().insert(found.name());
        Some(found)
    }

    /// A whole number.
    pub(super) fn int(&self, name: &str, default: i64) -> Outcome<i64> {
        Ok(self.attribute(name, INT)?.map_or(default, Attribute::i))
    }

    /// Whether a whole number is not 0.
    pub(super) fn flag(&self, name: &str, default: bool) -> Outcome<bool> {
        Ok(self.int(name, i64::from(default))? != 0)
    }

    /// A float.
    pub(super) fn float(&self, name: &str, default: Scalar) -> Outcome<Scalar> {
        Ok(self.number(name)?.map_or(default, Scalar::nearest))
    }

    /// The same with its sign where it is 0, if there is one.
    pub(super) fn number(&self, name: &str) -> Outcome<Option<f64>> {
        Ok(self.attribute(name, FLOAT)?.map(|attribute| f64::from(attribute.f())))
    }

    /// Whole numbers.
    pub(super) fn ints(&self, name: &str) -> Outcome<Option<&'a [i64]>> {
        Ok(self.attribute(name, INTS)?.map(|attribute| attribute.ints.as_slice()))
    }

    /// Floats.
    pub(super) fn floats(&self, name: &str) -> Outcome<Option<impl ExactSizeIterator<Item = f64> + use<'a>>> {
        let floats = self.attribute(name, FLOATS)?.map(|attribute| attribute.floats.iter());
        Ok(floats.map(|floats| floats.map(|&float| f64::from(float))))
    }

    /// A word.
    pub(super) fn string(&self, name: &str, default: &'static str) -> Outcome<&'a str> {
        let Some(attribute) = self.attribute(name, STRING)? else { return Ok(default) };
        std::str::from_utf8(attribute.s.as_deref().unwrap_or_default())
            .map_err(|_| wrong(format!("the attribute {name} of {} is no text", self.op())))
    }

    /// A tensor.
    pub(super) fn tensor(&self, name: &str) -> Outcome<Option<&'a Tensor>> {
        Ok(self.attribute(name, TENSOR)?.and_then(|attribute| attribute.t.as_deref()))
    }

    /// The whole numbers that an operator has as an attribute in some versions and as an operand in others.
    pub(super) fn ints_or_operand(&self, name: &str, index: usize) -> Outcome<Option<Vec<i64>>> {
        match self.ints(name)? {
            Some(ints) => {
                let mut list = self.budget.list(ints.len())?;
                list.extend_from_slice(ints);
                Ok(Some(list))
            }
            None => self.known_ints(index, name),
        }
    }
}

/// That values are f32.
pub(super) fn single_precision(kind: DataType, what: &str) -> Outcome<()> {
    if kind == DataType::F32 {
        return Ok(());
    }
    let message = format!("{what}: values of {kind}, where frit computes in float32");
    let help = "convert the model to float32 before it is exported";
    Err(Box::new(Diagnostic::error(codes::ONNX_TYPE, message).help(help)))
}

/// The axis that `index` names of `rank`, counted from the end where it is below 0.
pub(super) fn axis(index: i64, rank: usize) -> Outcome<usize> {
    let counted = if index < 0 { index.checked_add_unsigned(rank as u64) } else { Some(index) };
    counted
        .and_then(|axis| usize::try_from(axis).ok())
        .filter(|&axis| axis < rank)
        .ok_or_else(|| wrong(format!("axis {index} of a tensor of {rank} axes")))
}

/// The axes that `indices` name, ascending and each once.
pub(super) fn axes(indices: &[i64], rank: usize) -> Outcome<Vec<usize>> {
    let mut axes = indices.iter().map(|&index| axis(index, rank)).collect::<Outcome<Vec<usize>>>()?;
    axes.sort_unstable();
    let given = axes.len();
    axes.dedup();
    if axes.len() < given { Err(wrong(format!("the axes {indices:?} name one twice"))) } else { Ok(axes) }
}
