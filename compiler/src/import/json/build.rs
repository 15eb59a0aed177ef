//! From layers to nodes: shapes are known here, so `same` becomes numbers and a stage becomes its layers.

use std::collections::BTreeMap;

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Constant, Conv2d, Epilogue, Input};
use frit_ir::weights::{Data, Values};
use frit_ir::{Diagnostic, NodeId, Op, Shape, Weight};

use super::layer::{Convolution, Filters, Nodes, Operation, Origin, WrittenLayer};
use super::order::{Index, Target};
use super::split::Split;
use crate::import::builder::GraphBuilder;
use crate::import::findings::{Findings, wrong};
use crate::import::limits;

/// A weight that the network needs.
pub(super) struct Needed {
    /// Its name.
    pub(super) name: String,
    /// Its shape.
    pub(super) shape: Shape,
    /// The node that needs it, with its op.
    pub(super) node: String,
    /// The layer that it belongs to.
    pub(super) layer: usize,
}

/// A graph that is being built.
pub(super) struct Builder<'b, 'a> {
    network: GraphBuilder,
    ids: BTreeMap<String, NodeId>,
    needed: Vec<Needed>,
    layers: &'b [WrittenLayer<'a>],
    findings: &'b mut Findings<'a>,
}

/// What was built.
pub(super) struct Built {
    pub(super) network: GraphBuilder,
    pub(super) needed: Vec<Needed>,
    ids: BTreeMap<String, NodeId>,
    results: Vec<Option<NodeId>>,
    input: Option<NodeId>,
}

impl Built {
    /// The node that `target` means; none where it could not be built, or there is none of that name inside its layer.
    pub(super) fn node(&self, target: &Target) -> Option<NodeId> {
        match target {
            Target::Input => self.input,
            Target::Layer(layer) => self.results.get(*layer).copied().flatten(),
            Target::Inside(_, name) => self.ids.get(name).copied(),
            Target::Unknown => None,
        }
    }

    /// What the layer at `place` hands to those that read it: its result, or the parts of a split.
    pub(super) fn results_of(&self, place: usize, layer: &WrittenLayer<'_>) -> Vec<NodeId> {
        if let Some(Operation::Split(split)) = &layer.operation {
            let part = |index| self.ids.get(&format!("{}/{index}", layer.name)).copied();
            return (0..split.len()).filter_map(part).collect();
        }
        self.results.get(place).copied().flatten().into_iter().collect()
    }

    /// The network's input.
    pub(super) fn input(&self) -> Option<NodeId> {
        self.input
    }

    /// The result of the last layer.
    pub(super) fn last(&self) -> Option<NodeId> {
        self.results.last().copied().flatten()
    }

    /// Whether the layer of `target` was built.
    pub(super) fn has_layer(&self, target: &Target) -> bool {
        match target {
            Target::Inside(layer, _) => self.node(&Target::Layer(*layer)).is_some(),
            other => self.node(other).is_some(),
        }
    }
}

/// The network's input, where its shape is known.
pub(super) struct Entry<'s> {
    pub(super) name: &'s str,
    pub(super) shape: Option<Shape>,
}

/// Builds `layers` in `order`. What can't be built is left out, with everything that reads it.
pub(super) fn build<'a>(
    entry: &Entry<'_>,
    layers: &[WrittenLayer<'a>],
    operands: &[Vec<Target>],
    order: &[usize],
    findings: &mut Findings<'a>,
) -> Built {
    let (network, ids, needed) = (GraphBuilder::default(), BTreeMap::new(), Vec::new());
    let mut builder = Builder { network, ids, needed, layers, findings };
    let input = entry.shape.clone().and_then(|shape| builder.input(entry.name, shape));
    let mut built = Built {
        network: GraphBuilder::default(),
        needed: Vec::new(),
        ids: BTreeMap::new(),
        results: vec![None; layers.len()],
        input,
    };
    if !builder.too_many() {
        let index = Index::new(entry.name, layers);
        for &layer in order {
            let inputs = builder.operands(&built, &index, layer, &operands[layer]);
            built.results[layer] = inputs.and_then(|inputs| builder.layer(layer, &inputs));
        }
    }
    let Builder { network, ids, needed, .. } = builder;
    Built { network, needed, ids, ..built }
}

