//! The source tree as values: files, functions, and which of them are tests.

use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// One source file, parsed.
pub struct SourceFile {
    /// Its path below the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// What it parses to.
    pub syntax: syn::File,
    /// Whether all of it is test code.
    pub test: bool,
}

/// One function.
pub struct Function {
    /// Where it is: `file:line`.
    pub place: String,
    /// Its name.
    pub name: String,
    /// Lines from its signature to its closing brace.
    pub lines: usize,
    /// Parameters beside the receiver.
    pub parameters: usize,
    /// Whether it is test code.
    pub test: bool,
}

/// Folders that hold Rust sources of the project.
const FOLDERS: [&str; 10] = [
    "ir/src",
    "passes/src",
    "compiler/src",
    "runtime/src",
    "images/src",
    "capi/src",
    "python/src",
    "tests",
    "benches",
    "examples",
];

/// All source files, sorted by path.
///
/// # Panics
/// If a file can't be read or is not Rust.
pub fn all(root: &Path) -> Vec<SourceFile> {
    let mut paths: Vec<PathBuf> = FOLDERS.iter().flat_map(|folder| files(&root.join(folder), "rs")).collect();
    paths.sort();
    paths.iter().map(|path| read(root, path)).collect()
}

/// All files below `folder` whose names end in `.extension`, sorted; none where there is no such folder.
///
/// # Panics
/// If a folder can't be read.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).expect("the tree can be read") {
            let path = entry.expect("the tree can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(root: &Path, path: &Path) -> SourceFile {
    let text = fs::read_to_string(path).expect("sources can be read");
    let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let path =
        path.strip_prefix(root).expect("sources lie below the root").to_string_lossy().replace('\\', "/");
    let test = path.starts_with("tests/")
        || path.ends_with("/tests.rs")
        || path.ends_with("/testing.rs")
        || path.contains("/tests/");
    SourceFile { path, text, syntax, test }
}

impl SourceFile {
    /// The functions of the file, in order.
    pub fn functions(&self) -> Vec<Function> {
        let mut walk = Walk { file: self, test: self.test, found: Vec::new() };
        walk.visit_file(&self.syntax);
        walk.found
    }

    /// The items that are not test code.
    pub fn product(&self) -> impl Iterator<Item = &syn::Item> {
        self.syntax.items.iter().filter(|item| !self.test && !is_test(attributes(item)))
    }

    /// Text of the comments with their lines, documentation included.
    pub fn comments(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().filter_map(|(index, line)| {
            let at = line.find("//").filter(|&at| !line[..at].contains('"'))?;
            Some((index + 1, &line[at..]))
        })
    }

    /// The source text of the file's test code.
    pub fn tests(&self) -> String {
        if self.test {
            return self.text.clone();
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = self.syntax.items.iter().filter(|item| is_test(attributes(item)));
        let part = |item: &syn::Item| lines[item.span().start().line - 1..item.span().end().line].join("\n");
        tests.map(part).collect::<Vec<String>>().join("\n")
    }
}

struct Walk<'a> {
    file: &'a SourceFile,
    test: bool,
    found: Vec<Function>,
}

impl Walk<'_> {
    fn add(&mut self, attributes: &[syn::Attribute], signature: &syn::Signature, body: &syn::Block) {
        let (first, last) = (signature.span().start().line, body.span().end().line);
        self.found.push(Function {
            place: format!("{}:{first}", self.file.path),
            name: signature.ident.to_string(),
            lines: last + 1 - first,
            parameters: signature.inputs.iter().filter(|input| matches!(input, syn::FnArg::Typed(_))).count(),
            test: self.test || is_test(attributes),
        });
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let outside = self.test;
        self.test |= is_test(&module.attrs);
        visit::visit_item_mod(self, module);
        self.test = outside;
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.attrs, &function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.attrs, &function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.add(&function.attrs, &function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// Whether an item of these attributes exists in tests alone: `#[test]` or `#[cfg(test)]`.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = match &attribute.meta {
            syn::Meta::List(list) => list.tokens.to_string(),
            _ => String::new(),
        };
        attribute.path().is_ident("test") || (attribute.path().is_ident("cfg") && condition == "test")
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        _ => &[],
    }
}
