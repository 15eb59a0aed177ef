//! Builds a small network in code and prints it before and after rewriting.
//!
//! `cargo run --release --example rewrite`

use frit_compiler::report::text::edit;
use frit_compiler::{Options, optimise};
use frit_ir::text;

const NETWORK: &str = "
    model block
    @c.kernel : 3x3x4x4 seeded(7)
    @n.gamma : 4 seeded(7)
    @n.beta : 4 seeded(7)
    @n.mean : 4 seeded(7)
    @n.variance : 4 seeded(7)
    %image = input {shape=8x8x4}
    %c = conv2d %image, @c.kernel {filters=4, kernel=3x3, pad=1:1:1:1}
    %n = batch_norm %c, @n.gamma, @n.beta, @n.mean, @n.variance {eps=1e-3}
    %sum = add %n, %image
    %out = relu6 %sum
    output %out
";

fn main() -> Result<(), String> {
    let graph = text::parse(NETWORK).map_err(|faults| faults.to_string())?;
    println!("{}", text::print(&graph));
    let optimised = optimise(graph, &Options::native()).map_err(|faults| faults.to_string())?;
    println!("{}", text::print(&optimised.graph));
    for pass in &optimised.reports {
        let changed = pass.changed.iter().map(edit).collect::<Vec<_>>().join("; ");
        println!("{}: {}", pass.name, if pass.unchanged() { "(unchanged)" } else { &changed });
    }
    Ok(())
}
