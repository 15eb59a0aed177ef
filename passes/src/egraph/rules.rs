//! The rules, by subject. RULES.md beside this file says what makes one admissible.

mod activation;
mod batch_norm;
mod dense;
mod grouped_conv;
mod identity;
mod pad;
mod pool;
mod prologue;
mod residual;
mod scalar;
mod scale;
mod spelling;
mod squeeze_excite;
mod sum;

pub use super::rule::Rule;

/// All rules, in the order in which they are searched.
pub const ALL: &[&Rule] = &[
    &batch_norm::FOLD_BATCH_NORM,
    &batch_norm::FOLD_RESCALE_BEFORE_NORM,
    &activation::NAME_CLAMP,
    &activation::MERGE_CLAMPS,
    &activation::FUSE_ACTIVATION,
    &scalar::NAME_ARITHMETIC,
    &scalar::SQUARE,
    &scalar::MERGE_RESCALES,
    &scalar::DROP_RESCALE,
    &spelling::NAME_HARD_SIGMOID,
    &spelling::NAME_SOFTPLUS,
    &spelling::NAME_GATED,
    &spelling::NAME_GATED_SCALED,
    &spelling::NAME_LEAKY_RELU,
    &spelling::NAME_PRELU,
    &scale::FOLD_RESCALE,
    &scale::FOLD_CHANNELS,
    &scale::FOLD_HARD_SIGMOID,
    &scale::FOLD_SCALE_BEFORE,
    &scale::FOLD_SCALE_BEFORE_DENSE,
    &residual::FUSE_RESIDUAL,
    &sum::SUM_CONVS,
    &prologue::FUSE_PROLOGUE,
    &pad::FUSE_PAD_CONV2D,
    &pad::FUSE_PAD_POOL,
    &pool::POOL_TO_VECTOR,
    &pool::POOL_TO_PIXEL,
    &pool::MEAN_TO_POOL,
    &pool::WINDOW_TO_POOL,
    &pool::DROP_POOL,
    &dense::DENSE_TO_CONV,
    &squeeze_excite::SQUEEZE_EXCITE,
    &squeeze_excite::SQUEEZE_EXCITE_RESHAPED,
    &squeeze_excite::SQUEEZE_EXCITE_ACTIVATED,
    &squeeze_excite::SCALE_SQUEEZED,
    &squeeze_excite::DROP_GATE_RESHAPE,
    &squeeze_excite::FUSE_GATE,
    &grouped_conv::GROUP_CONVS,
    &grouped_conv::JOIN_CONVS,
    &identity::MERGE_RESHAPES,
    &identity::DROP_RESHAPE,
    &identity::MERGE_TRANSPOSES,
    &identity::TRANSPOSE_TO_RESHAPE,
    &identity::MERGE_SLICES,
    &identity::DROP_SLICE,
    &identity::DROP_CONCAT,
    &identity::DROP_PAD,
    &identity::DROP_IDENTITY,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn names_are_unique_and_every_rule_says_why_it_is_sound() {
        let names: BTreeSet<_> = ALL.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|rule| rule.sound.len() > 20));
    }
}
