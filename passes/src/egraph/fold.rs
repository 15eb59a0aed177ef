//! Weight expressions to weights: evaluated once, after extraction, in f64, and rounded to f32 once.
//!
//! Rules fold before they know numbers. Where the numbers show that a fold is not to be made, its e-node is refused, and
//! extraction chooses once more without it: the layers of the file are always there to be chosen.

mod holds;
mod sums;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use egg::Id;
use frit_ir::weights::{Data, Values as WeightValues};
use frit_ir::{Graph, Shape, Weight, Weights};

use super::Fault;
use super::encode::Encoding;
use super::language::{ENode, Operator};
pub(crate) use holds::ROUNDING;
use holds::{Scaled, are_finite, extremes, offsets_hold};

/// The weights of the optimised graph, as they are asked for.
pub(crate) struct Folder<'a> {
    source: &'a Graph,
    encoding: &'a Encoding,
    /// Values of the expressions of one number a channel, by class.
    vectors: BTreeMap<Id, Values>,
    /// The names of the expressions that were evaluated: what several layers read is one weight.
    named: BTreeMap<Id, String>,
    /// What became of expressions, by class.
    folded: BTreeMap<Id, Folded>,
    /// The weights of the source's layers, each with those beside it.
    together: BTreeSet<&'a [Id]>,
    weights: Weights,
}

/// An expression as a weight.
#[derive(Debug, Clone)]
struct Folded {
    data: Data,
    /// Whether f32 holds it as well as the weights that it was folded from.
    holds: bool,
}

/// What a class of constants holds.
#[derive(Debug, Clone)]
enum Values {
    Known(Known),
    /// Somewhere below is a weight of which only the digest is known; this one stands for the result.
    Digest(u64),
}

/// The numbers of an expression.
#[derive(Debug, Clone)]
struct Known {
    values: Arc<[f64]>,
    /// For each the magnitudes of all that was added up to it; none where nothing was.
    added: Option<Arc<[f64]>>,
    /// Whether the kernels below are held as well as they were.
    holds: bool,
}

impl Known {
    fn of(values: impl Into<Arc<[f64]>>) -> Known {
        Known { values: values.into(), added: None, holds: true }
    }

    /// At least the magnitude of each value.
    fn magnitudes(&self) -> &[f64] {
        self.added.as_ref().unwrap_or(&self.values)
    }
}

