//! Diagnostics as text for people and as JSON for scripts.
//!
//! Names and messages may come out of a hostile file: control characters, and those that turn the direction of writing,
//! are shown as escapes, so that no name reaches a terminal as a command.

use std::fmt::{self, Write};

use serde::Serialize;

use super::{Diagnostic, Faults, Help, Operand, Place, Severity};

/// `diagnostic` for a terminal, in several lines without a last line break. Parts that are unknown are left out.
///
/// ```text
/// error[FR0201]: residual add joins different shapes
///   ┌ add_1 (Add) of net.json
///   │   main path  bneck2/project  128x128x16 → stride 2 → 64x64x24
///   │   shortcut   bneck1/add      128x128x16
///   = a residual is the identity only where stride is 1 and channels match (here stride 2, 16 → 24)
///   = help: drop the edge            --residual drop       (what MobileNetV2 and V3 do)
///   = help: insert 1x1 projection    --residual project    (what ResNet does: conv 1x1, 16→24, stride 2)
/// ```
pub fn text(diagnostic: &Diagnostic) -> String {
    let mut lines = vec![format!(
        "{}[{}]: {}",
        diagnostic.severity.name(),
        diagnostic.code,
        escaped(&diagnostic.message)
    )];
    lines.extend(head(diagnostic));
    lines.extend(operands(&diagnostic.operands));
    lines.extend(diagnostic.notes.iter().map(|note| format!("  = {}", escaped(note))));
    lines.extend(help(&diagnostic.help));
    lines.join("\n")
}

/// `diagnostic` as one line of JSON: `{"code", "severity", "message", "layers", "shapes", "help": [{"text", "flag"}],
/// "place"}`.
///
/// `layers` are source names, the layer at fault first; `shapes` are those of its operands, in order; `flag` is null where
/// no flag does it; `place` is null where nothing is known of it, else `{"file", "line", "column", "path"}`.
pub fn json(diagnostic: &Diagnostic) -> String {
    let layer = Some(name_alone(&diagnostic.layer)).filter(|layer| !layer.is_empty());
    let operands = &diagnostic.operands;
    let place = Some(&diagnostic.place).filter(|place| **place != Place::default());
    let record = Record {
        code: diagnostic.code.to_string(),
        severity: diagnostic.severity.name(),
        message: &diagnostic.message,
        layers: layer.into_iter().chain(operands.iter().map(|operand| operand.layer.as_str())).collect(),
        shapes: operands.iter().map(|operand| operand.shape.as_str()).collect(),
        help: diagnostic
            .help
            .iter()
            .map(|help| Way { text: &help.text, flag: help.flag.as_deref() })
            .collect(),
        place: place.map(|place| Spot {
            file: &place.file,
            line: place.line,
            column: place.column,
            path: &place.path,
        }),
    };
    serde_json::to_string(&record).expect("strings and numbers always serialise")
}

impl Severity {
    /// The word that a diagnostic begins with.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Hint => "hint",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// The line of the layer and the file, where either is known.
fn head(diagnostic: &Diagnostic) -> Option<String> {
    let place = &diagnostic.place;
    let mut spot = escaped(&place.file);
    for number in [place.line, place.column].into_iter().flatten() {
        let between = if spot.is_empty() { "line " } else { ":" };
        write!(spot, "{between}{number}").expect("a string takes all that is written to it");
    }
    if !place.path.is_empty() {
        let path = escaped(&place.path);
        spot = if spot.is_empty() { path } else { format!("{spot} ({path})") };
    }
    let layer = escaped(&diagnostic.layer);
    match (layer.is_empty(), spot.is_empty()) {
        (true, true) => None,
        (true, false) => Some(format!("  ┌ {spot}")),
        (false, true) => Some(format!("  ┌ {layer}")),
        (false, false) => Some(format!("  ┌ {layer} of {spot}")),
    }
}

/// The lines of the shapes that meet, in columns.
fn operands(operands: &[Operand]) -> Vec<String> {
    let cells: Vec<[String; 2]> =
        operands.iter().map(|operand| [escaped(&operand.role), escaped(&operand.layer)]).collect();
    let [role_width, layer_width] =
        [0, 1].map(|column| cells.iter().map(|cell| width(&cell[column])).max().unwrap_or(0));
    let line = |([role, layer], operand): (&[String; 2], &Operand)| {
        format!("  │   {role:role_width$}  {layer:layer_width$}  {}", escaped(&operand.shape))
            .trim_end()
            .to_owned()
    };
    cells.iter().zip(operands).map(line).collect()
}

/// The lines of the ways out; those with a flag in columns.
fn help(help: &[Help]) -> Vec<String> {
    let with_flag =
        || help.iter().filter_map(|help| help.flag.as_ref().map(|flag| (escaped(&help.text), escaped(flag))));
    let text_width = with_flag().map(|(text, _)| width(&text)).max().unwrap_or(0);
    let flag_width = with_flag().map(|(_, flag)| width(&flag)).max().unwrap_or(0);
    let line = |help: &Help| {
        let text = escaped(&help.text);
        let mut line = match &help.flag {
            Some(flag) => format!("  = help: {text:text_width$}    {:flag_width$}", escaped(flag)),
            None => format!("  = help: {text}"),
        };
        if let Some(remark) = help.remark.as_deref().filter(|remark| !remark.is_empty()) {
            line = format!("{line}    ({})", escaped(remark));
        }
        line.trim_end().to_owned()
    };
    help.iter().map(line).collect()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Whether a terminal takes `c` for an order, or shows what follows in another direction.
pub fn commands(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with control characters and marks of direction as escapes.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if commands(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The layer's name without its kind: `add_1` of `add_1 (Add)`.
fn name_alone(layer: &str) -> &str {
    let with_kind = layer.strip_suffix(')').and_then(|layer| layer.rsplit_once(" ("));
    with_kind.map_or(layer, |(name, _)| name)
}

#[derive(Serialize)]
struct Record<'a> {
    code: String,
    severity: &'static str,
    message: &'a str,
    layers: Vec<&'a str>,
    shapes: Vec<&'a str>,
    help: Vec<Way<'a>>,
    place: Option<Spot<'a>>,
}

#[derive(Serialize)]
struct Way<'a> {
    text: &'a str,
    flag: Option<&'a str>,
}

#[derive(Serialize)]
struct Spot<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    path: &'a str,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(diagnostic, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests;
