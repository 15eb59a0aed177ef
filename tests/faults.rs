//! Random illegal networks: one run tells all that is wrong, and each way out that it offers takes its own fault away and
//! brings no other.

use std::collections::BTreeSet;

use frit_compiler::import::{Source, json};
use frit_ir::diagnostic::Help;
use frit_ir::diagnostic::codes::{self, Code};
use frit_ir::{Diagnostic, Faults, Graph, Severity};
use frit_passes::legality;
use frit_passes::repair::{Policy, ProjectionWeights, repair};
use frit_tests::cases;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What is wrong with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plant {
    /// A residual over a stride.
    Stride,
    /// A residual over a change of channels.
    Channels,
    /// Both, without padding: no projection makes the shape.
    StrideWithoutPadding,
    /// An op with a slip.
    Op,
    /// A field with a slip.
    Field,
    /// A layer's name with a slip.
    Reference,
    /// A value that is none of its choices.
    Padding,
    /// A normalisation by the batch at hand.
    Training,
    /// A stride of 0.
    ZeroStride,
    /// A dense layer of a map.
    Dense,
}

const PLANTS: [Plant; 10] = [
    Plant::Stride,
    Plant::Channels,
    Plant::StrideWithoutPadding,
    Plant::Op,
    Plant::Field,
    Plant::Reference,
    Plant::Padding,
    Plant::Training,
    Plant::ZeroStride,
    Plant::Dense,
];

/// A fault as it can be told from others: its code, and the layer that it is told of.
type Fault = (Code, String);

impl Plant {
    /// Spoils the layers of block `index`, and returns the fault that must be told.
    fn spoil(self, index: usize, layers: &mut Vec<Value>) -> Fault {
        let named = |part: &str| format!("b{index}_{part}");
        let (code, part) = match self {
            Plant::Stride => {
                layers[2]["stride"] = json!(2);
                (codes::RESIDUAL_SHAPES, "add")
            }
            Plant::Channels => {
                layers[5]["filters"] = json!(17);
                (codes::RESIDUAL_SHAPES, "add")
            }
            Plant::StrideWithoutPadding => {
                layers[2]["stride"] = json!(2);
                layers[2]["padding"] = json!("valid");
                (codes::RESIDUAL_SHAPES, "add")
            }
            Plant::Op => {
                layers[2]["op"] = json!("depthwise_conv2");
                (codes::UNKNOWN_OP, "depthwise")
            }
            Plant::Field => {
                layers[5]["strides"] = json!(1);
                (codes::UNKNOWN_FIELD, "project")
            }
            Plant::Reference => {
                layers[0]["inputs"] = json!(["stom"]);
                (codes::UNKNOWN_LAYER, "expand")
            }
            Plant::Padding => {
                layers[2]["padding"] = json!("sane");
                (codes::BAD_VALUE, "depthwise")
            }
            Plant::Training => {
                layers[3]["training"] = json!(true);
                (codes::TRAINING_MODE, "norm")
            }
            Plant::ZeroStride => {
                layers[2]["stride"] = json!(0);
                (codes::BAD_ATTRIBUTE, "depthwise")
            }
            Plant::Dense => {
                layers.push(json!({"name": named("dense"), "op": "dense", "units": 4}));
                (codes::RANK, "dense")
            }
        };
        (code, named(part))
    }
}

/// A network of blocks side by side, all on one stem, so that no fault hides another; and what is wrong with it.
#[derive(Debug, Clone)]
struct Planted {
    description: Value,
    faults: BTreeSet<Fault>,
}

/// A block: its expansion, the size of its kernel, and what is wrong with it.
type Block = (usize, usize, Option<Plant>);

impl Planted {
    fn new(channels: usize, blocks: &[Block]) -> Planted {
        let mut layers =
            vec![json!({"name": "stem", "op": "conv2d", "filters": channels, "kernel": 3, "stride": 2})];
        let (mut outputs, mut faults) = (Vec::new(), BTreeSet::new());
        for (index, &(times, kernel, plant)) in blocks.iter().enumerate() {
            let mut block = block(index, channels, times, kernel);
            faults.extend(plant.map(|plant| plant.spoil(index, &mut block)));
            outputs.extend(block.last().map(|last| last["name"].clone()));
            layers.extend(block);
        }
        let description = json!({
            "frit": 1, "name": "planted", "input": {"name": "image", "shape": [24, 24, 3]}, "weights": {"seed": 1},
            "defaults": {"padding": "same", "batch_norm": {"epsilon": 1e-3}}, "layers": layers, "outputs": outputs,
        });
        Planted { description, faults }
    }
}

fn block(index: usize, channels: usize, times: usize, kernel: usize) -> Vec<Value> {
    let named = |part: &str| format!("b{index}_{part}");
    vec![
        json!({"name": named("expand"), "op": "conv2d", "filters": channels * times, "kernel": 1, "inputs": ["stem"]}),
        json!({"name": named("relu6"), "op": "relu6"}),
        json!({"name": named("depthwise"), "op": "depthwise_conv2d", "kernel": kernel}),
        json!({"name": named("norm"), "op": "batch_norm"}),
        json!({"name": named("swish"), "op": "hard_swish"}),
        json!({"name": named("project"), "op": "conv2d", "filters": channels, "kernel": 1}),
        json!({"name": named("add"), "op": "add", "inputs": [named("project"), "stem"]}),
    ]
}

