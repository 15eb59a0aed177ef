//! Matches on an op that let an op pass which nobody has thought of.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Expr, ExprMatch, Pat, Path};

use crate::source::SourceFile;

/// The lines of the matches outside tests that name ops and have an arm for all others.
pub fn open(file: &SourceFile) -> Vec<usize> {
    let mut walk = Open(Vec::new());
    file.product().for_each(|item| walk.visit_item(item));
    walk.0
}

struct Open(Vec<usize>);

impl<'ast> Visit<'ast> for Open {
    fn visit_expr_match(&mut self, expression: &'ast ExprMatch) {
        let names_ops = expression.arms.iter().any(|arm| names_op(&arm.pat));
        if names_ops && expression.arms.iter().any(|arm| takes_all(&arm.pat)) {
            self.0.push(expression.match_token.span().start().line);
        }
        visit::visit_expr_match(self, expression);
    }
}

/// Whether `Op::NAME` stands in the pattern.
fn names_op(pattern: &Pat) -> bool {
    let mut named = Named(false);
    named.visit_pat(pattern);
    named.0
}

struct Named(bool);

impl<'ast> Visit<'ast> for Named {
    fn visit_path(&mut self, path: &'ast Path) {
        let before = path.segments.iter().rev().nth(1);
        self.0 |= before.is_some_and(|segment| segment.ident == "Op");
    }

    fn visit_expr(&mut self, _: &'ast Expr) {}
}

/// Whether the pattern takes whatever comes, in `Some` too.
fn takes_all(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        Pat::Ident(name) => {
            name.subpat.is_none() && name.ident.to_string().starts_with(|first: char| first.is_lowercase())
        }
        Pat::Paren(inner) => takes_all(&inner.pat),
        Pat::Reference(inner) => takes_all(&inner.pat),
        Pat::Tuple(tuple) => tuple.elems.iter().all(takes_all),
        Pat::TupleStruct(some) => some.path.is_ident("Some") && some.elems.iter().all(takes_all),
        Pat::Or(any) => any.cases.iter().any(takes_all),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let syntax = syn::parse_file(text).unwrap();
        open(&SourceFile { path: "a.rs".to_owned(), text: text.to_owned(), syntax, test: false })
    }

    #[test]
    fn an_arm_for_all_other_ops_is_found() {
        assert_eq!(lines("fn f() {\n match op { Op::Pad(pad) => 1, _ => 0 } }"), [2]);
        assert_eq!(lines("fn f() { match op { Some(Op::Pad(_)) if a => 1, other => 0 } }"), [1]);
        assert_eq!(lines("fn f() { match (a, op) { (1, Op::Pad(_)) => 1, (_, _) => 0 } }"), [1]);
        assert_eq!(lines("fn f() { match op { ops::Op::Pad(_) => 1, Some(_) => 2, None => 0 } }"), [1]);
    }

    #[test]
    fn a_question_about_one_op_is_not() {
        let asks = [
            "match op { Op::Pad(_) | Op::Identity => 1, Op::Input(_) => 0 }",
            "if let Op::Pad(pad) = op { 1 } else { 0 }",
            "match name { 1 => Op::Identity, _ => Op::Pad(pad) }",
            "match op { Op::Pad(_) => 1, None => 0 }",
        ];
        for body in asks {
            assert!(lines(&format!("fn f() {{ {body} }}")).is_empty(), "{body}");
        }
    }
}
