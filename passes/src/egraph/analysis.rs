//! What is known of every e-class: its type, and whether it is made of weights alone.
//!
//! Equal values have equal shapes and elements. What would make another element of a value is no match (`saturate.rs`). Where two
//! classes of different shapes are joined, or a rule builds a layer that can't be, a rule is wrong: the fault is recorded under
//! its name, nothing more is applied, and [`super::optimise`] returns it.

use std::collections::BTreeMap;

use egg::{Analysis, DidMerge};
use frit_ir::ops::Padding;
use frit_ir::ops::binary::{broadcast, is_gate};
use frit_ir::weights::Values;
use frit_ir::{Element, Op, Shape};
use smallvec::SmallVec;

use super::Fault;
use super::language::{ENode, Operator};

/// The e-graph of one network.
pub(crate) type EGraph = egg::EGraph<ENode, Meaning>;

/// What all e-nodes of a class share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The shape; `None` behind a fault, and for the root, which is no tensor.
    pub(crate) shape: Option<Shape>,
    /// What its elements are.
    pub(crate) element: Element,
    /// Whether it is a weight or an expression of weights; a layer is neither, whatever it reads.
    pub(crate) constant: bool,
}

/// The network's own facts, and what rules did to them.
#[derive(Debug, Default)]
pub(crate) struct Meaning {
    /// Shapes of the inputs.
    pub(crate) inputs: Vec<Shape>,
    /// Shapes of the weights.
    pub(crate) weights: Vec<Shape>,
    /// Values of the weights that rules look at, by index, where they are known: constants and slopes.
    pub(crate) values: BTreeMap<u32, Values>,
    /// The rule that is being applied; a fault found later, while classes are brought into line, is put down
    /// to the last.
    pub(crate) acting: &'static str,
    /// The first fault.
    pub(crate) fault: Option<Fault>,
}

impl Analysis<ENode> for Meaning {
    type Data = Facts;

    fn make(egraph: &mut EGraph, node: &ENode, _id: egg::Id) -> Facts {
        let constant = match node.op {
            Operator::Weight(_) => true,
            Operator::Input(_) | Operator::Outputs | Operator::Layer(_) => false,
            _ => node.children.iter().all(|&child| egraph[child].data.constant),
        };
        if node.op == Operator::Outputs {
            return Facts { shape: None, element: Element::F32, constant };
        }
        let children: Option<SmallVec<[Shape; 6]>> =
            node.children.iter().map(|&child| egraph[child].data.shape.clone()).collect();
        let shape = children.and_then(|children| match shape(&egraph.analysis, node, &children) {
            Ok(shape) => Some(shape),
            Err(reason) => {
                let rule = egraph.analysis.acting;
                egraph.analysis.fault.get_or_insert(Fault::Term { rule, reason });
                None
            }
        });
        Facts { shape, element: element(egraph, node), constant }
    }

    fn merge(&mut self, into: &mut Facts, from: Facts) -> DidMerge {
        if *into == from {
            return DidMerge(false, false);
        }
        if let (Some(left), Some(right)) = (&into.shape, &from.shape)
            && (left != right || into.element != from.element || into.constant != from.constant)
        {
            let (left, right) = (left.clone(), right.clone());
            self.fault.get_or_insert(Fault::Join { rule: self.acting, left, right });
        }
        let before = into.clone();
        into.constant |= from.constant;
        if into.shape.is_none() {
            into.shape.clone_from(&from.shape);
        }
        DidMerge(*into != before, *into != from)
    }
}

/// The element of what `node` computes: inputs, weights and what is made of these are f32.
fn element(egraph: &EGraph, node: &ENode) -> Element {
    let children: SmallVec<[Element; 6]> =
        node.children.iter().map(|&child| egraph[child].data.element).collect();
    match &node.op {
        Operator::Layer(op) => op.element(&children[..op.arity().min(children.len())]),
        Operator::Barrier(_) => children[0],
        _ => Element::F32,
    }
}

