//! JSON for scripts. Field names are promises; lists of layers stand one a line. What is not finite is `null`.

mod alternatives;
mod artifact;
mod explained;
mod findings;
mod measured;
mod network;
mod outcome;
mod parts;

use serde::Serialize;

pub use alternatives::alternatives;
pub use artifact::artifact;
pub use explained::{codes, page, rules};
pub use findings::findings;
pub use measured::bench;
pub use network::{cost, listing, passes, summary};
pub use outcome::{results, verdict, written};
pub use parts::{adapters, cuts, made};

/// `value` on one line.
fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("reports have string keys and nothing that can't be written")
}

/// An object with a field a line, whose lists have an element a line.
#[derive(Debug, Default)]
struct Object(Vec<String>);

impl Object {
    fn field(mut self, name: &str, value: &impl Serialize) -> Object {
        self.0.push(format!("{}: {}", line(&name), line(value)));
        self
    }

    fn list<T: Serialize>(mut self, name: &str, values: impl IntoIterator<Item = T>) -> Object {
        let lines: Vec<String> = values.into_iter().map(|value| format!("  {}", line(&value))).collect();
        let list = if lines.is_empty() { "[]".to_owned() } else { format!("[\n{}\n]", lines.join(",\n")) };
        self.0.push(format!("{}: {list}", line(&name)));
        self
    }

    fn text(self) -> String {
        format!("{{{}}}\n", self.0.join(",\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_json_with_an_element_a_line() {
        let text =
            Object::default().field("a\"b", &1).list("none", [0; 0]).list("two", [[1, 2], [3, 4]]).text();
        assert_eq!(text, "{\"a\\\"b\": 1,\n\"none\": [],\n\"two\": [\n  [1,2],\n  [3,4]\n]}\n");
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn what_is_not_finite_is_null() {
        assert_eq!(line(&[f64::INFINITY, f64::NAN]), "[null,null]");
    }
}
