//! What codes and rules mean, for people.

use frit_passes::egraph::rules::Rule;

use crate::explain;
use crate::report::table::{Align, Table};

/// A line for each code.
pub fn codes() -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for page in explain::pages() {
        table.row([page.code.to_string(), page.meaning.to_owned()]);
    }
    table.text()
}

/// A line for each rule, with why both of its sides are equal.
pub fn rules(rules: &[&Rule]) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for rule in rules {
        table.row([rule.name.to_owned(), rule.sound.to_owned()]);
    }
    table.text()
}
