//! Random layers, each on the last value or an earlier one.

use super::{Choices, Growing};
use crate::ops::squeeze_excite::Small;
use crate::ops::{
    BatchNorm, Binary, Constant, Conv2d, Conv2dTranspose, Dense, Epilogue, GlobalAveragePool, Pad, Padding,
    Prelu, Reshape, Scalar, Softmax, SqueezeExcite,
};
use crate::{Op, Shape};

impl Growing {
    /// One more layer (two where it is a residual block), on the last value or an earlier one.
    pub(super) fn grow(&mut self, choices: &mut Choices<'_>) {
        let last = self.values.len() - 1;
        let operand = if choices.below(4) == 3 { choices.below(last + 1) } else { last };
        let shape = self.values[operand].1.clone();
        match (choices.below(26), shape.map()) {
            (0..5, Some([_, _, channels])) => self.convolution(operand, channels, choices),
            (5, Some([height, width, channels])) => self.block(operand, [height, width, channels], choices),
            (6, Some(_)) => self.add(Op::Pad(Pad::zeros(choices.padding())), &[operand]),
            (7, Some(_)) if self.fused && choices.flag() => {
                let squeeze = squeeze_excite(choices);
                self.add(Op::SqueezeExcite(squeeze), &[operand]);
            }
            (7, Some(_)) => {
                self.add(Op::GlobalAveragePool(GlobalAveragePool { keep_dims: choices.flag() }), &[operand]);
                if choices.flag() {
                    self.add(Op::Binary(Binary::Mul), &[operand, self.values.len() - 1]);
                }
            }
            (0..6, None) if shape.rank() == 1 => {
                let dense = Dense { units: 1 + choices.below(20), epilogue: Epilogue::default() };
                let (epilogue, operands) = self.epilogue(operand, &Shape::new(&[dense.units]), choices);
                self.add(Op::Dense(Dense { epilogue, ..dense }), &operands);
            }
            (8..11, _) => self.add(Op::BatchNorm(norm(choices)), &[operand]),
            (11 | 12, _) => {
                let other = choices.one(&self.alike(&shape));
                let binary = choices.one(&[Binary::Add, Binary::Add, Binary::Mul]);
                self.add(Op::Binary(binary), &[operand, other]);
            }
            (13, _) => self.add(Op::Reshape(reshape(&shape, choices)), &[operand]),
            (14, _) => self.add(Op::Softmax(Softmax { log: choices.flag() }), &[operand]),
            (15, Some([_, _, channels])) => self.add(transposed(channels, choices), &[operand]),
            (16, _) if shape.rank() > 0 => {
                let slopes = [Shape::new(&[shape.channels()]), Shape::new(&[1]), shape.clone()];
                self.add(Op::Prelu(Prelu { slope: choices.one(&slopes) }), &[operand]);
            }
            (17, _) => {
                self.add(Op::Constant(Constant { shape: shape.clone() }), &[]);
                self.add(Op::Binary(Binary::Mul), &[operand, self.values.len() - 1]);
            }
            (18..24, _) => self.arrangement(operand, choices),
            _ => self.add(Op::Activation(choices.activation()), &[operand]),
        }
    }

    fn convolution(&mut self, operand: usize, channels: usize, choices: &mut Choices<'_>) {
        let conv = self.fitting(operand, conv(channels, choices));
        let shape = Op::Conv2d(conv).shape(&[self.values[operand].1.clone()]);
        let Ok(shape) = shape else { return };
        let (epilogue, mut operands) = self.epilogue(operand, &shape, choices);
        let prologue = if self.fused { choices.maybe_activation() } else { None };
        let gates = self.gates(operand);
        let gate = self.fused && conv.groups == 1 && !gates.is_empty() && choices.flag();
        let prologue = prologue.filter(|_| !gate);
        if gate {
            operands.insert(1, choices.one(&gates));
        }
        self.add(Op::Conv2d(Conv2d { prologue, gate, epilogue, ..conv }), &operands);
    }

    /// `conv` with a kernel that fits into the padded map.
    fn fitting(&self, operand: usize, mut conv: Conv2d) -> Conv2d {
        let [height, width, _] = self.values[operand].1.map().expect("convolutions are put on maps");
        let padding = conv.padding;
        let room = [height + padding.top + padding.bottom, width + padding.left + padding.right];
        for (axis, room) in room.into_iter().enumerate() {
            conv.kernel[axis] = conv.kernel[axis].min(room);
            if (conv.kernel[axis] - 1) * conv.dilation[axis] >= room {
                conv.dilation[axis] = 1;
            }
        }
        conv
    }

