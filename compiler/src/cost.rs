//! What a network costs by its description: parameters, multiply-accumulates and bytes, by layer and by block.

mod cuts;

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::{Faults, Graph, NodeId, Shape};

pub use cuts::{CutCost, Cuts, cuts};

/// Bytes of one f32.
const BYTES: u64 = 4;

/// The weights that training changes; a batch normalisation's mean and variance are followed, not trained, and a constant is
/// neither.
const TRAINABLE: [&str; 5] = ["kernel", "bias", "gamma", "beta", "slope"];

/// Costs that add up. A weight that two layers share counts for the first alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Elements of weights that training changes.
    pub parameters: u64,
    /// Elements of weights that it does not: means, variances and constants.
    pub statistics: u64,
    /// Multiply-accumulates of convolutions and dense layers, for one image.
    pub macs: u64,
    /// Bytes of all weights, in f32.
    pub weight_bytes: u64,
    /// Bytes of the results, in f32, for one image.
    pub activation_bytes: u64,
}

impl Sizes {
    fn add(&mut self, other: &Sizes) {
        self.parameters = self.parameters.saturating_add(other.parameters);
        self.statistics = self.statistics.saturating_add(other.statistics);
        self.macs = self.macs.saturating_add(other.macs);
        self.weight_bytes = self.weight_bytes.saturating_add(other.weight_bytes);
        self.activation_bytes = self.activation_bytes.saturating_add(other.activation_bytes);
    }
}

/// The costs of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerCost {
    /// Its name.
    pub name: String,
    /// Its op.
    pub op: &'static str,
    /// The shape of its result.
    pub shape: Shape,
    /// The block that it belongs to, see [`block`].
    pub block: String,
    /// What it costs.
    pub sizes: Sizes,
}

/// The costs of the layers of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockCost {
    /// The part of their names that its layers share.
    pub name: String,
    /// How many they are.
    pub layers: usize,
    /// The shape of the last one's result.
    pub shape: Shape,
    /// What they cost together.
    pub sizes: Sizes,
}

/// The costs of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// The model's name.
    pub model: String,
    /// All layers together.
    pub totals: Sizes,
    /// By block, in the order of their first layers.
    pub blocks: Vec<BlockCost>,
    /// By layer, in graph order.
    pub layers: Vec<LayerCost>,
}

/// The block of a layer, by its name: what stands before the first `/`, with the number behind it if there is one.
///
/// `stem/batch_norm` is in `stem`, `s2/1/expand` in `s2/1`.
pub fn block(layer: &str) -> &str {
    let Some(first) = layer.find('/') else { return layer };
    let rest = &layer[first + 1..];
    let number = rest.bytes().take_while(u8::is_ascii_digit).count();
    let whole = number > 0 && rest.as_bytes().get(number).is_none_or(|&byte| byte == b'/');
    if whole { &layer[..first + 1 + number] } else { &layer[..first] }
}

/// Adds up the costs of `graph` as it stands. Weights are counted as the ops need them; their values are not asked for.
///
/// # Errors
/// All faults of shape inference.
pub fn cost(graph: &Graph) -> Result<Cost, Faults> {
    let shapes = graph.shapes()?;
    let mut counted = BTreeSet::new();
    let layers: Vec<LayerCost> =
        graph.topological().into_iter().map(|id| layer(graph, &shapes, id, &mut counted)).collect();
    let mut totals = Sizes::default();
    layers.iter().for_each(|layer| totals.add(&layer.sizes));
    Ok(Cost { model: graph.name.clone(), totals, blocks: blocks(&layers), layers })
}

fn layer<'a>(
    graph: &'a Graph,
    shapes: &BTreeMap<NodeId, Shape>,
    id: NodeId,
    counted: &mut BTreeSet<&'a str>,
) -> LayerCost {
    let node = graph.node(id);
    let shape = shapes[&id].clone();
    let operands: Vec<Shape> = graph.operands(id).iter().map(|operand| shapes[operand].clone()).collect();
    let mut sizes = Sizes {
        macs: node.op.macs(&operands, &shape),
        activation_bytes: BYTES.saturating_mul(elements(&shape)),
        ..Sizes::default()
    };
    for (role, name) in node.op.weight_roles(&operands).iter().zip(&node.weights) {
        if !counted.insert(name) {
            continue;
        }
        let count = elements(&role.shape);
        let kind = if is_trained(role.role) { &mut sizes.parameters } else { &mut sizes.statistics };
        *kind = kind.saturating_add(count);
        sizes.weight_bytes = sizes.weight_bytes.saturating_add(BYTES.saturating_mul(count));
    }
    LayerCost {
        name: node.name.clone(),
        op: node.op.name(),
        shape,
        block: block(&node.name).to_owned(),
        sizes,
    }
}

