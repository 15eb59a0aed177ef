//! Lambda layers: Python code, which is never run. Siblings that hold the same code and the same closure compute the same,
//! which nobody means who writes a loop: Python reads a closure when the function is called, and by then the loop's variable
//! has its last value.

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use super::attributes::Attributes;
use super::refused::{grouped, listed};
use super::tensors::Described;
use super::version::Version;
use crate::import::document::{Content, Value};
use crate::import::findings::Findings;

/// Groups of siblings that are told.
const TOLD: usize = 8;

/// A layer that is a function.
pub(super) struct Lambda<'a> {
    path: String,
    value: Value<'a>,
    /// Its code with all that belongs to it, as it is spelled.
    function: &'a str,
    /// The variables of the loop around it, as they are spelled; empty where there are none.
    closure: &'a str,
    /// What it reads, as it is spelled.
    reads: &'a str,
    /// Channels of what it reads, where the file says so.
    channels: Option<u64>,
}

/// Reads what is told of a Lambda.
pub(super) fn read<'a>(
    layer: &Described<'a>,
    config: &Value<'a>,
    nodes: Option<&Value<'a>>,
    (version, findings): (Version, &mut Findings<'a>),
) -> Lambda<'a> {
    let label = layer.label();
    let mut field = |of: &Value<'a>, name: &str| Attributes::open(of, &label, version, findings)?.value(name);
    let function = field(config, "function");
    let reads = nodes.map_or("", |nodes| nodes.spelling());
    let closure = function.as_ref().and_then(|function| match function.content().ok()? {
        // Keras 2: code, defaults, closure.
        Content::Array(parts) => parts.get(2).cloned(),
        Content::Object(_) => field(function, "config")
            .filter(|config| config.spelling().starts_with('{'))
            .and_then(|config| field(&config, "closure")),
        _ => None,
    });
    let closure = closure.map_or("", |closure| closure.spelling());
    let built = field(&layer.value, "build_config").and_then(|built| field(&built, "input_shape"));
    let channels = built.and_then(|shape| numbers(shape.spelling()).pop());
    Lambda {
        path: layer.path.clone(),
        value: layer.value.clone(),
        function: function.map_or("", |function| function.spelling()),
        closure: if closure == "null" { "" } else { closure },
        reads,
        channels,
    }
}

/// The whole numbers of a list, as it is spelled; what is none is left out.
fn numbers(list: &str) -> Vec<u64> {
    list.trim_matches(['[', ']']).split(',').filter_map(|number| number.trim().parse().ok()).collect()
}

/// Tells all Lambdas of a network in one fault, and siblings that compute the same in a warning each.
pub(super) fn tell<'a>(lambdas: &[Lambda<'a>], findings: &mut Findings<'a>) {
    let Some(first) = lambdas.first() else { return };
    let names: Vec<&str> = lambdas.iter().map(|lambda| lambda.path.as_str()).collect();
    let message = format!("{} Lambda layers hold serialised Python code, which is never run", names.len());
    let message = if names.len() == 1 {
        "a Lambda layer holds serialised Python code, which is never run"
    } else {
        &message
    };
    let together = grouped(lambdas, |lambda| lambda.reads);
    let groups = together.iter().map(Vec::len).find(|&members| members > 1);
    let fault = Diagnostic::error(codes::KERAS_LAMBDA, message)
        .at(format!("{} (Lambda)", first.path))
        .note(listed(&names));
    let fault = match groups {
        Some(groups) => without_lambdas(fault, groups),
        None => fault.help("slice tensors themselves: x[..., a:b], or keras.ops.split(x, parts, axis=-1)"),
    };
    let fault = fault.help(
        "other functions are layers (Rescaling, Activation, Add) or operators on tensors, which are saved with the network",
    );
    findings.add(&first.value, fault);
    let siblings = grouped(lambdas, |lambda| (lambda.function, lambda.reads));
    let late = siblings.iter().filter(|group| group.len() > 1 && !group[0].closure.is_empty());
    for group in late.take(TOLD) {
        findings.add(&group[0].value, late_binding(group));
    }
}

/// The ways to write `groups` slices of one tensor that a file holds.
fn without_lambdas(fault: Diagnostic, groups: usize) -> Diagnostic {
    fault
        .help(format!("a grouped convolution is one layer: Conv2D(filters, kernel, groups={groups})"))
        .help(format!("slice tensors themselves: x[..., a:b], or keras.ops.split(x, {groups}, axis=-1)"))
}

/// The warning of `siblings` that compute the same.
fn late_binding(siblings: &[&Lambda<'_>]) -> Diagnostic {
    let names: Vec<&str> = siblings.iter().map(|lambda| lambda.path.as_str()).collect();
    let closure: String = siblings[0].closure.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = format!(
        "{} Lambda layers read the same tensor by the same code with the same closure {closure}",
        names.len()
    );
    let warning = Diagnostic::warning(codes::LATE_BINDING, message)
        .at(format!("{} (Lambda)", siblings[0].path))
        .note(format!("all of them compute the same: {}", listed(&names)))
        .note(
            "Python reads a loop's variable when the function is called, and by then it has its last value",
        );
    let warning = match last_slice(siblings) {
        Some([from, to]) => warning.note(format!(
            "by these numbers each of them reads channels {from}..{to}, the last of {} slices, and none reads the channels before",
            names.len()
        )),
        None => warning,
    };
    without_lambdas(warning, names.len())
}

/// The channels that all of `siblings` read, where their closure is the index of the last of them and the width of a slice, as a
/// loop `c` over slices `x[..., c * width:(c + 1) * width]` leaves it.
fn last_slice(siblings: &[&Lambda<'_>]) -> Option<[u64; 2]> {
    let count = u64::try_from(siblings.len()).ok()?;
    let last = count - 1;
    let width = match numbers(siblings[0].closure)[..] {
        [index, width] if index == last => width,
        [width, index] if index == last => width,
        _ => return None,
    };
    let all = count.checked_mul(width).filter(|_| width > 0)?;
    let fits = siblings[0].channels.is_none_or(|channels| channels == all);
    fits.then_some([all - width, all])
}
