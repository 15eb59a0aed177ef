//! An object's sections as one flat image: code and constants that run wherever they are mapped.
//!
//! Only distances between places of the image are filled in, so that nothing is left for a loader to do. Whatever else an
//! object may ask for is refused by name: an absolute address, a symbol from elsewhere, memory that is written to.

use std::collections::BTreeMap;
use std::fmt;

use object::elf::{
    R_AARCH64_ADD_ABS_LO12_NC, R_AARCH64_ADR_PREL_PG_HI21, R_AARCH64_CALL26, R_AARCH64_JUMP26, R_X86_64_PC32,
    R_X86_64_PLT32,
};
use object::{
    Architecture, File, Object, ObjectSection, ObjectSymbol, Relocation, RelocationFlags, RelocationTarget,
    Section, SectionKind,
};

/// The symbol where execution begins.
pub const ENTRY: &str = "entry";

/// Addresses within a page of this many bytes are filled in on aarch64, so that an image begins at a multiple of it.
pub const PAGE: u64 = 4096;

/// Code and constants. Position-independent: it may be mapped at any multiple of [`PAGE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where the entry is.
    pub entry: usize,
}

/// Why an object can't be made an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkError {
    /// It is no object that can be read, or one for another kind of CPU.
    Object(String),
    /// A section that is written to, or of a kind that has no place in an image.
    Section(String),
    /// A symbol that is defined elsewhere, or nowhere.
    Undefined(String),
    /// A relocation other than a distance between two places of the image.
    Relocation {
        /// The ELF number of its kind.
        kind: u32,
        /// Where it is.
        place: String,
        /// What it refers to.
        symbol: String,
    },
    /// A distance that its instruction can't hold.
    Range {
        /// Where it is.
        place: String,
        /// What it refers to.
        symbol: String,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the code can't be linked: ")?;
        match self {
            LinkError::Object(reason) => f.write_str(reason),
            LinkError::Section(name) => write!(f, "section {name} is neither code nor constants"),
            LinkError::Undefined(symbol) => write!(f, "{symbol} is not defined in it"),
            LinkError::Relocation { kind, place, symbol } => {
                write!(f, "{place} needs more than the distance to {symbol} (relocation of kind {kind})")
            }
            LinkError::Range { place, symbol } => write!(f, "{symbol} is too far away from {place}"),
        }
    }
}

impl std::error::Error for LinkError {}

/// Links the ELF object `bytes`, behind `room` bytes of zeros.
///
/// # Errors
/// See [`LinkError`].
pub fn link(bytes: &[u8], room: usize) -> Result<Image, LinkError> {
    let file = File::parse(bytes).map_err(unreadable)?;
    let mut layout = Layout::new(&file, room)?;
    for section in file.sections() {
        let Some(&begin) = layout.begins.get(&section.index().0) else { continue };
        for (offset, relocation) in section.relocations() {
            let place = Location { address: begin + offset, told: told(&section, offset) };
            layout.relocate(&file, &place, &relocation)?;
        }
    }
    let entry = file.symbol_by_name(ENTRY).ok_or_else(|| LinkError::Undefined(ENTRY.to_owned()))?;
    let entry = layout.address(&entry)?;
    Ok(Image { bytes: layout.bytes, entry: entry as usize })
}

fn unreadable(error: object::Error) -> LinkError {
    LinkError::Object(error.to_string())
}

fn told(section: &Section<'_, '_>, offset: u64) -> String {
    format!("{}+{offset:#x}", section.name().unwrap_or("a section"))
}

/// Where a relocation is.
struct Location {
    /// From the image's begin.
    address: u64,
    told: String,
}

/// The image while it is made.
struct Layout {
    bytes: Vec<u8>,
    /// Where each section of the image begins.
    begins: BTreeMap<usize, u64>,
}

impl Layout {
    /// All sections that belong into an image, one behind the other, behind `room` bytes.
    fn new(file: &File<'_>, room: usize) -> Result<Layout, LinkError> {
        let mut layout = Layout { bytes: vec![0; room], begins: BTreeMap::new() };
        for section in file.sections() {
            match section.kind() {
                SectionKind::Text | SectionKind::ReadOnlyData => layout.add(&section)?,
                SectionKind::Metadata | SectionKind::Note | SectionKind::OtherString => {}
                SectionKind::Other | SectionKind::Elf(_) | SectionKind::Linker => {}
                _ if section.size() == 0 => {}
                _ => return Err(LinkError::Section(section.name().unwrap_or_default().to_owned())),
            }
        }
        Ok(layout)
    }