impl<'a> Builder<'_, 'a> {
    /// Whether the network is larger than the limit; it is told at the layer that passes it.
    fn too_many(&mut self) -> bool {
        let mut count = 0usize;
        for layer in self.layers {
            let more = match &layer.operation {
                Some(Operation::Stage(stage)) => stage.layers(),
                Some(Operation::Split(split)) => split.len(),
                _ => 1 + usize::from(layer.activation.is_some()),
            };
            count = count.saturating_add(more);
            if let Err(fault) = limits::layers(count) {
                self.findings.add(&layer.value, fault);
                return true;
            }
        }
        false
    }

    fn input(&mut self, name: &str, shape: Shape) -> Option<NodeId> {
        let op = Op::Input(Input { shape: shape.clone() });
        op.shape(&[]).ok()?;
        Some(self.insert(name, (op, Vec::new()), &[], shape))
    }

    /// The nodes that a layer reads; none where one could not be built.
    fn operands(
        &mut self,
        built: &Built,
        index: &Index<'_>,
        layer: usize,
        targets: &[Target],
    ) -> Option<Vec<NodeId>> {
        let mut nodes = Vec::with_capacity(targets.len());
        let mut complete = true;
        for (place, target) in targets.iter().enumerate() {
            let node = match target {
                Target::Inside(_, name) => self.ids.get(name).copied(),
                other => built.node(other),
            };
            if let (None, Target::Inside(of, name)) = (node, target)
                && built.results.get(*of).copied().flatten().is_some()
                && let Some((_, value)) =
                    self.layers[layer].inputs.as_ref().and_then(|inputs| inputs.get(place))
            {
                self.findings
                    .add(value, index.unknown(name, self.findings).at(self.layers[layer].name.clone()));
            }
            let several = if let Target::Layer(of) = target { self.layers[*of].several() } else { None };
            if let Some(fault) = several {
                self.findings.add(&self.layers[layer].value, fault.at(self.layers[layer].name.clone()));
                complete = false;
            }
            complete &= node.is_some();
            nodes.extend(node);
        }
        complete.then_some(nodes)
    }

    /// The result of a layer on `inputs`.
    fn layer(&mut self, layer: usize, inputs: &[NodeId]) -> Option<NodeId> {
        let layers = self.layers;
        let written = &layers[layer];
        let origin = Origin { name: &written.name, layer };
        let operation = written.operation.as_ref()?;
        let arity = operation.arity(inputs.len());
        if inputs.len() != arity {
            let message = format!("it takes {arity} inputs, not {}", inputs.len());
            let fault = Diagnostic::error(codes::OPERANDS, message);
            self.fault(origin, if arity == 2 { fault.help("name them: \"inputs\": [A, B]") } else { fault });
            return None;
        }
        let result = match operation {
            Operation::Plain(op) => self.add(origin, op.clone(), inputs)?,
            Operation::Shaped(shaped) => {
                let operands: Vec<Shape> = inputs.iter().map(|&input| self.network.shape(input)).collect();
                let op = shaped.op(&operands);
                let op = op.map_err(|fault| self.fault(origin, fault)).ok()?;
                self.add(origin, op, inputs)?
            }
            Operation::Constant(shape, values) => self.constant(origin, shape, values.clone())?,
            Operation::Convolution(convolution) => self.convolution(origin, convolution, inputs[0])?,
            Operation::Split(split) => return self.split(origin, split, inputs[0]),
            Operation::Stage(stage) => stage.build(self, origin, inputs[0])?,
        };
        self.activate(origin, written.activation, result)
    }

    /// Adds a constant; its values, where the description says them, are no weight that a file must have. One value stands for
    /// all.
    fn constant(&mut self, origin: Origin<'_>, shape: &Shape, values: Option<Values>) -> Option<NodeId> {
        let id = self.add(origin, Op::Constant(Constant { shape: shape.clone() }), &[])?;
        let Some(values) = values else { return Some(id) };
        let (needed, elements) = (self.needed.pop()?, shape.elements()?);
        self.network.count_constant(elements).map_err(|fault| self.fault(origin, fault)).ok()?;
        let values =
            if let &[one] = &*values { std::iter::repeat_n(one, elements).collect() } else { values };
        self.network.graph.weights.insert(needed.name, Weight::new(shape.clone(), Data::Values(values)));
        Some(id)
    }

    /// Adds the parts of a split, which are named after it; it has no result of its own, unless it is in one part.
    fn split(&mut self, origin: Origin<'_>, split: &Split, input: NodeId) -> Option<NodeId> {
        let slices =
            split.slices(&self.network.shape(input)).map_err(|fault| self.fault(origin, fault)).ok()?;
        let mut parts = Vec::with_capacity(slices.len());
        for (index, slice) in slices.into_iter().enumerate() {
            let name = format!("{}/{index}", origin.name);
            parts.push(self.add(Origin { name: &name, ..origin }, slice, &[input])?);
        }
        parts.first().copied()
    }

    fn insert(&mut self, name: &str, op: (Op, Vec<String>), inputs: &[NodeId], shape: Shape) -> NodeId {
        let id = self.network.add(name.to_owned(), op, inputs, shape);
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// Tells a fault at the layer of `origin`.
    fn fault(&mut self, origin: Origin<'_>, fault: Diagnostic) {
        let fault = if fault.layer.is_empty() { fault.at(origin.name) } else { fault };
        let layers: &[WrittenLayer<'a>] = self.layers;
        self.findings.add(&layers[origin.layer].value, fault);
    }
}

impl Nodes for Builder<'_, '_> {
    fn channels(&self, node: NodeId) -> usize {
        self.network.shape(node).channels()
    }

    fn convolution(
        &mut self,
        origin: Origin<'_>,
        convolution: &Convolution,
        input: NodeId,
    ) -> Option<NodeId> {
        let channels = self.channels(input);
        let (filters, groups) = match convolution.filters {
            Filters::Count { filters, groups } => (filters, groups),
            Filters::PerChannel(multiplier) => (channels.saturating_mul(multiplier), channels),
        };
        // The op itself refuses whatever is no map; until then any padding will do.
        let map = self.network.shape(input).map().map_or([1, 1], |[height, width, _]| [height, width]);
        let window = convolution.window.over(map).map_err(|fault| self.fault(origin, fault)).ok()?;
        let epilogue = Epilogue::with_bias(convolution.bias);
        self.add(origin, Op::Conv2d(Conv2d { groups, epilogue, ..Conv2d::over(window, filters) }), &[input])
    }

    fn add(&mut self, origin: Origin<'_>, op: Op, inputs: &[NodeId]) -> Option<NodeId> {
        let label = format!("{} ({})", origin.name, op.name());
        if self.ids.contains_key(origin.name) {
            // Names that the description itself gives twice were told when the layers were named.
            if self.layers.iter().filter(|layer| layer.name == origin.name).count() < 2 {
                let message = format!("the name {} is given twice", origin.name);
                self.fault(origin, Diagnostic::error(codes::DUPLICATE_NAME, message).at(label));
            }
            return None;
        }
        let (shape, roles) = match self.network.infer(&op, inputs) {
            Ok(inferred) => inferred,
            Err(fault) => {
                self.fault(origin, fault.at(label));
                return None;
            }
        };
        if let Some(role) = roles.iter().find(|role| role.shape.elements().is_none()) {
            let message = format!("its {} of {} has more than 2^40 elements", role.role, role.shape);
            self.fault(origin, Diagnostic::error(codes::TENSOR_SIZE, message).at(label));
            return None;
        }
        let mut weights = Vec::with_capacity(roles.len());
        for role in roles {
            let name = format!("{}.{}", origin.name, role.role);
            weights.push(name.clone());
            self.needed.push(Needed { name, shape: role.shape, node: label.clone(), layer: origin.layer });
        }
        Some(self.insert(origin.name, (op, weights), inputs, shape))
    }

    fn wrong(&mut self, origin: Origin<'_>, message: &str) {
        self.fault(origin, wrong(message));
    }
}
