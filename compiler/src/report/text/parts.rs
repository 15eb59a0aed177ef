//! Where networks can be cut and how they can be joined.

use super::{bytes, counted, grouped};
use crate::cost::Cuts;
use crate::report::parts::{Joint, Made, Port};
use crate::report::table::{Align, Table, printable};

/// The places where a network can be cut.
pub fn cuts(cuts: &Cuts) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("layer", Right),
        ("name", Left),
        ("kind", Left),
        ("shape", Right),
        ("bytes", Right),
        ("MACs before", Right),
        ("parameters", Right),
        ("MACs behind", Right),
        ("parameters", Right),
    ]);
    for cut in &cuts.cuts {
        table.row([
            cut.cut.index.map_or(String::new(), |index| index.to_string()),
            cut.cut.layer.clone(),
            cut.cut.class.clone(),
            cut.cut.shape.to_string(),
            bytes(cut.bytes),
            grouped(cut.before.macs),
            grouped(cut.before.parameters),
            grouped(cut.after.macs),
            grouped(cut.after.parameters),
        ]);
    }
    let of = if cuts.layers == 0 { String::new() } else { format!(", {}", counted(cuts.layers, "layer")) };
    let model = printable(&cuts.model);
    format!("{}{model}: {}{of}\n", table.text(), counted(cuts.cuts.len(), "cut"))
}

/// A network that was written, in a line for what it is, what it takes, and what it gives.
pub fn made(made: &Made) -> String {
    let ports = |ports: &[Port]| {
        let port = |port: &Port| format!("{} {}", printable(&port.name), port.shape);
        ports.iter().map(port).collect::<Vec<_>>().join(", ")
    };
    format!(
        "{}: {}\n  {}, {} parameters, {} MACs\n  takes {}\n  gives {}\n",
        printable(&made.file),
        printable(&made.what),
        counted(made.layers, "layer"),
        grouped(made.sizes.parameters),
        grouped(made.sizes.macs),
        ports(&made.inputs),
        ports(&made.outputs)
    )
}

/// The adapters of a place, the best first.
pub fn adapters(joint: &Joint) -> String {
    let port = |port: &Port| format!("{} {}", printable(&port.name), port.shape);
    let head = format!("{} → {}\n", port(&joint.from), port(&joint.to));
    if joint.adapters.is_empty() {
        let why = match joint.from.shape == joint.to.shape {
            true => "the shapes are alike: no adapter is needed",
            false => "there is no adapter between these shapes",
        };
        return format!("{head}{why}\n");
    }
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("", Right),
        ("adapter", Left),
        ("MACs", Right),
        ("parameters", Right),
        ("field", Right),
        ("lost", Right),
        ("zeros", Right),
        ("what it does to the values", Left),
    ]);
    let percent = |part: f64| if part > 0.0 { format!("{:.0} %", part * 100.0) } else { "0".to_owned() };
    for (index, adapter) in joint.adapters.iter().enumerate() {
        table.row([
            (index + 1).to_string(),
            adapter.name.clone(),
            grouped(adapter.macs),
            grouped(adapter.parameters),
            format!("{}x{}", adapter.field[0], adapter.field[1]),
            percent(adapter.lost),
            percent(adapter.empty),
            adapter.loses.join(", "),
        ]);
    }
    head + &table.text()
}
