//! CPU features by name: what code needs against what this CPU has.

macro_rules! detect {
    ($name:expr, $($feature:tt)+) => {
        match $name {
            $($feature => std::arch::is_x86_feature_detected!($feature),)+
            _ => false,
        }
    };
}

/// Whether this CPU has the feature; one that is not known is taken as missing.
#[cfg(target_arch = "x86_64")]
pub fn has(feature: &str) -> bool {
    detect!(
        feature,
        "sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "avx" "avx2" "fma" "bmi1" "bmi2" "lzcnt" "avx512f" "avx512dq" "avx512vl" "avx512bw"
        "avx512cd"
    )
}

/// Whether this CPU has the feature; beyond the baseline none is known.
#[cfg(not(target_arch = "x86_64"))]
pub fn has(_feature: &str) -> bool {
    false
}

/// The features of `needed` that this CPU has not.
pub fn missing(needed: &[&'static str]) -> Vec<&'static str> {
    needed.iter().copied().filter(|feature| !has(feature)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_absent_is_missing_and_in_the_order_asked() {
        assert_eq!(missing(&[]), Vec::<&str>::new());
        assert_eq!(missing(&["no-such-b", "no-such-a"]), ["no-such-b", "no-such-a"]);
        let present = ["sse3", "avx2", "avx512f"].into_iter().find(|name| has(name));
        if let Some(present) = present {
            assert_eq!(missing(&["no-such", present]), ["no-such"]);
        }
    }
}
