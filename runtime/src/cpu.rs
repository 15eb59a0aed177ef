//! CPU features by name: what code needs against what this CPU has. The architecture is a feature among them.
//!
//! Code calls and is called by the convention that Linux has on its architecture (System V, AAPCS64), and that is where it is
//! tested: under another system no CPU has an architecture that code is compiled for.

use crate::error::LoadError;

/// The name of this CPU's architecture; none that code is compiled for where the system is not Linux.
pub const ARCHITECTURE: &str = match (cfg!(target_os = "linux"), cfg!(target_arch = "x86_64")) {
    (true, true) => "x86-64",
    (true, false) => std::env::consts::ARCH,
    (false, _) => "not under Linux",
};

/// The architectures that code is compiled for.
pub const ARCHITECTURES: [&str; 2] = ["x86-64", "aarch64"];

macro_rules! detect {
    ($name:expr, $($feature:tt)+) => {
        match $name {
            $($feature => std::arch::is_x86_feature_detected!($feature),)+
            _ => false,
        }
    };
}

/// Whether there is code for this CPU under this system.
pub fn runs_code() -> bool {
    ARCHITECTURES.contains(&ARCHITECTURE)
}

/// Whether this CPU has the feature; one that is not known is taken as missing.
pub fn has(feature: &str) -> bool {
    feature == ARCHITECTURE || has_extension(feature)
}

#[cfg(target_arch = "x86_64")]
fn has_extension(feature: &str) -> bool {
    detect!(
        feature,
        "sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "avx" "avx2" "fma" "bmi1" "bmi2" "lzcnt" "avx512f" "avx512dq" "avx512vl" "avx512bw"
        "avx512cd"
    )
}

#[cfg(not(target_arch = "x86_64"))]
fn has_extension(_feature: &str) -> bool {
    false
}

/// The features of `needed` that this CPU has not.
pub fn missing<S: AsRef<str>>(needed: &[S]) -> Vec<String> {
    let names = needed.iter().map(AsRef::as_ref);
    names.filter(|feature| !has(feature)).map(str::to_owned).collect()
}

/// Whether this CPU can run code that needs `features`.
///
/// # Errors
/// It is of another architecture, or lacks some of them.
pub(crate) fn check(features: &[String]) -> Result<(), LoadError> {
    let missing = missing(features);
    if let Some(needed) = missing.iter().find(|name| ARCHITECTURES.contains(&name.as_str())) {
        return Err(LoadError::Architecture { needed: needed.clone(), found: ARCHITECTURE });
    }
    if missing.is_empty() { Ok(()) } else { Err(LoadError::MissingFeatures(missing)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_absent_is_missing_and_in_the_order_asked() {
        assert_eq!(missing::<&str>(&[]), Vec::<String>::new());
        assert_eq!(missing(&["no-such-b", "no-such-a"]), ["no-such-b", "no-such-a"]);
        let architectures = ARCHITECTURES.into_iter().filter(|name| has(name)).count();
        assert!(architectures <= 1, "a CPU is of one architecture");
        assert!(has(ARCHITECTURE));
        let present = ["sse3", "avx2", "avx512f"].into_iter().find(|name| has(name));
        if let Some(present) = present {
            assert_eq!(missing(&["no-such", present]), ["no-such"]);
        }
    }
}
