use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Binary, Conv2d, Epilogue};
use frit_ir::{Diagnostic, Faults, Graph, NodeId, Op, Shape};

use super::check;
use crate::testing::{Net, around, conv};

/// A block: expand, depthwise with the stride, project, each with its stride.
fn block(
    net: &mut Net,
    name: &str,
    (channels, filters, strides): (usize, usize, [usize; 3]),
    x: NodeId,
) -> NodeId {
    let [expand, depthwise, project] = strides.map(|stride| [stride; 2]);
    let y = net.conv(&format!("{name}/expand"), Conv2d { stride: expand, ..conv(channels * 4, 1) }, x);
    let y = net.activation(&format!("{name}/relu6"), Activation::Relu6, y);
    let layer =
        Conv2d { stride: depthwise, groups: channels * 4, padding: around(1), ..conv(channels * 4, 3) };
    let y = net.conv(&format!("{name}/depthwise"), layer, y);
    net.conv(&format!("{name}/project"), Conv2d { stride: project, ..conv(filters, 1) }, y)
}

/// All faults of a graph.
fn faults(mut graph: Graph, output: NodeId) -> Vec<Diagnostic> {
    graph.add_output(output);
    let faults: Faults = check(graph).map(|_| ()).expect_err("the network is broken");
    faults.iter().cloned().collect()
}

/// The block of a residual from 16 channels with these strides, added to its input.
fn residual(filters: usize, strides: [usize; 3], swapped: bool) -> Vec<Diagnostic> {
    let mut net = Net::new(1);
    let x = net.input("image", &[128, 128, 3]);
    let x = net.conv("bneck1/add", conv(16, 1), x);
    let y = block(&mut net, "bneck2", (16, filters, strides), x);
    let sum = if swapped { net.sum("add_1", x, y) } else { net.sum("add_1", y, x) };
    faults(net.graph, sum)
}

#[test]
fn a_residual_over_a_stride_and_other_channels_names_both_layers_shapes_and_causes() {
    for swapped in [false, true] {
        let [fault] = &residual(24, [1, 2, 1], swapped)[..] else { panic!("one fault") };
        assert_eq!((fault.code, fault.layer.as_str()), (codes::RESIDUAL_SHAPES, "add_1 (add)"));
        let operands: Vec<[&str; 3]> =
            fault.operands.iter().map(|o| [&*o.role, &*o.layer, &*o.shape]).collect();
        assert_eq!(
            operands,
            [
                ["main path", "bneck2/project", "128x128x16 → stride 2 → 64x64x24"],
                ["shortcut", "bneck1/add", "128x128x16"]
            ]
        );
        assert_eq!(
            fault.notes,
            [
                "a residual is the identity only where stride is 1 and channels match (here stride 2, 16 → 24)",
                "stride 2 stands on bneck2/depthwise"
            ]
        );
        let flags: Vec<&str> = fault.help.iter().filter_map(|help| help.flag.as_deref()).collect();
        assert_eq!(flags, ["--residual drop", "--residual project"]);
        assert_eq!(fault.help[1].remark.as_deref(), Some("what ResNet does: conv 1x1, 16→24, stride 2"));
    }
}

#[test]
fn the_product_of_strides_names_every_layer_that_contributes() {
    let [fault] = &residual(24, [2, 2, 2], false)[..] else { panic!("one fault") };
    assert_eq!(fault.operands[0].shape, "128x128x16 → stride 8 → 16x16x24");
    assert_eq!(
        fault.notes[1],
        "stride 8 is the product of bneck2/expand (2), bneck2/depthwise (2), bneck2/project (2)"
    );
}

#[test]
fn channels_alone_are_a_fault_and_no_stride_is_blamed() {
    let [fault] = &residual(24, [1, 1, 1], false)[..] else { panic!("one fault") };
    assert_eq!(fault.notes.len(), 1);
    assert!(fault.notes[0].ends_with("(here stride 1, 16 → 24)"));
    assert_eq!(fault.operands[0].shape, "128x128x16 → 128x128x24");
}

#[test]
fn a_legal_residual_is_accepted() {
    let mut net = Net::new(1);
    let x = net.input("image", &[32, 32, 16]);
    let y = block(&mut net, "bneck", (16, 16, [1, 1, 1]), x);
    let sum = net.sum("add", y, x);
    net.finish(&[sum]);
}

#[test]
fn a_shortcut_with_too_small_a_stride_of_its_own_is_asked_for_the_rest() {
    let mut net = Net::new(1);
    let x = net.input("image", &[64, 64, 16]);
    let y = block(&mut net, "b", (16, 24, [2, 2, 1]), x);
    let shortcut = net.conv("shortcut", Conv2d { stride: [2, 2], ..conv(24, 1) }, x);
    let sum = net.sum("add", y, shortcut);
    let [fault] = &faults(net.graph, sum)[..] else { panic!("one fault") };
    assert_eq!(fault.code, codes::RESIDUAL_SHAPES);
    assert!(fault.notes[0].ends_with("(here stride 2, 24 → 24)"), "{:?}", fault.notes);
}

