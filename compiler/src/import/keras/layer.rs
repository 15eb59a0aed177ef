//! What a layer of Keras is to the rest: its calls become ops, and it has variables.

use super::attributes::Attributes;
use super::site::Site;
use super::tensors::Tensor;
use super::variable::Variable;

/// A layer whose inputs are not known yet.
pub(super) trait KerasLayer {
    /// The results of one call.
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>>;

    /// Its variables, in the order in which Keras makes them.
    fn variables(&self) -> Vec<Variable> {
        Vec::new()
    }
}

/// Reads a layer's configuration.
pub(super) type Read = for<'r, 'v, 'a> fn(&'r mut Attributes<'v, 'a>) -> Option<Box<dyn KerasLayer>>;