impl<'a> Folder<'a> {
    pub(crate) fn new(source: &'a Graph, encoding: &'a Encoding) -> Folder<'a> {
        let layers = encoding.layers.iter();
        let together = layers.map(|layer| layer.enode.weights()).filter(|weights| !weights.is_empty());
        Folder {
            source,
            encoding,
            vectors: BTreeMap::new(),
            named: BTreeMap::new(),
            folded: BTreeMap::new(),
            together: together.collect(),
            weights: Weights::default(),
        }
    }

    /// Those of the e-nodes that were picked whose weights f32 does not hold as well as those that they were folded from.
    pub(crate) fn refused(&mut self, picks: &[(Id, ENode, u64)]) -> Result<Vec<ENode>, Fault> {
        let mut refused = Vec::new();
        for (_, node, _) in picks {
            let weights: Vec<Id> = node.weights().iter().map(|&id| self.encoding.egraph.find(id)).collect();
            let is_layer = node.op().is_some() && !weights.is_empty();
            if is_layer && !self.together.contains(&weights[..]) && !self.holds(node, &weights)? {
                refused.push(node.clone());
            }
        }
        Ok(refused)
    }

    fn holds(&mut self, node: &ENode, weights: &[Id]) -> Result<bool, Fault> {
        for &class in weights {
            let is_stored = matches!(self.term(class).op, Operator::Weight(_));
            if !is_stored && !self.evaluate(class)?.holds {
                return Ok(false);
            }
        }
        let (&[kernel, bias], Some(_)) = (weights, node.epilogue()) else { return Ok(true) };
        let Values::Known(offsets) = self.vector(bias)? else { return Ok(true) };
        let kernel = match self.term(kernel).op {
            Operator::Weight(index) => {
                self.digest_only(index).map_or_else(|| self.values(index).map(Some), |_| Ok(None))?
            }
            _ => match self.evaluate(kernel)?.data {
                Data::Values(values) => Some(values),
                _ => None,
            },
        };
        Ok(offsets_hold(&offsets, || kernel))
    }

    /// The weights so far.
    pub(crate) fn finish(self) -> Weights {
        self.weights
    }

    /// Keeps a class that is a source weight, under its name; `None` for an expression.
    pub(crate) fn keep(&mut self, class: Id) -> Option<&'a str> {
        let Operator::Weight(index) = self.term(class).op else { return None };
        let (name, weight) = self.stored(index);
        if self.weights.get(name).is_none() {
            self.weights.insert(name, weight.clone());
        }
        Some(name)
    }

    /// Evaluates an expression as the weight `ROLE` of `node`, unless it was evaluated before; its name, `NODE.ROLE` unless that
    /// is taken.
    pub(crate) fn fold(&mut self, class: Id, node: &str, role: &str) -> Result<String, Fault> {
        if let Some(name) = self.named.get(&class) {
            return Ok(name.clone());
        }
        let shape = self.encoding.egraph[class].data.shape.clone().unwrap_or_default();
        let data = self.evaluate(class)?.data;
        let mut name = format!("{node}.{role}");
        while self.weights.get(&name).is_some() || self.source.weights.get(&name).is_some() {
            name.insert(node.len(), '\'');
        }
        self.weights.insert(name.clone(), Weight::new(shape, data));
        self.named.insert(class, name.clone());
        Ok(name)
    }

    /// The smallest e-node of a class of constants: expressions have one normal form, so there is little to
    /// choose.
    fn term(&self, class: Id) -> &'a ENode {
        let nodes = self.encoding.egraph[class].nodes.iter();
        nodes.min_by_key(|node| node.children.len()).expect("no class is empty")
    }

    fn stored(&self, index: u32) -> (&'a str, &'a Weight) {
        let name = self.encoding.weights[index as usize].as_str();
        (name, self.source.weights.get(name).expect("it was encoded from there"))
    }

    /// The value of an expression, once for each class.
    fn evaluate(&mut self, class: Id) -> Result<Folded, Fault> {
        if let Some(folded) = self.folded.get(&class) {
            return Ok(folded.clone());
        }
        let folded = self.folding(class)?;
        self.folded.insert(class, folded.clone());
        Ok(folded)
    }

    fn folding(&mut self, class: Id) -> Result<Folded, Fault> {
        let mut kernel = self.term(class);
        let mut scales = Vec::new();
        while let Operator::ScaleFilters | Operator::ScaleInputs { .. } | Operator::Pointwise = kernel.op {
            if let Some(&values) = kernel.children.get(1) {
                scales.push(Scale { of: &kernel.op, values: self.vector(values)? });
            }
            kernel = self.term(kernel.children[0]);
        }
        let Operator::Weight(index) = kernel.op else {
            return Ok(match self.vector(class)? {
                Values::Known(known) => {
                    let values = WeightValues::nearest(known.values.iter().copied());
                    let holds = known.holds && are_finite(&values);
                    Folded { data: Data::Values(values), holds }
                }
                Values::Digest(digest) => Folded { data: Data::Digest(digest), holds: true },
            });
        };
        match (self.digest_only(index), Factors::new(&scales, &self.stored(index).1.shape)) {
            (None, Some(factors)) => {
                let before = self.values(index)?;
                let after = factors.scaled(&before);
                let holds = factors.holds(&before, &after);
                Ok(Folded { data: Data::Values(after), holds })
            }
            (kernel, _) => {
                let parts = scales.iter().map(|scale| scale.values.digest());
                let kernel = kernel.unwrap_or_else(|| self.stored(index).1.digest());
                let data = Data::Digest(mixed(TAG_SCALED, parts.chain([kernel])));
                Ok(Folded { data, holds: true })
            }
        }
    }

    /// The value of an expression of one number a channel, and of those below it, which are few but may be
    /// deep.
    fn vector(&mut self, class: Id) -> Result<Values, Fault> {
        let mut pending = vec![class];
        while let Some(&next) = pending.last() {
            let node = self.term(next);
            let missing: Vec<Id> =
                node.children.iter().copied().filter(|child| !self.vectors.contains_key(child)).collect();
            if missing.is_empty() {
                pending.pop();
                if !self.vectors.contains_key(&next) {
                    let values = self.combine(node)?;
                    self.vectors.insert(next, values);
                }
            } else {
                pending.extend(missing);
            }
        }
        Ok(self.vectors[&class].clone())
    }

    /// The value of one e-node over those of its children.
    fn combine(&self, node: &ENode) -> Result<Values, Fault> {
        if let Operator::Weight(index) = node.op {
            return Ok(match self.digest_only(index) {
                Some(digest) => Values::Digest(digest),
                None => {
                    let values = self.values(index)?;
                    Values::Known(Known::of(values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>()))
                }
            });
        }
        let children: Vec<&Values> = node.children.iter().map(|child| &self.vectors[child]).collect();
        if let Operator::Uniform { value, channels } = node.op {
            return Ok(Values::Known(Known::of(vec![f64::from(value.get()); channels])));
        }
        if let Operator::IdentityKernel { channels, groups } = node.op {
            return Ok(Values::Known(Known::of(sums::identity(channels, groups))));
        }
        let known: Option<Vec<&Known>> = children.iter().map(|values| values.known()).collect();
        let Some(known) = known else {
            let digests = children.iter().map(|values| values.digest());
            return Ok(Values::Digest(mixed(tag(&node.op), digests)));
        };
        let mut combined = match (&node.op, &known[..]) {
            (Operator::ScaleFilters | Operator::ScaleInputs { .. }, &[kernel, factors]) => {
                self.scaled(node, kernel, factors)
            }
            (Operator::SumInputs { .. }, &[kernel, values]) => self.summed(node, kernel, values),
            (Operator::Join, _) => {
                let values: Vec<&[f64]> = known.iter().map(|known| &*known.values).collect();
                let added: Vec<&[f64]> = known.iter().map(|known| known.magnitudes()).collect();
                Known { added: Some(self.joined(node, &added)), ..Known::of(self.joined(node, &values)) }
            }
            (Operator::PadKernel { padding }, &[kernel]) => {
                let shape = self.encoding.egraph[node.children[0]].data.shape.clone().unwrap_or_default();
                sums::padded(padding, &shape, kernel)
            }
            (Operator::Total, _) => sums::total(&known),
            _ => each_channel(&node.op, &known),
        };
        combined.holds &= known.iter().all(|known| known.holds);
        Ok(Values::Known(combined))
    }

    /// Weights one behind the other along their last axis.
    fn joined(&self, node: &ENode, children: &[&[f64]]) -> Arc<[f64]> {
        let length = |&id: &Id| self.encoding.egraph[id].data.shape.as_ref().map_or(1, Shape::channels);
        let mut rows: Vec<_> = children
            .iter()
            .zip(&node.children)
            .map(|(values, id)| values.chunks(length(id).max(1)))
            .collect();
        let count = rows.first().map_or(0, ExactSizeIterator::len);
        let next = |_| rows.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>().concat();
        (0..count).flat_map(next).collect()
    }

    /// The weights of a kernel times the factor of each one's filter or input.
    fn scaled(&self, node: &ENode, kernel: &Known, factors: &Known) -> Known {
        let shape = self.encoding.egraph[node.children[0]].data.shape.clone().unwrap_or_default();
        let factor = |index: usize| factors.values[inputs_of(&node.op, &shape, index)];
        let values = kernel.values.iter().enumerate().map(|(index, weight)| weight * factor(index));
        let scaled = Known::of(values.collect::<Vec<_>>());
        let [before, after] =
            [kernel, &scaled].map(|known| WeightValues::nearest(known.values.iter().copied()));
        let ones = vec![1.0; shape.channels()];
        let (filters, inputs) = match node.op {
            Operator::ScaleFilters => (&*factors.values, [1.0; 2]),
            _ => (&ones[..], extremes(&factors.values)),
        };
        let holds = Scaled { before: &before, after: &after, filters, inputs }.holds();
        Known { holds, ..scaled }
    }

    /// For each filter of a kernel the sum of its weights times the value of each one's input.
    fn summed(&self, node: &ENode, kernel: &Known, values: &Known) -> Known {
        let shape = self.encoding.egraph[node.children[0]].data.shape.clone().unwrap_or_default();
        let filters = shape.channels();
        let (mut sums, mut added) = (vec![0.0; filters], vec![0.0; filters]);
        for (index, &weight) in kernel.values.iter().enumerate() {
            let input = inputs_of(&node.op, &shape, index);
            sums[index % filters] += weight * values.values[input];
            added[index % filters] += weight.abs() * values.magnitudes()[input].abs();
        }
        Known { added: Some(added.into()), ..Known::of(sums) }
    }

    /// The digest of a weight without values.
    fn digest_only(&self, index: u32) -> Option<u64> {
        match self.stored(index).1.data {
            Data::Digest(digest) => Some(digest),
            _ => None,
        }
    }

    fn values(&self, index: u32) -> Result<WeightValues, Fault> {
        self.source.weights.values(self.stored(index).0).map_err(|fault| Fault::Weights(Box::new(fault)))
    }
}

