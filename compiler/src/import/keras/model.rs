//! The models of a file: their layers, which of them reads which, and the order in which they can be called.

use std::collections::BTreeMap;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use super::attributes::Attributes;
use super::calls::{self, Call, Reference};
use super::layers::{self, Layer};
use super::refused::Refused;
use super::{Version, lambda};
use crate::import::budget::Budget;
use crate::import::document::{Content, Value};
use crate::import::reader::{Findings, wrong};
use crate::import::{limits, order};

/// Models inside models inside models.
const DEPTH: usize = 32;

/// A model: layers, and which tensors are its inputs and outputs.
pub(super) struct Model<'a> {
    pub(super) name: String,
    pub(super) definitions: Vec<Definition<'a>>,
    /// The definitions that are its inputs, each with the name under which a call may hand it over.
    pub(super) inputs: Vec<(Option<String>, usize)>,
    /// Its outputs, each with its name.
    pub(super) outputs: Vec<(String, Source<'a>)>,
    /// Whether these are all: none was at fault.
    pub(super) complete: bool,
    /// Calls, each behind those that it reads: definition and place.
    pub(super) order: Vec<(usize, usize)>,
}

/// A layer, an operation or a model as the file describes it; it may be called several times.
pub(super) struct Definition<'a> {
    pub(super) name: String,
    /// Its name behind those of the models that it lies in.
    pub(super) path: String,
    pub(super) class: String,
    pub(super) value: Value<'a>,
    /// None where a fault was found.
    pub(super) kind: Option<Kind<'a>>,
    /// None where a fault was found.
    pub(super) calls: Vec<Option<Call<Source<'a>>>>,
    /// Whether its weights were trained: files list those that were before the others.
    pub(super) trainable: bool,
    /// Whether it is a function without weights, which files of weights don't list.
    pub(super) operation: bool,
    /// Its place in `model.layers`; none where it is not there.
    pub(super) index: Option<usize>,
}

/// What a definition is.
pub(super) enum Kind<'a> {
    /// An input, with its axes after that of the batch where they are known.
    Input(Vec<Option<usize>>),
    Model(Model<'a>),
    Layer(Box<dyn Layer>),
}

impl Kind<'_> {
    /// Layers and calls that are looked at where it is called.
    pub(super) fn definitions(&self) -> usize {
        match self {
            Kind::Model(model) => model.definitions.len().saturating_add(model.order.len()),
            Kind::Input(_) | Kind::Layer(_) => 0,
        }
    }
}

/// A tensor: a result of a call of a definition.
#[derive(Clone)]
pub(super) struct Source<'a> {
    pub(super) definition: usize,
    pub(super) call: usize,
    pub(super) result: usize,
    pub(super) at: Value<'a>,
}

impl Definition<'_> {
    /// The layer as faults name it.
    pub(super) fn label(&self) -> String {
        format!("{} ({})", self.path, self.class)
    }

    /// How often it is called; an input is there once.
    fn count(&self) -> usize {
        if self.class == "InputLayer" { self.calls.len().max(1) } else { self.calls.len() }
    }
}

/// What reading models needs and finds.
pub(super) struct Reading<'r, 'a> {
    pub(super) findings: &'r mut Findings<'a>,
    pub(super) version: Version,
    pub(super) refused: Refused<'a>,
    /// What reading the file may cost.
    pub(super) budget: Budget,
    layers: usize,
}

impl<'r, 'a> Reading<'r, 'a> {
    pub(super) fn new(version: Version, findings: &'r mut Findings<'a>, budget: Budget) -> Reading<'r, 'a> {
        Reading { findings, version, refused: Refused::default(), budget, layers: 0 }
    }

