//! What a block is made of, and the network that is that block alone.

use std::collections::BTreeMap;
use std::fmt;

use frit_ir::ops::{
    Activation, BatchNorm, Binary, Conv2d, Epilogue, GlobalAveragePool, Input, Padding, Scalar, SqueezeExcite,
};
use frit_ir::weights::Data;
use frit_ir::{Diagnostic, Graph, Node, NodeId, Op, Provenance, Shape, Weight};
use frit_passes::legality::residual;

/// A block: perhaps a 1×1 convolution, one with a window, perhaps squeeze and excite, perhaps a 1×1 convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Design {
    /// Height, width and channels of its input.
    pub input: [usize; 3],
    /// Height, width and channels of its output.
    pub output: [usize; 3],
    /// Channels that a 1×1 convolution makes first; none where there is none.
    pub inner: Option<usize>,
    /// The convolution with a window.
    pub spatial: Spatial,
    /// Whether a 1×1 convolution makes the output of what that one makes.
    pub projects: bool,
    /// How many such blocks stand one behind the other; only the first strides and changes the channels.
    pub stacked: usize,
    /// Squeeze and excite behind the window.
    pub squeeze: Option<SqueezeExcite>,
    /// What is added at the end.
    pub shortcut: Shortcut,
    /// Whether batch normalisations stand behind convolutions, which have biases otherwise.
    pub normalised: bool,
    /// What follows all convolutions but the last.
    pub activation: Option<Activation>,
    /// What follows the last, or the sum.
    pub last: Option<Activation>,
}

/// The convolution of a block that sees more than one pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spatial {
    /// How it mixes channels.
    pub mixing: Mixing,
    /// Height and width of its window.
    pub kernel: usize,
    /// Its steps down and across.
    pub stride: usize,
    /// Zeros around the map; none for as many as give the output its size.
    pub padding: Option<Padding>,
}

/// How a convolution with a window mixes channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mixing {
    /// Each channel is by itself.
    Depthwise,
    /// In so many groups; 1 mixes all.
    Groups(usize),
}

/// What a block adds to its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// Nothing.
    None,
    /// Its input.
    Identity,
    /// A 1×1 convolution of its input.
    Projection,
}

impl Design {
    /// The network that is this block alone, with weights drawn from a seed.
    ///
    /// # Errors
    /// A layer that can't be: a window larger than its map, groups that don't divide.
    pub fn graph(&self, name: &str) -> Result<Graph, Diagnostic> {
        let mut draft = Draft { graph: Graph::new(name), shapes: BTreeMap::new() };
        let mut at = draft.add("input", Op::Input(Input { shape: Shape::new(&self.input) }), &[])?;
        for index in 0..self.stacked {
            let name = if self.stacked == 1 { "block".to_owned() } else { format!("block/{}", index + 1) };
            at = self.part(index == 0).build(&mut draft, &name, at)?;
        }
        draft.graph.add_output(at);
        Ok(draft.graph)
    }

    /// The first of the blocks that are stacked, or any of the others.
    fn part(&self, first: bool) -> Design {
        if first {
            return *self;
        }
        let shortcut = if self.shortcut == Shortcut::None { Shortcut::None } else { Shortcut::Identity };
        let spatial = Spatial { stride: 1, padding: None, ..self.spatial };
        Design { input: self.output, spatial, shortcut, ..*self }
    }

