//! Each shape rule by hand, each fault by its code, and all faults in one walk.

use super::*;
use crate::text;

/// The shape of the one node behind an input of `shape`.
fn shape(input: &str, node: &str) -> String {
    let graph = text::parse(&format!("%x = input {{shape={input}}}\n%y = {node}\n")).unwrap();
    graph.shapes().map(|shapes| shapes[&graph.find("y").unwrap()].to_string()).unwrap_or_else(|faults| {
        let codes: Vec<String> = faults.iter().map(|fault| fault.code.to_string()).collect();
        codes.join(" ")
    })
}

/// All faults of the graph and its weights: code and layer.
fn faults(text: &str) -> Vec<(u16, String)> {
    let graph = text::parse(text).unwrap();
    let (types, mut faults) = known(&graph);
    check_weights(&graph, &types, &mut faults);
    faults.iter().map(|fault| (fault.code.0, fault.layer.clone())).collect()
}

#[test]
fn a_convolution_counts_the_places_of_its_kernel() {
    let conv =
        |input: &str, attributes: &str| shape(input, &format!("conv2d %x {{filters=6, {attributes}}}"));
    assert_eq!(conv("224x224x3", "kernel=3x3, stride=2x2, pad=0:1:0:1"), "112x112x6");
    assert_eq!(conv("224x224x3", "kernel=3x3, stride=2x2, pad=1:1:1:1"), "112x112x6");
    assert_eq!(conv("7x9x3", "kernel=3x2, stride=2x3"), "3x3x6");
    assert_eq!(conv("7x7x3", "kernel=3x3, dilation=3x1"), "1x5x6");
    assert_eq!(conv("5x5x6", "kernel=5x5, groups=6"), "1x1x6");
    assert_eq!(conv("2x2x3", "kernel=3x3"), "FR0103");
    assert_eq!(conv("2x2x3", "kernel=1x1, groups=2"), "FR0101");
    assert_eq!(conv("2x2x4", "kernel=1x1, groups=4"), "FR0101");
    for zero in ["kernel=0x1", "kernel=1x1, stride=0x1", "kernel=1x1, dilation=1x0", "kernel=1x1, groups=0"] {
        assert_eq!(conv("2x2x3", zero), "FR0101");
    }
    assert_eq!(conv("4", "kernel=1x1"), "FR0104");
}

#[test]
fn sizes_that_overflow_are_faults() {
    let most = usize::MAX;
    assert_eq!(shape("2x2x1", &format!("pad %x {{pad={most}:0:0:0}}")), "FR0102");
    assert_eq!(shape("2x2x1", "pad %x {pad=0:0:1099511627776:0}"), "FR0102");
    let conv = |attributes: &str| shape("2x2x1", &format!("conv2d %x {{filters=1, {attributes}}}"));
    assert_eq!(conv(&format!("kernel=1x1, pad={most}:{most}:0:0")), "FR0103");
    assert_eq!(conv(&format!("kernel={most}x1, dilation={most}x1")), "FR0103");
    assert_eq!(conv(&format!("kernel=1x1, stride={most}x1")), "1x2x1");
    assert_eq!(shape("2x2x1", &format!("conv2d %x {{filters={most}, kernel=1x1}}")), "FR0102");
    assert_eq!(shape("1099511627777", "relu %x"), "FR0102");
    assert_eq!(shape("3x0x3", "relu %x"), "FR0102");
}

#[test]
fn the_other_ops_keep_reduce_or_regroup() {
    assert_eq!(shape("4x5x6", "pad %x {pad=1:2:3:4}"), "7x12x6");
    assert_eq!(shape("4x5", "pad %x {pad=1:2:3:4}"), "FR0104");
    assert_eq!(shape("4x5x6", "global_avg_pool %x"), "6");
    assert_eq!(shape("4x5x6", "global_avg_pool %x {keep_dims}"), "1x1x6");
    assert_eq!(shape("6", "global_avg_pool %x"), "FR0104");
    assert_eq!(shape("6", "dense %x {units=3}"), "3");
    assert_eq!(shape("6", "dense %x {units=0}"), "FR0101");
    assert_eq!(shape("1x1x6", "dense %x {units=3}"), "FR0104");
    assert_eq!(shape("2x3x4", "reshape %x {flatten}"), "24");
    assert_eq!(shape("2x3x4", "reshape %x {to=6x4}"), "6x4");
    assert_eq!(shape("2x3x4", "reshape %x {to=5x5}"), "FR0106");
    assert_eq!(shape("scalar", "reshape %x {to=1x1x1}"), "1x1x1");
    for op in ["relu %x", "clip %x {low=0, high=1}", "softmax %x", "batch_norm %x {eps=0.1}", "add %x, %x"] {
        assert_eq!(shape("2x3x4", op), "2x3x4");
    }
}

