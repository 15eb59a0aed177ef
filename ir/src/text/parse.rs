//! Text → graph.

use std::collections::BTreeMap;

use super::attributes::Attributes;
use super::cursor::{Cursor, Spot};
use crate::diagnostic::{Diagnostic, codes};
use crate::weights::{Data, Values, Weight};
use crate::{Faults, Graph, Node, NodeId, Provenance, Shape};

/// The graph that `text` spells; [`crate::text`] has the grammar.
///
/// The graph may be illegal in every way that inference finds, so that a test can spell one out; only a shape behind `:` must be
/// the one that inference finds, where it finds any.
///
/// # Errors
/// Every line that can't be read; where all can, every reference to a node that is not there and every shape that is not its
/// node's. Each with line and column.
pub fn parse(text: &str) -> Result<Graph, Faults> {
    let mut reading = Reading::default();
    let mut faults = Faults::new();
    for (index, line) in text.lines().enumerate() {
        if let Err(fault) = reading.line(Cursor::new(line, index + 1)) {
            faults.push(fault);
        }
    }
    if !faults.has_errors() {
        reading.connect(&mut faults);
    }
    if !faults.has_errors() {
        reading.compare_shapes(&mut faults);
    }
    faults.unless_errors(reading.graph).map(|(graph, _)| graph)
}

/// The name of a node, and where it stands.
type Reference = (String, Spot);

#[derive(Default)]
struct Reading {
    graph: Graph,
    named: bool,
    nodes: BTreeMap<String, NodeId>,
    operands: Vec<(NodeId, Vec<Reference>)>,
    shapes: Vec<(NodeId, Shape, Spot)>,
    outputs: Vec<Reference>,
}

impl Reading {
    fn line(&mut self, mut cursor: Cursor<'_>) -> Result<(), Diagnostic> {
        if cursor.at_end() || cursor.sees("//") {
            return Ok(());
        }
        if cursor.eats('@') {
            self.weight(&mut cursor)?;
        } else if cursor.sees("%") {
            self.node(&mut cursor)?;
        } else {
            self.keyword(&mut cursor)?;
        }
        if cursor.at_end() { Ok(()) } else { Err(cursor.unexpected("the line to end")) }
    }

