//! HDF5: groups by their paths, texts of attributes, and datasets that stay in the file.

use std::ops::Range;
use std::sync::Arc;

use frit_ir::diagnostic::codes;
use frit_ir::weights::{Data, Mapped, Owner, Values};
use frit_ir::{Diagnostic, Shape, memory};
use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::io::Cursor;
use hdf5_reader::local_heap::LocalHeap;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::layout::DataLayout;
use hdf5_reader::messages::link::LinkTarget;
use hdf5_reader::messages::symbol_table_msg::SymbolTableMessage;
use hdf5_reader::symbol_table::SymbolTableNode;
use hdf5_reader::{ByteOrder, Dataset, Datatype, Hdf5File, OpenOptions, btree_v1};

use crate::import::budget::Budget;
use crate::import::limits;

/// Bytes of an f32.
const BYTES: usize = 4;

/// An open HDF5 file.
pub(super) struct Container {
    file: Hdf5File,
    owner: Owner,
    range: Range<usize>,
    /// What is copied out of it is taken from here.
    budget: Budget,
}

/// The bytes of a HDF5 file inside a larger one.
struct Part(Owner, Range<usize>);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref().as_ref().get(self.1.clone()).unwrap_or_default()
    }
}

impl Container {
    /// Opens what lies at `range` of `owner`.
    ///
    /// # Errors
    /// It is no HDF5 file.
    pub(super) fn open(owner: Owner, range: Range<usize>) -> Result<Container, Diagnostic> {
        let options = OpenOptions::default()
            .with_max_read_bytes(limits::HDF5_READ_BYTES)
            .with_max_object_header_bytes(limits::HDF5_READ_BYTES);
        let part = Part(Arc::clone(&owner), range.clone());
        let file = Hdf5File::from_owner(part, options).map_err(|error| damaged("this", &error))?;
        let budget = Budget::of(range.len() as u64);
        Ok(Container { file, owner, range, budget })
    }

    /// The group that everything lies in.
    pub(super) fn root(&self) -> Result<Group, Diagnostic> {
        self.file.root_group().map_err(|error| damaged("its root", &error))
    }

    /// The values of the dataset `path` of `group`, which must be f32 and of `shape`.
    ///
    /// # Errors
    /// It is not there, of another type or shape, or can't be read.
    pub(super) fn values(&mut self, group: &Group, path: &str, shape: &Shape) -> Result<Data, Misfit> {
        let dataset = match dataset(group, path) {
            Err(Misfit::Missing) if self.meets_link(group, path) => {
                return Err(Misfit::Fault(unreadable(
                    "it is a link to another place or another file, which is not followed",
                )));
            }
            found => found?,
        };
        let given = given_shape(&dataset).map_err(Misfit::Fault)?;
        if given != *shape {
            return Err(Misfit::Shape(given));
        }
        let little = match dataset.dtype() {
            Datatype::FloatingPoint { size: 4, byte_order, .. } => *byte_order == ByteOrder::LittleEndian,
            other => {
                let message = format!("it is {}, not float32", type_name(other));
                return Err(Misfit::Fault(Diagnostic::error(codes::WEIGHT_TYPE, message).help(
                    "save the network in float32: frit computes in nothing else, and converts nothing silently",
                )));
            }
        };
        let place = self.place(&dataset).map_err(Misfit::Fault)?;
        match place {
            ValueLayout::Contiguous(bytes) if little => self.mapped(bytes, shape).map_err(Misfit::Fault),
            ValueLayout::Contiguous(_) | ValueLayout::Scattered => {
                self.copied(&dataset, shape).map_err(Misfit::Fault)
            }
        }
    }

