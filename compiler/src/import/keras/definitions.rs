//! From the file to definitions: models, what lies in them, and models inside those.

use std::collections::BTreeMap;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use super::attributes::Attributes;
use super::model::{Definition, DefinitionKind, Model, Unresolved};
use super::reading::Reading;
use super::tensors::Described;
use super::written::Written;
use super::{calls, classes, lambda};
use crate::import::document::Value;
use crate::import::findings::wrong;
use crate::import::limits;

/// Models inside models inside models.
const DEPTH: usize = 32;

impl<'a> Reading<'_, 'a> {
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
            let name = fields
                .value("name")
                .and_then(|name| fields.values().as_name(&name, "name"))
                .unwrap_or_default();
            (Some(config), list, name)
        };
        let layers =
            Attributes::nothing(&list, "", self.version, self.findings).values().as_list(&list, "layers")?;
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

    /// That no name stands twice.
    fn once(&mut self, found: &[Unresolved<'a>]) {
        let mut names = BTreeMap::new();
        for Unresolved { definition, .. } in found {
            if names.insert(definition.name.as_str(), ()).is_some() {
                let message = format!("the name {} is given twice", definition.name);
                let fault = Diagnostic::error(codes::DUPLICATE_NAME, message).at(definition.at.label());
                self.findings.add(&definition.at.value, fault);
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
            at: Described { path, class: written.class.clone(), value: value.clone() },
            kind: None,
            calls: Vec::new(),
            trainable: written.trainable,
            operation: classes::is_operation(&written),
            index: None,
        };
        let mut attributes = Attributes::nothing(value, &definition.at.label(), self.version, self.findings);
        let calls = match written.nodes.as_ref().filter(|_| !sequential) {
            Some(nodes) => calls::read(nodes, &mut attributes),
            None => Vec::new(),
        };
        // All are told: a wrong type, and what else is wrong.
        let kind = self.kind(&definition, &written, depth);
        let typed = written.dtype.as_ref().filter(|dtype| *dtype != "float32");
        if let Some(dtype) = typed {
            self.refused.dtype(&definition.at, dtype);
        }
        definition.kind = kind.filter(|_| typed.is_none());
        Some(Unresolved { definition, calls })
    }

    fn kind(
        &mut self,
        definition: &Definition<'a>,
        written: &Written<'a>,
        depth: usize,
    ) -> Option<DefinitionKind<'a>> {
        if written.is_custom() {
            self.refused.class(&definition.at);
            return None;
        }
        match definition.at.class.as_str() {
            "InputLayer" => self.input(&written.config, &definition.at.label()).map(DefinitionKind::Input),
            "Functional" | "Model" | "Sequential" => {
                let prefix = format!("{}/", definition.at.path);
                self.model(&definition.at.value, &definition.at.class, &prefix, depth + 1)
                    .map(DefinitionKind::Model)
            }
            "Lambda" => {
                let known = (self.version, &mut *self.findings);
                let lambda = lambda::read(&definition.at, &written.config, written.nodes.as_ref(), known);
                self.lambdas.push(lambda);
                None
            }
            _ => classes::read(definition, written, self).map(DefinitionKind::Layer),
        }
    }

    fn input(&mut self, config: &Value<'a>, label: &str) -> Option<Vec<Option<usize>>> {
        let mut attributes = self.attributes(config, label)?;
        for name in ["batch_shape", "batch_input_shape"] {
            if let Some(shape) = attributes.value(name) {
                return attributes.input_axes(&shape, name);
            }
        }
        attributes.needed("batch_shape");
        None
    }
}
