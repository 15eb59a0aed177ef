//! Stages: steps whose tensors have their places, and the kernels that they are built of.

use std::collections::BTreeMap;

use frit_ir::NodeId;
use frit_ir::diagnostic::{Diagnostic, codes};

use crate::plan::{Argument, Call, Work};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::{Program, Width};

/// What builds a stage's work, with the kernels that were built before it.
pub(super) trait Build<'a>: Fn(&mut Kernels) -> Result<Work, Diagnostic> + 'a {}

impl<'a, F: Fn(&mut Kernels) -> Result<Work, Diagnostic> + 'a> Build<'a> for F {}

/// A step whose tensors have their places, yet to be built.
pub(super) struct Stage<'a> {
    /// The nodes that it computes, in order; it is named after the last.
    pub(super) nodes: Vec<NodeId>,
    pub(super) effort: Effort,
    pub(super) build: Box<dyn Build<'a>>,
}

/// What a stage costs.
#[derive(Clone, Copy)]
pub(super) enum Effort {
    /// The work of its layers.
    Layers,
    /// One of so many equal parts of the work of its layers.
    Part(u64),
    /// The work of its layers, which takes so many milliseconds with 1 and with 2 workers.
    Predicted([f64; 2]),
    /// A pass over so many bytes, beside the stage that does the work.
    Pass(usize),
}

/// The kernels of a plan, each once.
pub(super) struct Kernels {
    pub(super) width: Width,
    programs: Vec<Program>,
    by_name: BTreeMap<String, Vec<usize>>,
}

impl Kernels {
    pub(super) fn new(width: Width) -> Kernels {
        Kernels { width, programs: Vec::new(), by_name: BTreeMap::new() }
    }

    /// All of them, in the order of their first call.
    pub(super) fn into_programs(self) -> Vec<Program> {
        self.programs
    }

    /// The call of `program` with `arguments` on so many items.
    pub(super) fn call(
        &mut self,
        program: Result<Program, TooManyRegisters>,
        arguments: Vec<Argument>,
        items: usize,
    ) -> Result<Call, Diagnostic> {
        Ok(Call { kernel: self.index(program)?, arguments, items })
    }

    /// The work of a step that is this call alone.
    pub(super) fn items(
        &mut self,
        program: Result<Program, TooManyRegisters>,
        arguments: Vec<Argument>,
        items: usize,
    ) -> Result<Work, Diagnostic> {
        Ok(Work::Items(vec![self.call(program, arguments, items)?]))
    }

    /// The index of `program` among the kernels; an equal one is shared, one of the same name gets a number.
    fn index(&mut self, program: Result<Program, TooManyRegisters>) -> Result<usize, Diagnostic> {
        let mut program = program.map_err(|fault| {
            Diagnostic::error(
                codes::INTERNAL,
                format!("kernel {} needs {} registers of {}", fault.kernel, fault.needed, fault.available),
            )
        })?;
        let same_name = self.by_name.entry(program.name.clone()).or_default();
        if let Some(&index) = same_name.iter().find(|&&index| self.programs[index].body == program.body) {
            return Ok(index);
        }
        same_name.push(self.programs.len());
        if same_name.len() > 1 {
            program.name = format!("{}.{}", program.name, same_name.len());
        }
        self.programs.push(program);
        Ok(self.programs.len() - 1)
    }
}

impl Stage<'_> {
    pub(super) fn last(&self) -> NodeId {
        *self.nodes.last().expect("a stage computes a node")
    }
}
