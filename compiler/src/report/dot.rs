//! Pictures for Graphviz: a box a node, a frame a block, top to bottom.

use std::collections::BTreeMap;

use frit_ir::Shape;

use super::table::printable;
use super::{Item, Listing, Role, Stage, abbreviated, distinct};
use crate::cost::block;

/// `listing` in the DOT language.
///
/// A node shows its name, its op with what it absorbed, and the shape of its result; one that computes several source
/// layers names them. Colours tell kinds apart; inputs are round, outputs have a second frame.
pub fn listing(listing: &Listing) -> String {
    let places: BTreeMap<&str, usize> =
        listing.items.iter().enumerate().map(|(place, item)| (item.name.as_str(), place)).collect();
    let title = format!("{} ({}, {} nodes)", listing.model, listing.stage, listing.items.len());
    let mut text = format!(
        "digraph {} {{\n  graph [label={}, labelloc=t, fontname=\"Helvetica\", fontsize=20, rankdir=TB, nodesep=0.3, ranksep=0.3];\n\
         \x20 node [shape=box, style=\"filled,rounded\", fontname=\"Helvetica\", fontsize=11, margin=\"0.15,0.07\", color=\"#555555\"];\n\
         \x20 edge [color=\"#555555\", arrowsize=0.7];\n",
        quoted(&listing.model),
        quoted(&title)
    );
    for (frame, (name, members)) in frames(listing).into_iter().enumerate() {
        text += &framed(listing, frame, name, &members);
    }
    for (place, item) in listing.items.iter().enumerate() {
        let sources = item.inputs.iter().filter_map(|input| places.get(input.as_str()));
        for source in sources {
            text += &format!("  n{source} -> n{place};\n");
        }
    }
    text + "}\n"
}

/// The items by block, in the order of the blocks' first items.
fn frames(listing: &Listing) -> Vec<(&str, Vec<usize>)> {
    let mut frames: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, item) in listing.items.iter().enumerate() {
        let name = block(&item.name);
        let frame = *known.entry(name).or_insert_with(|| {
            frames.push((name, Vec::new()));
            frames.len() - 1
        });
        frames[frame].1.push(place);
    }
    frames
}

fn framed(listing: &Listing, frame: usize, name: &str, members: &[usize]) -> String {
    let nodes = |indent: &str| -> String {
        members.iter().map(|&place| format!("{indent}{}", node(listing, place))).collect()
    };
    if members.len() < 2 {
        return nodes("  ");
    }
    let style =
        "style=\"rounded,filled\", fillcolor=\"#f6f6f6\", color=\"#bbbbbb\", fontsize=12, labeljust=l";
    format!(
        "  subgraph cluster_{frame} {{\n    graph [label={}, {style}];\n{}  }}\n",
        quoted(name),
        nodes("    ")
    )
}

fn node(listing: &Listing, place: usize) -> String {
    let item = &listing.items[place];
    let mut attributes =
        format!("label=<{}>, fillcolor=\"{}\"", label(listing.stage, item), colour(item.kind));
    if item.kind == Role::Input {
        attributes += ", shape=ellipse, style=filled";
    }
    if listing.outputs.contains(&item.name) {
        attributes += ", peripheries=2, penwidth=1.6";
    }
    format!("n{place} [{attributes}];\n")
}

fn label(stage: Stage, item: &Item) -> String {
    let mut op = item.op.to_owned();
    if !item.detail.is_empty() {
        op = format!("{op} {}", item.detail);
    }
    for part in &item.epilogue {
        op = format!("{op} + {part}");
    }
    let mut label = format!("<b>{}</b><br/>{}", escaped(&item.name), escaped(&op));
    if let Some(shape) = &item.shape {
        label += &format!("<br/><font color=\"#444444\">{}</font>", escaped(&Shape::to_string(shape)));
    }
    if item.sources.len() > 1 {
        label += &small(&format!("from {}", abbreviated(&item.sources)));
    }
    if stage == Stage::Scheduled {
        label += &kernels(item);
    }
    label
}

fn kernels(item: &Item) -> String {
    let Some(work) = &item.work else {
        return match &item.fused_into {
            Some(node) => small(&format!("in the step of {node}")),
            None => small("no step: its memory is its input's"),
        };
    };
    distinct(work.calls.iter().map(|call| call.kernel.as_str())).into_iter().map(small).collect()
}

fn small(text: &str) -> String {
    format!("<br/><font point-size=\"9\" color=\"#666666\">{}</font>", escaped(text))
}

fn colour(kind: Role) -> &'static str {
    match kind {
        Role::Input => "#d5f0d5",
        Role::Convolution => "#cfe2f8",
        Role::Depthwise => "#c9ecec",
        Role::Dense => "#dcd6f7",
        Role::Normalisation => "#fbe7c6",
        Role::Activation => "#f9d3d0",
        Role::Join => "#fdf6b2",
        Role::Pool => "#e6dccf",
        Role::Gate => "#e3efc4",
        Role::Movement => "#e4e4e4",
        Role::Softmax => "#f3d5ec",
    }
}

/// A DOT string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text).replace('\\', "\\\\").replace('"', "\\\""))
}

/// Text inside an HTML-like label.
fn escaped(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, inputs: &[&str]) -> Item {
        Item {
            name: name.into(),
            op: "relu",
            kind: Role::Activation,
            detail: String::new(),
            epilogue: vec!["bias"],
            shape: None,
            inputs: inputs.iter().map(|&input| input.into()).collect(),
            sources: vec![name.into()],
            work: None,
            fused_into: None,
        }
    }

    fn written(items: Vec<Item>) -> String {
        let outputs = items.last().map(|item| item.name.clone()).into_iter().collect();
        listing(&Listing {
            stage: Stage::Legal,
            model: "m\"x\\".into(),
            items,
            outputs,
            footprint: None,
            choices: Vec::new(),
        })
    }

    #[test]
    fn names_can_not_break_out_of_their_strings() {
        let text = written(vec![item("a<b>\"&\n", &[])]);
        assert!(text.contains("a&lt;b&gt;&quot;&amp;\\n"), "{text}");
        assert!(text.contains("digraph \"m\\\"x\\\\\""), "{text}");
    }

    #[test]
    fn edges_lead_from_operand_to_user_for_every_operand() {
        let text = written(vec![item("a", &[]), item("b", &["a", "a"])]);
        assert_eq!(text.matches("n0 -> n1;").count(), 2);
    }

    #[test]
    fn a_block_of_several_nodes_has_a_frame_and_a_lone_node_has_none() {
        let text = written(vec![item("stem", &[]), item("s1/1/a", &["stem"]), item("s1/1/b", &["s1/1/a"])]);
        assert_eq!(text.matches("subgraph").count(), 1);
        assert!(text.contains("label=\"s1/1\""), "{text}");
    }

    #[test]
    fn outputs_have_a_second_frame() {
        let text = written(vec![item("a", &[]), item("b", &["a"])]);
        assert_eq!(text.matches("peripheries=2").count(), 1);
    }
}
