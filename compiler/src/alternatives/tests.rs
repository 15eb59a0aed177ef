use frit_passes::legality;

use super::*;
use crate::import::Source;
use crate::import::json;

/// A block of each kind.
const NET: &str = r#"{"frit": 1, "name": "net", "input": {"name": "image", "shape": [16, 16, 8]}, "weights": {"seed": 7},
 "defaults": {"padding": "same", "activation": "relu6", "batch_norm": {"epsilon": 1e-3},
  "squeeze_excite": {"of": "expanded", "divisor": 8, "activation": "relu", "gate": "hard_sigmoid"}},
 "layers": [
   {"name": "stem", "op": "conv2d", "filters": 16, "kernel": 3, "stride": 2, "bias": false}, "batch_norm", "relu6",
   {"name": "a", "stage": "separable", "filters": 16, "kernel": 5},
   {"name": "b", "stage": "inverted_residual", "expand": 6, "filters": 16, "kernel": 3, "repeat": 2, "se_ratio": 0.25},
   {"name": "c", "stage": "inverted_residual", "expand": 4, "filters": 24, "kernel": 5, "stride": 2},
   {"name": "d", "stage": "bottleneck", "width": 16, "groups": 4, "filters": 32, "repeat": 2},
   "global_avg_pool", {"name": "logits", "op": "dense", "units": 10}]}"#;

fn studied() -> (Legal<Graph>, Vec<Study>) {
    let (graph, _) = json::read(NET, &Source::default()).unwrap();
    let (legal, _) = legality::check(graph).unwrap();
    let studies = study(&legal, &Options::native()).unwrap();
    (legal, studies)
}

#[test]
fn every_block_is_found_once_and_equal_ones_together() {
    let (_, studies) = studied();
    let found: Vec<(String, String)> =
        studies.iter().map(|study| (study.blocks.join(" "), study.design.to_string())).collect();
    let expected = [
        ("stem", "convolution 3x3 stride 2, 16x16x8 to 8x8x16"),
        ("a/1", "separable 5x5, 8x8x16 to 8x8x16"),
        (
            "b/1 b/2",
            "inverted bottleneck 3x3, 8x8x16 to 8x8x16, expanded to 96, squeeze-and-excite 24, residual",
        ),
        ("c/1", "inverted bottleneck 5x5 stride 2, 8x8x16 to 4x4x24, expanded to 64"),
        ("d/1", "bottleneck 3x3, 4x4x24 to 4x4x32, width 16, 4 groups, projected residual"),
        ("d/2", "bottleneck 3x3, 4x4x32 to 4x4x32, width 16, 4 groups, residual"),
    ];
    assert_eq!(found, expected.map(|(blocks, design)| (blocks.to_owned(), design.to_owned())));
}

#[test]
fn every_alternative_is_a_legal_network_with_the_shapes_of_its_block_and_the_costs_of_one() {
    let (_, studies) = studied();
    for study in &studies {
        assert!(study.alternatives.len() > 6, "{}", study.design);
        for other in &study.alternatives {
            let (legal, warnings) = legality::check(other.graph.clone()).unwrap();
            assert!(warnings.is_empty(), "{warnings}");
            let shapes = legal.shapes().unwrap();
            let ends = [legal.inputs()[0], legal.outputs()[0]].map(|id| shapes[&id].map());
            assert_eq!(ends, [Some(study.design.input), Some(study.design.output)], "{}", other.what);
            assert_eq!(cost::cost(&legal).unwrap().totals, other.costs.sizes, "{}", other.what);
        }
    }
}

#[test]
fn a_block_as_it_stands_costs_what_it_does_in_its_network() {
    let (legal, studies) = studied();
    let whole = cost::cost(&legal).unwrap();
    for study in &studies {
        for name in &study.blocks {
            let block = whole.blocks.iter().find(|block| block.name == *name).unwrap();
            let own = study.alternatives[0].costs.sizes;
            let input = 4 * study.design.input.iter().product::<usize>() as u64;
            assert_eq!((own.parameters, own.macs), (block.sizes.parameters, block.sizes.macs), "{name}");
            assert_eq!(own.activation_bytes, block.sizes.activation_bytes + input, "{name}");
        }
    }
}

#[test]
fn one_large_window_is_cheaper_from_where_the_formulas_of_its_block_say_so() {
    let (_, studies) = studied();
    let crossing = |block: &str| {
        let study = studies.iter().find(|study| study.blocks[0] == block).unwrap();
        study.crossings[0].from
    };
    // 25 C + C² against 2 (9 C + C²): equal at 7.
    assert_eq!(crossing("a/1"), Some(8));
    // 25 C² against 18 C².
    assert_eq!(crossing("d/2"), Some(4), "25 W² / 4 + 2 W C against twice 9 W² / 4 + 2 W C, C = 2 W");
    // Expanded to 6 C, gated by 1.5 C: 25 · 6 C + 12 C² + 18 C² against twice 9 · 6 C + 12 C² + 18 C², per image of many pixels.
    assert!(crossing("b/1").is_some_and(|from| from < 8));
    let dense = studies.iter().find(|study| study.blocks[0] == "stem").unwrap();
    let square = Design {
        input: [8, 8, 16],
        spatial: Spatial { stride: 1, padding: None, ..dense.design.spatial },
        ..dense.design
    };
    let macs = |design: &Design| Ok(counted(&design.graph("")?)?.macs);
    assert_eq!(crossing::exact(&square, macs).unwrap().from, None);
}

#[test]
fn predictions_are_those_of_the_schedule_and_positive() {
    let (_, mut studies) = studied();
    studies.truncate(2);
    let mut told = Vec::new();
    predict(&mut studies, &Options::native(), &mut |done, all| told.push((done, all))).unwrap();
    assert_eq!(told, [(0, 2), (1, 2)]);
    for study in &studies {
        for other in &study.alternatives {
            let whole = predicted(&other.graph, &Options::native()).unwrap();
            assert_eq!(other.costs.predicted_ms, Some(whole), "{}", other.what);
            assert!(whole > 0.0);
        }
        assert_eq!(study.crossings.len(), 2);
    }
}

#[test]
fn the_steps_of_an_alternative_do_its_multiply_accumulates_once() {
    let (_, studies) = studied();
    for other in studies.iter().flat_map(|study| &study.alternatives) {
        if other.design.squeeze.is_some() {
            continue;
        }
        let fused = optimise(other.graph.clone(), &Options::native()).unwrap().graph;
        let plan = schedule(&fused, &Options::native()).unwrap();
        let macs: u64 = plan.steps.iter().map(|step| step.macs).sum();
        assert_eq!(macs, other.costs.sizes.macs, "{} {}", other.what, other.design);
    }
}
