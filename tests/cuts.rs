//! A network cut in two computes what the whole does: bit for bit in the interpreter, within a tolerance when compiled.

use std::collections::BTreeMap;

use frit_compiler::Options;
use frit_compiler::import::{Source, json};
use frit_compiler::zoo::{self, ZooOptions};
use frit_ir::{Graph, NodeId, Tensor, interpret, random};
use frit_passes::cut::{self, Border, Boundary, Cutter, Found, Width};
use frit_passes::legality::{self, Legal};
use frit_tests::{compare, networks};
use proptest::prelude::*;
use proptest::sample::Index;

/// What halves may differ by from the whole when all are compiled, of the largest magnitude.
const TOLERANCE: f64 = 1e-5;

/// As files have halves, and as stitching has them.
const BORDERS: [Border; 2] = [Border::Source, Border::Graph];

fn legal(graph: Graph) -> Legal<Graph> {
    legality::check(graph).unwrap_or_else(|faults| panic!("{faults:?}")).0
}

fn zoo(name: &str, width: f64, resolution: usize) -> Legal<Graph> {
    let options = ZooOptions { width, resolution: Some(resolution), classes: 10, ..ZooOptions::default() };
    let text = zoo::description(name, &options).unwrap_or_else(|faults| panic!("{faults:?}"));
    let source = Source { file: format!("{name}.json"), ..Source::default() };
    legal(json::read(&text, &source).unwrap_or_else(|faults| panic!("{faults:?}")).0)
}

/// Something that computes a network's outputs.
type Run<'r> = dyn Fn(&Graph, &[Tensor<f32>]) -> Result<Vec<Tensor<f32>>, String> + 'r;

/// Outputs by name.
type Values = BTreeMap<String, Tensor<f32>>;

/// The outputs of `graph`, whose inputs are taken by name; `run` computes them.
fn outputs(graph: &Graph, given: &Values, run: &Run<'_>) -> Result<Values, String> {
    let name = |id: NodeId| graph.node(id).name.clone();
    let inputs: Option<Vec<Tensor<f32>>> =
        graph.inputs().iter().copied().map(|id| given.get(&name(id)).cloned()).collect();
    let inputs = inputs.ok_or_else(|| format!("an input is nothing that the head gives:\n{graph:?}"))?;
    let outputs = run(graph, &inputs)?;
    Ok(graph.outputs().iter().map(|&id| name(id)).zip(outputs).collect())
}

fn interpreted(graph: &Graph, inputs: &[Tensor<f32>]) -> Result<Vec<Tensor<f32>>, String> {
    interpret::run(graph, inputs).map_err(|faults| format!("{faults:?}\n{graph:?}"))
}

fn compiled(graph: &Graph, inputs: &[Tensor<f32>]) -> Result<Vec<Tensor<f32>>, String> {
    let lowering = Options::native().machine.lowering;
    let model = compare::model(graph, compare::Way { fuse: true, lowering })?;
    let found = compare::run(&model, 2, &compare::values(inputs))?;
    let shapes = graph.shapes().map_err(|faults| format!("{faults:?}"))?;
    let tensor = |(id, values): (&NodeId, Vec<f32>)| {
        Tensor::from_shape_vec(shapes[id].axes(), values).expect("an output has its shape")
    };
    Ok(graph.outputs().iter().zip(found).map(tensor).collect())
}

/// The inputs of `graph`, by name.
fn inputs(graph: &Graph) -> Values {
    let tensors = networks::inputs(graph, 3);
    graph.inputs().iter().copied().map(|id| graph.node(id).name.clone()).zip(tensors).collect()
}

/// The halves of `whole` at `boundary`, legal, and as files would have them where `border` says so.
fn halves(whole: &Graph, boundary: &Boundary, border: Border) -> [Legal<Graph>; 2] {
    [cut::head(whole, boundary, border), cut::tail(whole, boundary, border)].map(legal)
}