impl Values {
    fn known(&self) -> Option<&Known> {
        match self {
            Values::Known(known) => Some(known),
            Values::Digest(_) => None,
        }
    }

    fn digest(&self) -> u64 {
        match self {
            Values::Known(known) => mixed(TAG_KNOWN, known.values.iter().map(|value| value.to_bits())),
            Values::Digest(digest) => *digest,
        }
    }
}

/// An expression of one number a channel.
fn each_channel(op: &Operator, children: &[&Known]) -> Known {
    let channels = 0..children[0].values.len();
    let at = |child: usize, channel: usize| children[child].values[channel];
    let values: Vec<f64> = channels.clone().map(|channel| formula(op, |child| at(child, channel))).collect();
    let added = |child: usize, channel: usize| children[child].magnitudes()[channel].abs();
    let added = match *op {
        // The magnitudes of a difference are added up like all others.
        Operator::BatchNormShift { beta, bias } => Some(
            channels
                .map(|channel| {
                    let shift = if beta { added(2, channel) } else { 0.0 };
                    let sum = if bias { added(2 + usize::from(beta), channel) } else { 0.0 };
                    shift + (sum + added(0, channel)) * added(1, channel)
                })
                .collect(),
        ),
        Operator::Vector | Operator::Pointwise => children[0].added.clone(),
        _ => None,
    };
    Known { added, ..Known::of(values) }
}

