//! Adapters: the few layers that make a tensor of one shape out of one of another, in order of what they lose and cost.

use std::cmp::Ordering;

use frit_ir::ops::{
    Concat, Constant, Conv2d, Coordinates, Dense, Epilogue, GlobalAveragePool, Input, Interpolation, Pad,
    Padding, Pool, PoolKind, Resize, Slice, Span as Indices,
};
use frit_ir::weights::Data;
use frit_ir::{Graph, Node, NodeId, Op, Provenance, Shape, Weight};

use super::window::{self, Span};

/// Some layers that take one shape and give another.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// Its name, in the order of its layers: `resize+conv1x1`.
    pub name: String,
    /// The layers, behind an input; the weights are drawn from a seed.
    pub graph: Graph,
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Elements of weights that training changes.
    pub parameters: u64,
    /// Rows and columns of the operand that one element of the result depends on, at most.
    pub field: [usize; 2],
    /// The part of the operand's values that no element of the result depends on, 0 to 1; of a maximum, that which it does not
    /// pass on.
    pub lost: f64,
    /// The part of the result that is zero whatever the operand is, 0 to 1.
    pub empty: f64,
    /// What it does to the values besides computing with untrained weights, a part for each of its layers.
    pub loses: Vec<String>,
}

impl Adapter {
    /// Least lost or empty first; then the fewest multiply-accumulates, parameters, and the smallest field.
    fn order(&self, other: &Adapter) -> Ordering {
        let waste = |adapter: &Adapter| adapter.lost + adapter.empty;
        waste(self)
            .total_cmp(&waste(other))
            .then_with(|| self.macs.cmp(&other.macs))
            .then_with(|| self.parameters.cmp(&other.parameters))
            .then_with(|| self.field.cmp(&other.field))
            .then_with(|| self.name.cmp(&other.name))
    }
}

/// All adapters from one shape to another, the best first; none where the shapes are alike, or where none is known: a map can't
/// be made of a vector.
pub fn adapters(from: &Shape, to: &Shape, seed: u64) -> Vec<Adapter> {
    let sizes = |shape: &Shape| shape.elements().is_some();
    if from == to || !sizes(from) || !sizes(to) {
        return Vec::new();
    }
    let mut found: Vec<Adapter> = match (from.map(), to.map(), to.rank()) {
        (Some(from), Some(to), _) => {
            ways(from, to).iter().filter_map(|way| build(from, to, way, seed)).collect()
        }
        (Some([_, _, channels]), None, 1) => {
            let ways = channel_ways(channels, to.channels());
            ways.into_iter().filter_map(|way| vector(from, Some(Move::Mean), way, to, seed)).collect()
        }
        (None, None, 1) if from.rank() == 1 => {
            let ways = channel_ways(from.channels(), to.channels());
            ways.into_iter().filter_map(|way| vector(from, None, way, to, seed)).collect()
        }
        _ => Vec::new(),
    };
    found.sort_by(Adapter::order);
    found
}

/// How the height and the width change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Average([Span; 2]),
    Largest([Span; 2]),
    Resize([usize; 2]),
    Crop([usize; 2]),
    Border([usize; 2]),
    Mean,
}

/// How the channels change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channels {
    Mix(usize),
    First(usize),
    Zeros(usize),
}

/// A way from one map to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Apart(Option<Move>, Option<Channels>),
    /// One convolution does both.
    Window([Span; 2]),
}

fn channel_ways(from: usize, to: usize) -> Vec<Option<Channels>> {
    match from.cmp(&to) {
        Ordering::Equal => vec![None],
        Ordering::Less => vec![Some(Channels::Mix(to)), Some(Channels::Zeros(to))],
        Ordering::Greater => vec![Some(Channels::Mix(to)), Some(Channels::First(to))],
    }
}

