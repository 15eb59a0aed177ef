//! What an op or a stage takes: a section with a name.

use frit_ir::ops::Activation;

use super::defaults::{Defaults, Inherited};
use super::layer::Operation;
use super::section::{Field, Rule, Section};
use crate::import::reader::Reader;

/// What a layer computes, and the activation that follows it.
type Read = (Operation, Option<Activation>);

/// An op or a stage: its name, and what it takes.
pub(super) struct Entry {
    /// Its name in descriptions.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) doc: &'static str,
    /// Its fields.
    pub(super) fields: &'static [Field],
    /// What holds between them.
    pub(super) rules: &'static [Rule],
    /// What it takes from the description's `defaults` where it says nothing.
    pub(super) inherits: &'static [Inherited],
    pub(super) read: fn(&'static str, &mut Reader<'_, '_>, &Defaults) -> Option<Read>,
}

impl Entry {
    /// The entry whose fields are those of `L`.
    pub(super) const fn new<L: LayerSection>(name: &'static str, doc: &'static str) -> Entry {
        Entry { name, doc, fields: L::FIELDS, rules: L::RULES, inherits: L::INHERITS, read: read_as::<L> }
    }
}

/// A section that is a layer.
pub(super) trait LayerSection: Section {
    /// What it takes from the description's `defaults` where it says nothing.
    const INHERITS: &'static [Inherited] = &[];

    /// What the layer of this name computes; the fault of what is wrong between its fields is told.
    fn operation(
        self,
        word: &'static str,
        reader: &mut Reader<'_, '_>,
        defaults: &Defaults,
    ) -> Option<Operation>;

    /// The activation that follows it.
    fn follower(&self) -> Option<Activation> {
        None
    }
}

fn read_as<L: LayerSection>(
    word: &'static str,
    reader: &mut Reader<'_, '_>,
    defaults: &Defaults,
) -> Option<Read> {
    let layer = L::read(reader);
    for inherited in L::INHERITS {
        inherited.check(reader, defaults);
    }
    let layer = layer?;
    let follower = layer.follower();
    Some((layer.operation(word, reader, defaults)?, follower))
}
