//! What codes and rules mean, for scripts.

use frit_passes::egraph::rules::Rule;
use serde_json::json;

use super::Object;
use crate::explain::{self, Page};

/// `{"code", "meaning", "text"}`; the text is Markdown.
pub fn page(page: &Page) -> String {
    let object = Object::default().field("code", &page.code.to_string());
    object.field("meaning", &page.meaning).field("text", &page.text).text()
}

/// `{"codes": [{"code", "meaning"}]}`.
pub fn codes() -> String {
    let code = |page: Page| json!({"code": page.code.to_string(), "meaning": page.meaning});
    Object::default().list("codes", explain::pages().map(code)).text()
}

/// `{"rules": [{"name", "sound"}]}`.
pub fn rules(rules: &[&Rule]) -> String {
    let rule = |rule: &&Rule| json!({"name": rule.name, "sound": rule.sound});
    Object::default().list("rules", rules.iter().map(rule)).text()
}
