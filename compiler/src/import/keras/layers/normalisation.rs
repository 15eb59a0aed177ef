//! Normalisations.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, BatchNorm, Binary, Constant, Reduce, ReduceKind, Scalar};
use frit_ir::weights::Values;
use frit_ir::{Diagnostic, NodeId, Op, Shape};
use frit_passes::legality::training;

use crate::import::keras::attributes::{Attributes, Axes};
use crate::import::keras::calls::Argument;
use crate::import::keras::layer::KerasLayer;
use crate::import::keras::site::Site;
use crate::import::keras::tensors::Tensor;
use crate::import::keras::variable::{Change, Stored, Variable};

struct Batch {
    axis: i64,
    epsilon: Scalar,
    scale: bool,
    center: bool,
}

pub(super) fn batch(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let axes = attributes.integers("axis");
    let epsilon = attributes.number_or("epsilon", Scalar::new(1e-3));
    let scale = attributes.flag_or("scale", true);
    let center = attributes.flag_or("center", true);
    let axis = match axes?.as_slice() {
        [] => -1,
        [axis] => *axis,
        several => {
            let message =
                format!("a batch normalisation over {} axes; frit reads those over one", several.len());
            attributes.fault_at("axis", Diagnostic::error(codes::KERAS_ARGUMENT, message));
            return None;
        }
    };
    Some(Box::new(Batch { axis, epsilon: epsilon?, scale: scale?, center: center? }))
}

impl KerasLayer for Batch {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        if matches!(site.call.argument(usize::MAX, "training"), Some(Argument::Flag(true))) {
            site.fault(training::fault());
            return None;
        }
        let input = site.only()?;
        let axis = site.axis(input, self.axis)?;
        let channels = site.shape(input).axes()[axis];
        let (operand, turned) = site.axis_last(input, axis)?;
        let stored: Vec<Stored> = self
            .parts()
            .enumerate()
            .map(|(place, (name, _))| Stored::new(place, name, Shape::new(&[channels])))
            .collect();
        let op = Op::BatchNorm(BatchNorm { epsilon: self.epsilon, scale: self.scale, center: self.center });
        let node = site.add_with(op, &[operand], &stored)?;
        Some(vec![site.turned_back(node, turned)?])
    }

    fn variables(&self) -> Vec<Variable> {
        self.parts().map(|(_, variable)| variable).collect()
    }
}

impl Batch {
    /// Its weights, in the order of the op's roles, which is Keras' too.
    fn parts(&self) -> impl Iterator<Item = (&'static str, Variable)> {
        let gamma = self.scale.then_some((".gamma", Variable::trained("gamma")));
        let beta = self.center.then_some((".beta", Variable::trained("beta")));
        let followed = [
            (".mean", Variable::followed("moving_mean")),
            (".variance", Variable::followed("moving_variance")),
        ];
        gamma.into_iter().chain(beta).chain(followed)
    }
}

struct LayerNorm {
    axis: i64,
    epsilon: Scalar,
    scale: bool,
    center: bool,
}

pub(super) fn layer(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let axes = attributes.integers("axis")?;
    let epsilon = attributes.number_or("epsilon", Scalar::new(1e-3));
    let scale = attributes.flag_or("scale", true);
    let center = attributes.flag_or("center", true);
    let axis = match axes.as_slice() {
        [] => -1,
        [axis] => *axis,
        _ => 0,
    };
    if attributes.flag_or("rms_scaling", false)? || axis == 0 {
        let message = "a layer normalisation over several axes, or by its root mean square";
        attributes.fault_at("axis", Diagnostic::error(codes::KERAS_ARGUMENT, message));
        return None;
    }
    Some(Box::new(LayerNorm { axis, epsilon: epsilon?, scale: scale?, center: center? }))
}

impl KerasLayer for LayerNorm {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let shape = site.shape(input);
        let last = shape.rank().saturating_sub(1);
        if site.axis(input, self.axis)? != last {
            let message = "a layer normalisation over another axis than the last";
            site.fault(Diagnostic::error(codes::KERAS_ARGUMENT, message));
            return None;
        }
        let x = site.plain(input)?;
        let mean = |site: &mut Site<'_, '_, '_>, of| {
            let axes = std::iter::once(last).collect();
            site.add(Op::Reduce(Reduce { kind: ReduceKind::Mean, axes, keep_dims: true }), &[of])
        };
        let middle = mean(site, x)?;
        let centred = site.add(Op::Binary(Binary::Sub), &[x, middle])?;
        let square = site.add(Op::Binary(Binary::Mul), &[centred, centred])?;
        let variance = mean(site, square)?;
        let moved = site.add(
            Op::Activation(Activation::Rescale { scale: Scalar::ONE, offset: self.epsilon }),
            &[variance],
        )?;
        let deviation = site.add(Op::Activation(Activation::Sqrt), &[moved])?;
        let mut node = site.add(Op::Binary(Binary::Div), &[centred, deviation])?;
        let mut variable = 0;
        for (there, name, binary) in
            [(self.scale, ".gamma", Binary::Mul), (self.center, ".beta", Binary::Add)]
        {
            if there {
                let stored = Stored::new(variable, name, Shape::new(&[shape.channels()]));
                let weight = weight(site, &Shape::new(&[shape.channels()]), stored)?;
                node = site.add(Op::Binary(binary), &[node, weight])?;
                variable += 1;
            }
        }
        Some(vec![site.made(node, Axes::ChannelsLast)])
    }

    fn variables(&self) -> Vec<Variable> {
        let gamma = self.scale.then_some(Variable::trained("gamma"));
        gamma.into_iter().chain(self.center.then_some(Variable::trained("beta"))).collect()
    }
}

