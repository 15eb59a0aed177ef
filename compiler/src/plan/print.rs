//! The textual form: what code is made of, one line each; predictions, sizes and sources are the reports' business.
//!
//! ```text
//! plan m: arena 1152, scratch 768, weights 2304
//! input0 x: 8x8x8
//! output0 y: 8x8x8
//! tensor0: 1024 at 128, steps 0 to 1, blank 16 from 16 of 32, 64 times
//! block a, b, c: bands
//! step 0: a, b, c
//!   4 bands:
//!     before: 1 of conv1x1_8to16_4x2, input0+0/512, weights+0, scratch+256
//!     16 of conv1x1_16to8_4x2, scratch+0, weights+64, tensor0+0/256
//! ```
//! Numbers of memory are bytes. A tensor has its place in the arena, the steps in which it is alive, and the lanes that hold
//! nothing. A call is its items and its kernel, then where each argument begins in its region, and behind `/` how far apart
//! the items or bands of it begin; without it all share the place. `before` stands in front of what a worker runs once, at the
//! first of its bands. Kernels are the business of `vector`, which prints them.

use std::fmt::{self, Display, Formatter};

use frit_ir::diagnostic::render::escaped;
use frit_runtime::Port;

use super::{Argument, Blank, Call, Plan, Region, Step, Tensor, Work};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let weights = self.weights.parts().map(|(begin, bytes)| begin + bytes).max().unwrap_or(0);
        let (name, arena, scratch) = (escaped(&self.name), self.arena_bytes, self.scratch_bytes);
        writeln!(f, "plan {name}: arena {arena}, scratch {scratch}, weights {weights}")?;
        for (index, port) in self.inputs.iter().enumerate() {
            writeln!(f, "{} {}", Region::Input(index), described(port))?;
        }
        for (index, port) in self.outputs.iter().enumerate() {
            writeln!(f, "{} {}", Region::Output(index), described(port))?;
        }
        for (index, tensor) in self.tensors.iter().enumerate() {
            writeln!(f, "{}: {tensor}", Region::Tensor(index))?;
        }
        for choice in &self.choices {
            writeln!(f, "block {}: {}", escaped(&choice.layers.join(", ")), choice.told())?;
        }
        self.steps.iter().enumerate().try_for_each(|(index, step)| self.step(f, index, step))
    }
}

impl Plan {
    fn step(&self, f: &mut Formatter<'_>, index: usize, step: &Step) -> fmt::Result {
        let nodes: Vec<&str> = step.fused.iter().chain([&step.node]).map(String::as_str).collect();
        writeln!(f, "step {index}: {}", escaped(&nodes.join(", ")))?;
        match &step.work {
            Work::Items(calls) => calls.iter().try_for_each(|call| self.call(f, "  ", call)),
            Work::Bands(sections) => sections.iter().try_for_each(|section| {
                writeln!(f, "  {} {}:", section.bands, if section.bands == 1 { "band" } else { "bands" })?;
                section.halo.iter().try_for_each(|call| self.call(f, "    before: ", call))?;
                section.calls.iter().try_for_each(|call| self.call(f, "    ", call))
            }),
        }
    }

    fn call(&self, f: &mut Formatter<'_>, before: &str, call: &Call) -> fmt::Result {
        write!(f, "{before}{} of {}", call.items, self.kernels[call.kernel].name)?;
        call.arguments.iter().try_for_each(|argument| write!(f, ", {argument}"))?;
        writeln!(f)
    }
}

fn described(port: &Port) -> String {
    format!("{}: {}", escaped(&port.name), frit_ir::Shape::new(&port.shape))
}

impl Display for Tensor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}, steps {} to {}", self.bytes, self.offset, self.first, self.last)?;
        match self.blank {
            Blank { bytes: 0, .. } => Ok(()),
            Blank { begin, bytes, stride, count } => {
                write!(f, ", blank {bytes} from {begin} of {stride}, {count} times")
            }
        }
    }
}

impl Display for Argument {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.region, self.offset)?;
        if self.stride == 0 { Ok(()) } else { write!(f, "/{}", self.stride) }
    }
}

impl Display for Region {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Region::Input(index) => write!(f, "input{index}"),
            Region::Output(index) => write!(f, "output{index}"),
            Region::Tensor(index) => write!(f, "tensor{index}"),
            Region::Scratch => f.write_str("scratch"),
            Region::Weights => f.write_str("weights"),
        }
    }
}