fn ways(from: [usize; 3], to: [usize; 3]) -> Vec<Way> {
    let size = [to[0], to[1]];
    let shrinks = (0..2).all(|axis| to[axis] <= from[axis]);
    let grows = (0..2).all(|axis| to[axis] >= from[axis]);
    let span =
        |make: &dyn Fn(usize, usize) -> Option<Span>| Some([make(from[0], to[0])?, make(from[1], to[1])?]);
    let mut moves = Vec::new();
    let mut windows = Vec::new();
    if shrinks && grows {
        moves.push(None);
    } else if shrinks {
        let mut pools: Vec<[Span; 2]> =
            [span(&Span::tiling), span(&Span::inside)].into_iter().flatten().collect();
        pools.dedup();
        moves.extend(pools.iter().flat_map(|&pool| [Move::Average(pool), Move::Largest(pool)]).map(Some));
        moves.extend([Move::Resize(size), Move::Crop(size)].map(Some));
        let strided = |kernel: usize| {
            span(&move |from, to| {
                Span::same(from, to, if from == to { 1 } else { kernel }, from.div_ceil(to))
            })
        };
        windows.extend([strided(1), strided(3), span(&Span::inside)].into_iter().flatten());
        windows.dedup();
    } else {
        moves.push(Some(Move::Resize(size)));
        moves.extend(grows.then_some(Some(Move::Border(size))));
    }
    let channels = channel_ways(from[2], to[2]);
    let apart =
        moves.iter().flat_map(|&moved| channels.iter().map(move |&channels| Way::Apart(moved, channels)));
    apart.chain(windows.into_iter().map(Way::Window)).collect()
}

fn build(from: [usize; 3], to: [usize; 3], way: &Way, seed: u64) -> Option<Adapter> {
    let mut building = Building::new(&Shape::new(&from), seed);
    match *way {
        Way::Window(spans) => building.convolve(spans, to[2])?,
        Way::Apart(moved, channels) => {
            // Few pixels and few channels first: what computes then computes least.
            let grows = from[0] * from[1] < to[0] * to[1];
            if grows {
                building.channels(channels)?;
                building.moved(moved)?;
            } else {
                building.moved(moved)?;
                building.channels(channels)?;
            }
        }
    }
    building.finish(&Shape::new(&to))
}

fn vector(
    from: &Shape,
    moved: Option<Move>,
    channels: Option<Channels>,
    to: &Shape,
    seed: u64,
) -> Option<Adapter> {
    let mut building = Building::new(from, seed);
    building.moved(moved)?;
    building.channels(channels)?;
    building.finish(to)
}

/// An adapter under construction.
struct Building {
    adapter: Adapter,
    seed: u64,
    last: NodeId,
    shape: Shape,
    /// Elements of the operand from one of the result to the next, down and across.
    jump: [f64; 2],
    field: [f64; 2],
    parts: Vec<String>,
}

impl Building {
    fn new(from: &Shape, seed: u64) -> Building {
        let mut graph = Graph::new("adapter");
        let op = Op::Input(Input { shape: from.clone() });
        let last = graph.add(node("adapter/input", op, Vec::new()), &[]);
        let adapter = Adapter {
            name: String::new(),
            graph,
            macs: 0,
            parameters: 0,
            field: [1, 1],
            lost: 0.0,
            empty: 0.0,
            loses: Vec::new(),
        };
        Building {
            adapter,
            seed,
            last,
            shape: from.clone(),
            jump: [1.0; 2],
            field: [1.0; 2],
            parts: Vec::new(),
        }
    }

    fn finish(mut self, to: &Shape) -> Option<Adapter> {
        if self.shape != *to {
            return None;
        }
        self.adapter.graph.add_output(self.last);
        self.adapter.name = self.parts.join("+");
        self.adapter.field = self.field.map(|field| field.ceil() as usize);
        Some(self.adapter)
    }

