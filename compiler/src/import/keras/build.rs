//! From calls to nodes: shapes are known here, so `same` becomes numbers, and each call of a layer becomes its ops.

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, NodeId};
use smallvec::SmallVec;

use super::calls::Call;
use super::model::{Definition, DefinitionKind, Model, Source};
use super::site::Site;
use super::tensors::{Tensor, Tensors};
use crate::import::budget::Budget;
use crate::import::limits;
use crate::import::listing::Product;

/// Elements of the budget that looking at a layer of a model counts for.
const LOOKED_AT: usize = 32;
/// Bytes that a node takes beside its name, about.
const NODE: usize = 512;

/// Calls on their way to nodes.
pub(super) struct Builder<'b, 'a> {
    pub(super) tensors: Tensors<'b, 'a>,
    calls: usize,
    /// What is built is taken from here.
    budget: Budget,
}

/// The results of a call; none where it could not be built.
type Results = Option<Vec<Tensor>>;

impl<'b, 'a> Builder<'b, 'a> {
    pub(super) fn new(tensors: Tensors<'b, 'a>, budget: Budget) -> Builder<'b, 'a> {
        Builder { tensors, calls: 0, budget }
    }

    /// The results of the calls of `model` on `inputs`, by definition and call; names of nodes begin with `prefix`.
    pub(super) fn model(
        &mut self,
        model: &Model<'a>,
        inputs: &[Option<Tensor>],
        prefix: &str,
    ) -> Vec<Vec<Results>> {
        let mut results: Vec<Vec<Results>> =
            model.definitions.iter().map(|definition| vec![None; definition.calls.len().max(1)]).collect();
        for (&(_, input), tensor) in model.inputs.iter().zip(inputs) {
            results[input][0] = tensor.map(|tensor| vec![tensor]);
            if prefix.is_empty() {
                let name = model.definitions[input].name.clone();
                self.list(&model.definitions[input], prefix, &name, &results[input][0]);
            }
        }
        for &(place, call) in &model.order {
            let definition = &model.definitions[place];
            let Some(Some(arguments)) = definition.calls.get(call) else { continue };
            let name = called(prefix, &definition.name, call);
            if matches!(definition.kind, Some(DefinitionKind::Input(_))) || !self.may_go_on(definition, &name)
            {
                continue;
            }
            let missing =
                arguments.tensors().into_iter().find(|source| self.no_such_result(&results, source));
            if let Some(source) = missing {
                self.tell_missing(model, definition, &results, source);
                continue;
            }
            let arguments = arguments.map(|source| result(&results, source));
            let Some(arguments) = arguments else { continue };
            let name = called(prefix, &definition.name, call);
            results[place][call] = self.call(definition, arguments, name.clone());
            self.list(definition, prefix, &name, &results[place][call]);
        }
        results
    }

    /// Notes where the results of a call are. Layers inside others have no place in the list of layers.
    fn list(&mut self, definition: &Definition<'a>, prefix: &str, name: &str, results: &Results) {
        let Some(results) = results else { return };
        let tensors = results.iter().enumerate().filter_map(|(index, &tensor)| {
            let made = self.tensors.get(tensor);
            let (node, first) =
                made.plain.map(|node| (node, false)).or(made.last.map(|node| (node, true)))?;
            let name = if results.len() == 1 { name.to_owned() } else { format!("{name}/{index}") };
            let axes = if first { [2, 0, 1].into_iter().collect() } else { SmallVec::new() };
            Some(Product { name, node, axes })
        });
        let index = definition.index.filter(|_| prefix.is_empty());
        self.tensors.network.list(index, name, &definition.at.class, tensors.collect());
    }

    /// The outputs of `model`, whose calls gave `results`.
    pub(super) fn outputs(&mut self, model: &Model<'a>, results: &[Vec<Results>]) -> Vec<Option<Tensor>> {
        let mut found = Vec::new();
        for (_, source) in &model.outputs {
            if self.no_such_result(results, source) {
                self.tell_missing(model, &model.definitions[source.definition], results, source);
            }
            found.push(result(results, source));
        }
        found
    }

    fn no_such_result(&self, results: &[Vec<Results>], source: &Source<'a>) -> bool {
        let made = results[source.definition].get(source.call).and_then(Option::as_ref);
        made.is_some_and(|made| made.len() <= source.result)
    }