    /// A convolution that keeps the shape, and the addition of what went into it.
    fn block(&mut self, operand: usize, [_, _, channels]: [usize; 3], choices: &mut Choices<'_>) {
        let around = choices.below(3);
        let conv = Conv2d {
            filters: channels,
            kernel: [2 * around + 1; 2],
            stride: [1, 1],
            padding: Padding { top: around, bottom: around, left: around, right: around },
            dilation: [1, 1],
            groups: choices.one(&[1, channels]),
            gate: false,
            prologue: None,
            epilogue: Epilogue::with_bias(choices.flag()),
        };
        self.add(Op::Conv2d(conv), &[operand]);
        self.add(Op::Binary(Binary::Add), &[self.values.len() - 1, operand]);
    }

    /// An epilogue for a layer on `operand` whose result is `shape`, and the layer's operands with it.
    fn epilogue(&self, operand: usize, shape: &Shape, choices: &mut Choices<'_>) -> (Epilogue, Vec<usize>) {
        let bias = choices.flag();
        if !self.fused {
            return (Epilogue::with_bias(bias), vec![operand]);
        }
        let alike = self.alike(shape);
        let other = if choices.flag() && !alike.is_empty() { Some(choices.one(&alike)) } else { None };
        let activation = choices.maybe_activation();
        let activation_after = if other.is_some() { choices.maybe_activation() } else { None };
        let epilogue = Epilogue { bias, activation, residual: other.is_some(), activation_after };
        (epilogue, std::iter::once(operand).chain(other).collect())
    }
}

fn conv(channels: usize, choices: &mut Choices<'_>) -> Conv2d {
    let divisors: Vec<usize> = (1..=channels).filter(|groups| channels.is_multiple_of(*groups)).collect();
    // Dense, depthwise and something between, each as often.
    let groups = match choices.below(3) {
        0 => 1,
        1 => channels,
        _ => choices.one(&divisors),
    };
    let most = if groups == channels { 3 } else { (20 / groups).max(1) };
    Conv2d {
        filters: groups * (1 + choices.below(most)),
        kernel: std::array::from_fn(|_| 1 + choices.below(5)),
        stride: std::array::from_fn(|_| 1 + choices.below(3)),
        padding: choices.padding(),
        dilation: std::array::from_fn(|_| choices.one(&[1, 1, 2])),
        groups,
        gate: false,
        prologue: None,
        epilogue: Epilogue::default(),
    }
}

fn transposed(channels: usize, choices: &mut Choices<'_>) -> Op {
    let Conv2d { filters, kernel, stride, padding, dilation, groups, .. } = conv(channels, choices);
    let output_padding = stride.map(|stride| choices.below(stride));
    let epilogue = Epilogue::with_bias(choices.flag());
    Op::Conv2dTranspose(Conv2dTranspose {
        filters,
        kernel,
        stride,
        padding,
        output_padding,
        dilation,
        groups,
        epilogue,
    })
}

fn squeeze_excite(choices: &mut Choices<'_>) -> SqueezeExcite {
    let small =
        |choices: &mut Choices<'_>| Small { bias: choices.flag(), activation: choices.maybe_activation() };
    SqueezeExcite {
        squeezed: 1 + choices.below(20),
        reduce: small(choices),
        expand: small(choices),
        scales: choices.flag(),
    }
}

fn norm(choices: &mut Choices<'_>) -> BatchNorm {
    let epsilon = Scalar::new(choices.one(&[1e-3, 1e-5]));
    BatchNorm { epsilon, scale: !choices.flag(), center: !choices.flag() }
}

fn reshape(shape: &Shape, choices: &mut Choices<'_>) -> Reshape {
    let elements = shape.elements().expect("every value has elements");
    let to = [
        Shape::new(&[1, 1, elements]),
        Shape::new(&[elements, 1]),
        Shape::new(&[1, elements, 1]),
        shape.clone(),
    ];
    if choices.flag() { Reshape::To(choices.one(&to)) } else { Reshape::Flatten }
}