    fn moved(&mut self, moved: Option<Move>) -> Option<()> {
        let Some(moved) = moved else { return Some(()) };
        let [height, width, channels] = self.shape.map()?;
        let percent = |part: f64| format!("{:.0} %", part * 100.0);
        match moved {
            Move::Average(spans) => {
                self.pool(spans, PoolKind::Average { counted: Padding::default() }, "avg_pool")?;
                let [down, across] = spans;
                self.adapter.loses.push(format!("averages {}x{}", down.kernel, across.kernel));
            }
            Move::Largest(spans) => {
                let before = (height * width) as f64;
                self.pool(spans, PoolKind::Max, "max_pool")?;
                let [rows, columns, _] = self.shape.map()?;
                let lost = 1.0 - ((rows * columns) as f64 / before).min(1.0);
                self.lose(lost);
                self.adapter.loses.push(format!("drops {}, all but the largest", percent(lost)));
            }
            Move::Resize(size) => self.resize(size, [height, width])?,
            Move::Crop(size) => {
                let start = |axis: usize, from: usize| (from - size[axis]) / 2;
                let span = |axis: usize, from: usize| Indices {
                    start: start(axis, from),
                    count: size[axis],
                    step: 1,
                };
                let spans = [span(0, height), span(1, width), Indices::all(channels)];
                self.add(Op::Slice(Slice { spans: spans.into_iter().collect() }), "crop")?;
                let lost = 1.0 - (size[0] * size[1]) as f64 / (height * width) as f64;
                self.lose(lost);
                self.adapter.loses.push(format!("drops {}, all but the middle", percent(lost)));
            }
            Move::Border(size) => {
                let [rows, columns] = [size[0] - height, size[1] - width];
                let (top, left) = (rows / 2, columns / 2);
                let padding = Padding { top, bottom: rows - top, left, right: columns - left };
                self.add(Op::Pad(Pad::zeros(padding)), "pad")?;
                let empty = 1.0 - (height * width) as f64 / (size[0] * size[1]) as f64;
                self.leave_empty(empty);
                self.adapter.loses.push(format!("{} of the map are zeros", percent(empty)));
            }
            Move::Mean => {
                self.add(Op::GlobalAveragePool(GlobalAveragePool { keep_dims: false }), "global_avg_pool")?;
                self.field = [height as f64, width as f64];
                self.adapter.loses.push("averages the map: where something is gets lost".to_owned());
            }
        }
        Some(())
    }

    fn pool(&mut self, spans: [Span; 2], kind: PoolKind, name: &str) -> Option<()> {
        let pool = Pool {
            kind,
            kernel: spans.map(|span| span.kernel),
            stride: spans.map(|span| span.stride),
            padding: window::padding(spans),
            dilation: [1, 1],
        };
        self.reach(spans);
        self.add(Op::Pool(pool), &windowed(name, spans))
    }

    fn resize(&mut self, size: [usize; 2], from: [usize; 2]) -> Option<()> {
        let (interpolation, coordinates) = (Interpolation::Bilinear, Coordinates::HalfPixel);
        let resize = Resize { size, scale: None, interpolation, coordinates };
        let mut lost = 1.0;
        for axis in 0..2 {
            let mut read = vec![false; from[axis]];
            for tap in resize.taps(axis, from[axis]) {
                read[tap.first] = true;
                read[tap.second] |= tap.weight > 0.0;
            }
            lost *= read.iter().filter(|read| **read).count() as f64 / from[axis] as f64;
            let between = size[axis] != from[axis];
            self.field[axis] += if between { self.jump[axis] } else { 0.0 };
            self.jump[axis] *= from[axis] as f64 / size[axis] as f64;
        }
        let lost: f64 = 1.0 - lost;
        self.lose(lost);
        self.add(Op::Resize(resize), "resize")?;
        self.adapter.loses.push(match lost > 0.0 {
            true => format!("drops {:.0} %, between its samples", lost * 100.0),
            false => "interpolates".to_owned(),
        });
        Some(())
    }

    fn channels(&mut self, channels: Option<Channels>) -> Option<()> {
        let Some(channels) = channels else { return Some(()) };
        let from = self.shape.channels();
        match channels {
            Channels::Mix(to) if self.shape.rank() == 1 => {
                let dense = Dense { units: to, epilogue: Epilogue::with_bias(true) };
                self.add(Op::Dense(dense), "dense")
            }
            Channels::Mix(to) => {
                let point = Span { kernel: 1, stride: 1, padding: [0, 0] };
                self.convolve([point; 2], to)
            }
            Channels::First(to) => {
                let mut spans: Vec<Indices> =
                    self.shape.axes().iter().map(|&axis| Indices::all(axis)).collect();
                *spans.last_mut()? = Indices { start: 0, count: to, step: 1 };
                self.add(Op::Slice(Slice { spans: spans.into_iter().collect() }), "slice_channels")?;
                self.lose(1.0 - to as f64 / from as f64);
                self.adapter.loses.push(format!("drops {} of {from} channels", from - to));
                Some(())
            }
            Channels::Zeros(to) => {
                self.zeros(to - from)?;
                self.leave_empty(1.0 - from as f64 / to as f64);
                self.adapter.loses.push(format!("{} of {to} channels are zeros", to - from));
                Some(())
            }
        }
    }