    /// Reads the model `class` in the object `value`; names inside begin with `prefix`.
    pub(super) fn model(
        &mut self,
        value: &Value<'a>,
        class: &str,
        prefix: &str,
        depth: usize,
    ) -> Option<Model<'a>> {
        if depth > DEPTH {
            let message = format!("models inside models, more than {DEPTH} deep");
            self.findings.add(value, Diagnostic::error(codes::LIMIT, message));
            return None;
        }
        let mut attributes = self.attributes(value, "")?;
        let config = attributes.needed("config")?;
        // A Sequential of Keras 1 is its list of layers.
        let (fields, list, name) = if config.spelling().starts_with('[') {
            (None, config.clone(), String::new())
        } else {
            let mut fields = self.attributes(&config, "")?;
            let list = fields.needed("layers")?;
            let name = fields.value("name").and_then(|name| fields.name_of(&name)).unwrap_or_default();
            (Some(config), list, name)
        };
        let layers = Attributes::nothing(&list, "", self.version, self.findings).list_of(&list, "layers")?;
        let sequential = class == "Sequential";
        let mut found = Vec::with_capacity(layers.len());
        for layer in &layers {
            self.layers += 1;
            limits::layers(self.layers).map_err(|fault| self.findings.add(layer, fault)).ok()?;
            found.extend(self.definition(layer, prefix, depth, sequential));
        }
        if layers.is_empty() {
            self.findings.add(&list, wrong("a network has at least one layer, and this one has no layers"));
            return None;
        }
        self.once(&found);
        if sequential {
            self.chain(name, found, value, fields.as_ref())
        } else {
            self.network(name, found, &fields?)
        }
    }

    fn attributes(&mut self, value: &Value<'a>, label: &str) -> Option<Attributes<'_, 'a>> {
        Attributes::open(value, label, self.version, self.findings)
    }

    /// That no name stands twice.
    fn once(&mut self, found: &[Unresolved<'a>]) {
        let mut names = BTreeMap::new();
        for Unresolved { definition, .. } in found {
            if names.insert(definition.name.as_str(), ()).is_some() {
                let message = format!("the name {} is given twice", definition.name);
                let fault = Diagnostic::error(codes::DUPLICATE_NAME, message).at(definition.label());
                self.findings.add(&definition.value, fault);
            }
        }
    }

    fn definition(
        &mut self,
        value: &Value<'a>,
        prefix: &str,
        depth: usize,
        sequential: bool,
    ) -> Option<Unresolved<'a>> {
        let written = self.written(value)?;
        let path = self.path(value, prefix, &written.name)?;
        let mut definition = Definition {
            name: written.name.clone(),
            path,
            class: written.class.clone(),
            value: value.clone(),
            kind: None,
            calls: Vec::new(),
            trainable: written.trainable,
            operation: layers::is_operation(&written),
            index: None,
        };
        let mut attributes = Attributes::nothing(value, &definition.label(), self.version, self.findings);
        let calls = match written.nodes.as_ref().filter(|_| !sequential) {
            Some(nodes) => calls::read(nodes, &mut attributes),
            None => Vec::new(),
        };
        // All are told: a wrong type, and what else is wrong.
        let kind = self.kind(&definition, &written, depth);
        let typed = written.dtype.as_ref().filter(|dtype| *dtype != "float32");
        if let Some(dtype) = typed {
            self.refused.dtype(&definition, dtype);
        }
        definition.kind = kind.filter(|_| typed.is_none());
        Some(Unresolved { definition, calls })
    }

    /// The name of a layer behind those of the models that it lies in; none where the file asks for more names than it may
    /// have, which is told once.
    fn path(&mut self, value: &Value<'a>, prefix: &str, name: &str) -> Option<String> {
        let before = self.budget.is_spent();
        // Weights and faults keep it in some places.
        match self.budget.take_bytes(4 * (prefix.len() + name.len())) {
            Ok(()) => return Some(format!("{prefix}{name}")),
            Err(fault) if !before => self.findings.add(value, fault),
            Err(_) => {}
        }
        None
    }

    /// Reads what a layer says of itself before its class is looked at.
    fn written(&mut self, value: &Value<'a>) -> Option<Written<'a>> {
        let mut outer = self.attributes(value, "")?;
        let class = outer.needed("class_name")?;
        let class = outer.text_of(&class, "class_name")?;
        let config = outer.needed("config")?;
        let name = outer.value("name");
        let nodes = outer.value("inbound_nodes");
        let [module, registered] = ["module", "registered_name"].map(|name| outer.value(name).map(spelled));
        let (packaged, class) =
            match class.strip_prefix("Custom>").filter(|class| layers::is_registered(class)) {
                Some(class) => (false, class.to_owned()),
                None => (class.contains('>'), class),
            };
        let mut written = Written {
            name: String::new(),
            class,
            config,
            nodes,
            module,
            registered,
            packaged,
            trainable: true,
            typed: false,
            dtype: None,
        };
        let mut inner_name = None;
        if written.config.spelling().starts_with('{') {
            let mut inner = self.attributes(&written.config, &written.class)?;
            inner_name = inner.value("name");
            written.trainable = inner.flag_or("trainable", true).unwrap_or(true);
            let dtype = inner.value("dtype");
            written.typed = dtype.is_some() || inner.value("trainable").is_some();
            written.dtype = dtype.map(|dtype| self.dtype(dtype));
        }
        let mut outer = Attributes::nothing(value, &written.class, self.version, self.findings);
        written.name = match name.or(inner_name) {
            Some(name) => outer.name_of(&name)?,
            None => written.class.to_lowercase(),
        };
        Some(written)
    }

    /// The name of a layer's type, or of its policy.
    fn dtype(&mut self, dtype: Value<'a>) -> String {
        let mut field = |of: &Value<'a>, name: &str| {
            let object = of.spelling().starts_with('{');
            object.then(|| self.attributes(of, "")).flatten()?.value(name)
        };
        let policy = field(&dtype, "config").and_then(|config| field(&config, "name"));
        spelled(policy.or_else(|| field(&dtype, "class_name")).unwrap_or(dtype))
    }

    fn kind(&mut self, definition: &Definition<'a>, written: &Written<'a>, depth: usize) -> Option<Kind<'a>> {
        if layers::is_custom(written) {
            self.refused.class(definition);
            return None;
        }
        match definition.class.as_str() {
            "InputLayer" => self.input(&written.config, &definition.label()).map(Kind::Input),
            "Functional" | "Model" | "Sequential" => {
                let prefix = format!("{}/", definition.path);
                self.model(&definition.value, &definition.class, &prefix, depth + 1).map(Kind::Model)
            }
            "Lambda" => {
                let lambda = lambda::read(definition, written, self);
                self.refused.lambda(lambda);
                None
            }
            _ => layers::read(definition, written, self).map(Kind::Layer),
        }
    }

    fn input(&mut self, config: &Value<'a>, label: &str) -> Option<Vec<Option<usize>>> {
        let mut attributes = self.attributes(config, label)?;
        for name in ["batch_shape", "batch_input_shape"] {
            if let Some(shape) = attributes.value(name) {
                return axes(&shape, name, &mut attributes);
            }
        }
        attributes.needed("batch_shape");
        None
    }

    /// The layers one behind the other.
    fn chain(
        &mut self,
        name: String,
        found: Vec<Unresolved<'a>>,
        value: &Value<'a>,
        fields: Option<&Value<'a>>,
    ) -> Option<Model<'a>> {
        let mut definitions: Vec<Definition<'a>> = found.into_iter().map(|layer| layer.definition).collect();
        let first = definitions.first()?;
        if !matches!(first.kind, Some(Kind::Input(_))) && first.class != "InputLayer" {
            let axes = self.entrance(first, value, fields)?;
            let path = format!("{}_input", first.path);
            definitions.insert(
                0,
                Definition {
                    name: format!("{}_input", first.name),
                    path,
                    class: "InputLayer".to_owned(),
                    value: value.clone(),
                    kind: Some(Kind::Input(axes)),
                    calls: Vec::new(),
                    trainable: true,
                    operation: true,
                    index: None,
                },
            );
        }
        let source = |definition: usize, definitions: &[Definition<'a>]| Source {
            definition,
            call: 0,
            result: 0,
            at: definitions[definition].value.clone(),
        };
        for place in 1..definitions.len() {
            let read = source(place - 1, &definitions);
            let call = Call { positional: vec![calls::Argument::Tensor(read)], keyword: Vec::new() };
            definitions[place].calls = vec![Some(call)];
        }
        // A Sequential does not list its input.
        let layers = definitions.iter_mut().filter(|definition| definition.class != "InputLayer");
        layers.enumerate().for_each(|(index, definition)| definition.index = Some(index));
        let last = definitions.len() - 1;
        let outputs = vec![(definitions[last].name.clone(), source(last, &definitions))];
        let order = (0..definitions.len()).map(|place| (place, 0)).collect();
        Some(Model { name, definitions, inputs: vec![(None, 0)], outputs, complete: true, order })
    }

    /// The axes of what a chain without an input layer takes.
    fn entrance(
        &mut self,
        first: &Definition<'a>,
        value: &Value<'a>,
        fields: Option<&Value<'a>>,
    ) -> Option<Vec<Option<usize>>> {
        if let Some(Kind::Model(model)) = &first.kind
            && let Some(Kind::Input(axes)) =
                model.inputs.first().and_then(|(_, input)| model.definitions[*input].kind.as_ref())
        {
            return Some(axes.clone());
        }
        let inside =
            |object: &Value<'a>, name: &str, reading: &mut Self| reading.attributes(object, "")?.value(name);
        let config = inside(&first.value, "config", self);
        let build = inside(value, "build_config", self);
        let shape = config.and_then(|config| inside(&config, "batch_input_shape", self));
        let shape = shape.or_else(|| inside(fields?, "build_input_shape", self));
        let shape = shape.or_else(|| inside(&build?, "input_shape", self));
        let Some(shape) = shape else {
            let fault = Diagnostic::error(codes::MISSING_FIELD, "the network has no input layer");
            let fault = fault.note("a Sequential says what it takes in its first layer, or when it is built");
            self.findings
                .add(value, fault.help("begin it with keras.Input(shape=(224, 224, 3)) and save it again"));
            return None;
        };
        let mut attributes = Attributes::nothing(value, &first.label(), self.version, self.findings);
        axes(&shape, "batch_input_shape", &mut attributes)
    }

    /// The layers as they name each other.
    fn network(&mut self, name: String, found: Vec<Unresolved<'a>>, config: &Value<'a>) -> Option<Model<'a>> {
        let mut fields = self.attributes(config, "")?;
        let entries = ["input_layers", "output_layers"].map(|name| fields.needed(name));
        let [inputs, outputs] = entries.map(|entry| {
            let mut found = Vec::new();
            let mut attributes = Attributes::nothing(config, "", self.version, self.findings);
            entry.and_then(|entry| ends(&entry, None, &mut attributes, &mut found)).map(|()| found)
        });
        let (mut definitions, calls): (Vec<_>, Vec<_>) =
            found.into_iter().map(|layer| (layer.definition, layer.calls)).unzip();
        if !definitions.iter().any(|definition| definition.class == "InputLayer") {
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
                let label = definition.label();
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
            if definitions[input].class != "InputLayer" {
                let fault =
                    Diagnostic::error(codes::UNKNOWN_LAYER, "an input of the model is no input layer");
                self.findings.add(&reference.at, fault.at(definitions[input].label()));
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
        let Some(Kind::Model(model)) = &definition.kind else { return reference.call };
        let begins_with_input =
            model.definitions.first().is_some_and(|first| !first.operation && first.class == "InputLayer");
        let made = match self.version {
            Version::Keras3 => ends && definition.class != "Sequential",
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
            let names = cycle.iter().map(|&call| definitions[calls[call].0].path.as_str());
            let (names, place) = (names.collect::<Vec<_>>(), calls[cycle[0]].0);
            let fault = order::cycle_fault(&names).at(definitions[place].label());
            self.findings.add(&definitions[place].value, fault);
        }
        order.into_iter().map(|call| calls[call]).collect()
    }
}