    /// Whether the way to `path` ends at a link.
    fn meets_link(&self, from: &Group, path: &str) -> bool {
        let mut at = from.clone();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            match at.group(part) {
                Ok(found) => at = found,
                Err(_) => {
                    return links(&self.file, &at).is_ok_and(|links| links.iter().any(|link| link == part));
                }
            }
        }
        false
    }

    /// The values at `bytes` of the HDF5 file.
    fn mapped(&self, bytes: Range<usize>, shape: &Shape) -> Result<Data, Diagnostic> {
        let needed = shape.elements().and_then(|elements| elements.checked_mul(BYTES));
        let begin = self.range.start.checked_add(bytes.start);
        let end = self.range.start.checked_add(bytes.end).filter(|&end| end <= self.range.end);
        begin
            .zip(end)
            .filter(|_| needed == Some(bytes.len()))
            .and_then(|(begin, end)| Mapped::new(Arc::clone(&self.owner), begin..end))
            .map(Data::Mapped)
            .ok_or_else(|| {
                unreadable("its values reach behind the file's end, or are not as many as its shape says")
            })
    }

    /// The values of a dataset that is packed or in pieces.
    fn copied(&self, dataset: &Dataset, shape: &Shape) -> Result<Data, Diagnostic> {
        let elements = shape.elements().unwrap_or(usize::MAX);
        self.budget.take_work(elements)?;
        let bytes = elements.saturating_mul(BYTES);
        self.budget.take_bytes(bytes)?;
        memory::room::<u8>(bytes, "a weight")?;
        let mut values = Values::zeros(elements);
        // Read where they stay.
        if let Some(values) = values.unshared() {
            dataset.read_into(values).map_err(|error| unreadable(&error.to_string()))?;
        }
        Ok(Data::Values(values))
    }

    /// Where the values of a dataset lie.
    fn place(&self, dataset: &Dataset) -> Result<ValueLayout, Diagnostic> {
        let header = self.file.get_or_parse_header(dataset.address());
        let header = header.map_err(|error| unreadable(&error.to_string()))?;
        let mut place = ValueLayout::Scattered;
        for message in &header.messages {
            match message {
                HdfMessage::ExternalFiles(_) => {
                    return Err(unreadable("its values lie in another file, which is not opened"));
                }
                HdfMessage::DataLayout(layout) => {
                    if let DataLayout::Contiguous { address, size } = layout.layout {
                        place = self.contiguous(address, size)?;
                    }
                }
                _ => {}
            }
        }
        Ok(place)
    }

    fn contiguous(&self, address: u64, size: u64) -> Result<ValueLayout, Diagnostic> {
        if address == u64::MAX {
            return Err(unreadable("the file holds none of its values"));
        }
        let begin = address.checked_add(self.file.superblock().base_address);
        let end = begin.and_then(|begin| begin.checked_add(size));
        let range =
            begin.zip(end).and_then(|(begin, end)| Some(begin.try_into().ok()?..end.try_into().ok()?));
        range.map(ValueLayout::Contiguous).ok_or_else(|| unreadable("its values reach behind the file's end"))
    }
}

/// The names in a group that stand for something elsewhere.
fn links(file: &Hdf5File, group: &Group) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for message in &file.get_or_parse_header(group.address())?.messages {
        match message {
            HdfMessage::Link(link) if !matches!(link.target, LinkTarget::Hard { .. }) => {
                found.push(link.name.clone())
            }
            HdfMessage::SymbolTable(table) => found.extend(soft_links(group, table)?),
            _ => {}
        }
    }
    Ok(found)
}

/// What a symbol table marks an entry with that is a soft link.
const SOFT: u32 = 2;

/// The soft links of a group as older files keep it: nodes of a tree with entries, whose names lie in a heap.
fn soft_links(group: &Group, table: &SymbolTableMessage) -> Result<Vec<String>, Error> {
    let (storage, offset, length) = (group.storage(), group.offset_size(), group.length_size());
    let heap = LocalHeap::parse_at_storage(storage, table.heap_address, offset, length)?;
    let leaves = btree_v1::collect_btree_v1_leaves_storage(
        storage,
        table.btree_address,
        offset,
        length,
        None,
        &[],
        None,
    )?;
    let mut found = Vec::new();
    for (_, address) in leaves {
        // Two lengths, four bytes of each flag, and what is kept for the target.
        let entry = 2 * usize::from(offset) + 24;
        let head = storage.read_range(address, 8)?;
        let count =
            head.as_ref().get(6..8).map_or(0, |count| usize::from(u16::from_le_bytes([count[0], count[1]])));
        let bytes = storage.read_range(address, 8 + count * entry)?;
        let node = SymbolTableNode::parse(&mut Cursor::new(bytes.as_ref()), offset, length)?;
        for entry in node.entries.iter().filter(|entry| entry.cache_type == SOFT) {
            found.push(heap.get_string_storage(entry.link_name_offset, storage)?);
        }
    }
    Ok(found)
}

