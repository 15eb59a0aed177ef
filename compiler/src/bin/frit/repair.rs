//! How a model is repaired before anything else is done with it: not at all, unless that is asked for.

use clap::ValueEnum;
use frit_ir::Faults;
use frit_passes::repair::{Policy, ProjectionWeights};

use crate::failure::Failure;

/// What is done about residuals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Residual {
    /// Nothing: those that don't fit are errors.
    Error,
    /// Those that don't fit lose their shortcut (MobileNetV2, V3).
    Drop,
    /// Those that don't fit get a 1x1 convolution on their shortcut, untrained (ResNet).
    Project,
    /// Blocks that could have one and don't get one.
    Insert,
}

/// Where weights that nobody trained come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Untrained {
    /// From the seed of the other weights, 0 where they have none.
    Seeded,
    /// Zero: the block starts as if it had no shortcut.
    Zero,
}

/// The flags of repairs.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RepairArgs {
    /// What to do about residual adds; every repair is told on stderr
    #[arg(long, value_enum, value_name = "POLICY", default_value_t = Residual::Error, help_heading = "Repairs")]
    residual: Residual,
    /// The weights of the convolutions that --residual project inserts [default: seeded]
    #[arg(long, value_enum, value_name = "WEIGHTS", help_heading = "Repairs")]
    projection_weights: Option<Untrained>,
}

impl RepairArgs {
    /// How to repair; none where nothing is to be.
    pub(crate) fn policy(&self) -> Result<Option<Policy>, Failure> {
        if self.projection_weights.is_some() && self.residual != Residual::Project {
            let message = "--projection-weights is about the convolutions that --residual project inserts";
            return Err(Failure::Usage(message.to_owned()));
        }
        Ok(match self.residual {
            Residual::Error => None,
            Residual::Drop => Some(Policy::Drop),
            Residual::Project => Some(Policy::Project(match self.projection_weights {
                Some(Untrained::Zero) => ProjectionWeights::Zero,
                Some(Untrained::Seeded) | None => ProjectionWeights::Seeded,
            })),
            Residual::Insert => Some(Policy::Insert),
        })
    }

    /// The faults of a file that could not be read, where none is repaired: those that the policy would repair don't ask for it
    /// again, but say what it waits for.
    pub(crate) fn waits(&self, mut faults: Faults) -> Faults {
        let Some(policy) = self.residual.to_possible_value() else { return faults };
        let given = format!("--residual {}", policy.get_name());
        for fault in faults.iter_mut() {
            if fault.help.iter().any(|help| help.flag.as_deref() == Some(given.as_str())) {
                fault.help.clear();
                fault.notes.push(format!("{given} repairs this as soon as the other faults are gone"));
            }
        }
        faults
    }
}
