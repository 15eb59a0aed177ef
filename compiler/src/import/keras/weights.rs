//! Where the weights of layers lie: by the number of their layer's class and their own (Keras 3), or under the names that the
//! file lists (Keras 1 to 3).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use frit_ir::diagnostic::codes;
use frit_ir::weights::{Data, Values, permuted};
use frit_ir::{Diagnostic, Shape, Weight};
use frit_passes::legality::multiplier;
use hdf5_reader::group::Group;

use super::hdf5::{self, Container, Misfit};
use super::model::{Definition, DefinitionKind, Model};
use super::tensors::Tensors;
use super::variable::{Change, Needed, Variable};
use crate::import::document::Value;
use crate::import::findings::Findings;

/// A file of weights, and how things are found in it.
pub(super) struct Shelf {
    container: Container,
    /// Its name in faults.
    name: String,
    scheme: Scheme,
}

enum Scheme {
    /// `layers/conv2d_1/vars/0`
    Numbered(Group),
    /// Layers and weights by the names that the file lists.
    Named(Group, Vec<String>),
}

/// Where one variable lies.
struct DatasetPath {
    group: Group,
    path: String,
}

impl Shelf {
    /// Finds out how the weights of `container` are laid out.
    pub(super) fn new(container: Container, name: &str) -> Result<Shelf, Diagnostic> {
        let root = container.root()?;
        let home = hdf5::group(&root, "model_weights")?.unwrap_or_else(|| root.clone());
        let scheme = match hdf5::texts(&home, "layer_names")? {
            Some(layers) => Scheme::Named(home, layers),
            None => Scheme::Numbered(root),
        };
        Ok(Shelf { container, name: name.to_owned(), scheme })
    }
}

/// Gives the weights that `tensors` need their values. Weights that are missing, of another type or shape are faults; what no
/// layer needs is a warning. Without a file they have shapes and no values, which is a warning too.
pub(super) fn fill<'a>(
    tensors: &mut Tensors<'_, 'a>,
    model: &Model<'a>,
    shelf: Option<Shelf>,
    root: &Value<'a>,
) {
    let needed = std::mem::take(&mut tensors.needed);
    let Some(mut shelf) = shelf else {
        if !needed.is_empty() {
            let message = "the description is without weights: its layers are checked, and can't be computed";
            let warning = Diagnostic::warning(codes::WEIGHT_MISSING, message);
            tensors.findings.add(
                root,
                warning.help_flag("name their file", "--weights FILE", "a .h5 that save_weights wrote"),
            );
        }
        for (place, weight) in needed.into_iter().enumerate() {
            let data = Data::Digest(place as u64);
            tensors.network.graph.weights.insert(weight.name, Weight::new(weight.shape, data));
        }
        return;
    };
    let places = match shelf.places(model, tensors.findings, root) {
        Ok(places) => places,
        Err(fault) => return tensors.findings.add(root, fault),
    };
    let mut misfits = BTreeMap::new();
    for weight in &needed {
        let place = places.get(&(weight.layer.as_str(), weight.owner, weight.stored.variable));
        match shelf.data(weight, place) {
            Ok(data) => {
                let shape = weight.shape.clone();
                tensors.network.graph.weights.insert(weight.name.clone(), Weight::new(shape, data));
            }
            Err(misfit) => {
                if let Misfit::Shape(given) = &misfit {
                    misfits.insert(weight.name.clone(), in_order(given, weight.stored.order));
                }
                let fault = shelf.fault(weight, misfit);
                tensors.findings.add(&weight.value, fault);
            }
        }
    }
    if !misfits.is_empty() {
        let given = |name: &str| misfits.get(name).cloned();
        let faults = multiplier::faults(&tensors.network.graph, &tensors.network.shapes, &given);
        tensors.findings.extend(faults);
    }
}

/// The shape that a stored weight has in the graph.
fn in_order(stored: &Shape, order: Option<&[usize]>) -> Shape {
    let axes = stored.axes();
    let Some(order) = order.filter(|order| order.len() == axes.len()) else { return stored.clone() };
    Shape::new(&order.iter().map(|&axis| axes[axis]).collect::<Vec<_>>())
}

/// By layer, the part of it, and the number among that part's variables.
type Places<'p> = BTreeMap<(&'p str, &'static str, usize), DatasetPath>;

