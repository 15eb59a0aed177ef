//! Weight expressions to weights: evaluated once, after extraction, in f64, and rounded to f32 once.

use std::collections::BTreeMap;
use std::sync::Arc;

use egg::Id;
use frit_ir::weights::Data;
use frit_ir::{Graph, Shape, Weight, Weights};

use super::Fault;
use super::encode::Encoding;
use super::language::{ENode, Operator};

/// The weights of the optimised graph, as they are asked for.
pub(crate) struct Folder<'a> {
    source: &'a Graph,
    encoding: &'a Encoding,
    /// Values of the expressions of one number a channel, by class.
    vectors: BTreeMap<Id, Values>,
    /// The names of the expressions that were evaluated: what several layers read is one weight.
    folded: BTreeMap<Id, String>,
    weights: Weights,
}

/// What a class of constants holds.
#[derive(Debug, Clone)]
enum Values {
    Known(Arc<[f64]>),
    /// Somewhere below is a weight of which only the digest is known; this one stands for the result.
    Digest(u64),
}

impl<'a> Folder<'a> {
    pub(crate) fn new(source: &'a Graph, encoding: &'a Encoding) -> Folder<'a> {
        let (vectors, folded) = (BTreeMap::new(), BTreeMap::new());
        Folder { source, encoding, vectors, folded, weights: Weights::default() }
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
        if let Some(name) = self.folded.get(&class) {
            return Ok(name.clone());
        }
        let shape = self.encoding.egraph[class].data.shape.clone().unwrap_or_default();
        let data = self.evaluate(class)?;
        let mut name = format!("{node}.{role}");
        while self.weights.get(&name).is_some() || self.source.weights.get(&name).is_some() {
            name.insert(node.len(), '\'');
        }
        self.weights.insert(name.clone(), Weight { shape, data });
        self.folded.insert(class, name.clone());
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

    fn evaluate(&mut self, class: Id) -> Result<Data, Fault> {
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
                Values::Known(values) => Data::Values(values.iter().map(|&value| value as f32).collect()),
                Values::Digest(digest) => Data::Digest(digest),
            });
        };
        match (self.digest_only(index), Factors::new(&scales, &self.stored(index).1.shape)) {
            (None, Some(factors)) => Ok(Data::Values(factors.scaled(&self.values(index)?))),
            (kernel, _) => {
                let parts = scales.iter().map(|scale| scale.values.digest());
                let kernel = kernel.unwrap_or_else(|| self.stored(index).1.digest());
                Ok(Data::Digest(mixed(TAG_SCALED, parts.chain([kernel]))))
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
                None => Values::Known(self.values(index)?.iter().map(|&value| f64::from(value)).collect()),
            });
        }
        let children: Vec<&Values> = node.children.iter().map(|child| &self.vectors[child]).collect();
        if let Operator::Uniform { value, channels } = node.op {
            return Ok(Values::Known(vec![f64::from(value.get()); channels].into()));
        }
        let known: Option<Vec<&[f64]>> = children.iter().map(|values| values.known()).collect();
        let Some(known) = known else {
            let digests = children.iter().map(|values| values.digest());
            return Ok(Values::Digest(mixed(tag(&node.op), digests)));
        };
        if let (
            Operator::ScaleFilters | Operator::ScaleInputs { .. } | Operator::SumInputs { .. },
            &[kernel, values],
        ) = (&node.op, &known[..])
        {
            return Ok(Values::Known(self.over_kernel(node, kernel, values)));
        }
        if node.op == Operator::Join {
            return Ok(Values::Known(self.joined(node, &known)));
        }
        Ok(Values::Known((0..known[0].len()).map(|channel| formula(&node.op, &known, channel)).collect()))
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

    /// The value of an e-node whose first child is a kernel.
    fn over_kernel(&self, node: &ENode, kernel: &[f64], values: &[f64]) -> Arc<[f64]> {
        let shape = self.encoding.egraph[node.children[0]].data.shape.clone().unwrap_or_default();
        let filters = shape.channels();
        let place = |index: usize| (index, inputs_of(&node.op, &shape, index));
        let scaled = |(index, input): (usize, usize)| kernel[index] * values[input];
        if !matches!(node.op, Operator::SumInputs { .. }) {
            return (0..kernel.len()).map(place).map(scaled).collect();
        }
        let mut sums = vec![0.0; filters];
        for (index, input) in (0..kernel.len()).map(place) {
            sums[index % filters] += scaled((index, input));
        }
        sums.into()
    }

    /// The digest of a weight without values.
    fn digest_only(&self, index: u32) -> Option<u64> {
        match self.stored(index).1.data {
            Data::Digest(digest) => Some(digest),
            _ => None,
        }
    }

    fn values(&self, index: u32) -> Result<Arc<[f32]>, Fault> {
        self.source.weights.values(self.stored(index).0).map_err(|fault| Fault::Weights(Box::new(fault)))
    }
}

impl Values {
    fn known(&self) -> Option<&[f64]> {
        match self {
            Values::Known(values) => Some(values),
            Values::Digest(_) => None,
        }
    }

    fn digest(&self) -> u64 {
        match self {
            Values::Known(values) => mixed(TAG_KNOWN, values.iter().map(|value| value.to_bits())),
            Values::Digest(digest) => *digest,
        }
    }
}

/// One channel of an expression; see [`Operator`] for the order of the children.
fn formula(op: &Operator, children: &[&[f64]], channel: usize) -> f64 {
    let at = |child: usize| children[child][channel];
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
                (_, none) => &mut none.insert((of, vec![1.0; values.len()])).1,
            };
            product.iter_mut().zip(values).for_each(|(product, value)| *product *= value);
        }
        Some(factors)
    }

    /// A kernel times all factors; in place in the one copy, as kernels are large.
    fn scaled(&self, kernel: &[f32]) -> Arc<[f32]> {
        let mut values: Arc<[f32]> = kernel.into();
        let weights = Arc::get_mut(&mut values).expect("nobody else has it yet");
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