/// Where the values of a dataset lie.
enum ValueLayout {
    /// One behind the other, at these bytes.
    Contiguous(Range<usize>),
    /// In pieces, or packed.
    Scattered,
}

/// Why a dataset is not the weight that is looked for.
pub(super) enum Misfit {
    /// There is none.
    Missing,
    /// It has this shape.
    Shape(Shape),
    /// It can't be used.
    Fault(Diagnostic),
}

/// The group at `path` of `group`; none where there is no such group.
pub(super) fn group(group: &Group, path: &str) -> Result<Option<Group>, Diagnostic> {
    let mut at = group.clone();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        at = match at.group(part) {
            Ok(found) => found,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(damaged(&format!("the group {path}"), &error)),
        };
    }
    Ok(Some(at))
}

fn dataset(of: &Group, path: &str) -> Result<Dataset, Misfit> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = group(of, folder).map_err(Misfit::Fault)?.ok_or(Misfit::Missing)?;
    folder.dataset(name).map_err(|error| {
        if is_missing(&error) { Misfit::Missing } else { Misfit::Fault(damaged("it", &error)) }
    })
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::GroupNotFound(_) | Error::DatasetNotFound(_))
}

/// The texts of an attribute; none where there is none, no texts where it is empty. Keras splits an attribute that is too
/// large into several, with a number behind the name.
pub(super) fn texts(group: &Group, name: &str) -> Result<Option<Vec<String>>, Diagnostic> {
    let attributes = group.attributes().map_err(|error| damaged(name, &error))?;
    let read = |name: &str| {
        let attribute = attributes.iter().find(|attribute| attribute.name == name)?;
        // An empty list has no texts, and a type that is none.
        let empty = attribute.num_elements().is_ok_and(|count| count == 0);
        let texts = if empty { Ok(Vec::new()) } else { attribute.read_strings() };
        Some(texts.map_err(|error| damaged(name, &error)))
    };
    if let Some(all) = read(name) {
        return all.map(Some);
    }
    let mut found = None;
    for part in (0..).map_while(|part| read(&format!("{name}{part}"))) {
        found.get_or_insert_with(Vec::new).extend(part?);
    }
    Ok(found)
}

/// The text of an attribute; none where there is none.
pub(super) fn text(group: &Group, name: &str) -> Result<Option<String>, Diagnostic> {
    let attributes = group.attributes().map_err(|error| damaged(name, &error))?;
    let attribute = attributes.iter().find(|attribute| attribute.name == name);
    attribute.map(|attribute| attribute.read_string().map_err(|error| damaged(name, &error))).transpose()
}

fn given_shape(dataset: &Dataset) -> Result<Shape, Diagnostic> {
    let axes: Option<Vec<usize>> = dataset.shape().iter().map(|&axis| usize::try_from(axis).ok()).collect();
    axes.map(|axes| Shape::new(&axes)).ok_or_else(|| unreadable("its shape is none that a tensor may have"))
}

/// What a type is called in Keras.
fn type_name(datatype: &Datatype) -> String {
    match datatype {
        Datatype::FloatingPoint { size, .. } => format!("float{}", 8 * usize::from(*size)),
        Datatype::FixedPoint { size, signed: true, .. } => format!("int{}", 8 * usize::from(*size)),
        Datatype::FixedPoint { size, .. } => format!("uint{}", 8 * usize::from(*size)),
        Datatype::String { .. } | Datatype::VarLen { .. } => "text".to_owned(),
        _ => "of a type that is no number".to_owned(),
    }
}

/// The fault of a file that is no HDF5, or damaged.
fn damaged(what: &str, error: &Error) -> Diagnostic {
    Diagnostic::error(codes::HDF5_DAMAGED, format!("{what} can't be read as HDF5")).note(error.to_string())
}

/// The fault of a dataset whose values can't be read.
fn unreadable(reason: &str) -> Diagnostic {
    Diagnostic::error(codes::WEIGHTS_UNREADABLE, "its values can't be read").note(reason)
}
