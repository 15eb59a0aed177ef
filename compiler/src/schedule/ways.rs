//! The ways in which a subgraph can go through the caches: one a file, and a line in `TABLE`.

mod bands;
mod groups;
mod pair;
mod whole;
mod winograd;

use super::network::Network;
use super::subgraph::{Candidate, Subgraph};
use crate::plan::Way;

pub use bands::BANDS;
pub use groups::GROUPS;
pub use whole::WHOLE;
pub use winograd::WINOGRAD;

/// A way, and what it makes of a subgraph.
pub(super) struct Entry {
    pub(super) way: Way,
    /// What it would cost, and what places the subgraph; none where the subgraph can't go so.
    pub(super) candidate: fn(&Network<'_>, &Subgraph<'_>) -> Option<Candidate>,
}

/// All ways; of two that cost the same the first is taken.
pub(super) const TABLE: [Entry; 4] = [
    Entry { way: WHOLE, candidate: whole::candidate },
    Entry { way: BANDS, candidate: bands::candidate },
    Entry { way: GROUPS, candidate: groups::candidate },
    Entry { way: WINOGRAD, candidate: winograd::candidate },
];

/// All ways, in the order in which they are listed everywhere.
pub const ALL: [Way; TABLE.len()] = {
    let mut all = [WHOLE; TABLE.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = TABLE[index].way;
        index += 1;
    }
    all
};
