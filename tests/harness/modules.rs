//! Which files of a crate use which others, by the paths that they spell.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::SourceFile;
use crate::tokens::{self, Token};

/// What files use of each other, by their paths below the crate's root without `.rs`.
pub type Uses = BTreeMap<String, BTreeSet<String>>;

/// Which files below `root`, where a crate begins, as `compiler/src/`, use which others of them.
pub fn uses(sources: &[SourceFile], root: &str) -> Uses {
    let module = |file: &SourceFile| {
        let path = file.path.strip_prefix(root)?.strip_suffix(".rs")?;
        (!file.test).then(|| path.to_owned())
    };
    let files: BTreeMap<String, &SourceFile> =
        sources.iter().filter_map(|file| Some((module(file)?, file))).collect();
    let known: BTreeSet<&str> = files.keys().map(String::as_str).collect();
    let used = |path: &str, file: &SourceFile| named(&tokens::product(file), path, &known);
    files.iter().map(|(path, file)| (path.clone(), used(path, file))).collect()
}

/// The modules of `known` that `tokens`, which are those of `own`, name.
fn named(tokens: &[Token], own: &str, known: &BTreeSet<&str>) -> BTreeSet<String> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let mut found = BTreeSet::new();
    for start in 0..tokens.len() {
        let before = |count: usize| start.checked_sub(count).map_or("", text);
        let visible = usize::from(before(1) == "$") + 1;
        // What follows a colon goes on with a path; `pub(in PATH)` says who sees something.
        if before(1) == ":" || (before(visible) == "in" && before(visible + 1) == "(") {
            continue;
        }
        let mut paths = Vec::new();
        tree(tokens, start, &mut Vec::new(), &mut paths);
        found.extend(paths.iter().filter_map(|path| module(path, own, known)).filter(|path| path != own));
    }
    found
}

/// Adds the paths that begin at `at`, behind `before`, to `found`, and returns where the last one ends.
fn tree(tokens: &[Token], mut at: usize, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let depth = before.len();
    loop {
        if text(at) == "{" && !before.is_empty() {
            at += 1;
            while !["}", ""].contains(&text(at)) {
                let next = tree(tokens, at, before, found);
                at = if text(next) == "," { next + 1 } else { next.max(at + 1) };
            }
            at += 1;
            break;
        }
        let is_name = text(at).starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !is_name {
            break;
        }
        before.push(text(at).to_owned());
        at += 1;
        if text(at) != ":" || text(at + 1) != ":" {
            found.push(before.clone());
            at += if text(at) == "as" { 2 } else { 0 };
            break;
        }
        at += 2;
    }
    before.truncate(depth);
    at
}

/// The module that `path` leads to from `own`: the longest of its beginnings that is one. A name alone is none: it declares a
/// module, or is something else.
fn module(path: &[String], own: &str, known: &BTreeSet<&str>) -> Option<String> {
    let (first, mut rest) = path.split_first().filter(|(_, rest)| !rest.is_empty())?;
    let mut at: Vec<&str> = own.split('/').collect();
    match first.as_str() {
        "crate" => at.clear(),
        "self" => {}
        "super" => {
            at.pop();
            while let Some(after) = rest.strip_prefix(&["super".to_owned()]) {
                at.pop();
                rest = after;
            }
        }
        child => at.push(child),
    }
    let mut found = Some(at.join("/")).filter(|path| known.contains(path.as_str()));
    for name in rest {
        at.push(name);
        found = Some(at.join("/")).filter(|path| known.contains(path.as_str())).or(found);
    }
    found
}

/// A circle among `uses`, each member followed by one that it uses; none where there is none.
pub fn circle(uses: &Uses) -> Option<Vec<&str>> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> =
        uses.iter().map(|(path, used)| (path.as_str(), used.iter().map(String::as_str).collect())).collect();
    while let Some(free) =
        waiting.iter().find(|(_, used)| !used.iter().any(|used| waiting.contains_key(used))).map(|(p, _)| *p)
    {
        waiting.remove(free);
    }
    // What is left uses something that is left: going on from one to the next comes back.
    let mut path = vec![*waiting.keys().next()?];
    loop {
        let next = waiting[path[path.len() - 1]].iter().find(|used| waiting.contains_key(*used))?;
        if let Some(start) = path.iter().position(|other| other == next) {
            return Some(path.split_off(start));
        }
        path.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        let syntax = syn::parse_file(text).unwrap();
        SourceFile { path: path.to_owned(), text: text.to_owned(), syntax, test: false }
    }

    #[test]
    fn files_are_found_by_lists_paths_and_names_of_children() {
        let sources = [
            file("c/src/a.rs", "mod b; mod d; use b::{B, self as other}; use self::d::f;"),
            file("c/src/a/b.rs", "use super::d::{e::E, D}; pub(in crate::a) struct B;"),
            file("c/src/a/d.rs", "mod e; fn f() -> crate::a::d::e::E { crate::z::z() }"),
            file("c/src/a/d/e.rs", "use super::super::b::B;"),
        ];
        let uses = uses(&sources, "c/src/");
        let of = |path: &str| uses[path].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(of("a"), ["a/b", "a/d"]);
        assert_eq!(of("a/b"), ["a/d", "a/d/e"]);
        assert_eq!(of("a/d"), ["a/d/e"]);
        assert_eq!(of("a/d/e"), ["a/b"]);
        assert_eq!(circle(&uses).unwrap(), ["a/b", "a/d", "a/d/e"]);
    }

    #[test]
    fn what_goes_one_way_is_no_circle() {
        let uses = uses(&[file("c/src/a.rs", "use b::B;"), file("c/src/a/b.rs", "")], "c/src/");
        assert_eq!(circle(&uses), None);
    }
}
