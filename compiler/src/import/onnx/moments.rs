//! Batch normalisation in training mode, written out: the mean of the images at hand over all axes but the channels', what is
//! left of them without it, and the mean of that squared (`tf.nn.moments`); then it is arithmetic, or a `BatchNormalization`
//! that reads both. Whether the means go over the images is left to who reads their axes.

use std::collections::{BTreeMap, BTreeSet};

use super::functions::Item;
use super::names;
use super::order::Order;
use crate::onnx::Node;

/// The layers that are normalisations by their form, by the tensors that are their means and their variances.
pub(super) fn find<'a>(items: &'a [Item<'_>], order: &Order<'_>) -> BTreeMap<&'a str, String> {
    let reading = Reading::new(items, order);
    let mut found = BTreeMap::new();
    for &index in &order.nodes {
        let mean = items[index].node.as_ref();
        let ("ReduceMean", Some(of), Some(result)) =
            (mean.op_type(), mean.input.first(), mean.output.first())
        else {
            continue;
        };
        let means = reading.same_values(result);
        let is_mean: BTreeSet<&str> = means.iter().copied().collect();
        let takes_it_off = |node: &&Node| {
            node.op_type() == "Sub"
                && node.input.first() == Some(of)
                && node.input.get(1).is_some_and(|off| is_mean.contains(off.as_str()))
        };
        let differences: Vec<&Node> =
            means.iter().flat_map(|mean| reading.readers(mean)).filter(takes_it_off).collect();
        if differences.is_empty() {
            continue;
        }
        let layer = reading.layer(mean, &means);
        for difference in differences.iter().filter_map(|node| node.output.first()) {
            let variances = reading.readers(difference).filter(|node| squares(node, difference));
            let variances = variances.filter_map(|node| node.output.first());
            for variance in variances.flat_map(|square| reading.readers(square)) {
                if variance.op_type() == "ReduceMean" {
                    found.extend(variance.output.first().map(|result| (result.as_str(), layer.clone())));
                }
            }
        }
        found.insert(result.as_str(), layer);
    }
    found
}

/// Whether `node` is `of` by itself, or a power of it.
fn squares(node: &Node, of: &str) -> bool {
    match node.op_type() {
        "Mul" => node.input.iter().all(|input| input == of),
        "Pow" => node.input.first().is_some_and(|input| input == of),
        _ => false,
    }
}

/// Who reads which tensor.
struct Reading<'a>(BTreeMap<&'a str, Vec<&'a Node>>);

impl<'a> Reading<'a> {
    fn new(items: &'a [Item<'_>], order: &Order<'_>) -> Reading<'a> {
        let mut readers: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
        for node in order.nodes.iter().map(|&index| items[index].node.as_ref()) {
            for input in &node.input {
                readers.entry(input).or_default().push(node);
            }
        }
        Reading(readers)
    }

    fn readers(&self, tensor: &str) -> impl Iterator<Item = &'a Node> {
        self.0.get(tensor).into_iter().flatten().copied()
    }

    /// `tensor`, and its values in other shapes.
    fn same_values(&self, tensor: &'a str) -> Vec<&'a str> {
        const SHAPES: [&str; 5] = ["Squeeze", "Unsqueeze", "Reshape", "Identity", "Cast"];
        let mut found = vec![tensor];
        let mut next = 0;
        while let Some(&tensor) = found.get(next) {
            next += 1;
            let moved = self.readers(tensor).filter(|node| {
                SHAPES.contains(&node.op_type()) && node.input.first().is_some_and(|input| input == tensor)
            });
            found.extend(moved.filter_map(|node| node.output.first()).map(String::as_str));
        }
        found
    }

    /// The layer that `mean` belongs to: the normalisation that reads its values, else what its name begins with.
    fn layer(&self, mean: &'a Node, means: &[&str]) -> String {
        let reads = |node: &&Node| node.op_type() == "BatchNormalization";
        let norm = means.iter().flat_map(|mean| self.readers(mean)).find(reads);
        let name = norm.map_or_else(|| names::name(mean), names::name);
        name.split("/moments/").next().unwrap_or(name).to_owned()
    }
}
