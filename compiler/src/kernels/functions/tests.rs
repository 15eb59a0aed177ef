use frit_ir::ops::Scalar;

use super::*;
use crate::vector::program::Width;
use crate::vector::{Count, interpret};

/// `body` over all of `arguments`, which come in pairs where it reads two vectors.
fn run(
    fused: bool,
    vectors: usize,
    mut values: Vec<f32>,
    body: impl FnOnce(&mut Builder, Address),
) -> Vec<f32> {
    let width = Width::new(4, 16, fused);
    let mut builder = Builder::new("function", width, 1);
    let base = builder.parameter(0);
    builder.repeat(Count::Items, |b| {
        body(b, Address::new(base, 0));
        b.emit(Instruction::Advance { pointer: base, bytes: 16 * vectors as i64 });
    });
    let count = values.len();
    values.resize(count.next_multiple_of(4 * vectors), 0.0);
    let items = (values.len() / (4 * vectors)) as u64;
    let mut memory = vec![values];
    interpret::run(&builder.finish().unwrap(), &mut memory, &[(0, 0)], items).unwrap();
    memory[0].truncate(count);
    memory.remove(0)
}

fn results(activation: Activation, fused: bool, arguments: &[f32]) -> Vec<f32> {
    run(fused, 1, arguments.to_vec(), |b, place| in_memory(b, activation, &[place]))
}

/// Numbers of every exponent and both signs, and some around 1 and 0.5.
fn every_exponent() -> Vec<f32> {
    let all = (0..=u32::MAX).step_by(20_011).map(f32::from_bits).filter(|x| !x.is_nan());
    all.chain((0..8_000).map(|step| (step as f32 - 4_000.0) / 400.0)).collect()
}

const ALL: [Activation; 8] = [
    Activation::Tanh,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Mish,
    Activation::Softplus,
    Activation::Erf,
    Activation::Exp,
    Activation::Log,
];

#[test]
fn the_error_is_as_stated_over_the_whole_range() {
    let arguments = every_exponent();
    let elu = Activation::Elu { alpha: Scalar::new(1.5) };
    for activation in ALL.into_iter().chain([elu]) {
        for fused in [true, false] {
            let mut worst = (0.0, 0.0);
            for (&x, found) in arguments.iter().zip(results(activation, fused, &arguments)) {
                let exact = activation.apply(f64::from(x));
                let share = match activation {
                    Activation::Gelu | Activation::GeluTanh => f64::from(x.abs()),
                    _ => exact.abs(),
                };
                // Below the normal numbers, and where a power of e is in play, what is left is not a whole one.
                let off = (f64::from(found) - exact).abs() / (share + 1e-31);
                let overflows =
                    exact.abs() > f64::from(f32::MAX) * 0.999_99 && found.abs() >= f32::MAX * 0.999_99;
                let same = f64::from(found) == exact || (found.is_nan() && exact.is_nan()) || overflows;
                if !same && (off.is_nan() || off > worst.0) {
                    worst = (if off.is_nan() { f64::INFINITY } else { off }, x);
                }
            }
            let (off, x) = worst;
            assert!(off <= RELATIVE_ERROR, "{activation:?} of {x:e} is off by {off:e}, fused {fused}");
        }
    }
}

#[test]
fn no_function_takes_more_than_all_registers_however_few_there_are() {
    for lanes in [4, 8] {
        let mut builder = Builder::new("function", Width::new(lanes, 16, true), 1);
        let place = Address::new(builder.parameter(0), 0);
        let kept = builder.registers(2);
        for activation in ALL {
            in_memory(&mut builder, activation, &[place, place]);
        }
        builder.free_all(kept);
        assert!(builder.finish().is_ok());
    }
}

#[test]
fn a_power_is_that_of_the_language() {
    let interesting =
        [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 7.25, 20.0, 33.0, 1e-3, 1e-40, 1e30, 16_777_216.0, f32::INFINITY];
    let signed: Vec<f32> = interesting.into_iter().flat_map(|x| [x, -x]).chain([f32::NAN]).collect();
    let pairs: Vec<(f32, f32)> = signed.iter().flat_map(|&a| signed.iter().map(move |&b| (a, b))).collect();
    for fused in [true, false] {
        let values: Vec<f32> = pairs.iter().flat_map(|&(a, b)| [[a; 4], [b; 4]].concat()).collect();
        let found = run(fused, 2, values, |builder, place| {
            let [a, b] = [place.offset, 16].map(|offset| builder.load(place.base, offset));
            Formula { builder, held: &Held::default() }.power(a, b);
            builder.emit(Instruction::Store { to: place, from: a });
            builder.free_all([a, b]);
        });
        for (&(a, b), found) in pairs.iter().zip(found.chunks(8)) {
            // The sign of a zero, and the powers of minus infinity that are not whole, are left open.
            if (a == 0.0 && a.is_sign_negative()) || a == f32::NEG_INFINITY {
                continue;
            }
            let (found, exact) = (found[0], a.powf(b));
            let near = (found - exact).abs() <= 2e-5 * exact.abs();
            let tiny = exact.abs() < f32::MIN_POSITIVE && found.abs() <= f32::MIN_POSITIVE;
            let right = found == exact || near || tiny || (found.is_nan() && exact.is_nan());
            assert!(right, "{a:e} to the power of {b:e} is {found:e}, not {exact:e}, fused {fused}");
        }
    }
}
