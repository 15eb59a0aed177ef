//! A layer of the graph as nodes.

use frit_ir::ops::{
    ArgMax, Binary, Concat, Pad, Padding, Pool, PoolKind, Prelu, Reduce, ReduceKind, Slice, Softmax,
    Transpose,
};
use frit_ir::ops::{GlobalAveragePool, Interpolation, Resize, Rounding};
use frit_ir::{Diagnostic, NodeId, Op, Shape, Window};
use ndarray::{ArrayView, IxDyn};

use super::nodes::{int, ints, text};
use super::tensors::Form;
use super::{FLOAT, Writer};
use crate::export::not_expressible;
use crate::import::limits;

impl Writer<'_> {
    /// Writes the layer `id`, whose operands are written.
    ///
    /// # Errors
    /// ONNX has nothing that computes the same; a weight without values.
    pub(super) fn layer(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        let op = self.graph.node(id).op.clone();
        match &op {
            Op::Input(_) => {}
            // Its values are looked at here, so that one without any is told at its layer.
            Op::Constant(_) => drop(self.graph.weights.values(&self.graph.node(id).weights[0])?),
            Op::Identity => self.alias(id),
            Op::Conv2d(conv) => self.conv2d(id, conv)?,
            Op::Conv2dTranspose(conv) => self.conv2d_transpose(id, conv)?,
            Op::Dense(dense) => self.dense(id, dense)?,
            Op::BatchNorm(norm) => self.batch_norm(id, norm)?,
            Op::SqueezeExcite(squeeze) => self.squeeze_excite(id, squeeze)?,
            Op::Activation(activation) => {
                let (form, x) = self.operand_as_it_lies(id);
                let name = self.own(id, form);
                self.function(activation, &name, &x);
            }
            Op::Prelu(prelu) => self.prelu(id, prelu)?,
            Op::Binary(binary) => self.binary(id, *binary)?,
            Op::Pad(pad) => self.pad(id, pad),
            Op::Pool(pool) => self.pool(id, pool)?,
            Op::GlobalAveragePool(pool) => self.global_average_pool(id, *pool),
            Op::Reduce(reduce) => self.reduce(id, reduce),
            Op::Resize(resize) => self.resize(id, resize)?,
            Op::Softmax(softmax) => self.softmax(id, *softmax)?,
            Op::ArgMax(arg_max) => self.arg_max(id, *arg_max)?,
            Op::Concat(concat) => self.concat(id, concat),
            Op::Slice(slice) => self.slice(id, slice),
            Op::Transpose(transpose) => self.transpose(id, transpose),
            Op::Reshape(_) => self.reshape(id),
        }
        Ok(())
    }

    /// The only operand.
    pub(super) fn operand(&self, id: NodeId) -> NodeId {
        self.graph.operands(id)[0]
    }

    /// The only operand in the form that it has.
    fn operand_as_it_lies(&mut self, id: NodeId) -> (Form, String) {
        let operand = self.operand(id);
        let form = self.tensors.form(operand);
        (form, self.tensor(operand, form))
    }

    fn alias(&mut self, id: NodeId) {
        let operand = self.operand(id);
        self.tensor(operand, self.tensors.form(operand));
        for form in [Form::Plain, Form::ChannelsFirst] {
            if let Some(name) = self.tensors.get(operand, form).map(str::to_owned) {
                self.tensors.set(id, form, name);
            }
        }
    }

    /// The form of a layer with several operands: channels first where one of them lies so.
    fn common_form(&self, id: NodeId) -> Form {
        let operands = self.graph.operands(id);
        let is_map = self.tensors.shape(id).rank() == 3;
        let form = |operand: &NodeId| self.tensors.form(*operand);
        let first = is_map && operands.iter().any(|operand| form(operand) == Form::ChannelsFirst);
        if first { Form::ChannelsFirst } else { Form::Plain }
    }

    fn binary(&mut self, id: NodeId, binary: Binary) -> Result<(), Diagnostic> {
        let operator = match binary {
            Binary::Add => "Add",
            Binary::Sub => "Sub",
            Binary::Mul => "Mul",
            Binary::Div => "Div",
            Binary::Min => "Min",
            Binary::Max => "Max",
            Binary::Pow => "Pow",
        };
        let (form, rank) = (self.common_form(id), self.tensors.shape(id).rank());
        let operands = self.graph.operands(id);
        let constant = |id: &NodeId| matches!(self.graph.node(*id).op, Op::Constant(_));
        let depends = operands.iter().any(|operand| !constant(operand));
        let mut inputs = Vec::with_capacity(2);
        for operand in operands {
            let node = self.graph.node(operand);
            let input = if let Op::Constant(constant) = &node.op
                && depends
            {
                self.spread_weight(&node.weights[0], &constant.shape, rank, form)?
            } else {
                self.spread(operand, rank, form)
            };
            inputs.push(input);
        }
        self.emit((id, form), operator, &[&inputs[0], &inputs[1]], vec![]);
        Ok(())
    }

    fn prelu(&mut self, id: NodeId, prelu: &Prelu) -> Result<(), Diagnostic> {
        let (form, x) = self.operand_as_it_lies(id);
        let (name, rank) = (self.graph.node(id).weights[0].clone(), self.tensors.shape(id).rank());
        let slope = self.spread_weight(&name, &prelu.slope, rank, form)?;
        self.emit((id, form), "PRelu", &[&x, &slope], vec![]);
        Ok(())
    }

    /// The tensor of `id` with as many axes as `rank` says, in `form`: axes of length 1 are put before it.
    pub(super) fn spread(&mut self, id: NodeId, rank: usize, form: Form) -> String {
        let shape = self.tensors.shape(id).clone();
        if shape.rank() == rank {
            return self.tensor(id, form);
        }
        let plain = self.tensor(id, Form::Plain);
        let axes = padded(&shape, rank);
        let name = format!("{}/spread", self.graph.node(id).name);
        if form == Form::Plain || is_pixel(&Shape::new(&axes)) {
            return self.reshaped(&name, &plain, &form.order(&axes));
        }
        let map = self.reshaped(&name, &plain, &axes);
        self.nodes.add("Transpose", &name, &[&map], vec![ints("perm", &[0, 3, 1, 2])])
    }

    /// A weight of `shape` with as many axes as `rank` says, in `form`.
    fn spread_weight(
        &mut self,
        name: &str,
        shape: &Shape,
        rank: usize,
        form: Form,
    ) -> Result<String, Diagnostic> {
        let values = self.graph.weights.values(name)?;
        let axes = padded(shape, rank);
        let plain = ArrayView::from_shape(IxDyn(&axes), &values);
        let plain = plain
            .map_err(|_| not_expressible(format!("the weight {name} has other values than its shape")))?;
        let order: Vec<usize> = form.order(&(0..rank).collect::<Vec<_>>());
        let values: Vec<f32> = plain.permuted_axes(IxDyn(&order)).iter().copied().collect();
        Ok(self.nodes.weight(name, &form.order(&axes), &values))
    }

    /// `x` with these axes behind the batch.
    pub(super) fn reshaped(&mut self, name: &str, x: &str, axes: &[usize]) -> String {
        let name = self.nodes.fresh(name);
        self.reshape_to(&name, x, axes);
        name
    }

    fn reshape_to(&mut self, name: &str, x: &str, axes: &[usize]) {
        // A 0 takes the length of the batch over.
        let shape: Vec<i64> = std::iter::once(0).chain(axes.iter().map(|&length| length as i64)).collect();
        let shape = self.nodes.integers(&format!("{name}/shape"), &shape);
        self.nodes.add_named("Reshape", name, &[x, &shape], vec![]);
    }

    /// The elements of a single pixel have the same order in both forms.
    fn reshape(&mut self, id: NodeId) {
        let operand = self.operand(id);
        let form =
            if is_pixel(self.tensors.shape(operand)) { self.tensors.form(operand) } else { Form::Plain };
        let x = self.tensor(operand, form);
        let axes = self.tensors.shape(id).axes().to_vec();
        let name = self.own(id, Form::Plain);
        self.reshape_to(&name, &x, &axes);
    }

    /// From channels last to channels first and back is the other form of the operand.
    fn transpose(&mut self, id: NodeId, transpose: &Transpose) {
        let operand = self.operand(id);
        match transpose.axes[..] {
            [1, 2, 0] => {
                let name = self.tensor(operand, Form::Plain);
                self.tensors.set(id, Form::ChannelsFirst, name);
            }
            [2, 0, 1] => {
                let name = self.tensor(operand, Form::ChannelsFirst);
                self.tensors.set(id, Form::Plain, name);
            }
            _ => {
                let plain = self.tensor(operand, Form::Plain);
                let axes = transpose.axes.iter().map(|&axis| axis as i64 + 1);
                let order: Vec<i64> = std::iter::once(0).chain(axes).collect();
                self.emit((id, Form::Plain), "Transpose", &[&plain], vec![ints("perm", &order)]);
            }
        }
    }

    fn concat(&mut self, id: NodeId, concat: &Concat) {
        let form = self.common_form(id);
        let inputs: Vec<String> =
            self.graph.operands(id).into_iter().map(|operand| self.tensor(operand, form)).collect();
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.emit((id, form), "Concat", &inputs, vec![int("axis", form.axis(concat.axis) as i64)]);
    }

    fn slice(&mut self, id: NodeId, slice: &Slice) {
        let (form, x) = self.operand_as_it_lies(id);
        let spans = slice.spans.iter().enumerate();
        let numbers: Vec<[i64; 4]> = spans
            .map(|(axis, span)| {
                let end = span.start + (span.count - 1) * span.step + 1;
                [span.start, end, form.axis(axis), span.step].map(|number| number as i64)
            })
            .collect();
        let name = self.own(id, form);
        let lists = ["starts", "ends", "axes", "steps"].into_iter().enumerate();
        let lists: Vec<String> = lists
            .map(|(index, what)| {
                let list: Vec<i64> = numbers.iter().map(|of_axis| of_axis[index]).collect();
                self.nodes.integers(&format!("{name}/{what}"), &list)
            })
            .collect();
        let inputs: Vec<&str> = std::iter::once(&x).chain(&lists).map(String::as_str).collect();
        self.nodes.add_named("Slice", &name, &inputs, vec![]);
    }

    fn pad(&mut self, id: NodeId, pad: &Pad) {
        let (form, x) = self.operand_as_it_lies(id);
        let name = self.own(id, form);
        self.pad_to(&name, &x, form, (pad.padding, pad.value.get()));
    }

    fn pad_to(&mut self, name: &str, x: &str, form: Form, (padding, value): (Padding, f32)) {
        let mut pads = [0i64; 8];
        for axis in 0..2 {
            let [before, after] = padding.along(axis);
            (pads[form.axis(axis)], pads[4 + form.axis(axis)]) = (before as i64, after as i64);
        }
        let pads = self.nodes.integers(&format!("{name}/pads"), &pads);
        let value = self.nodes.scalar(&format!("{name}/value"), value);
        self.nodes.add_named("Pad", name, &[x, &pads, &value], vec![]);
    }

    /// Padding that ONNX can't say of a pool is a pad of its own: zeros that count in part, windows that lie wholly in it.
    fn pool(&mut self, id: NodeId, pool: &Pool) -> Result<(), Diagnostic> {
        let fits = |padding: &Padding| {
            (0..2).all(|axis| padding.along(axis).iter().all(|&side| side < pool.kernel[axis]))
        };
        let none = Padding::default();
        let (operator, apart, rest, counts) = match pool.kind {
            PoolKind::Max if fits(&pool.padding) => ("MaxPool", none, pool.padding, None),
            PoolKind::Max => ("MaxPool", pool.padding, none, None),
            PoolKind::Average { counted } if !fits(&pool.padding) => {
                return self.mean_by_counts(id, pool, &counted);
            }
            PoolKind::Average { counted } if counted == pool.padding => {
                ("AveragePool", none, counted, Some(1))
            }
            PoolKind::Average { counted } => {
                ("AveragePool", counted, without(&pool.padding, &counted), Some(0))
            }
        };
        let value = if counts.is_some() { 0.0 } else { f32::NEG_INFINITY };
        let x = self.padded_map(id, &apart, value);
        let mut attributes = window(&Window { padding: rest, ..pool.window() });
        attributes.extend(counts.map(|counts| int("count_include_pad", counts)));
        self.emit((id, Form::ChannelsFirst), operator, &[&x], attributes);
        Ok(())
    }

    /// A mean over all of each window, zeros included, times what that has too many of.
    fn mean_by_counts(&mut self, id: NodeId, pool: &Pool, counted: &Padding) -> Result<(), Diagnostic> {
        let map = self.tensors.shape(self.operand(id)).map().unwrap_or_default();
        let shape = self.tensors.shape(id).map().unwrap_or_default();
        if shape[0].saturating_mul(shape[1]) > limits::CONSTANT_VALUES {
            return Err(not_expressible(
                "a mean over padding that reaches further than a window, of a map that large",
            ));
        }
        let counts = |axis: usize| {
            let count = |position| pool.counted(axis, position, map[axis], counted);
            (0..shape[axis]).map(count).collect::<Vec<usize>>()
        };
        let (down, across) = (counts(0), counts(1));
        let taps = pool.kernel[0] * pool.kernel[1];
        let factor = |count: usize| taps as f32 / count.max(1) as f32;
        let factors: Vec<f32> = down.iter().flat_map(|y| across.iter().map(move |x| factor(y * x))).collect();
        let x = self.padded_map(id, &pool.padding, 0.0);
        let layer = self.graph.node(id).name.clone();
        let attributes = window(&Window { padding: Padding::default(), ..pool.window() });
        let means = self.nodes.add("AveragePool", &format!("{layer}/of_all"), &[&x], attributes);
        let factors = self.nodes.weight(&format!("{layer}/factors"), &[down.len(), across.len()], &factors);
        self.emit((id, Form::ChannelsFirst), "Mul", &[&means, &factors], vec![]);
        Ok(())
    }

    /// The operand of `id`, channels first, with `padding` around it where there is any.
    fn padded_map(&mut self, id: NodeId, padding: &Padding, value: f32) -> String {
        let x = self.tensor(self.operand(id), Form::ChannelsFirst);
        if *padding == Padding::default() {
            return x;
        }
        let name = self.nodes.fresh(&format!("{}/pad", self.graph.node(id).name));
        self.pad_to(&name, &x, Form::ChannelsFirst, (*padding, value));
        name
    }

    fn global_average_pool(&mut self, id: NodeId, pool: GlobalAveragePool) {
        let x = self.tensor(self.operand(id), Form::ChannelsFirst);
        if pool.keep_dims {
            return self.emit((id, Form::ChannelsFirst), "GlobalAveragePool", &[&x], vec![]);
        }
        let map = format!("{}/pool", self.graph.node(id).name);
        let map = self.nodes.add("GlobalAveragePool", &map, &[&x], vec![]);
        self.emit((id, Form::Plain), "Flatten", &[&map], vec![int("axis", 1)]);
    }

    fn reduce(&mut self, id: NodeId, reduce: &Reduce) {
        let operator = match reduce.kind {
            ReduceKind::Mean => "ReduceMean",
            ReduceKind::Sum => "ReduceSum",
            ReduceKind::Max => "ReduceMax",
            ReduceKind::Min => "ReduceMin",
        };
        let operand = self.operand(id);
        let form = if reduce.keep_dims { self.tensors.form(operand) } else { Form::Plain };
        let x = self.tensor(operand, form);
        let axes: Vec<i64> = reduce.axes.iter().map(|&axis| form.axis(axis) as i64).collect();
        let axes = self.nodes.integers(&format!("{}/axes", self.graph.node(id).name), &axes);
        let keeps = int("keepdims", i64::from(reduce.keep_dims));
        self.emit((id, form), operator, &[&x, &axes], vec![keeps]);
    }

    fn resize(&mut self, id: NodeId, resize: &Resize) -> Result<(), Diagnostic> {
        let operand = self.operand(id);
        let x = self.tensor(operand, Form::ChannelsFirst);
        let name = self.own(id, Form::ChannelsFirst);
        let (mode, nearest) = match resize.interpolation {
            Interpolation::Nearest(Rounding::HalfDown) => ("nearest", "round_prefer_floor"),
            Interpolation::Nearest(Rounding::HalfUp) => ("nearest", "round_prefer_ceil"),
            Interpolation::Nearest(Rounding::Floor) => ("nearest", "floor"),
            Interpolation::Nearest(Rounding::Ceil) => ("nearest", "ceil"),
            Interpolation::Bilinear => ("linear", "round_prefer_floor"),
        };
        let attributes = vec![
            text("mode", mode),
            text("nearest_mode", nearest),
            text("coordinate_transformation_mode", resize.coordinates.name()),
        ];
        let inputs = match resize.scale {
            None => {
                // The operator may be told the two alone (`axes`), but ONNX Runtime does not take that.
                let size =
                    self.nodes.integers(&format!("{name}/size"), &resize.size.map(|length| length as i64));
                let kept = vec![int("start", 0), int("end", 2)];
                let kept = self.nodes.add("Shape", &format!("{name}/kept"), &[&x], kept);
                let along = vec![int("axis", 0)];
                let sizes = self.nodes.add("Concat", &format!("{name}/sizes"), &[&kept, &size], along);
                [x, String::new(), String::new(), sizes]
            }
            Some(scale) => {
                let scale = scale.map(frit_ir::ops::Scalar::get);
                let map = self.tensors.shape(operand).axes();
                let reached = [0, 1].map(|axis| (map[axis] as f32 * scale[axis]).floor() as usize);
                if reached != resize.size {
                    return Err(not_expressible("a resize whose scale gives another size than it has"));
                }
                let scales = [1.0, 1.0, scale[0], scale[1]];
                [x, String::new(), self.nodes.weight(&format!("{name}/scales"), &[4], &scales), String::new()]
            }
        };
        let wanted = if resize.scale.is_some() { 3 } else { 4 };
        let inputs: Vec<&str> = inputs.iter().take(wanted).map(String::as_str).collect();
        self.nodes.add_named("Resize", &name, &inputs, attributes);
        Ok(())
    }

    /// The last axis of `id`'s operand in the form that this has.
    fn last_axis(&mut self, id: NodeId) -> Result<(Form, String, i64), Diagnostic> {
        let rank = self.tensors.shape(self.operand(id)).rank();
        let last = rank.checked_sub(1).ok_or_else(|| not_expressible("a single number has no last axis"))?;
        let (form, x) = self.operand_as_it_lies(id);
        Ok((form, x, form.axis(last) as i64))
    }

    fn softmax(&mut self, id: NodeId, softmax: Softmax) -> Result<(), Diagnostic> {
        let (form, x, axis) = self.last_axis(id)?;
        let operator = if softmax.log { "LogSoftmax" } else { "Softmax" };
        self.emit((id, form), operator, &[&x], vec![int("axis", axis)]);
        Ok(())
    }

    fn arg_max(&mut self, id: NodeId, arg_max: ArgMax) -> Result<(), Diagnostic> {
        let (form, x, axis) = self.last_axis(id)?;
        // What is left of a map without its channels lies in one way only.
        let form = if arg_max.keep_dims { form } else { Form::Plain };
        let whole = |yes: bool| i64::from(yes);
        let attributes = vec![
            int("axis", axis),
            int("keepdims", whole(arg_max.keep_dims)),
            int("select_last_index", whole(arg_max.last)),
        ];
        let index = format!("{}/index", self.graph.node(id).name);
        let index = self.nodes.add("ArgMax", &index, &[&x], attributes);
        self.emit((id, form), "Cast", &[&index], vec![int("to", i64::from(FLOAT))]);
        Ok(())
    }
}

/// The attributes of a window.
pub(super) fn window(window: &Window) -> Vec<crate::onnx::Attribute> {
    let pair = |name: &str, pair: [usize; 2]| ints(name, &pair.map(|number| number as i64));
    let Padding { top, bottom, left, right } = window.padding;
    vec![
        pair("kernel_shape", window.kernel),
        pair("strides", window.stride),
        pair("dilations", window.dilation),
        ints("pads", &[top, left, bottom, right].map(|side| side as i64)),
    ]
}

/// What is left of `padding` where `counted` is taken away.
fn without(padding: &Padding, counted: &Padding) -> Padding {
    Padding {
        top: padding.top - counted.top,
        bottom: padding.bottom - counted.bottom,
        left: padding.left - counted.left,
        right: padding.right - counted.right,
    }
}

/// Whether all axes but the last have length 1.
fn is_pixel(shape: &Shape) -> bool {
    shape.axes().iter().rev().skip(1).all(|&length| length == 1)
}

/// The axes of `shape`, with axes of length 1 before them up to `rank`.
fn padded(shape: &Shape, rank: usize) -> Vec<usize> {
    let ones = rank.saturating_sub(shape.rank());
    std::iter::repeat_n(1, ones).chain(shape.axes().iter().copied()).collect()
}