impl Shelf {
    /// Where the variables of all layers lie, by layer and number.
    fn places<'p, 'a>(
        &self,
        model: &'p Model<'a>,
        findings: &mut Findings<'a>,
        root: &Value<'a>,
    ) -> Result<Places<'p>, Diagnostic> {
        let mut places = BTreeMap::new();
        match &self.scheme {
            Scheme::Numbered(root) => numbered(root, model, &mut places)?,
            Scheme::Named(home, layers) => {
                let unused = named(home, layers, model, &mut places)?;
                if !unused.is_empty() {
                    let message = format!("{} has weights that no layer needs", self.name);
                    let warning = Diagnostic::warning(codes::WEIGHT_UNUSED, message);
                    findings.add(root, warning.note(unused.join(", ")));
                }
            }
        }
        Ok(places)
    }

    /// The values of one weight.
    fn data(&mut self, weight: &Needed<'_>, place: Option<&DatasetPath>) -> Result<Data, Misfit> {
        let place = place.ok_or(Misfit::Missing)?;
        let stored = &weight.stored;
        let data = self.container.values(&place.group, &place.path, &stored.shape)?;
        let data = match (data, stored.order) {
            (Data::Mapped(mapped), Some(order)) => mapped.permuted(&stored.shape, order).map(Data::Mapped),
            (Data::Values(values), Some(order)) => permuted(&values, &stored.shape, order).map(Data::Values),
            (data, None) => Some(data),
            _ => None,
        };
        let data = data.ok_or(Misfit::Missing)?;
        Ok(match stored.change {
            Change::None => data,
            Change::VarianceFloor => changed(data, |values| values.iter().map(|x| x.max(1e-14)).collect()),
            Change::Deviation => changed(data, |values| values.iter().map(|x| x.sqrt().max(1e-7)).collect()),
        })
    }

    /// The fault of a weight that is not as it should be.
    fn fault(&self, weight: &Needed<'_>, misfit: Misfit) -> Diagnostic {
        let fault = match misfit {
            Misfit::Missing => {
                let message = format!("the weight {} is not in {}", weight.name, self.name);
                Diagnostic::error(codes::WEIGHT_MISSING, message)
                    .note(format!("in Keras it is {}", weight.stored.shape))
            }
            Misfit::Shape(given) => {
                let message = format!(
                    "the weight {} of {} has another shape than its layer needs",
                    weight.name, self.name
                );
                Diagnostic::error(codes::WEIGHT_SHAPE, message)
                    .operand("given", weight.name.as_str(), given.to_string())
                    .operand("needed", weight.name.as_str(), weight.stored.shape.to_string())
            }
            Misfit::Fault(fault) => {
                let message = format!("the weight {} of {}: {}", weight.name, self.name, fault.message);
                Diagnostic { message, ..fault }
            }
        };
        fault.at(weight.label.as_str())
    }
}

fn changed(data: Data, change: impl Fn(&Values) -> Values) -> Data {
    match data {
        Data::Mapped(mapped) => Data::Values(change(&mapped.values())),
        Data::Values(values) => Data::Values(change(&values)),
        other => other,
    }
}

/// The containers of layers, as versions call them.
const CONTAINERS: [&str; 2] = ["layers", "_layer_checkpoint_dependencies"];