    fn tell_missing(
        &mut self,
        model: &Model<'a>,
        reader: &Definition<'a>,
        results: &[Vec<Results>],
        source: &Source<'a>,
    ) {
        let count = results[source.definition][source.call].as_ref().map_or(0, Vec::len);
        let name = &model.definitions[source.definition].name;
        let message = format!("there is no output {} of {name}, which has {count}", source.result);
        let fault = Diagnostic::error(codes::UNKNOWN_LAYER, message).at(reader.at.label());
        self.tensors.findings.add(&source.at, fault);
    }

    /// Whether the network is still of a size that may be; where it is not, it is told once.
    fn may_go_on(&mut self, definition: &Definition<'a>, name: &str) -> bool {
        // A model looks at all of its layers each time that it is called, and each node keeps its name in some places.
        let (size, before) =
            (definition.kind.as_ref().map_or(0, DefinitionKind::definitions), self.budget.is_spent());
        let taken = self
            .budget
            .take_work(size.saturating_mul(LOOKED_AT))
            .and_then(|()| self.budget.take_bytes(NODE.saturating_add(4 * name.len())));
        if let Err(fault) = taken {
            if !before {
                self.tensors.tell(&definition.at, fault);
            }
            return false;
        }
        if self.calls > limits::LAYERS {
            return false;
        }
        self.calls += 1;
        limits::layers(self.calls).map_err(|fault| self.tensors.tell(&definition.at, fault)).is_ok()
    }

    /// One call of a definition, whose nodes are named after `name`.
    fn call(&mut self, definition: &Definition<'a>, call: Call<Tensor>, name: String) -> Results {
        match definition.kind.as_ref()? {
            DefinitionKind::Input(_) => None,
            DefinitionKind::Model(model) => {
                let inputs = self.inputs_of(definition, model, &call)?;
                let results = self.model(model, &inputs, &format!("{name}/"));
                self.outputs(model, &results).into_iter().collect::<Results>().filter(|_| model.complete)
            }
            DefinitionKind::Layer(layer) => {
                let mut site = Site::new(&mut self.tensors, &definition.at, (name, call));
                let results = layer.call(&mut site);
                let (added, name) = site.finish();
                let results = results?;
                if let [only] = results.as_slice() {
                    self.finish(*only, &added, &name);
                }
                Some(results)
            }
        }
    }

    /// What a call hands to the inputs of a model, in their order.
    fn inputs_of(
        &mut self,
        definition: &Definition<'a>,
        model: &Model<'a>,
        call: &Call<Tensor>,
    ) -> Option<Vec<Option<Tensor>>> {
        use super::calls::Argument::{Named, Tensor};
        if let [Named(items)] = call.positional.as_slice() {
            let by_name = |name: &Option<String>| {
                items.iter().find_map(|(known, item)| match item {
                    Tensor(tensor) if name.as_ref() == Some(known) => Some(*tensor),
                    _ => None,
                })
            };
            let found: Vec<_> = model.inputs.iter().map(|(name, _)| by_name(name)).collect();
            if found.iter().all(Option::is_some) {
                return Some(found);
            }
        }
        let tensors: Vec<_> = call.tensors().into_iter().map(|&tensor| Some(tensor)).collect();
        if tensors.len() != model.inputs.len() {
            let message = format!("the model takes {} inputs, not {}", model.inputs.len(), tensors.len());
            self.tensors.tell(&definition.at, Diagnostic::error(codes::OPERANDS, message));
            return None;
        }
        Some(tensors)
    }

    /// Gives the node of a call's only result the call's name.
    fn finish(&mut self, result: Tensor, added: &[NodeId], name: &str) {
        let made = self.tensors.get(result);
        let Some(node) = made.plain.or(made.last).filter(|node| added.contains(node)) else { return };
        self.tensors.network.rename(node, name);
    }
}

/// The name of a call: the definition's, with a number from the second on.
fn called(prefix: &str, name: &str, call: usize) -> String {
    if call == 0 { format!("{prefix}{name}") } else { format!("{prefix}{name}/{}", call + 1) }
}

fn result(results: &[Vec<Results>], source: &Source<'_>) -> Option<Tensor> {
    results[source.definition].get(source.call)?.as_ref()?.get(source.result).copied()
}
