//! A functional model: layers that name the calls which they read.

use std::collections::BTreeMap;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use super::attributes::Attributes;
use super::calls::{self, Call, Reference};
use super::model::{Definition, DefinitionKind, Model, Source, Unresolved};
use super::reading::Reading;
use super::version::Version;
use crate::import::document::{Content, Value};
use crate::import::findings::wrong;
use crate::import::order;

impl<'a> Reading<'_, 'a> {
    /// The layers as they name each other.
    pub(super) fn network(
        &mut self,
        name: String,
        found: Vec<Unresolved<'a>>,
        config: &Value<'a>,
    ) -> Option<Model<'a>> {
        let mut fields = self.attributes(config, "")?;
        let entries = ["input_layers", "output_layers"].map(|name| fields.needed(name));
        let [inputs, outputs] = entries.map(|entry| {
            let mut found = Vec::new();
            let mut attributes = Attributes::nothing(config, "", self.version, self.findings);
            entry.and_then(|entry| ends(&entry, None, &mut attributes, &mut found)).map(|()| found)
        });
        let (mut definitions, calls): (Vec<_>, Vec<_>) =
            found.into_iter().map(|layer| (layer.definition, layer.calls)).unzip();
        if !definitions.iter().any(|definition| definition.at.class == "InputLayer") {
            let fault = Diagnostic::error(codes::MISSING_FIELD, "the network has no input layer");
            self.findings.add(config, fault);
        }
        let counts: Vec<usize> =
            definitions.iter().zip(&calls).map(|(d, calls)| d.count().max(calls.len())).collect();
        let index = Index::new(&definitions, counts);
        let resolved: Vec<Vec<_>> = calls
            .iter()
            .zip(&definitions)
            .map(|(calls, definition)| {
                let label = definition.at.label();
                calls.iter().map(|call| self.resolved(call, &index, &definitions, &label)).collect()
            })
            .collect();
        let source = |reference: &Reference<'a>, reading: &mut Self| {
            reading.source(reference, &index, &definitions, (true, ""))
        };
        let (inputs, outputs) = (inputs?, outputs?);
        let all = outputs.len();
        let inputs = inputs.iter().filter_map(|(key, reference)| {
            let input = source(reference, self)?.definition;
            if definitions[input].at.class != "InputLayer" {
                let fault =
                    Diagnostic::error(codes::UNKNOWN_LAYER, "an input of the model is no input layer");
                self.findings.add(&reference.at, fault.at(definitions[input].at.label()));
            }
            Some((key.clone().or(Some(reference.layer.clone())), input))
        });
        let inputs: Vec<_> = inputs.collect();
        let outputs = outputs.iter().filter_map(|(key, reference)| {
            Some((key.clone().unwrap_or(reference.layer.clone()), source(reference, self)?))
        });
        let outputs: Vec<_> = outputs.collect();
        for (definition, calls) in definitions.iter_mut().zip(resolved) {
            definition.calls = calls;
        }
        // Keras 3 lists no operations; in Keras 2 they are layers.
        let listed =
            |definition: &&mut Definition<'a>| self.version == Version::Keras2 || !definition.operation;
        let layers = definitions.iter_mut().filter(listed);
        layers.enumerate().for_each(|(index, definition)| definition.index = Some(index));
        let order = self.order(&definitions);
        let complete = outputs.len() == all && all > 0;
        Some(Model { name, definitions, inputs, outputs, complete, order })
    }

    /// The call with what its references mean.
    fn resolved(
        &mut self,
        call: &Call<Reference<'a>>,
        index: &Index,
        definitions: &[Definition<'a>],
        label: &str,
    ) -> Option<Call<Source<'a>>> {
        let sources: Vec<Option<Source<'a>>> = call
            .tensors()
            .into_iter()
            .map(|reference| self.source(reference, index, definitions, (false, label)))
            .collect();
        let next = std::cell::Cell::new(0);
        call.map(|_| {
            let place = next.replace(next.get() + 1);
            sources.get(place).cloned().flatten()
        })
    }

    /// What a reference means: `ends` are those of the model's own inputs and outputs.
    fn source(
        &mut self,
        reference: &Reference<'a>,
        index: &Index,
        definitions: &[Definition<'a>],
        (ends, label): (bool, &str),
    ) -> Option<Source<'a>> {
        let Some(&definition) = index.places.get(&reference.layer) else {
            let names = definitions.iter().map(|definition| definition.name.as_str());
            let (code, what) = (codes::UNKNOWN_LAYER, "there is no layer");
            let fault = self.findings.unknown(code, what, &reference.layer, names);
            self.findings.add(&reference.at, fault.at(label));
            return None;
        };
        let count = index.counts[definition];
        let call = self.call(reference, &definitions[definition], count, ends);
        if call >= count {
            let message = format!(
                "there is no call {} of {}, which is called {count} times",
                reference.call, reference.layer
            );
            self.findings.add(&reference.at, Diagnostic::error(codes::UNKNOWN_LAYER, message).at(label));
            return None;
        }
        Some(Source { definition, call, result: reference.result, at: reference.at.clone() })
    }

    /// Which call is meant. A model counts the one with which it was made: Keras 2 everywhere, Keras 3 where a model lists its
    /// outputs.
    fn call(
        &self,
        reference: &Reference<'a>,
        definition: &Definition<'a>,
        count: usize,
        ends: bool,
    ) -> usize {
        let Some(DefinitionKind::Model(model)) = &definition.kind else { return reference.call };
        let begins_with_input =
            model.definitions.first().is_some_and(|first| !first.operation && first.at.class == "InputLayer");
        let made = match self.version {
            Version::Keras3 => ends && definition.at.class != "Sequential",
            Version::Keras2 => begins_with_input,
        };
        if made || reference.call == count { reference.call.saturating_sub(1) } else { reference.call }
    }

    /// The calls, each behind those that it reads; a cycle is a fault.
    fn order(&mut self, definitions: &[Definition<'a>]) -> Vec<(usize, usize)> {
        let mut calls = Vec::new();
        let mut first = Vec::with_capacity(definitions.len());
        for (place, definition) in definitions.iter().enumerate() {
            first.push(calls.len());
            calls.extend((0..definition.count()).map(|call| (place, call)));
        }
        let reads: Vec<Vec<usize>> = calls
            .iter()
            .map(|&(place, call)| {
                let call = definitions[place].calls.get(call).and_then(Option::as_ref);
                call.map_or(Vec::new(), |call| {
                    call.tensors().iter().map(|source| first[source.definition] + source.call).collect()
                })
            })
            .collect();
        let (order, cycles) = order::sorted(&reads);
        for cycle in cycles {
            let names = cycle.iter().map(|&call| definitions[calls[call].0].at.path.as_str());
            let (names, place) = (names.collect::<Vec<_>>(), calls[cycle[0]].0);
            let fault = order::cycle_fault(&names).at(definitions[place].at.label());
            self.findings.add(&definitions[place].at.value, fault);
        }
        order.into_iter().map(|call| calls[call]).collect()
    }
}

