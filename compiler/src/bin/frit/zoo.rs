//! `frit zoo`: descriptions of well-known networks.

use clap::builder::PossibleValuesParser;
use clap::value_parser;
use frit_compiler::zoo::{self, ZooOptions};

use crate::console::Console;
use crate::failure::Failure;

/// Print the description of a well-known network, or the names of all
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  frit zoo
  frit zoo mobilenet_v2 > model.json
  frit zoo mobilenet_v2 --width 0.35 --resolution 96 --classes 10 | frit cost -")]
pub(crate) struct Args {
    /// The network
    #[arg(value_parser = PossibleValuesParser::new(zoo::names()))]
    name: Option<String>,
    /// What the numbers of channels are multiplied with
    #[arg(long, value_name = "W", requires = "name")]
    width: Option<f64>,
    /// Height and width of the input, instead of those that the network was published with
    #[arg(long, value_name = "R", requires = "name", value_parser = value_parser!(u32).range(1..))]
    resolution: Option<u32>,
    /// Number of classes
    #[arg(long, value_name = "N", requires = "name", value_parser = value_parser!(u32).range(1..))]
    classes: Option<u32>,
    /// Seed of the weights
    #[arg(long, value_name = "S", requires = "name")]
    seed: Option<u64>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let Some(name) = &args.name else {
        let names: String = zoo::names().map(|name| format!("{name}\n")).collect();
        return console.print(&names);
    };
    let standard = ZooOptions::default();
    let options = ZooOptions {
        width: args.width.unwrap_or(standard.width),
        resolution: args.resolution.map(|resolution| resolution as usize),
        classes: args.classes.map_or(standard.classes, |classes| classes as usize),
        seed: args.seed.unwrap_or(standard.seed),
    };
    console.print(&zoo::description(name, &options)?)
}