    fn add(&mut self, section: &Section<'_, '_>) -> Result<(), LinkError> {
        let alignment = section.align().clamp(1, PAGE) as usize;
        self.bytes.resize(self.bytes.len().next_multiple_of(alignment), 0);
        self.begins.insert(section.index().0, self.bytes.len() as u64);
        self.bytes.extend_from_slice(section.data().map_err(unreadable)?);
        Ok(())
    }

    /// Where `symbol` is, from the image's begin.
    fn address<'a>(&self, symbol: &impl ObjectSymbol<'a>) -> Result<u64, LinkError> {
        let begin = symbol.section_index().and_then(|index| self.begins.get(&index.0));
        let undefined = || LinkError::Undefined(symbol.name().unwrap_or("a symbol").to_owned());
        Ok(begin.ok_or_else(undefined)? + symbol.address())
    }

    fn relocate(
        &mut self,
        file: &File<'_>,
        place: &Location,
        relocation: &Relocation,
    ) -> Result<(), LinkError> {
        let RelocationTarget::Symbol(index) = relocation.target() else {
            return Err(LinkError::Undefined(format!("what {} refers to", place.told)));
        };
        let symbol = file.symbol_by_index(index).map_err(unreadable)?;
        let name = symbol.name().ok().filter(|name| !name.is_empty()).unwrap_or("its section").to_owned();
        let RelocationFlags::Elf { r_type: kind } = relocation.flags() else {
            return Err(LinkError::Object("it is no ELF object".to_owned()));
        };
        let target = self.address(&symbol)? as i64 + relocation.addend();
        let filled = match file.architecture() {
            Architecture::X86_64 => x86_64(kind, place.address as i64, target),
            Architecture::Aarch64 => aarch64(kind, place.address as i64, target),
            other => return Err(LinkError::Object(format!("it is for {other:?}"))),
        };
        let field = match filled {
            Filled::Field(field) => field,
            Filled::TooFar => return Err(LinkError::Range { place: place.told.clone(), symbol: name }),
            Filled::Unknown => {
                return Err(LinkError::Relocation { kind, place: place.told.clone(), symbol: name });
            }
        };
        let at = place.address as usize;
        let word = self.bytes.get_mut(at..).and_then(|bytes| bytes.first_chunk_mut::<4>());
        let word = word.ok_or_else(|| LinkError::Object(format!("{} is outside of it", place.told)))?;
        *word = (u32::from_le_bytes(*word) & !field.mask | field.bits & field.mask).to_le_bytes();
        Ok(())
    }
}

/// Some bits of a 32-bit word.
struct Field {
    mask: u32,
    bits: u32,
}

/// What becomes of a relocation.
enum Filled {
    Field(Field),
    TooFar,
    Unknown,
}

/// The distance from `place` to `target` in a field of 32 bits; the addend counts from the place.
fn x86_64(kind: u32, place: i64, target: i64) -> Filled {
    match kind {
        // A call through the procedure linkage table is one to the function itself, which is in the image.
        R_X86_64_PC32 | R_X86_64_PLT32 => match i32::try_from(target - place) {
            Ok(distance) => Filled::Field(Field { mask: u32::MAX, bits: distance as u32 }),
            Err(_) => Filled::TooFar,
        },
        _ => Filled::Unknown,
    }
}

/// The immediate of a branch, of an `adrp`, or of the `add` behind it ("ELF for the Arm 64-bit Architecture", 5.7).
fn aarch64(kind: u32, place: i64, target: i64) -> Filled {
    let page = |address: i64| address.div_euclid(PAGE as i64);
    match kind {
        R_AARCH64_CALL26 | R_AARCH64_JUMP26 => {
            let distance = target - place;
            if distance % 4 != 0 || !fits(distance / 4, 26) {
                return Filled::TooFar;
            }
            Filled::Field(Field { mask: 0x03ff_ffff, bits: (distance / 4) as u32 })
        }
        R_AARCH64_ADR_PREL_PG_HI21 => {
            let pages = page(target) - page(place);
            if !fits(pages, 21) {
                return Filled::TooFar;
            }
            let (low, high) = (pages as u32 & 0b11, (pages >> 2) as u32 & 0x7_ffff);
            Filled::Field(Field { mask: 0x60ff_ffe0, bits: low << 29 | high << 5 })
        }
        R_AARCH64_ADD_ABS_LO12_NC => {
            let within = target.rem_euclid(PAGE as i64) as u32;
            Filled::Field(Field { mask: 0xfff << 10, bits: within << 10 })
        }
        _ => Filled::Unknown,
    }
}

/// Whether `value` is a signed number of `bits` bits.
fn fits(value: i64, bits: u32) -> bool {
    (-(1 << (bits - 1))..1 << (bits - 1)).contains(&value)
}

#[cfg(test)]
mod tests;
