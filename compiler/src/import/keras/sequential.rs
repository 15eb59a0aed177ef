//! A Sequential: layers one behind the other.

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use super::attributes::Attributes;
use super::calls::{Argument, Call};
use super::model::{Definition, DefinitionKind, Model, Source, Unresolved};
use super::reading::Reading;
use super::tensors::Described;
use crate::import::document::Value;

impl<'a> Reading<'_, 'a> {
    /// The layers one behind the other.
    pub(super) fn chain(
        &mut self,
        name: String,
        found: Vec<Unresolved<'a>>,
        value: &Value<'a>,
        fields: Option<&Value<'a>>,
    ) -> Option<Model<'a>> {
        let mut definitions: Vec<Definition<'a>> = found.into_iter().map(|layer| layer.definition).collect();
        let first = definitions.first()?;
        if !matches!(first.kind, Some(DefinitionKind::Input(_))) && first.at.class != "InputLayer" {
            let axes = self.entrance(first, value, fields)?;
            let path = format!("{}_input", first.at.path);
            let input = Definition {
                name: format!("{}_input", first.name),
                at: Described { path, class: "InputLayer".to_owned(), value: value.clone() },
                kind: Some(DefinitionKind::Input(axes)),
                calls: Vec::new(),
                trainable: true,
                operation: true,
                index: None,
            };
            definitions.insert(0, input);
        }
        let source = |definition: usize, definitions: &[Definition<'a>]| Source {
            definition,
            call: 0,
            result: 0,
            at: definitions[definition].at.value.clone(),
        };
        for place in 1..definitions.len() {
            let read = source(place - 1, &definitions);
            let call = Call { positional: vec![Argument::Tensor(read)], keyword: Vec::new() };
            definitions[place].calls = vec![Some(call)];
        }
        // A Sequential does not list its input.
        let layers = definitions.iter_mut().filter(|definition| definition.at.class != "InputLayer");
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
        if let Some(DefinitionKind::Model(model)) = &first.kind
            && let Some(DefinitionKind::Input(axes)) =
                model.inputs.first().and_then(|(_, input)| model.definitions[*input].kind.as_ref())
        {
            return Some(axes.clone());
        }
        let inside =
            |object: &Value<'a>, name: &str, reading: &mut Self| reading.attributes(object, "")?.value(name);
        let config = inside(&first.at.value, "config", self);
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
        let mut attributes = Attributes::nothing(value, &first.at.label(), self.version, self.findings);
        attributes.input_axes(&shape, "batch_input_shape")
    }
}
