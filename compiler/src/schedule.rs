//! From the optimised graph to a plan, in three steps, each a value that the next one only reads:
//!
//! 1. `candidates`: which layers are scheduled together, in which ways that can be done, what each would cost, and the
//!    choice;
//! 2. `placement`: where every value lies, how, and how long, with the copies that other layouts need;
//! 3. `steps`: the kernels and calls, a pure function of both.
//!
//! Inside, tensors lie in blocks of as many channels as a vector has lanes; the caller's inputs and outputs are dense, and so
//! is what an op makes that moves elements. A convolution reads either, anything else gets a copy in the layout that it needs
//! first.
//!
//! Nothing here depends on the number of workers, so results are the same bits for any number of them.

mod block;
mod blueprint;
mod buffers;
mod candidates;
mod joined;
mod layers;
mod network;
mod placed;
mod placement;
mod predict;
mod ring;
mod stage;
mod steps;
mod subgraph;
mod tiles;
pub mod ways;
mod windows;

use frit_ir::diagnostic::Diagnostic;
use frit_ir::{Faults, Graph, NodeId};
use frit_runtime::Port;

use crate::machine::Machine;
use crate::plan::{Plan, Way};
use candidates::Candidates;
use network::Network;
use placement::Placement;

/// The largest tensor in bytes, and the largest distance inside one: 1 GiB, so that distances fit 32 bits.
pub const LARGEST: usize = 1 << 30;

/// Which ways subgraphs may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The way of all that can take it, while the others go layer by layer; each its own best where there is none.
    pub way: Option<Way>,
    /// Whether Winograd's algorithm is one of them.
    pub winograd: bool,
}

impl From<Option<Way>> for Policy {
    fn from(way: Option<Way>) -> Policy {
        Policy { way, winograd: true }
    }
}

/// Schedules `graph` for `machine`, each subgraph in the way that is predicted to be the fastest of those that `policy` leaves.
///
/// # Errors
/// A tensor or window too large for the kernels' addressing (FR0010), weights without values (FR0021).
pub fn schedule(graph: &Graph, machine: &Machine, policy: impl Into<Policy>) -> Result<Plan, Faults> {
    let net = Network::new(graph, machine)?;
    let candidates = Candidates::choose(&net, policy.into())?;
    let mut placement = Placement::new(&net);
    for id in graph.topological() {
        if let Err(fault) = place(&mut placement, &candidates, id) {
            return Err(fault.at(format!("{} ({})", net.name(id), net.op(id).name())).into());
        }
    }
    let arena_bytes = buffers::place(&mut placement.tensors);
    let (steps, kernels) = steps::build(&net, &candidates, &placement.stages)?;
    let port = |&id: &NodeId| Port::new(net.name(id), net.shape(id).axes());
    Ok(Plan {
        name: graph.name.clone(),
        inputs: placement.inputs.iter().map(port).collect(),
        outputs: graph.outputs().iter().map(port).collect(),
        kernels,
        steps,
        tensors: placement.tensors,
        weights: placement.weights,
        arena_bytes,
        scratch_bytes: placement.scratch_bytes.next_multiple_of(64),
        choices: candidates.choices,
    })
}

/// Places `id`, with the layers before it that are scheduled together with it.
fn place(placement: &mut Placement<'_>, candidates: &Candidates, id: NodeId) -> Result<(), Diagnostic> {
    let net = placement.net;
    placed::check_size(net.shape(id), net.width.lanes)?;
    if candidates.is_inner(id) {
        return Ok(());
    }
    match candidates.place(id) {
        Some(place) => place(placement)?,
        None => layers::place(placement, id)?,
    }
    placement.copy_to_outputs(id);
    Ok(())
}