/// Networks with one to four faults.
fn planted() -> impl Strategy<Value = Planted> {
    let good = (1usize..5, prop::sample::select(vec![3usize, 5]));
    let bad = (good.clone(), prop::sample::select(PLANTS.to_vec()));
    let bad = bad.prop_map(|((times, kernel), plant)| (times, kernel, Some(plant)));
    let good = good.prop_map(|(times, kernel)| (times, kernel, None));
    let blocks = (prop::collection::vec(bad, 1..=4), prop::collection::vec(good, 0..3))
        .prop_map(|(bad, good)| [bad, good].concat())
        .prop_shuffle();
    // One channel alone would be repeated to fit any.
    (2usize..16, blocks).prop_map(|(channels, blocks)| Planted::new(channels, &blocks))
}

/// What one run tells of a description.
fn told(description: &Value) -> Result<Graph, Faults> {
    let source = Source { file: "planted.json".to_owned(), ..Source::default() };
    let (graph, _) = json::read(&description.to_string(), &source)?;
    legality::check(graph).map(|(legal, _)| legal.into_inner())
}

fn errors(faults: &Faults) -> Vec<&Diagnostic> {
    faults.iter().filter(|fault| fault.severity == Severity::Error).collect()
}

fn fault(diagnostic: &Diagnostic) -> Fault {
    let layer = diagnostic.layer.split(' ').next().unwrap_or_default();
    (diagnostic.code, layer.to_owned())
}

fn sorted(faults: &Faults) -> Vec<Fault> {
    let mut sorted: Vec<Fault> = errors(faults).into_iter().map(fault).collect();
    sorted.sort();
    sorted
}

/// `description` as it is when `help` is followed in the file.
fn followed(description: &Value, diagnostic: &Diagnostic, help: &Help) -> Value {
    let mut repaired = description.clone();
    let path = &diagnostic.place.path;
    let (parent, last) = path.rsplit_once('/').expect("a path leads into the document");
    if let Some(nearest) = help.text.strip_prefix("the nearest is ") {
        let place = repaired.pointer_mut(parent).expect("the path leads to something");
        if diagnostic.code == codes::UNKNOWN_FIELD {
            let fields = place.as_object_mut().expect("fields are those of an object");
            let value = fields.remove(last).expect("the field that is not known is there");
            fields.insert(nearest.to_owned(), value);
        } else {
            *repaired.pointer_mut(path).expect("the path leads to something") = json!(nearest);
        }
    } else if help.text.contains("write \"training\": false") {
        *repaired.pointer_mut(path).expect("the path leads to something") = json!(false);
    } else if help.text.starts_with("put a flatten") {
        let index: usize = last.parse().expect("the path leads to a layer");
        let layers = repaired["layers"].as_array_mut().expect("layers are a list");
        layers.insert(index, json!({"op": "flatten"}));
    } else {
        panic!("nobody knows how to follow \"{}\"", help.text);
    }
    repaired
}

/// `faults` without `gone`.
fn without(faults: &BTreeSet<Fault>, gone: &Fault) -> Vec<Fault> {
    faults.iter().filter(|fault| *fault != gone).cloned().collect()
}

/// What is left of a network's faults when `--residual` is given the policy of this flag.
fn left(graph: &Graph, flag: &str) -> Vec<Fault> {
    let policy = match flag {
        "--residual drop" => Policy::Drop,
        "--residual project" => Policy::Project(ProjectionWeights::Seeded),
        _ => panic!("nobody knows the flag {flag}"),
    };
    let repaired = repair(graph.clone(), policy);
    legality::check(repaired.graph).map_or_else(|faults| sorted(&faults), |_| Vec::new())
}

/// A flag repairs each fault that offers it, and leaves the others. It acts on what can be read.
fn check_flags(description: &Value) -> Result<(), TestCaseError> {
    let source = Source { file: "planted.json".to_owned(), ..Source::default() };
    let Ok((graph, _)) = json::read(&description.to_string(), &source) else { return Ok(()) };
    let Err(faults) = legality::check(graph.clone()) else { return Ok(()) };
    let flags: BTreeSet<&str> =
        faults.iter().flat_map(|fault| &fault.help).filter_map(|help| help.flag.as_deref()).collect();
    for flag in flags {
        let offers =
            |diagnostic: &Diagnostic| diagnostic.help.iter().any(|help| help.flag.as_deref() == Some(flag));
        let mut others: Vec<Fault> =
            errors(&faults).into_iter().filter(|diagnostic| !offers(diagnostic)).map(fault).collect();
        others.sort();
        prop_assert_eq!(left(&graph, flag), others, "{}", flag);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn all_faults_are_told_at_once_and_each_way_out_leads_out(planted in planted()) {
        let Planted { description, faults } = planted;
        let told_faults = told(&description).map(|graph| format!("{graph:?}")).expect_err("it has a fault");
        prop_assert_eq!(sorted(&told_faults), faults.iter().cloned().collect::<Vec<_>>(), "{}", told_faults);
        let mut written = description.clone();
        for diagnostic in errors(&told_faults) {
            for help in diagnostic.help.iter().filter(|help| help.flag.is_none()) {
                let repaired = followed(&description, diagnostic, help);
                let rest = told(&repaired).map_or_else(|faults| sorted(&faults), |_| Vec::new());
                prop_assert_eq!(rest, without(&faults, &fault(diagnostic)), "{}", help.text);
            }
        }
        // With all that is wrong in the file put right, the flags can act.
        while let Err(faults) = told(&written) {
            let first = errors(&faults).into_iter().find_map(|diagnostic| {
                let help = diagnostic.help.iter().find(|help| help.flag.is_none())?;
                Some(followed(&written, diagnostic, help))
            });
            match first {
                Some(repaired) => written = repaired,
                None => break,
            }
        }
        check_flags(&written)?;
    }
}
