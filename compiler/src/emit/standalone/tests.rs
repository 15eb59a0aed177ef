use std::collections::BTreeMap;

use super::layout::{replaced, text, texts};
use super::needs::masks;
use crate::machine::Machine;

#[test]
fn every_feature_of_every_machine_can_be_asked_for() {
    for machine in Machine::all() {
        masks(&machine.features()).unwrap();
    }
    assert!(masks(&["avx1024"]).is_err());
}

#[test]
fn wide_vectors_need_a_system_that_saves_them() {
    let saved = |features: &[&str]| masks(features).unwrap()["saved"];
    assert_eq!(saved(&["x86-64", "sse4.2"]), 0);
    assert_eq!(saved(&["avx"]), 0x06);
    assert_eq!(saved(&["avx", "avx512f"]), 0xe6);
    let leaf_1 = masks(&["avx"]).unwrap()["leaf_1_ecx"];
    assert_eq!(leaf_1, 1 << 28 | 1 << 27, "XGETBV is there where OSXSAVE is");
}

#[test]
fn names_become_numbers_and_one_without_a_number_is_refused() {
    let numbers = BTreeMap::from([("a", 1), ("a_b", 0x1f)]);
    assert_eq!(replaced("v0+$a_b, $a; `$`", &numbers).unwrap(), "v0+0x1f, 0x1; `$`");
    assert!(replaced("$c", &numbers).unwrap_err().contains("$c"));
}

#[test]
fn a_table_has_the_place_of_each_text() {
    assert!(texts::<&str>(&[]).is_empty());
    assert_eq!(texts(&["a", "", "bc"]), *b"\x0c\0\0\0\x0e\0\0\0\x0f\0\0\0a\0\0bc\0");
    assert_eq!(text("a\0b"), "a\u{fffd}b\0".as_bytes());
}