/// Finds variables by the number of their layer among those of its class.
fn numbered<'p>(root: &Group, model: &'p Model<'_>, places: &mut Places<'p>) -> Result<(), Diagnostic> {
    let mut home = None;
    for container in CONTAINERS {
        if home.is_none() {
            home = hdf5::group(root, container)?;
        }
    }
    let Some(home) = home else { return Ok(()) };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for definition in model.definitions.iter().filter(|definition| !definition.operation) {
        let class = snake_case(&definition.at.class);
        let count = counts.entry(class.clone()).or_default();
        let name = if *count == 0 { class } else { format!("{class}_{count}") };
        *count += 1;
        match &definition.kind {
            Some(DefinitionKind::Model(model)) => {
                if let Some(group) = hdf5::group(&home, &name)? {
                    numbered(&group, model, places)?;
                }
            }
            Some(DefinitionKind::Layer(layer)) => {
                for (variable, number) in counted(layer.variables()) {
                    let folder = [name.as_str(), variable.owner, "vars"].join("/");
                    let place = DatasetPath { group: home.clone(), path: format!("{folder}/{number}") };
                    places.insert((definition.at.path.as_str(), variable.owner, number), place);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Variables, each with its number among those of its part of the layer.
fn counted(variables: Vec<Variable>) -> impl Iterator<Item = (Variable, usize)> {
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    variables.into_iter().map(move |variable| {
        let number = next.entry(variable.owner).or_default();
        *number += 1;
        (variable, *number - 1)
    })
}

/// The name of a class as Keras writes it in paths: words are split where a small letter or any one stands before a capital
/// with small letters behind it.
fn snake_case(class: &str) -> String {
    let class = class.rsplit('>').next().unwrap_or(class);
    let letters: Vec<char> =
        class.chars().filter(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let mut first = Vec::with_capacity(letters.len() + 8);
    let mut at = 0;
    while at < letters.len() {
        let small = letters[at + 1..].iter().skip(1).take_while(|letter| letter.is_ascii_lowercase()).count();
        first.push(letters[at]);
        if letters.get(at + 1).is_some_and(char::is_ascii_uppercase) && small > 0 {
            first.push('_');
            first.extend(&letters[at + 1..at + 2 + small]);
            at += 2 + small;
        } else {
            at += 1;
        }
    }
    let mut name = String::with_capacity(first.len());
    for (place, letter) in first.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| first[before]);
        if letter.is_ascii_uppercase() && before.is_some_and(|before| before.is_ascii_lowercase()) {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// Finds variables under the names that the file lists, and returns layers that the model has not. Layers are found by their
/// names; where the file has other names, as many layers in the same order will do, as they do for Keras.
fn named<'p>(
    home: &Group,
    layers: &[String],
    model: &'p Model<'_>,
    places: &mut Places<'p>,
) -> Result<Vec<String>, Diagnostic> {
    let mut listed: Vec<(&str, Group, Rc<Vec<String>>)> = Vec::new();
    // Several names may stand for one group: its lists are read once.
    let mut lists: BTreeMap<u64, Rc<Vec<String>>> = BTreeMap::new();
    for layer in layers {
        let Some(group) = hdf5::group(home, layer)? else { continue };
        let weights = match lists.get(&group.address()) {
            Some(weights) => Rc::clone(weights),
            None => Rc::new(hdf5::texts(&group, "weight_names")?.unwrap_or_default()),
        };
        lists.insert(group.address(), Rc::clone(&weights));
        if !weights.is_empty() {
            listed.push((layer, group, weights));
        }
    }
    let weighted: Vec<&Definition<'_>> =
        model.definitions.iter().filter(|definition| !variables(definition).is_empty()).collect();
    let known: BTreeSet<&str> = listed.iter().map(|(name, ..)| *name).collect();
    let by_name = weighted.iter().any(|definition| known.contains(definition.name.as_str()));
    let mut used = BTreeSet::new();
    for (place, definition) in weighted.iter().enumerate() {
        let found = if by_name || weighted.len() != listed.len() {
            listed.iter().position(|(name, ..)| *name == definition.name)
        } else {
            Some(place)
        };
        let Some(found) = found else { continue };
        used.insert(found);
        let (_, group, names) = &listed[found];
        assign(definition, group, names, places);
    }
    let unused = listed.iter().enumerate().filter(|(place, _)| !used.contains(place));
    Ok(unused.map(|(_, (name, ..))| (*name).to_owned()).collect())
}

/// A variable of a layer inside a definition.
struct Inner<'p> {
    layer: &'p str,
    name: &'p str,
    index: usize,
    variable: Variable,
    trained: bool,
}

/// Gives the variables of a definition the names that the file lists for it: those that were trained come first.
fn assign<'p>(definition: &'p Definition<'_>, group: &Group, names: &[String], places: &mut Places<'p>) {
    let all = variables(definition);
    let (trained, followed): (Vec<&Inner<'_>>, Vec<&Inner<'_>>) = all.iter().partition(|inner| inner.trained);
    for (place, inner) in trained.into_iter().chain(followed).enumerate() {
        let suffix = |name: &String| named_as(name, inner);
        let name = names.get(place).filter(|name| suffix(name));
        let mut others = names.iter().filter(|name| suffix(name));
        let only = others.next().filter(|_| others.next().is_none());
        if let Some(path) = name.or(only).or(names.get(place).filter(|_| names.len() == all.len())) {
            places.insert(
                (inner.layer, inner.variable.owner, inner.index),
                DatasetPath { group: group.clone(), path: path.clone() },
            );
        }
    }
}

/// Whether a weight's name ends with that of the layer and the variable.
fn named_as(name: &str, inner: &Inner<'_>) -> bool {
    let name = name.strip_suffix(":0").unwrap_or(name);
    let Some((layer, variable)) = name.rsplit_once('/') else { return false };
    let layer = layer == inner.name || layer.ends_with(&format!("/{}", inner.name));
    layer && variable == inner.variable.name
}

/// The variables of a definition, those of the models inside it too, as Keras lists them.
fn variables<'p>(definition: &'p Definition<'_>) -> Vec<Inner<'p>> {
    match &definition.kind {
        Some(DefinitionKind::Model(model)) => {
            let mut all: Vec<Inner<'p>> = model.definitions.iter().flat_map(variables).collect();
            if !definition.trainable {
                all.iter_mut().for_each(|inner| inner.trained = false);
            }
            all
        }
        Some(DefinitionKind::Layer(layer)) => {
            let inner = |(variable, index): (Variable, usize)| Inner {
                layer: definition.at.path.as_str(),
                name: definition.name.as_str(),
                index,
                variable,
                trained: variable.trained && definition.trainable,
            };
            counted(layer.variables()).map(inner).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_spelled_as_keras_spells_them_in_paths() {
        let spelled = [
            ("Conv2D", "conv2d"),
            ("BatchNormalization", "batch_normalization"),
            ("ReLU", "re_lu"),
            ("PReLU", "p_re_lu"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("Conv2DTranspose", "conv2d_transpose"),
            ("TFOpLambda", "tf_op_lambda"),
            ("UpSampling2D", "up_sampling2d"),
            ("InputLayer", "input_layer"),
        ];
        for (class, path) in spelled {
            assert_eq!(snake_case(class), path);
        }
    }
}