#[test]
fn every_fault_is_found_in_one_walk_and_what_is_behind_one_is_passed_over() {
    let text = "\
@w : 1x1x3x3 seeded(1)
@b : 3 values(0.0, NaN, inf)
%x = input : 4x4x3
%a = conv2d %x, @w {filters=2, kernel=5x5}
%behind = conv2d %a, @w {filters=2, kernel=5x5}
%b = add %x
%c = conv2d %x, @w {filters=2, kernel=1x1}
%d = conv2d %x, @v {filters=3, kernel=1x1}
%e = conv2d %x {filters=3, kernel=1x1}
%f = conv2d %x, @w, @b {filters=3, kernel=1x1, bias}
%g = relu %h
%h = relu %g
";
    let expected = [
        (103, "a (conv2d)"),
        (105, "b (add)"),
        (8, ""),
        (22, "c (conv2d)"),
        (21, "d (conv2d)"),
        (21, "e (conv2d)"),
        (24, "f (conv2d)"),
    ];
    assert_eq!(faults(text), expected.map(|(code, layer)| (code, layer.to_owned())));
}

#[test]
fn a_cycle_names_layers_and_counts_the_rest() {
    let mut text = String::from("%a0 = relu %a19\n");
    (1..20).for_each(|index| text.push_str(&format!("%a{index} = relu %a{}\n", index - 1)));
    let faults = text::parse(&text).unwrap().shapes().unwrap_err();
    assert!(faults.to_string().contains("a0, a1, a2, a3, a4, a5, a6, a7 and 12 more"), "{faults}");
}

#[test]
fn a_weight_of_another_shape_shows_both() {
    let text = "@k : 3x2 seeded(1)\n%x = input : 2\n%y = dense %x, @k : 3\n";
    let graph = text::parse(text).unwrap();
    let mut faults = Faults::new();
    check_weights(&graph, &graph.types().unwrap(), &mut faults);
    let shown = faults.to_string();
    assert!(shown.contains("given   k  3x2") && shown.contains("needed  k  2x3"), "{shown}");
}

#[test]
fn a_chain_of_20_000_layers_is_walked() {
    let mut text = String::from("%n0 = input : 1\n");
    (1..20_000).for_each(|index| text.push_str(&format!("%n{index} = relu %n{} : 1\n", index - 1)));
    text.push_str("output %n19999\n");
    let graph = text::parse(&text).unwrap();
    assert_eq!(graph.shapes().unwrap().len(), 20_000);
    assert!(text::print(&graph).ends_with(&text));
    let out = crate::interpret::run(&graph, &[crate::Tensor::from_elem(vec![1], 2.0f32)]).unwrap();
    assert_eq!(out[0][0], 2.0);
}

#[test]
fn an_index_stays_one_where_elements_only_move() {
    let element = |layers: &str| {
        let graph = text::parse(&format!("%x = input {{shape=2x3x4}}\n%i = arg_max %x\n{layers}")).unwrap();
        graph.types().unwrap()[&graph.find("y").unwrap()].to_string()
    };
    assert_eq!(element("%y = identity %x"), "f32 2x3x4");
    assert_eq!(element("%y = identity %i"), "i64 2x3");
    assert_eq!(element("%t = transpose %i {axes=1:0}\n%y = reshape %t {flatten}"), "i64 6");
    assert_eq!(element("%y = concat %i, %i {axis=0}"), "i64 4x3");
    assert_eq!(element("%y = slice %i {start=0:0, count=1:3}"), "i64 1x3");
    assert_eq!(element("%r = reduce_sum %x {axes=2}\n%y = concat %i, %r {axis=0}"), "f32 4x3");
    assert_eq!(element("%y = add %i, %i"), "f32 2x3", "arithmetic takes an index as the number that it is");
    assert_eq!(element("%y = relu %i"), "f32 2x3");
}