/// Whether training changes what plays the part `role`; where an op has several of a kind, its last part says which.
fn is_trained(role: &str) -> bool {
    TRAINABLE.contains(&role.rsplit('.').next().unwrap_or(role))
}

fn elements(shape: &Shape) -> u64 {
    shape.elements().map_or(0, |elements| elements as u64)
}

fn blocks(layers: &[LayerCost]) -> Vec<BlockCost> {
    let mut blocks: Vec<BlockCost> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for layer in layers {
        let place = *places.entry(&layer.block).or_insert_with(|| {
            blocks.push(BlockCost {
                name: layer.block.clone(),
                layers: 0,
                shape: layer.shape.clone(),
                sizes: Sizes::default(),
            });
            blocks.len() - 1
        });
        let block = &mut blocks[place];
        block.layers += 1;
        block.shape = layer.shape.clone();
        block.sizes.add(&layer.sizes);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use frit_ir::ops::{Activation, BatchNorm, Conv2d, Input, Scalar};
    use frit_ir::{Node, Op, Provenance};

    use super::*;

    fn node(name: &str, op: Op, weights: &[&str]) -> Node {
        Node {
            name: name.into(),
            op,
            weights: weights.iter().map(|&weight| weight.into()).collect(),
            sources: Provenance::source(name),
        }
    }

    fn conv(filters: usize) -> Op {
        Op::Conv2d(Conv2d::pointwise(filters))
    }

    fn stem() -> Graph {
        let mut graph = Graph::new("stem");
        let input = graph.add(node("image", Op::Input(Input { shape: Shape::new(&[4, 4, 3]) }), &[]), &[]);
        let first = graph.add(node("s1/1/conv", conv(3), &["shared.kernel"]), &[input]);
        let second = graph.add(node("s1/2/conv", conv(3), &["shared.kernel"]), &[first]);
        let norm = Op::BatchNorm(BatchNorm { epsilon: Scalar::new(1e-3), scale: true, center: false });
        let weights = ["n.gamma", "n.mean", "n.variance"];
        let norm = graph.add(node("s1/2/conv/batch_norm", norm, &weights), &[second]);
        let relu = graph.add(node("head/relu", Op::Activation(Activation::Relu), &[]), &[norm]);
        graph.add_output(relu);
        graph
    }

    #[test]
    fn a_block_is_the_first_part_of_a_name_and_the_number_behind_it() {
        assert_eq!(block("stem"), "stem");
        assert_eq!(block("stem/batch_norm"), "stem");
        assert_eq!(block("s2/1/expand/relu6"), "s2/1");
        assert_eq!(block("s2/12"), "s2/12");
        assert_eq!(block("s2/1a/expand"), "s2");
        assert_eq!(block("a/"), "a");
    }

    #[test]
    fn only_trained_weights_are_parameters_and_a_shared_one_counts_once() {
        let cost = cost(&stem()).unwrap();
        assert_eq!(cost.totals.parameters, 9 + 3);
        assert_eq!(cost.totals.statistics, 6);
        assert_eq!(cost.totals.weight_bytes, 4 * (9 + 3 + 6));
        assert_eq!(cost.totals.macs, 2 * 16 * 9);
        assert_eq!(cost.totals.activation_bytes, 5 * 4 * 48);
    }

    #[test]
    fn slopes_are_trained_and_so_are_both_layers_of_squeeze_and_excite() {
        for role in ["slope", "kernel", "reduce.kernel", "expand.bias", "gamma"] {
            assert!(is_trained(role), "{role}");
        }
        assert!(!is_trained("mean") && !is_trained("variance"));
    }

    #[test]
    fn blocks_hold_every_layer_once_in_graph_order() {
        let cost = cost(&stem()).unwrap();
        let names: Vec<_> = cost.blocks.iter().map(|block| (block.name.as_str(), block.layers)).collect();
        assert_eq!(names, [("image", 1), ("s1/1", 1), ("s1/2", 2), ("head", 1)]);
        let mut sum = Sizes::default();
        cost.blocks.iter().for_each(|block| sum.add(&block.sizes));
        assert_eq!(sum, cost.totals);
    }
}
