//! Questions that the token stream of a file answers: which rooms it names, where a word stands.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

use crate::source::SourceFile;

/// A flat token: its text and its line. Groups become their brackets and what is between them.
pub struct Token {
    /// The token as written; literals of text are left out, as `"`.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// The tokens of the file's code outside tests.
pub fn product(file: &SourceFile) -> Vec<Token> {
    let mut tokens = Vec::new();
    for item in file.product() {
        flatten(item.to_token_stream(), &mut tokens);
    }
    tokens
}

/// The tokens of the whole file, tests included.
pub fn whole(file: &SourceFile) -> Vec<Token> {
    let mut tokens = Vec::new();
    flatten(file.syntax.to_token_stream(), &mut tokens);
    tokens
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.to_owned(), line });
                flatten(group.stream(), tokens);
                tokens.push(Token { text: close.to_owned(), line: group.span_close().start().line });
            }
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                let text = if text.contains('"') { "\"".to_owned() } else { text };
                tokens.push(Token { text, line });
            }
            other => tokens.push(Token { text: other.to_string(), line }),
        }
    }
}

/// The modules directly below the crate's root that `tokens` name, each with the line; `depth` is how many modules the
/// file lies below the root (`crate::a` is 1), so that `super::super::b` can be told.
pub fn rooms(tokens: &[Token], depth: usize) -> BTreeSet<(String, usize)> {
    let mut found = BTreeSet::new();
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let path = |index: usize| text(index) == ":" && text(index + 1) == ":";
    for start in 0..tokens.len() {
        let mut next = start;
        if start > 0 && text(start - 1) == ":" {
            continue;
        }
        if text(start) == "crate" && path(start + 1) {
            next = start + 3;
        } else {
            let mut up = 0;
            while text(next) == "super" && path(next + 1) {
                up += 1;
                next += 3;
            }
            if up < depth || up == 0 {
                continue;
            }
        }
        let line = tokens[start].line;
        if text(next) == "{" {
            found.extend(listed(tokens, next).into_iter().map(|room| (room, line)));
        } else {
            found.insert((text(next).to_owned(), line));
        }
    }
    found
}

/// A place with unsafe code.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsafe {
    /// Its line.
    pub line: usize,
    /// Whether a promise is given here (a block, an implementation) rather than asked for (a function).
    pub promises: bool,
}

/// Unsafe blocks, implementations and functions; the type of a pointer to an unsafe function is none of them.
pub fn unsafe_code(tokens: &[Token]) -> Vec<Unsafe> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let is_type = |index: usize| match text(index + 1) {
        "fn" => text(index + 2) == "(",
        "extern" => (index + 2..=index + 3).any(|at| text(at) == "fn" && text(at + 1) == "("),
        _ => false,
    };
    let places = (0..tokens.len()).filter(|&index| text(index) == "unsafe" && !is_type(index));
    let found = |index: usize| Unsafe {
        line: tokens[index].line,
        promises: ["{", "impl"].contains(&text(index + 1)),
    };
    places.map(found).collect()
}

/// The first names in the list of a `use` that opens at `open`.
fn listed(tokens: &[Token], open: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    for index in open..tokens.len() {
        match tokens[index].text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            name if depth == 1 && ["{", ","].contains(&tokens[index - 1].text.as_str()) => {
                names.push(name.to_owned());
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        flatten(text.parse().unwrap(), &mut tokens);
        tokens
    }

    fn rooms_of(text: &str, depth: usize) -> Vec<String> {
        rooms(&tokens(text), depth).into_iter().map(|(room, _)| room).collect()
    }

    #[test]
    fn rooms_are_found_in_imports_lists_and_paths() {
        assert_eq!(rooms_of("use crate::plan::{Call, Step};", 1), ["plan"]);
        assert_eq!(rooms_of("use crate::{driver, machine::{self, Machine}};", 1), ["driver", "machine"]);
        assert_eq!(rooms_of("fn f() { let x = crate::lower::clif::LANES; }", 1), ["lower"]);
    }

    #[test]
    fn super_leads_to_a_room_only_from_the_depth_of_the_file() {
        assert_eq!(rooms_of("use super::super::kernels::at;", 2), ["kernels"]);
        assert!(rooms_of("use super::placement::Place;", 2).is_empty());
        assert_eq!(rooms_of("use super::plan::Plan;", 1), ["plan"]);
    }

    #[test]
    fn a_pointer_to_an_unsafe_function_is_no_unsafe_code() {
        assert!(
            unsafe_code(&tokens("type Entry = unsafe extern \"C\" fn(u32); type F = unsafe fn(u32);"))
                .is_empty()
        );
        assert_eq!(unsafe_code(&tokens("unsafe impl Send for A {}")), [Unsafe { line: 1, promises: true }]);
        let function = tokens("\nunsafe extern \"C\" fn entry() {}");
        assert_eq!(unsafe_code(&function), [Unsafe { line: 2, promises: false }]);
        assert_eq!(unsafe_code(&tokens("fn f() { unsafe { g() } }")), [Unsafe { line: 1, promises: true }]);
    }
}