#[test]
fn a_path_that_shrinks_without_a_stride_is_a_plain_mismatch() {
    let mut net = Net::new(1);
    let x = net.input("image", &[32, 32, 16]);
    let y = net.conv("conv", conv(16, 3), x);
    let sum = net.sum("add", y, x);
    let [fault] = &faults(net.graph, sum)[..] else { panic!("one fault") };
    assert_eq!(fault.code, codes::JOIN_SHAPES);
    assert_eq!(fault.operands[0].shape, "30x30x16");
    assert_eq!(fault.operands[1].shape, "32x32x16");
}

#[test]
fn branches_of_equal_rank_and_inputs_without_a_common_layer_are_plain_mismatches() {
    let mut net = Net::new(1);
    let x = net.input("image", &[32, 32, 16]);
    let (a, b) = (net.conv("a", conv(8, 1), x), net.conv("b", conv(4, 1), x));
    let first = net.sum("first", a, b);
    let other = net.input("other", &[32, 32, 3]);
    let second = net.sum("second", first, other);
    let found = faults(net.graph, second);
    assert_eq!(found.iter().map(|fault| fault.code).collect::<Vec<_>>(), [codes::JOIN_SHAPES; 2]);
}

#[test]
fn a_fused_residual_is_checked_like_an_add() {
    let mut net = Net::new(1);
    let x = net.input("image", &[32, 32, 16]);
    let epilogue = Epilogue { residual: true, ..Epilogue::default() };
    let op = Op::Conv2d(Conv2d { stride: [2, 2], epilogue, ..conv(16, 1) });
    let y = net.add("fused", op, &[x, x]);
    let [fault] = &faults(net.graph, y)[..] else { panic!("one fault") };
    assert_eq!((fault.code, fault.layer.as_str()), (codes::RESIDUAL_SHAPES, "fused (conv2d)"));
    assert_eq!(fault.operands[0].layer, "fused");
    assert_eq!(fault.operands[1].layer, "image");
}

#[test]
fn a_fused_residual_is_no_part_of_its_own_main_path() {
    let mut net = Net::new(1);
    let (x, other) = (net.input("image", &[32, 32, 16]), net.input("other", &[32, 32, 16]));
    let epilogue = Epilogue { residual: true, ..Epilogue::default() };
    let y = net.add("fused", Op::Conv2d(Conv2d { stride: [2, 2], epilogue, ..conv(16, 1) }), &[other, x]);
    let [fault] = &faults(net.graph, y)[..] else { panic!("one fault") };
    assert_eq!(fault.code, codes::JOIN_SHAPES, "the sides share no layer");
}

#[test]
fn all_faults_come_in_one_run() {
    let mut net = Net::new(1);
    let x = net.input("image", &[32, 32, 16]);
    let y = block(&mut net, "b", (16, 24, [1, 2, 1]), x);
    net.sum("first", y, x);
    net.conv("second", conv(8, 3), x);
    let weight = net.graph.weights.get("second.kernel").expect("just added").clone();
    let wrong = frit_ir::Weight { shape: Shape::new(&[1]), ..weight };
    net.graph.weights.insert("second.kernel", wrong);
    let third = net.graph.add(
        frit_ir::Node {
            name: "third".to_owned(),
            op: Op::Conv2d(Conv2d { stride: [0, 1], ..conv(8, 3) }),
            weights: vec!["second.kernel".to_owned()],
            sources: frit_ir::Provenance::source("third"),
        },
        &[x],
    );
    let found = faults(net.graph, third);
    let mut found: Vec<_> = found.iter().map(|fault| fault.code).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, [codes::WEIGHT_SHAPE, codes::BAD_ATTRIBUTE, codes::RESIDUAL_SHAPES]);
}

#[test]
fn thousands_of_faulty_adds_are_diagnosed_one_by_one() {
    let mut graph = Graph::new("wide");
    let mut net = Net::new(1);
    let x = net.input("image", &[4, 4, 2]);
    let y = net.conv("conv", conv(3, 1), x);
    std::mem::swap(&mut graph, &mut net.graph);
    for index in 0..5_000 {
        let name = format!("add{index}");
        let sources = frit_ir::Provenance::source(&*name);
        graph.add(frit_ir::Node { name, op: Op::Binary(Binary::Add), weights: Vec::new(), sources }, &[y, x]);
    }
    assert_eq!(faults(graph, y).len(), 5_000);
}
