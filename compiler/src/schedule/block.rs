//! Blocks: expansion, depthwise convolution and projection, or what there is of them, which may be computed together.

use std::collections::BTreeSet;

use frit_ir::{Graph, NodeId};

use super::network::Network;
use crate::kernels::window;

/// The layers of a block, by node: at least two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// The convolution before the depthwise one, where only that one reads it.
    pub(super) expand: Option<NodeId>,
    /// The depthwise convolution.
    pub(super) depthwise: NodeId,
    /// The pointwise convolution behind it, where it alone reads it. Squeeze and excite stands in between: its average is
    /// known when the depthwise convolution is done.
    pub(super) project: Option<NodeId>,
}

impl Block {
    /// The block's layers in order.
    pub(super) fn layers(&self) -> Vec<NodeId> {
        self.expand.into_iter().chain([self.depthwise]).chain(self.project).collect()
    }

    /// The layer whose result is read by others.
    pub(super) fn last(&self) -> NodeId {
        self.project.unwrap_or(self.depthwise)
    }
}

/// The blocks of `graph`, in its order. What lies inside a block is read by nothing else, and no layer is in two.
///
/// The pointwise convolution of one block may stand before the depthwise one of the next, as in MobileNet: the earlier
/// block has it.
pub(super) fn find(net: &Network<'_>) -> Vec<Block> {
    let mut taken = BTreeSet::new();
    let mut blocks = Vec::new();
    for depthwise in net.graph.topological() {
        let Some(conv) = net.convolution(depthwise) else { continue };
        // In a block it adds nothing to its sum, and meets the borders without a copy of its map.
        let is_plain = !conv.epilogue.residual && !window::is_large(conv.kernel);
        if !net.has_depthwise_kernel(depthwise) || !is_plain {
            continue;
        }
        let expand = expansion(net, depthwise).filter(|expand| !taken.contains(expand));
        let block = Block { expand, depthwise, project: projection(net, depthwise) };
        if block.layers().len() > 1 {
            taken.extend(block.layers());
            blocks.push(block);
        }
    }
    blocks
}

fn expansion(net: &Network<'_>, depthwise: NodeId) -> Option<NodeId> {
    let input = net.operand(depthwise, 0);
    let conv = net.convolution(input)?;
    let fits = conv.groups == 1 && conv.prologue.is_none() && !conv.gate && !conv.epilogue.residual;
    let fits = fits && !window::is_large(conv.kernel);
    (fits && only_reader(net.graph, input) == Some(depthwise)).then_some(input)
}

fn projection(net: &Network<'_>, depthwise: NodeId) -> Option<NodeId> {
    let project = only_reader(net.graph, depthwise)?;
    let conv = net.convolution(project)?;
    let is_plain = conv.stride == [1, 1] && conv.groups == 1 && conv.padding == Default::default();
    let is_plain = is_plain && conv.prologue.is_none() && !conv.gate;
    (conv.kernel == [1, 1] && is_plain).then_some(project)
}

/// The layer that reads `id` as its first operand, where nothing else is made of it.
fn only_reader(graph: &Graph, id: NodeId) -> Option<NodeId> {
    let [reader] = graph.users(id)[..] else { return None };
    let operands = graph.operands(reader);
    let once = operands.iter().filter(|&&operand| operand == id).count() == 1;
    (once && operands[0] == id && !graph.outputs().contains(&id)).then_some(reader)
}

#[cfg(test)]
mod tests {
    use frit_ir::text::parse;

    use super::*;
    use crate::machine::{Level, Machine};

    /// The blocks of a graph by the names of their layers.
    fn blocks(text: &str) -> Vec<Vec<String>> {
        let graph = parse(text).unwrap();
        let machine = Machine::of(Level::V3);
        let net = Network::new(&graph, &machine).unwrap();
        let names = |block: Block| block.layers().iter().map(|&id| net.name(id).to_owned()).collect();
        find(&net).into_iter().map(names).collect()
    }

    const POINTWISE: &str = "1x1x8x8 {filters=8, kernel=1x1}";
    const DEPTHWISE: &str = "3x3x1x8 {filters=8, kernel=3x3, pad=1:1:1:1, groups=8}";

    /// Convolutions one behind the other.
    fn graph(layers: &[(&str, &str)]) -> String {
        let (mut weights, mut nodes, mut before) = (String::new(), String::new(), "x");
        for (name, layer) in layers {
            let (shape, attributes) = layer.split_once(' ').unwrap();
            weights += &format!("@{name}.kernel : {shape} seeded(7)\n");
            nodes += &format!("%{name} = conv2d %{before}, @{name}.kernel {attributes}\n");
            before = name;
        }
        format!("model m\n{weights}%x = input {{shape=8x8x8}}\n{nodes}output %{before}\n")
    }

    #[test]
    fn a_layer_between_two_blocks_belongs_to_the_earlier_one() {
        let text = graph(&[
            ("a", POINTWISE),
            ("b", DEPTHWISE),
            ("c", POINTWISE),
            ("d", DEPTHWISE),
            ("e", POINTWISE),
        ]);
        assert_eq!(blocks(&text), [vec!["a", "b", "c"], vec!["d", "e"]]);
    }

    #[test]
    fn what_is_read_twice_is_not_inside_a_block() {
        let text = graph(&[("a", POINTWISE), ("b", DEPTHWISE), ("c", POINTWISE)]);
        assert_eq!(blocks(&text), [["a", "b", "c"]]);
        let twice = text.replace("%c = conv2d %b, @c.kernel {", "%c = conv2d %b, %b, @c.kernel {add, ");
        assert_eq!(blocks(&twice), [["a", "b"]]);
        let output = text.replace("output %c", "output %c, %a");
        assert_eq!(blocks(&output), [["b", "c"]]);
    }

    #[test]
    fn a_depthwise_convolution_alone_is_no_block() {
        assert!(blocks(&graph(&[("a", DEPTHWISE), ("b", DEPTHWISE)])).is_empty());
    }
}
