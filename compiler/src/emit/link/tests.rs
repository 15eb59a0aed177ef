use object::elf::{
    R_AARCH64_ABS64, R_AARCH64_ADD_ABS_LO12_NC, R_AARCH64_ADR_PREL_PG_HI21, R_AARCH64_CALL26, R_X86_64_64,
    R_X86_64_GOTPCREL, R_X86_64_PC32, R_X86_64_PLT32,
};
use object::write::{self, StandardSection, Symbol, SymbolId, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, RelocationFlags, SymbolFlags, SymbolKind, SymbolScope};

use super::*;
use crate::emit::metadata::metadata;
use crate::emit::object::image;
use crate::machine::{Level, Machine};

/// An object of two functions, the second of which is the entry, and a constant.
struct Sample {
    object: write::Object<'static>,
    code: write::SectionId,
    first: SymbolId,
    constant: SymbolId,
}

/// Bytes of the constant's section before the constant.
const BEFORE: u64 = 16;

fn symbol(name: &str, value: u64, section: SymbolSection) -> Symbol {
    Symbol {
        name: name.into(),
        value,
        size: 8,
        kind: SymbolKind::Text,
        scope: SymbolScope::Compilation,
        weak: false,
        section,
        flags: SymbolFlags::None,
    }
}

fn sample(architecture: Architecture) -> Sample {
    let mut object = write::Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
    let code = object.section_id(StandardSection::Text);
    object.append_section_data(code, &[0; 64], 32);
    let constants = object.section_id(StandardSection::ReadOnlyData);
    object.append_section_data(constants, &[9; 32], 64);
    let first = object.add_symbol(symbol("first", 0, SymbolSection::Section(code)));
    object.add_symbol(symbol(ENTRY, 32, SymbolSection::Section(code)));
    let constant = object.add_symbol(symbol("constant", BEFORE, SymbolSection::Section(constants)));
    Sample { object, code, first, constant }
}

impl Sample {
    /// Refers from byte `offset` of the code to `symbol`.
    fn refer(mut self, offset: u64, symbol: SymbolId, kind: u32, addend: i64) -> Sample {
        let flags = RelocationFlags::Elf { r_type: kind };
        self.object.add_relocation(self.code, write::Relocation { offset, symbol, addend, flags }).unwrap();
        self
    }

    fn link(self) -> Result<Image, LinkError> {
        link(&self.object.write().unwrap(), 0)
    }
}

