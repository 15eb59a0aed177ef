//! What lints found.

use frit_ir::Shape;
use frit_passes::lint;
use serde::Serialize;

use super::line;

/// `{"rule", "code", "severity", "message", "layers", "why", "what", "sure"}`.
#[derive(Serialize)]
pub(super) struct Finding<'a> {
    rule: &'a str,
    code: String,
    severity: &'static str,
    message: &'a str,
    layers: Vec<InvolvedLayer<'a>>,
    why: &'a str,
    what: &'a str,
    sure: &'static str,
}

/// `{"role", "name", "index", "op", "shape"}`; `index` is null where the source counts no layers, `shape` where it is unknown.
#[derive(Serialize)]
struct InvolvedLayer<'a> {
    role: &'a str,
    name: &'a str,
    index: Option<usize>,
    op: &'a str,
    shape: Option<&'a [usize]>,
}

impl<'a> From<&'a lint::Finding> for Finding<'a> {
    fn from(finding: &'a lint::Finding) -> Finding<'a> {
        let lint::Finding { rule, message, layers, why, what, .. } = finding;
        Finding {
            rule,
            code: finding.code.to_string(),
            severity: finding.severity.name(),
            message,
            layers: layers.iter().map(InvolvedLayer::from).collect(),
            why,
            what,
            sure: finding.sure.name(),
        }
    }
}

impl<'a> From<&'a lint::Involved> for InvolvedLayer<'a> {
    fn from(layer: &'a lint::Involved) -> InvolvedLayer<'a> {
        let &lint::Involved { role, ref name, index, op, ref shape } = layer;
        InvolvedLayer { role, name, index, op, shape: shape.as_ref().map(Shape::axes) }
    }
}

#[derive(Serialize)]
struct Illegal<'a> {
    model: &'a str,
    legal: bool,
    findings: Vec<Finding<'a>>,
}

/// `{"model", "legal", "findings"}` on one line, of a network that is not legal.
pub fn findings(model: &str, findings: &[lint::Finding]) -> String {
    line(&Illegal { model, legal: false, findings: findings.iter().map(Finding::from).collect() }) + "\n"
}