    fn build(&self, draft: &mut Draft, name: &str, input: NodeId) -> Result<NodeId, Diagnostic> {
        let named = |part: &str| format!("{name}/{part}");
        let mut at = input;
        if let Some(inner) = self.inner {
            at =
                self.convolution(draft, &named("expand"), (Conv2d::pointwise(inner), self.activation), at)?;
        }
        let channels = draft.channels(at);
        let filters = if self.projects { channels } else { self.output[2] };
        let groups = match self.spatial.mixing {
            Mixing::Depthwise => channels,
            Mixing::Groups(groups) => groups,
        };
        let padding = self.spatial.padding.unwrap_or_else(|| self.same());
        let (kernel, stride) = ([self.spatial.kernel; 2], [self.spatial.stride; 2]);
        let spatial = Conv2d { kernel, stride, padding, groups, ..Conv2d::pointwise(filters) };
        let is_end = !self.projects && self.shortcut == Shortcut::None;
        let activation = if is_end { self.last.or(self.activation) } else { self.activation };
        at = self.convolution(draft, &named("spatial"), (spatial, activation), at)?;
        if let Some(squeeze) = &self.squeeze {
            at = excited(draft, &named("se"), squeeze, at)?;
        }
        if self.projects {
            at = self.convolution(draft, &named("project"), (Conv2d::pointwise(self.output[2]), None), at)?;
        }
        if let Some(shortcut) = self.side(draft, name, input)? {
            at = draft.add(&named("add"), Op::Binary(Binary::Add), &[shortcut, at])?;
        }
        match self.last.filter(|_| !is_end) {
            Some(last) => draft.add(&named("last"), Op::Activation(last), &[at]),
            None => Ok(at),
        }
    }

    /// What is added at the end.
    fn side(&self, draft: &mut Draft, name: &str, input: NodeId) -> Result<Option<NodeId>, Diagnostic> {
        let stride = [self.spatial.stride; 2];
        match self.shortcut {
            Shortcut::Identity if residual::is_identity(stride, self.input[2], self.output[2]).is_ok() => {
                Ok(Some(input))
            }
            Shortcut::Projection => {
                let projection = Conv2d { stride, ..Conv2d::pointwise(self.output[2]) };
                self.convolution(draft, &format!("{name}/shortcut"), (projection, None), input).map(Some)
            }
            Shortcut::None | Shortcut::Identity => Ok(None),
        }
    }

    /// A convolution, its batch normalisation where there are such, and its activation.
    fn convolution(
        &self,
        draft: &mut Draft,
        name: &str,
        (conv, activation): (Conv2d, Option<Activation>),
        input: NodeId,
    ) -> Result<NodeId, Diagnostic> {
        let conv = Conv2d { epilogue: Epilogue::with_bias(!self.normalised), ..conv };
        let mut at = draft.add(name, Op::Conv2d(conv), &[input])?;
        if self.normalised {
            let norm = BatchNorm { epsilon: Scalar::new(1e-3), scale: true, center: true };
            at = draft.add(&format!("{name}/batch_norm"), Op::BatchNorm(norm), &[at])?;
        }
        match activation {
            Some(activation) => draft.add(&format!("{name}/activation"), Op::Activation(activation), &[at]),
            None => Ok(at),
        }
    }

    /// As many zeros as give the output its size, the odd one behind, as in TensorFlow.
    fn same(&self) -> Padding {
        let along = |axis: usize| {
            let reach = (self.output[axis].saturating_sub(1)) * self.spatial.stride + self.spatial.kernel;
            let total = reach.saturating_sub(self.input[axis]);
            [total / 2, total - total / 2]
        };
        let ([top, bottom], [left, right]) = (along(0), along(1));
        Padding { top, bottom, left, right }
    }

    /// Channels of what squeeze and excite looks at.
    pub fn excitable(&self) -> usize {
        match self.inner {
            _ if !self.projects => self.output[2],
            Some(inner) => inner,
            None => self.input[2],
        }
    }

    /// The same with its batch normalisations in the biases and kernels, where they end up: what is only scheduled need not draw
    /// and fold weights first.
    pub fn folded(&self) -> Design {
        Design { normalised: false, ..*self }
    }

    /// The same with `channels` of output, all others in proportion, as whole groups.
    pub fn scaled(&self, channels: usize) -> Design {
        let unit = self.unit();
        let scale = |width: usize| {
            let wanted = (width * channels + self.output[2] * unit / 2) / (self.output[2] * unit).max(1);
            wanted.max(1) * unit
        };
        let [height, width, input] = self.input;
        let squeeze = self.squeeze.map(|squeeze| {
            let squeezed = (squeeze.squeezed * channels / self.output[2].max(1)).max(1);
            SqueezeExcite { squeezed, ..squeeze }
        });
        Design {
            input: [height, width, scale(input)],
            output: [self.output[0], self.output[1], channels],
            inner: self.inner.map(scale),
            squeeze,
            ..*self
        }
    }