fn word(image: &Image, at: usize) -> u32 {
    u32::from_le_bytes(image.bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn sections_follow_each_other_and_the_entry_is_found() {
    let image = sample(Architecture::X86_64).link().unwrap();
    assert_eq!((image.entry, image.bytes.len()), (32, 64 + 32));
    assert_eq!((&image.bytes[..64], &image.bytes[64..]), (&[0; 64][..], &[9; 32][..]));
}

#[test]
fn room_in_front_moves_all_of_it_alike() {
    let Sample { constant, .. } = sample(Architecture::X86_64);
    let object = sample(Architecture::X86_64).refer(40, constant, R_X86_64_PC32, -4).object.write().unwrap();
    let (image, moved) = (link(&object, 0).unwrap(), link(&object, 192).unwrap());
    assert_eq!(moved.entry, 192 + image.entry);
    assert_eq!((&moved.bytes[..192], &moved.bytes[192..]), (&[0; 192][..], image.bytes.as_slice()));
}

#[test]
fn distances_of_x86_64_count_from_the_field_and_take_the_addend() {
    let Sample { first, constant, .. } = sample(Architecture::X86_64);
    let image = sample(Architecture::X86_64)
        .refer(33, first, R_X86_64_PLT32, -4)
        .refer(40, constant, R_X86_64_PC32, -4)
        .link()
        .unwrap();
    // The processor adds the field to where it ends.
    assert_eq!(37u32.wrapping_add(word(&image, 33)), 0);
    assert_eq!(44 + word(&image, 40), 64 + BEFORE as u32);
}

#[test]
fn instructions_of_aarch64_keep_what_is_not_the_distance() {
    let Sample { first, constant, .. } = sample(Architecture::Aarch64);
    let mut sample = sample(Architecture::Aarch64)
        .refer(32, first, R_AARCH64_CALL26, 0)
        .refer(36, constant, R_AARCH64_ADR_PREL_PG_HI21, 0)
        .refer(40, constant, R_AARCH64_ADD_ABS_LO12_NC, 0);
    let instructions = [0x9400_0000u32, 0x9000_0003, 0x9100_0063];
    let code = sample.object.section_mut(sample.code);
    for (index, instruction) in instructions.into_iter().enumerate() {
        code.data_mut()[32 + 4 * index..][..4].copy_from_slice(&instruction.to_le_bytes());
    }
    let image = sample.link().unwrap();
    assert_eq!(word(&image, 32), 0x9400_0000 | (0x0400_0000 - 8), "bl -32");
    assert_eq!(word(&image, 36), 0x9000_0003, "adrp x3, the same page");
    assert_eq!(word(&image, 40), 0x9100_0063 | (64 + BEFORE as u32) << 10, "add x3, x3, 80");
}

#[test]
fn a_page_of_aarch64_is_counted_in_pages_of_both_ends() {
    let field = |place: i64, target: i64| match aarch64(R_AARCH64_ADR_PREL_PG_HI21, place, target) {
        Filled::Field(Field { mask, bits }) => {
            assert_eq!(bits & !mask, 0);
            let low = bits >> 29 & 0b11;
            let pages = (bits >> 5 & 0x7_ffff) << 2 | low;
            // Signed, 21 bits.
            i64::from((pages << 11) as i32 >> 11)
        }
        _ => panic!("{place:#x} to {target:#x}"),
    };
    assert_eq!(field(0xffc, 0x1000), 1);
    assert_eq!(field(0x1000, 0xfff), -1);
    assert_eq!(field(0, 0x7654_3000), 0x7_6543);
    assert!(matches!(aarch64(R_AARCH64_ADR_PREL_PG_HI21, 0, 1 << 32), Filled::TooFar));
}

#[test]
fn a_distance_that_its_field_can_not_hold_is_refused() {
    assert!(matches!(x86_64(R_X86_64_PC32, 0, 1 << 31), Filled::TooFar));
    assert!(matches!(aarch64(R_AARCH64_CALL26, 0, 1 << 27), Filled::TooFar));
    assert!(matches!(aarch64(R_AARCH64_CALL26, 0, 2), Filled::TooFar));
    let Sample { first, .. } = sample(Architecture::X86_64);
    let error =
        sample(Architecture::X86_64).refer(8, first, R_X86_64_PC32, i64::MAX >> 8).link().unwrap_err();
    assert_eq!(error, LinkError::Range { place: ".text+0x8".into(), symbol: "first".into() });
}

#[test]
fn what_is_no_distance_within_the_image_is_refused_by_name() {
    for (architecture, kind) in [
        (Architecture::X86_64, R_X86_64_64),
        (Architecture::X86_64, R_X86_64_GOTPCREL),
        (Architecture::Aarch64, R_AARCH64_ABS64),
    ] {
        let Sample { constant, .. } = sample(architecture);
        let error = sample(architecture).refer(16, constant, kind, 0).link().unwrap_err();
        let expected = LinkError::Relocation { kind, place: ".text+0x10".into(), symbol: "constant".into() };
        assert_eq!(error, expected);
        assert!(error.to_string().contains("constant"), "{error}");
    }
}

#[test]
fn a_symbol_from_elsewhere_is_refused_by_name() {
    let mut sample = sample(Architecture::X86_64);
    let fma = sample.object.add_symbol(symbol("fmaf", 0, SymbolSection::Undefined));
    let error = sample.refer(16, fma, R_X86_64_PLT32, -4).link().unwrap_err();
    assert_eq!(error, LinkError::Undefined("fmaf".into()));
}

#[test]
fn memory_that_is_written_to_is_refused_by_name() {
    let mut sample = sample(Architecture::X86_64);
    let data = sample.object.section_id(StandardSection::Data);
    sample.object.append_section_data(data, &[1; 4], 4);
    assert_eq!(sample.link(), Err(LinkError::Section(".data".into())));
}

#[test]
fn an_object_without_an_entry_or_that_is_none_is_refused() {
    let object = write::Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    assert_eq!(link(&object.write().unwrap(), 0), Err(LinkError::Undefined(ENTRY.into())));
    for bytes in [&b""[..], b"\x7fELF", b"MZ"] {
        assert!(matches!(link(bytes, 0), Err(LinkError::Object(_))));
    }
}

/// A network with every kind of call that the entry makes.
fn plan(machine: &Machine) -> crate::prove::Proved {
    let options = crate::zoo::ZooOptions { width: 0.25, resolution: Some(32), ..Default::default() };
    let text = crate::zoo::description("mobilenet_v2", &options).unwrap();
    let graph = crate::import::json::read(&text, &Default::default()).unwrap().0;
    let options = crate::Options { machine: machine.clone(), ..crate::Options::native() };
    crate::schedule(&crate::optimise(graph, &options).unwrap().graph, &options).unwrap()
}

#[test]
fn networks_link_for_every_target_and_to_the_same_bytes_each_time() {
    for machine in Machine::all() {
        let plan = plan(&machine);
        let metadata = metadata(&plan, &machine);
        let first = image(&plan, &machine, &metadata).unwrap();
        assert!(first.entry < first.bytes.len());
        if machine.level == Level::Aarch64 {
            assert_eq!(first.entry % 4, 0);
        }
        assert_eq!(
            first,
            image(&plan, &machine, &metadata).unwrap(),
            "{} {:?}",
            machine.name,
            machine.lowering
        );
    }
}