    /// Puts channels of zeros behind those that there are.
    fn zeros(&mut self, count: usize) -> Option<()> {
        let mut axes = self.shape.axes().to_vec();
        *axes.last_mut()? = count;
        let shape = Shape::new(&axes);
        let zeros = Data::Values(vec![0.0; shape.elements()?].into());
        let weight = "adapter/zeros.value".to_owned();
        self.adapter.graph.weights.insert(weight.clone(), Weight::new(shape.clone(), zeros));
        let constant = node("adapter/zeros", Op::Constant(Constant { shape: shape.clone() }), vec![weight]);
        let constant = self.adapter.graph.add(constant, &[]);
        let op = Op::Concat(Concat { axis: axes.len() - 1, inputs: 2 });
        self.shape = op.shape(&[self.shape.clone(), shape]).ok()?;
        self.last = self.adapter.graph.add(node("adapter/concat", op, Vec::new()), &[self.last, constant]);
        self.parts.push("pad_channels".to_owned());
        Some(())
    }

    fn convolve(&mut self, spans: [Span; 2], filters: usize) -> Option<()> {
        let [height, width, _] = self.shape.map()?;
        let conv = Conv2d {
            filters,
            kernel: spans.map(|span| span.kernel),
            stride: spans.map(|span| span.stride),
            padding: window::padding(spans),
            dilation: [1, 1],
            groups: 1,
            gate: false,
            prologue: None,
            epilogue: Epilogue::with_bias(true),
        };
        self.reach(spans);
        self.add(Op::Conv2d(conv), &windowed("conv", spans))?;
        let [rows, columns, _] = self.shape.map()?;
        let part = |span: Span, from: usize, to: usize| {
            span.reads(from, to).iter().filter(|read| **read).count() as f64 / from as f64
        };
        let read = part(spans[0], height, rows) * part(spans[1], width, columns);
        self.lose(1.0 - read);
        if read < 1.0 {
            self.adapter.loses.push(format!("drops {:.0} %, between its steps", (1.0 - read) * 100.0));
        }
        Some(())
    }

    /// Adds an op, with its weights.
    fn add(&mut self, op: Op, part: &str) -> Option<()> {
        let name = format!("adapter/{}", op.name());
        let operands = [self.shape.clone()];
        let shape = op.shape(&operands).ok()?;
        self.adapter.macs = self.adapter.macs.saturating_add(op.macs(&operands, &shape));
        let mut weights = Vec::new();
        for role in op.weight_roles(&operands) {
            let elements = role.shape.elements()? as u64;
            self.adapter.parameters = self.adapter.parameters.saturating_add(elements);
            let weight = format!("{name}.{}", role.role);
            let data = Data::Seeded(self.seed);
            self.adapter.graph.weights.insert(weight.clone(), Weight::new(role.shape, data));
            weights.push(weight);
        }
        self.last = self.adapter.graph.add(node(&name, op, weights), &[self.last]);
        self.shape = shape;
        self.parts.push(part.to_owned());
        Some(())
    }

    fn reach(&mut self, spans: [Span; 2]) {
        for (axis, span) in spans.into_iter().enumerate() {
            self.field[axis] += (span.kernel - 1) as f64 * self.jump[axis];
            self.jump[axis] *= span.stride as f64;
        }
    }

    /// Of what was still there, this part gets lost.
    fn lose(&mut self, part: f64) {
        self.adapter.lost += (1.0 - self.adapter.lost) * part;
    }

    /// Of what was filled, this part is empty.
    fn leave_empty(&mut self, part: f64) {
        self.adapter.empty += (1.0 - self.adapter.empty) * part;
    }
}

fn node(name: &str, op: Op, weights: Vec<String>) -> Node {
    Node { name: name.to_owned(), op, weights, sources: Provenance::source(name) }
}

/// `conv3x3/2`, with the step where it is above 1.
fn windowed(name: &str, [down, across]: [Span; 2]) -> String {
    let step = match (down.stride, across.stride) {
        (1, 1) => String::new(),
        (rows, columns) if rows == columns => format!("/{rows}"),
        (rows, columns) => format!("/{rows}x{columns}"),
    };
    format!("{name}{}x{}{step}", down.kernel, across.kernel)
}
