//! What code needs of a CPU, as masks of CPUID (Intel's manual, volume 2, CPUID; AMD's, volume 3, appendix E).

use std::collections::BTreeMap;

use crate::emit::EmitError;

/// A register that CPUID or XGETBV fills, by its name in the text.
const LEAF_1_ECX: &str = "leaf_1_ecx";
const LEAF_7_EBX: &str = "leaf_7_ebx";
const EXTENDED_ECX: &str = "extended_ecx";
const SAVED: &str = "saved";

/// Bits of a feature.
type Bits = (&'static str, u32);

/// The bit that says that the system saves registers, without which there is no XGETBV.
const OSXSAVE: Bits = (LEAF_1_ECX, 1 << 27);
/// The system saves vector registers of 256 bits, and of 512 with masks.
const YMM: Bits = (SAVED, 0x06);
const ZMM: Bits = (SAVED, 0xe6);

/// The bits of every feature of x86-64, by the names of [`frit_runtime::cpu`].
const FEATURES: [(&str, &[Bits]); 17] = [
    ("x86-64", &[]),
    ("sse3", &[(LEAF_1_ECX, 1)]),
    ("ssse3", &[(LEAF_1_ECX, 1 << 9)]),
    ("sse4.1", &[(LEAF_1_ECX, 1 << 19)]),
    ("sse4.2", &[(LEAF_1_ECX, 1 << 20)]),
    ("popcnt", &[(LEAF_1_ECX, 1 << 23)]),
    ("avx", &[OSXSAVE, (LEAF_1_ECX, 1 << 28), YMM]),
    ("fma", &[(LEAF_1_ECX, 1 << 12)]),
    ("avx2", &[(LEAF_7_EBX, 1 << 5)]),
    ("bmi1", &[(LEAF_7_EBX, 1 << 3)]),
    ("bmi2", &[(LEAF_7_EBX, 1 << 8)]),
    ("lzcnt", &[(EXTENDED_ECX, 1 << 5)]),
    ("avx512f", &[(LEAF_7_EBX, 1 << 16), ZMM]),
    ("avx512dq", &[(LEAF_7_EBX, 1 << 17)]),
    ("avx512cd", &[(LEAF_7_EBX, 1 << 28)]),
    ("avx512bw", &[(LEAF_7_EBX, 1 << 30)]),
    ("avx512vl", &[(LEAF_7_EBX, 1 << 31)]),
];

/// The masks of all `features`; a CPU of another architecture has none.
///
/// # Errors
/// A feature that no bit is known of: code that uses it would run where it can't.
pub(super) fn masks(features: &[&str]) -> Result<BTreeMap<&'static str, i64>, EmitError> {
    let mut masks: BTreeMap<&'static str, i64> =
        [LEAF_1_ECX, LEAF_7_EBX, EXTENDED_ECX, SAVED].into_iter().map(|register| (register, 0)).collect();
    for feature in features.iter().filter(|feature| **feature != "aarch64") {
        let known = FEATURES.iter().find(|(name, _)| name == feature);
        let (_, bits) = known.ok_or_else(|| EmitError::Target(format!("{feature} can't be asked for")))?;
        for (register, bits) in *bits {
            *masks.entry(register).or_default() |= i64::from(*bits);
        }
    }
    Ok(masks)
}
