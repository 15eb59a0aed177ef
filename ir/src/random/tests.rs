use std::collections::BTreeSet;

use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::Faults;
use crate::ops::Epilogue;

/// The ops that come up.
const OPS: [&str; 47] = [
    "abs",
    "add",
    "arg_max",
    "avg_pool",
    "batch_norm",
    "clip",
    "concat",
    "constant",
    "conv2d",
    "conv2d_transpose",
    "dense",
    "elu",
    "erf",
    "gelu",
    "gelu_tanh",
    "global_avg_pool",
    "hard_sigmoid",
    "hard_swish",
    "identity",
    "input",
    "leaky_relu",
    "log_softmax",
    "max",
    "max_pool",
    "min",
    "mish",
    "mul",
    "pad",
    "prelu",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_sum",
    "relu",
    "relu6",
    "rescale",
    "reshape",
    "resize",
    "sigmoid",
    "slice",
    "softmax",
    "softplus",
    "squeeze_excite",
    "sub",
    "swish",
    "tanh",
    "transpose",
];

/// What they carry.
const PARTS: [&str; 20] = [
    "abs",
    "add",
    "bias",
    "clip",
    "elu",
    "erf",
    "gelu",
    "gelu_tanh",
    "hard_sigmoid",
    "hard_swish",
    "leaky_relu",
    "mish",
    "mul",
    "relu",
    "relu6",
    "rescale",
    "sigmoid",
    "softplus",
    "swish",
    "tanh",
];

#[test]
fn every_graph_is_legal_and_every_op_comes_up() {
    let mut runner = TestRunner::deterministic();
    let (mut ops, mut parts) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..1_000 {
        let graph = fused_graphs().new_tree(&mut runner).unwrap().current();
        let types = graph.types().unwrap();
        let mut faults = Faults::new();
        crate::infer::check_weights(&graph, &types, &mut faults);
        assert!(faults.is_empty(), "{faults}");
        assert!(!graph.outputs().is_empty());
        for id in graph.ids() {
            let op = &graph.node(id).op;
            ops.insert(op.name());
            assert_eq!(op.clone().epilogue_mut().map(|epilogue| *epilogue), op.epilogue().copied(), "{op:?}");
            parts.extend(op.epilogue().into_iter().flat_map(Epilogue::parts));
            parts.extend(op.gate().map(|_| "mul"));
        }
    }
    assert_eq!(ops.into_iter().collect::<Vec<_>>(), OPS);
    assert_eq!(parts.into_iter().collect::<Vec<_>>(), PARTS);
}

proptest! {
    #[test]
    fn a_source_graph_carries_biases_only(graph in graphs()) {
        for id in graph.ids() {
            prop_assert!(graph.node(id).op.epilogue().is_none_or(Epilogue::is_linear));
        }
    }
}