    fn keyword(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Diagnostic> {
        let spot = cursor.spot();
        match cursor.word() {
            "model" if self.named => Err(spot.fault("the model has a name already")),
            "model" => {
                self.graph.name = cursor.name()?;
                self.named = true;
                Ok(())
            }
            "output" => {
                self.outputs.extend(cursor.list(reference)?);
                Ok(())
            }
            word => Err(spot.fault(format!("a line begins with model, @, % or output, not with `{word}`"))),
        }
    }

    fn weight(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Diagnostic> {
        let spot = cursor.spot();
        let name = cursor.name()?;
        if self.graph.weights.get(&name).is_some() {
            return Err(spot.fault_with(codes::DUPLICATE_NAME, format!("there are two weights {name}")));
        }
        cursor.expect(':')?;
        let shape = cursor.shape()?;
        let data = data(cursor, &shape)?;
        self.graph.weights.insert(name, Weight::new(shape, data));
        Ok(())
    }

    fn node(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Diagnostic> {
        let (name, spot) = reference(cursor)?;
        if self.nodes.contains_key(&name) {
            return Err(spot.fault_with(codes::DUPLICATE_NAME, format!("there are two nodes {name}")));
        }
        cursor.expect('=')?;
        let op = cursor.spot();
        let op_name = cursor.word();
        let (operands, weights) = operands(cursor)?;
        let attributes = if cursor.sees("{") { Attributes::read(cursor, op)? } else { Attributes::none(op) };
        let colon = cursor.eats(':');
        let result = cursor.spot();
        let shape = if colon { Some(cursor.shape()?) } else { None };
        let sources = sources(cursor, &name)?;
        let op = attributes.on(operands.len(), shape.as_ref()).op(op_name)?;
        let id = self.graph.add(Node { name: name.clone(), op, weights, sources }, &[]);
        self.nodes.insert(name, id);
        self.operands.push((id, operands));
        self.shapes.extend(shape.map(|shape| (id, shape, result)));
        Ok(())
    }

    fn connect(&mut self, faults: &mut Faults) {
        let nodes = &self.nodes;
        let mut find = |references: &[Reference]| -> Vec<NodeId> {
            let mut found = Vec::new();
            for (name, spot) in references {
                match nodes.get(name) {
                    Some(&id) => found.push(id),
                    None => {
                        faults.push(spot.fault_with(codes::UNKNOWN_LAYER, format!("there is no node {name}")))
                    }
                }
            }
            found
        };
        for (id, references) in &self.operands {
            self.graph.connect(*id, &find(references));
        }
        find(&self.outputs).into_iter().for_each(|id| self.graph.add_output(id));
    }

    fn compare_shapes(&self, faults: &mut Faults) {
        let (known, _) = crate::infer::known(&self.graph);
        for (id, said, spot) in &self.shapes {
            if let Some(shape) = known.get(id).map(|known| &known.shape).filter(|shape| *shape != said) {
                let name = &self.graph.node(*id).name;
                faults.push(spot.fault(format!("{name} is {shape}, not {said} as the line says")));
            }
        }
    }
}

fn reference(cursor: &mut Cursor<'_>) -> Result<Reference, Diagnostic> {
    cursor.expect('%')?;
    let spot = cursor.spot();
    Ok((cursor.name()?, spot))
}

/// The tensors and the weights that a node reads.
fn operands(cursor: &mut Cursor<'_>) -> Result<(Vec<Reference>, Vec<String>), Diagnostic> {
    let (mut tensors, mut weights) = (Vec::new(), Vec::new());
    if cursor.sees("%") || cursor.sees("@") {
        cursor.list(|cursor| {
            if cursor.eats('@') {
                weights.push(cursor.name()?);
            } else {
                tensors.push(reference(cursor)?);
            }
            Ok(())
        })?;
    }
    Ok((tensors, weights))
}

/// The source layers, by default the node alone.
fn sources(cursor: &mut Cursor<'_>, name: &str) -> Result<Provenance, Diagnostic> {
    if cursor.at_end() {
        return Ok(Provenance::source(name));
    }
    let spot = cursor.spot();
    if cursor.word() != "from" {
        return Err(spot.fault("expected `:`, `from` or the line to end"));
    }
    let layers = if cursor.at_end() { Vec::new() } else { cursor.list(Cursor::name)? };
    Ok(layers.into_iter().collect())
}

fn data(cursor: &mut Cursor<'_>, shape: &Shape) -> Result<Data, Diagnostic> {
    let spot = cursor.spot();
    let kind = cursor.word();
    cursor.expect('(')?;
    let inner = cursor.until(|c| c == ')');
    cursor.expect(')')?;
    let wrong = || spot.fault(format!("`{inner}` does not fit {kind}( )"));
    match kind {
        "seeded" => inner.parse().map(Data::Seeded).map_err(|_| wrong()),
        "digest" if inner.len() == 16 => {
            u64::from_str_radix(inner, 16).map(Data::Digest).map_err(|_| wrong())
        }
        "values" => {
            let values = inner.split(',').map(str::trim).filter(|value| !value.is_empty());
            let values: Values = values.map(float).collect::<Option<_>>().ok_or_else(wrong)?;
            if values.len() == shape.elements().unwrap_or(0) {
                Ok(Data::Values(values))
            } else {
                Err(spot.fault(format!("{} values for a weight of {shape}", values.len())))
            }
        }
        _ => {
            Err(spot.fault("a weight is seeded(NUMBER), digest(16 hexadecimal digits) or values(FLOAT, ...)"))
        }
    }
}

fn float(text: &str) -> Option<f32> {
    match text.strip_prefix("0x") {
        Some(bits) => u32::from_str_radix(bits, 16).ok().map(f32::from_bits),
        None => text.parse().ok(),
    }
}