/// The shape of what `node` computes from children of these shapes.
fn shape(meaning: &Meaning, node: &ENode, children: &[Shape]) -> Result<Shape, String> {
    match &node.op {
        Operator::Input(index) => Ok(meaning.inputs[*index as usize].clone()),
        Operator::Weight(index) => Ok(meaning.weights[*index as usize].clone()),
        Operator::BatchNormScale { .. } | Operator::BatchNormShift { .. } => match children {
            [first, rest @ ..] if rest.iter().all(|other| other == first) => Ok(first.clone()),
            _ => Err(format!("channels differ: {children:?}")),
        },
        Operator::ScaleFilters if children[1].axes() == [children[0].channels()] => Ok(children[0].clone()),
        Operator::ScaleFilters => {
            Err(format!("{} does not scale the filters of {}", children[1], children[0]))
        }
        Operator::ScaleInputs { groups } | Operator::SumInputs { groups } => {
            let [kernel, values] = children else { return Err("a kernel and values are missing".to_owned()) };
            match kernel.axes() {
                &[.., inputs, filters] if values.axes() == [inputs * groups] => Ok(match node.op {
                    Operator::SumInputs { .. } => Shape::new(&[filters]),
                    _ => kernel.clone(),
                }),
                _ => Err(format!("{values} is not a value for each input of {kernel} in {groups} groups")),
            }
        }
        Operator::Uniform { channels, .. } => Ok(Shape::new(&[*channels])),
        Operator::Vector => Ok(Shape::new(&[children[0].elements().unwrap_or(0)])),
        Operator::Reciprocal => Ok(children[0].clone()),
        Operator::Pointwise => match children[0].axes() {
            &[inputs, units] => Ok(Shape::new(&[1, 1, inputs, units])),
            _ => Err(format!("{} is no kernel of a dense layer", children[0])),
        },
        Operator::Join => joined(children),
        Operator::PadKernel { padding } => padded(padding, &children[0]),
        Operator::IdentityKernel { channels, groups } => {
            Ok(Shape::new(&[1, 1, channels / groups, *channels]))
        }
        Operator::Total => match children {
            [first, rest @ ..] if rest.iter().all(|other| other == first) => Ok(first.clone()),
            _ => Err(format!("weights of {children:?} are added up")),
        },
        Operator::Layer(op) => layer_shape(op, children),
        Operator::Barrier(_) => Ok(children[0].clone()),
        Operator::Outputs => Err("the root is no tensor".to_owned()),
    }
}

/// The shape of weights one behind the other along their last axis.
fn joined(children: &[Shape]) -> Result<Shape, String> {
    let rest = |shape: &Shape| shape.axes().split_last().map(|(_, rest)| rest.to_vec());
    let Some(mut axes) = children.first().and_then(rest) else { return Err("nothing is joined".to_owned()) };
    if children.iter().any(|child| rest(child).as_ref() != Some(&axes)) {
        return Err(format!("weights of {children:?} don't follow one another"));
    }
    axes.push(children.iter().map(Shape::channels).sum());
    Ok(Shape::new(&axes))
}

/// The shape of a kernel with zeros around its window.
fn padded(padding: &Padding, kernel: &Shape) -> Result<Shape, String> {
    let &[height, width, inputs, filters] = kernel.axes() else {
        return Err(format!("{kernel} is no kernel of a convolution"));
    };
    let along =
        |axis: usize, length: usize| padding.along(axis).into_iter().try_fold(length, usize::checked_add);
    match (along(0, height), along(1, width)) {
        (Some(height), Some(width)) => Ok(Shape::new(&[height, width, inputs, filters])),
        _ => Err(format!("{kernel} is padded past what can be counted")),
    }
}

/// The shape of a layer's result, with the checks that legality made on the source network.
fn layer_shape(op: &Op, children: &[Shape]) -> Result<Shape, String> {
    let (operands, weights) = children.split_at_checked(op.arity()).ok_or("operands are missing")?;
    let result = op.shape(operands).map_err(|diagnostic| diagnostic.message)?;
    let fits = if matches!(op, Op::Binary(_)) {
        broadcast(&operands[0], &operands[1]).is_some()
    } else {
        op.residual().is_none_or(|residual| operands[residual] == result)
            && op.gate().is_none_or(|gate| is_gate(&operands[0], &operands[gate]))
    };
    if !fits {
        return Err(format!("{} joins {result} and {:?}", op.name(), &operands[1..]));
    }
    let roles = op.weight_roles(operands);
    if roles.len() != weights.len() {
        return Err(format!("{} takes {} weights, not {}", op.name(), roles.len(), weights.len()));
    }
    match roles.iter().zip(weights).find(|(role, weight)| role.shape != **weight) {
        Some((role, weight)) => {
            Err(format!("the {} of {} is {weight}, not {}", role.role, op.name(), role.shape))
        }
        None => Ok(result),
    }
}
