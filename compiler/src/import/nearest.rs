//! The name that somebody probably meant.

/// Candidates that are compared, at most: a file with many names must not make one fault slow.
const CANDIDATES: usize = 1_000;
/// Bytes of the longest name that is compared.
const LENGTH: usize = 64;
/// Jaro and Winkler's similarity from which a name is worth offering.
const ALIKE: f64 = 0.8;

/// The candidate that is most like `name`, where one is alike enough; of equal ones the first.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LENGTH {
        return None;
    }
    let name = name.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates.into_iter().take(CANDIDATES).filter(|candidate| candidate.len() <= LENGTH) {
        let likeness = strsim::jaro_winkler(&name, candidate);
        if likeness >= ALIKE && best.is_none_or(|(so_far, _)| likeness > so_far) {
            best = Some((likeness, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_other_libraries_names_find_the_right_one() {
        let known = ["filters", "kernel", "stride", "padding", "activation", "groups"];
        assert_eq!(nearest("strides", known), Some("stride"));
        assert_eq!(nearest("kernel_size", known), Some("kernel"));
        assert_eq!(nearest("Filter", known), Some("filters"));
        assert_eq!(nearest("weight_decay", known), None);
        assert_eq!(nearest(&"stride".repeat(100), known), None);
    }
}
