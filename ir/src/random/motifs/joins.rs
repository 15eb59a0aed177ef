//! Motifs of values that are joined: sums, concatenations, parts of one map.

use super::Off;
use super::weaving::Weaving;
use crate::ops::{Activation, Binary, Concat, Conv2d, Pool, PoolKind, Slice};
use crate::random::blocks::plain;
use crate::{Op, Shape};

impl Weaving<'_, '_> {
    pub(super) fn concat(&mut self, value: usize) -> Option<usize> {
        let axis = if self.off(Off::Axis) { self.choices.below(2) } else { 2 };
        let count = 2 + self.choices.below(3);
        let mut branches: Vec<usize> = Vec::new();
        for _ in 0..count {
            let branch = self.branch(value, &branches, axis)?;
            let branch = if self.off_here(Off::Source) { value } else { self.between(branch)? };
            branches.push(branch);
        }
        if self.off(Off::Twice) {
            branches.push(self.choices.one(&branches));
        }
        let joined = self.put(Op::Concat(Concat { axis, inputs: branches.len() }), &branches)?;
        self.between(joined)?;
        self.behind(joined)
    }

    /// One branch of a concatenation along `axis`: a convolution, a pool, the branches so far.
    fn branch(&mut self, value: usize, branches: &[usize], axis: usize) -> Option<usize> {
        let filters = if axis == 2 { self.choices.one(&[16, 32, 8, 48, 4]) } else { 16 };
        let filters = self.channels(filters);
        let [.., channels] = self.map(value)?;
        let is_mixed = axis == 2;
        match self.choices.below(6) {
            1 => {
                let activation = self.activation();
                self.layer(value, Conv2d { filters, ..self.same([3; 2]) }, activation)
            }
            2 if is_mixed => {
                let kernel = self.choices.one(&[3, 5]);
                let conv = Conv2d { filters: channels, groups: channels, ..self.same([kernel; 2]) };
                self.layer(value, conv, Some(Activation::Relu))
            }
            3 if is_mixed => {
                let Conv2d { kernel, stride, padding, dilation, .. } = self.same([3; 2]);
                self.put(Op::Pool(Pool { kind: PoolKind::Max, kernel, stride, padding, dilation }), &[value])
            }
            4 if branches.len() > 1 => {
                self.put(Op::Concat(Concat { axis, inputs: branches.len() }), branches)
            }
            _ => {
                let activation = self.activation();
                self.layer(value, plain(filters), activation)
            }
        }
    }

    /// What reads a joined map: a convolution of some kind.
    fn behind(&mut self, joined: usize) -> Option<usize> {
        let [.., channels] = self.map(joined)?;
        let filters = self.choices.one(&[16, 8, 24]);
        let window = if self.off == Some(Off::Stride) { self.window(3) } else { self.same([3; 2]) };
        let conv = match self.choices.below(4) {
            1 => Conv2d { filters, ..window },
            2 => Conv2d { filters: channels, groups: channels, ..window },
            _ if self.off == Some(Off::Stride) => Conv2d { filters, stride: window.stride, ..plain(0) },
            _ => plain(filters),
        };
        let activation = self.activation();
        self.layer(joined, conv, activation)
    }

    pub(super) fn residual(&mut self, value: usize) -> Option<usize> {
        let [rows, columns, channels] = self.map(value)?;
        let kernel = self.choices.one(&[3, 1, 5]);
        let groups = self.choices.one(&[1, channels]);
        let conv = Conv2d { filters: channels, groups, ..self.same([kernel; 2]) };
        let activation = self.activation();
        if self.off.is_none() && self.choices.flag() {
            return self.layer_onto(value, conv, activation, Some(value));
        }
        let main = self.layer(value, conv, activation)?;
        self.between(main)?;
        let mut other = value;
        if self.off(Off::Twice) {
            other = main;
        }
        if self.off(Off::Axis) {
            // One row, one column or one channel that is repeated.
            let axis = self.choices.below(3);
            let first = Slice::along(&Shape::new(&[rows, columns, channels]), axis, 0, 1);
            other = self.put(Op::Slice(first), &[value])?;
        }
        let function = if self.off(Off::Unlike) {
            self.choices.one(&[Binary::Sub, Binary::Mul, Binary::Max, Binary::Min])
        } else {
            Binary::Add
        };
        let operands = if self.off(Off::Order) { [other, main] } else { [main, other] };
        let sum = self.put(Op::Binary(function), &operands)?;
        self.between(sum)?;
        let activation = self.activation();
        self.activated(sum, activation)
    }

    pub(super) fn split(&mut self, value: usize) -> Option<usize> {
        let [rows, columns, channels] = self.map(value)?;
        let shape = Shape::new(&[rows, columns, channels]);
        let count = self.choices.one(&[2, 4, 3, 8]);
        let each = channels / count;
        if each == 0 || each * count != channels {
            return None;
        }
        let mut parts: Vec<(usize, usize)> = (0..count).map(|index| (index * each, each)).collect();
        if self.off(Off::Order) {
            parts.swap(0, 1);
        }
        if self.off(Off::Channels) {
            parts[0].1 -= usize::from(each > 1);
            parts[1] = (parts[0].1, 2 * each - parts[0].1);
            (each > 1).then_some(())?;
        }
        if self.off(Off::Overlap) {
            parts[1].0 -= 1;
        }
        let filters = if self.off(Off::OneFilter) { 1 } else { self.choices.one(&[8, 4, 16, 2]) };
        let mut slices = Vec::new();
        for (start, count) in parts {
            let slice = self.put(Op::Slice(Slice::along(&shape, 2, start, count)), &[value])?;
            slices.push(self.between(slice)?);
        }
        self.convolved(&slices, filters)
    }

    pub(super) fn siblings(&mut self, value: usize) -> Option<usize> {
        let count = 2 + self.choices.below(3);
        let filters = self.choices.one(&[8, 16, 4, 1, 12]);
        self.convolved(&vec![value; count], filters)
    }

    /// Convolutions that are alike, one of each of `values`, joined, and a pointwise one behind.
    fn convolved(&mut self, values: &[usize], filters: usize) -> Option<usize> {
        let kernel = self.choices.one(&[3, 1, 3]);
        let activation = self.activation();
        let unlike = if self.off(Off::Unlike) { 1 + self.choices.below(4) } else { 0 };
        let mut made = Vec::new();
        for (index, &value) in values.iter().enumerate() {
            let is_unlike = index + 1 == values.len();
            let filters = if self.off == Some(Off::Channels) { self.channels(filters) } else { filters };
            let mut conv = Conv2d { filters, ..self.same([kernel; 2]) };
            let mut function = activation;
            match unlike {
                1 if is_unlike => function = Some(Activation::Tanh),
                2 if is_unlike => conv = Conv2d { filters, ..self.same([5; 2]) },
                3 if is_unlike => {
                    let wide = self.same([5; 2]).padding;
                    conv = Conv2d { dilation: [2; 2], padding: wide, filters, ..self.same([3; 2]) };
                }
                4 if is_unlike => (conv.filters, conv.groups) = (2 * filters, 2),
                _ => {}
            }
            let branch = self.layer(value, conv, function)?;
            made.push(self.between(branch)?);
        }
        if self.off(Off::Twice) {
            made.push(made[0]);
        }
        let joined = self.put(Op::Concat(Concat { axis: 2, inputs: made.len() }), &made)?;
        self.between(joined)?;
        let filters = self.choices.one(&[16, 8, 20]);
        self.pointwise(joined, filters, None)
    }
}
