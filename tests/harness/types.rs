//! How large types are: fields of structs, and methods of all of a type's own `impl` blocks, wherever they stand.

use std::collections::BTreeMap;

use syn::{Fields, ImplItem, Item, Type};

use crate::source::SourceFile;

/// A type outside tests.
#[derive(Debug, PartialEq, Eq)]
pub struct Size {
    /// File and line of its definition.
    pub place: String,
    /// Its name.
    pub name: String,
    /// Named fields; 0 for an enum.
    pub fields: usize,
    /// Methods and associated functions outside traits.
    pub methods: usize,
}

/// All structs and enums of `sources`.
pub fn sizes(sources: &[SourceFile]) -> Vec<Size> {
    let mut found: BTreeMap<(String, String), Size> = BTreeMap::new();
    for file in sources {
        for item in items(file.product()) {
            let (name, fields) = match item {
                Item::Struct(one) => (&one.ident, named(&one.fields)),
                Item::Enum(one) => (&one.ident, 0),
                _ => continue,
            };
            let place = format!("{}:{}", file.path, name.span().start().line);
            let size = Size { place, name: name.to_string(), fields, methods: 0 };
            found.insert((size.name.clone(), module(&file.path).to_owned()), size);
        }
    }
    for file in sources {
        for item in items(file.product()) {
            let Item::Impl(block) = item else { continue };
            let (None, Type::Path(path)) = (&block.trait_, &*block.self_ty) else { continue };
            let Some(name) = path.path.segments.last() else { continue };
            let methods = block.items.iter().filter(|item| matches!(item, ImplItem::Fn(_))).count();
            if let Some(key) = defined(&found, &name.ident.to_string(), module(&file.path)) {
                found.entry(key).and_modify(|size| size.methods += methods);
            }
        }
    }
    found.into_values().collect()
}

/// The items, and those in modules that stand in the same file.
fn items<'a>(all: impl Iterator<Item = &'a Item>) -> Vec<&'a Item> {
    let mut found = Vec::new();
    let mut pending: Vec<&Item> = all.collect();
    while let Some(item) = pending.pop() {
        match item {
            Item::Mod(module) => pending.extend(module.content.iter().flat_map(|(_, items)| items)),
            other => found.push(other),
        }
    }
    found
}

fn named(fields: &Fields) -> usize {
    match fields {
        Fields::Named(fields) => fields.named.len(),
        Fields::Unnamed(_) | Fields::Unit => 0,
    }
}

/// The file without its suffix: a module of it lies behind a slash.
fn module(path: &str) -> &str {
    path.trim_end_matches(".rs")
}

/// Where the type `name` that `from` names is defined: there, else in the nearest module around it, else in the one nearest to
/// it of the same crate.
fn defined(found: &BTreeMap<(String, String), Size>, name: &str, from: &str) -> Option<(String, String)> {
    let alike = |path: &str| path.split('/').zip(from.split('/')).take_while(|(a, b)| a == b).count();
    let of_crate = found.keys().filter(|(known, path)| known == name && alike(path) > 0);
    of_crate.max_by_key(|(_, path)| alike(path)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_count_where_their_type_is_defined() {
        let file = |path: &str, text: &str| {
            let syntax = syn::parse_file(text).unwrap();
            SourceFile { path: path.to_owned(), text: text.to_owned(), syntax, test: false }
        };
        let sources = [
            file(
                "c/src/a.rs",
                "struct A { x: u8, y: u8 } impl A { fn f() {} } impl Drop for A { fn drop() {} }",
            ),
            file("c/src/a/b.rs", "use super::A; impl A { fn g(&self) {} fn h(&self) {} } enum B { C }"),
            file("d/src/a.rs", "impl A { fn i() {} }"),
        ];
        let found: Vec<(String, usize, usize)> =
            sizes(&sources).into_iter().map(|size| (size.name, size.fields, size.methods)).collect();
        assert_eq!(found, [("A".to_owned(), 2, 3), ("B".to_owned(), 0, 0)]);
    }
}