/// What the halves give, one behind the other.
fn composed([head, tail]: &[Legal<Graph>; 2], given: &Values, run: &Run<'_>) -> Result<Values, String> {
    let mut known = given.clone();
    let first = outputs(head, given, run)?;
    known.extend(first.clone());
    let mut all = first;
    all.extend(outputs(tail, &known, run)?);
    Ok(all)
}

fn bits(tensor: &Tensor<f32>) -> Vec<u32> {
    tensor.iter().map(|value| value.to_bits()).collect()
}

/// That both halves compute what the whole does, bit for bit.
fn agree(whole: &Graph, boundary: &Boundary, expected: &Values, borders: &[Border]) -> Result<(), String> {
    for &border in borders {
        let found = composed(&halves(whole, boundary, border), &inputs(whole), &interpreted)?;
        for (name, tensor) in expected {
            let other = found.get(name).ok_or_else(|| format!("no half gives {name}"))?;
            if bits(tensor) != bits(other) {
                return Err(format!("{name} is another, cut at {boundary:?}"));
            }
        }
    }
    Ok(())
}

/// That the compiled halves compute what the whole does.
fn agree_compiled(whole: &Graph, boundary: &Boundary, expected: &Values) -> Result<(), String> {
    let found = composed(&halves(whole, boundary, Border::Source), &inputs(whole), &compiled)?;
    for (name, tensor) in expected {
        let exact: Vec<f64> = tensor.iter().map(|&value| f64::from(value)).collect();
        let other: Vec<f32> = found[name].iter().copied().collect();
        compare::close(&exact, &other, TOLERANCE)
            .map_err(|error| format!("{name} at {boundary:?}: {error}"))?;
    }
    Ok(())
}

/// Every layer and node that `cutter` finds by its name.
fn places(cutter: &Cutter<'_>, graph: &Graph) -> Vec<Found> {
    let layers = graph.source_layers.iter().map(|layer| layer.name.clone());
    let nodes = graph.ids().map(|id| graph.node(id).name.clone());
    let mut names: Vec<String> = layers.chain(nodes).collect();
    names.sort();
    names.dedup();
    names.iter().filter_map(|name| cutter.find(name).ok()).collect()
}

/// Cuts at a place as narrow as can be; the boundary, or none where nothing can be cut there. A refusal of one tensor names as
/// many as then cross.
fn widest(cutter: &Cutter<'_>, place: &Found) -> Option<Boundary> {
    let place = std::slice::from_ref(place);
    match cutter.cut(place, Width::Single) {
        Ok((boundary, _)) => {
            assert_eq!(boundary.crossing.len(), 1);
            Some(boundary)
        }
        Err(faults) => {
            let told = faults.iter().next().map_or(0, |fault| fault.operands.len());
            let (boundary, _) = cutter.cut(place, Width::Multi).ok()?;
            assert_eq!(boundary.crossing.len(), told, "all that cross are told: {faults:?}");
            Some(boundary)
        }
    }
}