/// One channel of an expression; see [`Operator`] for the order of the children.
fn formula(op: &Operator, at: impl Fn(usize) -> f64) -> f64 {
    match *op {
        Operator::BatchNormScale { epsilon, gamma } => {
            let gamma = if gamma { at(1) } else { 1.0 };
            gamma / (at(0) + f64::from(epsilon.get())).sqrt()
        }
        Operator::BatchNormShift { beta, bias } => {
            let shift = if beta { at(2) } else { 0.0 };
            let sum = if bias { at(2 + usize::from(beta)) } else { 0.0 };
            shift + (sum - at(0)) * at(1)
        }
        Operator::Vector | Operator::Pointwise => at(0),
        Operator::Reciprocal => at(0).recip(),
        ref other => unreachable!("{other:?} is no expression of one number a channel"),
    }
}

/// What the weights of a kernel are multiplied by.
struct Scale<'a> {
    /// By which of its axes.
    of: &'a Operator,
    values: Values,
}

/// All scales of a kernel in one: a factor for each filter, and for each input channel where there are any.
struct Factors<'a> {
    filters: Vec<f64>,
    inputs: Option<(&'a Operator, Vec<f64>)>,
    shape: &'a Shape,
}

impl<'a> Factors<'a> {
    /// The product of `scales`; `None` where one is not known.
    fn new(scales: &[Scale<'a>], shape: &'a Shape) -> Option<Factors<'a>> {
        let mut factors = Factors { filters: vec![1.0; shape.channels()], inputs: None, shape };
        for Scale { of, values } in scales {
            let values = values.known()?;
            let product = match (of, &mut factors.inputs) {
                (Operator::ScaleFilters, _) => &mut factors.filters,
                (_, Some((_, product))) => product,
                (_, none) => &mut none.insert((of, vec![1.0; values.values.len()])).1,
            };
            product.iter_mut().zip(&*values.values).for_each(|(product, value)| *product *= value);
        }
        Some(factors)
    }