/// A weight as a tensor.
fn weight(site: &mut Site<'_, '_, '_>, shape: &Shape, stored: Stored) -> Option<NodeId> {
    let name = stored.name.trim_start_matches('.');
    site.step(name, Op::Constant(Constant { shape: shape.clone() }), &[], std::slice::from_ref(&stored))
}

/// ConvNeXt's scale of each channel.
struct LayerScale;

pub(super) fn layer_scale(_: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    Some(Box::new(LayerScale))
}

impl KerasLayer for LayerScale {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let shape = Shape::new(&[site.shape(input).channels()]);
        let x = site.plain(input)?;
        let gamma = weight(site, &shape, Stored::new(0, ".gamma", shape.clone()))?;
        let node = site.add(Op::Binary(Binary::Mul), &[x, gamma])?;
        Some(vec![site.made(node, Axes::ChannelsLast)])
    }

    fn variables(&self) -> Vec<Variable> {
        vec![Variable::trained("gamma")]
    }
}

/// `(x - mean) / max(sqrt(variance), 1e-7)` with statistics of the data, along the axes that are kept.
struct Statistics {
    /// None: all axes of one image share one mean.
    axes: Option<Vec<i64>>,
    invert: bool,
    /// Mean and variance, where the configuration says them.
    given: Option<[Values; 2]>,
}

pub(super) fn stored(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let listed = attributes.integers("axis");
    let axes = if attributes.value("axis").is_some() { Some(listed?) } else { None };
    let invert = attributes.flag_or("invert", false);
    let mean = attributes.numbers("mean")?.or(attributes.numbers("input_mean")?);
    let variance = attributes.numbers("variance")?.or(attributes.numbers("input_variance")?);
    Some(Box::new(Statistics { axes, invert: invert?, given: mean.zip(variance).map(|(m, v)| [m, v]) }))
}

impl KerasLayer for Statistics {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let shape = site.shape(input);
        let mut kept = Vec::new();
        for &axis in self.axes.iter().flatten() {
            kept.push(site.axis(input, axis)?);
        }
        kept.sort_unstable();
        let lengths: Vec<usize> = kept.iter().map(|&axis| shape.axes()[axis]).collect();
        let spread: Vec<usize> =
            (0..shape.rank()).map(|axis| if kept.contains(&axis) { shape.axes()[axis] } else { 1 }).collect();
        let last = kept == [shape.rank().saturating_sub(1)];
        let x = site.plain(input)?;
        if let (None, true, false) = (&self.given, last, self.invert) {
            let stored = |variable, name, change| Stored {
                change,
                ..Stored::new(variable, name, Shape::new(&lengths))
            };
            let stored = [stored(0, ".mean", Change::None), stored(1, ".variance", Change::VarianceFloor)];
            let op = Op::BatchNorm(BatchNorm { epsilon: Scalar::new(0.0), scale: false, center: false });
            let node = site.add_with(op, &[x], &stored)?;
            return Some(vec![site.made(node, Axes::ChannelsLast)]);
        }
        let [mean, deviation] = self.constants(site, &lengths, &Shape::new(&spread))?;
        let (first, second) =
            if self.invert { (Binary::Mul, Binary::Add) } else { (Binary::Sub, Binary::Div) };
        let operands = if self.invert { [deviation, mean] } else { [mean, deviation] };
        let node = site.add(Op::Binary(first), &[x, operands[0]])?;
        let node = site.add(Op::Binary(second), &[node, operands[1]])?;
        Some(vec![site.made(node, Axes::ChannelsLast)])
    }

    fn variables(&self) -> Vec<Variable> {
        match self.given {
            Some(_) => Vec::new(),
            None => ["mean", "variance", "count"].map(Variable::followed).to_vec(),
        }
    }
}

impl Statistics {
    /// Mean and deviation as tensors.
    fn constants(
        &self,
        site: &mut Site<'_, '_, '_>,
        lengths: &[usize],
        spread: &Shape,
    ) -> Option<[NodeId; 2]> {
        let Some([mean, variance]) = &self.given else {
            let stored = |variable, name, change| Stored {
                change,
                ..Stored::new(variable, name, Shape::new(lengths))
            };
            return Some([
                weight(site, spread, stored(0, ".mean", Change::None))?,
                weight(site, spread, stored(1, ".variance", Change::Deviation))?,
            ]);
        };
        let deviation: Values = variance.iter().map(|variance| variance.sqrt().max(1e-7)).collect();
        let count = lengths.iter().product::<usize>();
        let constant = |site: &mut Site<'_, '_, '_>, values: &Values| {
            let shape = if values.len() == 1 { Shape::new(&vec![1; spread.rank()]) } else { spread.clone() };
            if values.len() != 1 && values.len() != count {
                let message = format!("{} statistics for {count} channels", values.len());
                site.fault(Diagnostic::error(codes::WEIGHT_SHAPE, message));
                return None;
            }
            site.constant(shape, values.clone())
        };
        Some([constant(site, mean)?, constant(site, &deviation)?])
    }
}