/// A text without its quotation marks.
fn spelled(value: Value<'_>) -> String {
    value.spelling().trim_matches('"').to_owned()
}

/// What a layer says of itself.
pub(super) struct Written<'a> {
    name: String,
    pub(super) class: String,
    pub(super) config: Value<'a>,
    pub(super) nodes: Option<Value<'a>>,
    /// Where Python finds the class.
    pub(super) module: Option<String>,
    /// Under which name a user's class is registered.
    pub(super) registered: Option<String>,
    /// Whether the class's name says that it is of a user's package.
    pub(super) packaged: bool,
    trainable: bool,
    /// Whether it has the fields that every layer has.
    pub(super) typed: bool,
    dtype: Option<String>,
}

/// A layer whose calls name others.
struct Unresolved<'a> {
    definition: Definition<'a>,
    calls: Vec<Call<Reference<'a>>>,
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

/// The axes of an input after that of the batch; none of those that are open.
fn axes<'a>(
    shape: &Value<'a>,
    name: &str,
    attributes: &mut Attributes<'_, 'a>,
) -> Option<Vec<Option<usize>>> {
    let axes = attributes.list_of(shape, name)?;
    let Some((_, axes)) = axes.split_first() else {
        attributes.fault(shape, wrong(&format!("{name} has no axes, not even that of the batch")));
        return None;
    };
    axes.iter()
        .map(|axis| match axis.spelling() {
            "null" => Some(None),
            _ => attributes.count_of(axis, name).map(Some),
        })
        .collect()
}
