//! The entry of a program: a Cranelift function that every worker runs, calling the kernels in order.
//!
//! ```text
//! for step
//!     share = this worker's part of the step's items
//!     for call: kernel(arguments at the share's begin, items in the share)      where the share has any
//!     barrier                                                                   except after the last step
//! ```
//! The items of all calls of a step form one list, of which worker `w` of `n` takes `items * w / n .. items * (w + 1) / n`:
//! small calls behind each other balance out.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, AbiParam, FuncRef, InstBuilder, MemFlagsData, SigRef, Value, types};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use frit_runtime::abi::Context;

use crate::plan::{Argument, Call, Plan, Region, Step};

/// The signature of the entry: the context, and the worker's number.
pub fn signature(call_conv: CallConv) -> ir::Signature {
    let mut signature = ir::Signature::new(call_conv);
    signature.params.extend([AbiParam::new(types::I64), AbiParam::new(types::I32)]);
    signature
}

/// Builds the entry of `plan` in `function`; `kernels` are the plan's kernels as `function` knows them.
pub fn build(
    plan: &Plan,
    function: &mut ir::Function,
    context: &mut FunctionBuilderContext,
    frontend: TargetFrontendConfig,
    kernels: &[FuncRef],
) {
    let call_conv = function.signature.call_conv;
    let mut builder = FunctionBuilder::new(function, context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let barrier = builder.import_signature(signature(call_conv));
    let (context, worker) = (builder.block_params(entry)[0], builder.block_params(entry)[1]);
    let mut driver = Driver { builder, kernels, barrier, context, worker };
    for (index, step) in plan.steps.iter().enumerate() {
        driver.step(step);
        if index + 1 < plan.steps.len() {
            driver.meet();
        }
    }
    driver.builder.ins().return_(&[]);
    driver.builder.seal_all_blocks();
    driver.builder.finalize(frontend);
}

struct Driver<'a> {
    builder: FunctionBuilder<'a>,
    kernels: &'a [FuncRef],
    barrier: SigRef,
    context: Value,
    worker: Value,
}

/// The context and the tables in it never change while the entry runs.
fn constant() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly()
}

impl Driver<'_> {
    fn step(&mut self, step: &Step) {
        let items: usize = step.calls.iter().map(|call| call.items).sum();
        let workers = self.field(types::I32, offset_of!(Context, workers));
        let workers = self.builder.ins().uextend(types::I64, workers);
        let worker = self.builder.ins().uextend(types::I64, self.worker);
        let next = self.builder.ins().iadd_imm_s(worker, 1);
        let bound = |b: &mut FunctionBuilder<'_>, worker: Value| {
            let product = b.ins().imul_imm_s(worker, items as i64);
            b.ins().udiv(product, workers)
        };
        let (begin, end) = (bound(&mut self.builder, worker), bound(&mut self.builder, next));
        let mut before = 0;
        for call in &step.calls {
            self.call(call, before, begin, end);
            before += call.items;
        }
    }

    /// Calls the kernel on the part of `begin..end` that falls on this call's items, the first of which is item `before`
    /// of the step.
    fn call(&mut self, call: &Call, before: usize, begin: Value, end: Value) {
        let items = self.builder.ins().iconst(types::I64, call.items as i64);
        let zero = self.builder.ins().iconst(types::I64, 0);
        let clamp = |b: &mut FunctionBuilder<'_>, bound: Value| {
            let inside = b.ins().iadd_imm_s(bound, -(before as i64));
            let inside = b.ins().smax(inside, zero);
            b.ins().smin(inside, items)
        };
        let (begin, end) = (clamp(&mut self.builder, begin), clamp(&mut self.builder, end));
        let (some, behind) = (self.builder.create_block(), self.builder.create_block());
        let any = self.builder.ins().icmp(IntCC::UnsignedLessThan, begin, end);
        self.builder.ins().brif(any, some, &[], behind, &[]);
        self.builder.switch_to_block(some);
        let mut arguments: Vec<Value> =
            call.arguments.iter().map(|argument| self.argument(argument, begin)).collect();
        arguments.push(self.builder.ins().isub(end, begin));
        self.builder.ins().call(self.kernels[call.kernel], &arguments);
        self.builder.ins().jump(behind, &[]);
        self.builder.switch_to_block(behind);
    }

    /// The address of item `item`.
    fn argument(&mut self, argument: &Argument, item: Value) -> Value {
        let base = match argument.region {
            Region::Input(index) => self.tensor(offset_of!(Context, inputs), index),
            Region::Output(index) => self.tensor(offset_of!(Context, outputs), index),
            Region::Arena => self.field(types::I64, offset_of!(Context, arena)),
            Region::Weights => self.field(types::I64, offset_of!(Context, weights)),
        };
        let begin = self.builder.ins().iadd_imm_s(base, argument.offset as i64);
        if argument.stride == 0 {
            return begin;
        }
        let distance = self.builder.ins().imul_imm_s(item, argument.stride as i64);
        self.builder.ins().iadd(begin, distance)
    }

    fn tensor(&mut self, table: usize, index: usize) -> Value {
        let table = self.field(types::I64, table);
        self.builder.ins().load(types::I64, constant(), table, 8 * index as i32)
    }

    fn field(&mut self, ty: ir::Type, offset: usize) -> Value {
        self.builder.ins().load(ty, constant(), self.context, offset as i32)
    }

    fn meet(&mut self) {
        let barrier = self.field(types::I64, offset_of!(Context, barrier));
        self.builder.ins().call_indirect(self.barrier, barrier, &[self.context, self.worker]);
    }
}
