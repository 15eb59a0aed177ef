//! The classes of layers and operations together, and those that are none of Keras' own.

use super::attributes::Attributes;
use super::layer::KerasLayer;
use super::model::Definition;
use super::reading::Reading;
use super::written::Written;
use super::{layers, operations};

/// Reads a layer or an operation.
pub(super) fn read<'a>(
    definition: &Definition<'a>,
    written: &Written<'a>,
    reading: &mut Reading<'_, 'a>,
) -> Option<Box<dyn KerasLayer>> {
    let label = definition.at.label();
    let mut attributes = Attributes::open(&written.config, &label, reading.version, reading.findings)?;
    if definition.operation {
        if let Some(operation) = operations::find(&definition.at.class) {
            return operation(&mut attributes);
        }
    } else if operations::is_lambda(&definition.at.class) {
        let function = attributes.needed("function")?;
        let function = attributes.values().as_text(&function, "function")?;
        if let Some(operation) = operations::find_function(&function) {
            return operation(&mut attributes);
        }
        reading.refused.function(&definition.at, &function);
        return None;
    } else if let Some(read) = layers::find(&definition.at.class) {
        return read(&mut attributes);
    }
    reading.refused.unknown(&definition.at);
    None
}

/// Whether the layer is an operation on tensors, which Keras 3 keeps among the layers. Without a module it is told by its
/// class, and where a layer has the same by its fields: every layer has a type.
pub(super) fn is_operation(written: &Written<'_>) -> bool {
    match &written.module {
        Some(module) => ["keras.src.ops", "keras.ops"].iter().any(|known| module.starts_with(known)),
        None => {
            operations::find(&written.class).is_some()
                && (layers::find(&written.class).is_none() || !written.typed)
        }
    }
}