    /// Whether f32 holds `after` as well as `before`, which it was.
    fn holds(&self, before: &[f32], after: &[f32]) -> bool {
        let inputs = self.inputs.as_ref().map_or([1.0; 2], |(_, inputs)| extremes(inputs));
        Scaled { before, after, filters: &self.filters, inputs }.holds()
    }

    /// A kernel times all factors; in place in the one copy, as kernels are large.
    fn scaled(&self, kernel: &[f32]) -> WeightValues {
        let mut values = WeightValues::from(kernel);
        let weights = values.unshared().expect("nobody else has it yet");
        let filters = self.filters.len().max(1);
        for (row, weights) in weights.chunks_exact_mut(filters).enumerate() {
            for (filter, (weight, &scale)) in weights.iter_mut().zip(&self.filters).enumerate() {
                let scale = match &self.inputs {
                    Some((of, inputs)) => scale * inputs[inputs_of(of, self.shape, row * filters + filter)],
                    None => scale,
                };
                *weight = (f64::from(*weight) * scale) as f32;
            }
        }
        values
    }
}

/// The place, among the values that `op` has for the kernel's filters or input channels, of the one for weight `index` of a
/// kernel of `shape`: `[.., inputs of a group, filters]`, or of a factor a filter.
fn inputs_of(op: &Operator, shape: &Shape, index: usize) -> usize {
    let filters = shape.channels();
    match *op {
        Operator::ScaleInputs { groups } | Operator::SumInputs { groups } => {
            let inputs = shape.axes()[shape.rank() - 2];
            let (filter, input) = (index % filters, index / filters % inputs);
            filter / (filters / groups) * inputs + input
        }
        _ => index % filters,
    }
}

const TAG_KNOWN: u64 = 1;
const TAG_SCALED: u64 = 2;

/// Tells expressions over the same weights apart.
fn tag(op: &Operator) -> u64 {
    match *op {
        Operator::BatchNormScale { epsilon, .. } => 3 | u64::from(epsilon.get().to_bits()) << 8,
        Operator::SumInputs { .. } => 5,
        Operator::Vector => 6,
        Operator::Reciprocal => 7,
        Operator::Pointwise => 8,
        Operator::Join => 9,
        Operator::Total => 10,
        Operator::PadKernel { padding } => padding
            .sides()
            .iter()
            .fold(11, |tag: u64, &side| tag.wrapping_mul(0x1_0001).wrapping_add(side as u64)),
        _ => 4,
    }
}

/// FNV-1a over 64-bit words.
fn mixed(tag: u64, words: impl Iterator<Item = u64>) -> u64 {
    let step = |hash: u64, word: u64| {
        word.to_le_bytes()
            .iter()
            .fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    words.fold(step(0xcbf2_9ce4_8422_2325, tag), step)
}