    /// What all numbers of channels are multiples of.
    pub fn unit(&self) -> usize {
        match self.spatial.mixing {
            Mixing::Depthwise => 1,
            Mixing::Groups(groups) => groups,
        }
    }
}

impl fmt::Display for Design {
    /// `inverted bottleneck 5x5, 28x28x40 to 28x28x40, expanded to 240, squeeze-and-excite 64, residual`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expands =
            self.spatial.mixing == Mixing::Depthwise && self.inner.is_some_and(|inner| inner > self.input[2]);
        let kind = match (self.inner, self.spatial.mixing) {
            (Some(_), _) if expands => "inverted bottleneck",
            (Some(_), _) => "bottleneck",
            (None, Mixing::Depthwise) => "separable",
            (None, Mixing::Groups(1)) => "convolution",
            (None, Mixing::Groups(_)) => "grouped convolution",
        };
        let kernel = self.spatial.kernel;
        write!(f, "{kind} {kernel}x{kernel}")?;
        if self.spatial.stride != 1 {
            write!(f, " stride {}", self.spatial.stride)?;
        }
        write!(f, ", {} to {}", Shape::new(&self.input), Shape::new(&self.output))?;
        match self.inner {
            Some(inner) if expands => write!(f, ", expanded to {inner}")?,
            Some(inner) => write!(f, ", width {inner}")?,
            None => {}
        }
        if let Mixing::Groups(groups @ 2..) = self.spatial.mixing {
            write!(f, ", {groups} groups")?;
        }
        if let Some(squeeze) = &self.squeeze {
            write!(f, ", squeeze-and-excite {}", squeeze.squeezed)?;
        }
        f.write_str(match self.shortcut {
            Shortcut::None => "",
            Shortcut::Identity => ", residual",
            Shortcut::Projection => ", projected residual",
        })
    }
}

/// The map times its gate, layer by layer as networks have it.
fn excited(
    draft: &mut Draft,
    name: &str,
    squeeze: &SqueezeExcite,
    map: NodeId,
) -> Result<NodeId, Diagnostic> {
    let pool = Op::GlobalAveragePool(GlobalAveragePool { keep_dims: true });
    let mut at = draft.add(&format!("{name}/pool"), pool, &[map])?;
    let parts = [("reduce", squeeze.squeezed, squeeze.reduce), ("gate", draft.channels(map), squeeze.expand)];
    for (part, filters, small) in parts {
        let conv = Conv2d { epilogue: Epilogue::with_bias(small.bias), ..Conv2d::pointwise(filters) };
        at = draft.add(&format!("{name}/{part}"), Op::Conv2d(conv), &[at])?;
        if let Some(activation) = small.activation {
            at = draft.add(&format!("{name}/{part}/activation"), Op::Activation(activation), &[at])?;
        }
    }
    draft.add(&format!("{name}/mul"), Op::Binary(Binary::Mul), &[map, at])
}

/// A network that is being built, with the shapes of what is there.
struct Draft {
    graph: Graph,
    shapes: BTreeMap<NodeId, Shape>,
}

impl Draft {
    fn channels(&self, id: NodeId) -> usize {
        self.shapes[&id].channels()
    }

    fn add(&mut self, name: &str, op: Op, inputs: &[NodeId]) -> Result<NodeId, Diagnostic> {
        let operands: Vec<Shape> = inputs.iter().map(|input| self.shapes[input].clone()).collect();
        let shape = op.shape(&operands)?;
        let mut weights = Vec::new();
        for role in op.weight_roles(&operands) {
            let weight = format!("{name}.{}", role.role);
            self.graph.weights.insert(weight.clone(), Weight::new(role.shape, Data::Seeded(0)));
            weights.push(weight);
        }
        let node = Node { name: name.to_owned(), op, weights, sources: Provenance::source(name) };
        let id = self.graph.add(node, inputs);
        self.shapes.insert(id, shape);
        Ok(id)
    }
}