#[test]
fn every_cut_of_mobilenet_v2_computes_what_the_whole_does() {
    let whole = zoo("mobilenet_v2", 0.35, 32);
    let cutter = Cutter::new(&whole);
    let expected = outputs(&whole, &inputs(&whole), &interpreted).expect("the network is legal");
    let mut cuts: Vec<Boundary> = Vec::new();
    let mut wide = 0;
    for place in places(&cutter, &whole) {
        let Some(boundary) = widest(&cutter, &place) else { continue };
        wide += usize::from(boundary.crossing.len() > 1);
        if !cuts.contains(&boundary) {
            cuts.push(boundary);
        }
    }
    assert!(cuts.len() > 100 && wide > 40, "{} cuts, {wide} of several tensors", cuts.len());
    for boundary in &cuts {
        agree(&whole, boundary, &expected, &BORDERS).unwrap_or_else(|error| panic!("{error}"));
    }
    let expected = outputs(&whole, &inputs(&whole), &compiled).expect("the network compiles");
    for boundary in cuts.iter().step_by(11) {
        agree_compiled(&whole, boundary, &expected).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn cuts_of_inception_resnet_v2_compute_what_the_whole_does() {
    let whole = zoo("inception_resnet_v2", 0.25, 96);
    let cutter = Cutter::new(&whole);
    let expected = outputs(&whole, &inputs(&whole), &interpreted).expect("the network is legal");
    let places = places(&cutter, &whole);
    let mut checked = [0, 0];
    for place in places.iter().step_by(places.len() / 24) {
        let Some(boundary) = widest(&cutter, place) else { continue };
        agree(&whole, &boundary, &expected, &[Border::Source]).unwrap_or_else(|error| panic!("{error}"));
        checked[usize::from(boundary.crossing.len() > 1)] += 1;
    }
    for cut in cutter.cuts().iter().step_by(13) {
        let found = cutter.find(&cut.layer).expect("a cut has a name");
        let (boundary, _) = cutter.cut(&[found], Width::Single).unwrap_or_else(|faults| panic!("{faults:?}"));
        agree(&whole, &boundary, &expected, &[Border::Source]).unwrap_or_else(|error| panic!("{error}"));
        checked[0] += 1;
    }
    assert!(checked[0] >= 10 && checked[1] >= 10, "{checked:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Random networks, several outputs among them, at any of their nodes; and at any two of them.
    #[test]
    fn halves_of_random_networks_compute_what_the_whole_does(graph in random::graphs(), picks: [Index; 3]) {
        let Ok((whole, _)) = legality::check(graph) else { return Ok(()) };
        let cutter = Cutter::new(&whole);
        let expected = outputs(&whole, &inputs(&whole), &interpreted).expect("the network is legal");
        let places = places(&cutter, &whole);
        let place = picks[0].get(&places);
        if let Some(boundary) = widest(&cutter, place) {
            agree(&whole, &boundary, &expected, &BORDERS).map_err(TestCaseError::fail)?;
        }
        let two: Vec<Found> = picks[1..].iter().map(|pick| pick.get(&places).clone()).collect();
        if two[0] != two[1] && let Ok((boundary, _)) = cutter.cut(&two, Width::Multi) {
            agree(&whole, &boundary, &expected, &BORDERS).map_err(TestCaseError::fail)?;
        }
    }

    /// What is listed are exactly the nodes that can be cut alone.
    #[test]
    fn the_list_has_every_cut_and_no_other_place(graph in random::graphs()) {
        let Ok((whole, _)) = legality::check(graph) else { return Ok(()) };
        let cutter = Cutter::new(&whole);
        let listed: Vec<NodeId> = cutter.cuts().into_iter().map(|cut| cut.node).collect();
        for place in places(&cutter, &whole) {
            let alone = cutter.cut(std::slice::from_ref(&place), Width::Single).is_ok();
            let node = whole.find(&place.name).expect("a random network lists its nodes");
            prop_assert_eq!(alone, listed.contains(&node), "{}", place.name);
            prop_assert_eq!(alone, is_cut(&whole, node), "{}", place.name);
        }
    }
}

/// Whether no path from an input to an output is left without `node`, and an output is behind it: by walking all of them.
fn is_cut(graph: &Graph, node: NodeId) -> bool {
    let mut seen = vec![node];
    let mut waiting: Vec<NodeId> = graph.inputs().iter().copied().filter(|&input| input != node).collect();
    while let Some(id) = waiting.pop() {
        if !seen.contains(&id) {
            seen.push(id);
            waiting.extend(graph.users(id));
        }
    }
    let depends = |from: &[NodeId]| {
        let mut found: Vec<NodeId> = Vec::new();
        let mut waiting = from.to_vec();
        while let Some(id) = waiting.pop() {
            if !found.contains(&id) {
                found.push(id);
                waiting.extend(graph.users(id));
            }
        }
        found
    };
    let live = depends(graph.inputs());
    let behind = depends(&graph.users(node));
    let ends: Vec<&NodeId> = graph.outputs().iter().filter(|output| live.contains(output)).collect();
    live.contains(&node)
        && ends.iter().all(|&&end| end == node || !seen.contains(&end))
        && ends.iter().any(|&end| behind.contains(end))
}