/// Where the layers of a name stand, and how often they are called.
struct Index {
    places: BTreeMap<String, usize>,
    counts: Vec<usize>,
}

impl Index {
    fn new(definitions: &[Definition<'_>], counts: Vec<usize>) -> Index {
        let mut places = BTreeMap::new();
        for (place, definition) in definitions.iter().enumerate() {
            places.entry(definition.name.clone()).or_insert(place);
        }
        Index { places, counts }
    }
}

type Ends<'a> = Vec<(Option<String>, Reference<'a>)>;

/// Adds the tensors of a model's inputs or outputs to `found`: one, a list of them, or one under each name.
fn ends<'a>(
    value: &Value<'a>,
    name: Option<&str>,
    attributes: &mut Attributes<'_, 'a>,
    found: &mut Ends<'a>,
) -> Option<()> {
    match calls::argument(value, attributes, 4)? {
        calls::Argument::Tensor(reference) => found.push((name.map(str::to_owned), reference)),
        calls::Argument::List(_) | calls::Argument::Named(_) => {
            let parts = match attributes.content(value)? {
                Content::Array(parts) => parts.into_iter().map(|part| (None, part)).collect::<Vec<_>>(),
                Content::Object(members) => members.into_iter().map(|m| (Some(m.name), m.value)).collect(),
                _ => return None,
            };
            for (key, part) in parts {
                ends(&part, key.as_deref().or(name), attributes, found)?;
            }
        }
        _ => {
            attributes.fault(value, wrong("a tensor must be a list: layer, call, result"));
            return None;
        }
    }
    Some(())
}
