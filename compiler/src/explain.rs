//! A page for each code of a diagnostic: what it means, an example that a test runs, and how to repair it.

use std::fmt;

use frit_ir::diagnostic::codes::{self, Code};

/// What is said of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The code.
    pub code: Code,
    /// What it means, in one line.
    pub meaning: &'static str,
    /// The page, in Markdown.
    pub text: &'static str,
}

/// There is no such code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCode {
    given: String,
    nearest: Option<Code>,
}

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no code {}", self.given.escape_debug())?;
        match self.nearest {
            Some(code) => write!(f, "; the nearest is {code}"),
            None => write!(f, "; `frit explain` lists all"),
        }
    }
}

impl std::error::Error for UnknownCode {}

/// The page of `code`, which may be written `FR0201`, `fr201` or `201`.
///
/// # Errors
/// There is no such code.
pub fn page(code: &str) -> Result<Page, UnknownCode> {
    let digits = code.trim().to_ascii_uppercase();
    let number: Option<u16> = digits.strip_prefix("FR").unwrap_or(&digits).parse().ok();
    let found = number.and_then(|number| pages().find(|page| page.code == Code(number)));
    found.ok_or_else(|| {
        let distance = |code: &Code| number.map(|number| code.0.abs_diff(number));
        let nearest = codes::ALL.iter().map(|(code, _)| *code).min_by_key(distance);
        UnknownCode { given: code.to_owned(), nearest: nearest.filter(|_| number.is_some()) }
    })
}

/// All pages, in the order of the codes.
pub fn pages() -> impl Iterator<Item = Page> {
    codes::ALL.iter().filter_map(|&(code, meaning)| {
        let text = TEXTS.iter().find(|(number, _)| Code(*number) == code)?.1;
        Some(Page { code, meaning: meaning.trim(), text })
    })
}

/// The texts by their codes.
const TEXTS: &[(u16, &str)] = &[
    (1, include_str!("explain/FR0001.md")),
    (2, include_str!("explain/FR0002.md")),
    (3, include_str!("explain/FR0003.md")),
    (4, include_str!("explain/FR0004.md")),
    (5, include_str!("explain/FR0005.md")),
    (6, include_str!("explain/FR0006.md")),
    (7, include_str!("explain/FR0007.md")),
    (8, include_str!("explain/FR0008.md")),
    (9, include_str!("explain/FR0009.md")),
    (10, include_str!("explain/FR0010.md")),
    (11, include_str!("explain/FR0011.md")),
    (20, include_str!("explain/FR0020.md")),
    (21, include_str!("explain/FR0021.md")),
    (22, include_str!("explain/FR0022.md")),
    (23, include_str!("explain/FR0023.md")),
    (24, include_str!("explain/FR0024.md")),
    (25, include_str!("explain/FR0025.md")),
    (26, include_str!("explain/FR0026.md")),
    (30, include_str!("explain/FR0030.md")),
    (31, include_str!("explain/FR0031.md")),
    (32, include_str!("explain/FR0032.md")),
    (33, include_str!("explain/FR0033.md")),
    (40, include_str!("explain/FR0040.md")),
    (41, include_str!("explain/FR0041.md")),
    (42, include_str!("explain/FR0042.md")),
    (43, include_str!("explain/FR0043.md")),
    (44, include_str!("explain/FR0044.md")),
    (45, include_str!("explain/FR0045.md")),
    (46, include_str!("explain/FR0046.md")),
    (47, include_str!("explain/FR0047.md")),
    (48, include_str!("explain/FR0048.md")),
    (49, include_str!("explain/FR0049.md")),
    (50, include_str!("explain/FR0050.md")),
    (51, include_str!("explain/FR0051.md")),
    (52, include_str!("explain/FR0052.md")),
    (53, include_str!("explain/FR0053.md")),
    (54, include_str!("explain/FR0054.md")),
    (55, include_str!("explain/FR0055.md")),
    (56, include_str!("explain/FR0056.md")),
    (57, include_str!("explain/FR0057.md")),
    (58, include_str!("explain/FR0058.md")),
    (101, include_str!("explain/FR0101.md")),
    (102, include_str!("explain/FR0102.md")),
    (103, include_str!("explain/FR0103.md")),
    (104, include_str!("explain/FR0104.md")),
    (105, include_str!("explain/FR0105.md")),
    (106, include_str!("explain/FR0106.md")),
    (107, include_str!("explain/FR0107.md")),
    (201, include_str!("explain/FR0201.md")),
    (202, include_str!("explain/FR0202.md")),
    (203, include_str!("explain/FR0203.md")),
    (204, include_str!("explain/FR0204.md")),
    (205, include_str!("explain/FR0205.md")),
    (301, include_str!("explain/FR0301.md")),
    (302, include_str!("explain/FR0302.md")),
    (303, include_str!("explain/FR0303.md")),
    (304, include_str!("explain/FR0304.md")),
    (305, include_str!("explain/FR0305.md")),
    (401, include_str!("explain/FR0401.md")),
    (402, include_str!("explain/FR0402.md")),
    (403, include_str!("explain/FR0403.md")),
    (404, include_str!("explain/FR0404.md")),
    (405, include_str!("explain/FR0405.md")),
    (406, include_str!("explain/FR0406.md")),
    (407, include_str!("explain/FR0407.md")),
    (601, include_str!("explain/FR0601.md")),
    (602, include_str!("explain/FR0602.md")),
    (603, include_str!("explain/FR0603.md")),
    (604, include_str!("explain/FR0604.md")),
    (701, include_str!("explain/FR0701.md")),
    (702, include_str!("explain/FR0702.md")),
    (703, include_str!("explain/FR0703.md")),
    (704, include_str!("explain/FR0704.md")),
    (705, include_str!("explain/FR0705.md")),
    (706, include_str!("explain/FR0706.md")),
    (707, include_str!("explain/FR0707.md")),
    (708, include_str!("explain/FR0708.md")),
    (709, include_str!("explain/FR0709.md")),
    (710, include_str!("explain/FR0710.md")),
    (711, include_str!("explain/FR0711.md")),
    (712, include_str!("explain/FR0712.md")),
    (713, include_str!("explain/FR0713.md")),
    (714, include_str!("explain/FR0714.md")),
    (715, include_str!("explain/FR0715.md")),
    (716, include_str!("explain/FR0716.md")),
    (901, include_str!("explain/FR0901.md")),
    (902, include_str!("explain/FR0902.md")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_that_begins_with_it() {
        let explained: Vec<Code> = pages().map(|page| page.code).collect();
        let all: Vec<Code> = codes::ALL.iter().map(|(code, _)| *code).collect();
        assert_eq!(explained, all, "each code in codes.rs has a page in explain/");
        assert_eq!(TEXTS.len(), all.len(), "a page without a code");
        for page in pages() {
            let head = format!("# {}: ", page.code);
            assert!(page.text.starts_with(&head) && page.text.ends_with('\n'), "{}", page.code);
            assert!(page.text.contains("\n## Repair\n"), "{} says nothing of repair", page.code);
        }
    }

    #[test]
    fn codes_are_found_however_they_are_written() {
        for spelled in ["FR0201", "fr0201", "fr201", "201", " FR0201 "] {
            assert_eq!(page(spelled).unwrap().code, codes::RESIDUAL_SHAPES);
        }
        assert_eq!(page("FR0200").unwrap_err().to_string(), "there is no code FR0200; the nearest is FR0201");
        assert_eq!(
            page("residual").unwrap_err().to_string(),
            "there is no code residual; `frit explain` lists all"
        );
    }
}
