//! The entry of a program: a Cranelift function that every worker runs, calling the kernels in order.
//!
//! ```text
//! for image
//!     for step
//!         items: for call: its part of this worker's share              through `items`
//!         bands: for section: for band in this worker's share of it
//!                    for call                                           through `band`
//!         barrier                                                       except after the last step of the last image
//!     inputs and outputs move on by their strides
//! ```
//! What a call hands to its kernel is a record in a table behind the code ([`table`]). Two functions turn a record into
//! arguments, so that a call costs the entry a handful of instructions however many tensors it has.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, AbiParam, FuncRef, InstBuilder, MemFlagsData, Value, types};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use frit_runtime::abi::{ARENA, Context, FEW_POINTERS, POINTERS, SCRATCH, TENSORS, WEIGHTS};

use crate::plan::{Call, Plan, Region, Section, Step, Work};

/// The functions that the entry calls, as it knows them.
pub struct Callees {
    /// The plan's kernels.
    pub kernels: Vec<FuncRef>,
    /// The functions that [`build_items`] and [`build_band`] build for kernels of few pointers.
    pub few: Launchers,
    /// The same for kernels of more, where the plan has one.
    pub many: Option<Launchers>,
    /// The records, behind a symbol like that of a function.
    pub table: FuncRef,
}

/// The two functions that call kernels of some number of pointers.
#[derive(Clone, Copy)]
pub struct Launchers {
    /// On a share of the items.
    pub items: FuncRef,
    /// On all items in one band.
    pub band: FuncRef,
}

/// Bytes of one number in the table and of one address.
const WORD: usize = 8;

/// Bytes of a record of the table for so many pointers: all items of its step, those before its own, its own; then for each
/// pointer its region, bytes, and bytes from one item or band to the next.
fn record(pointers: usize) -> usize {
    WORD * (3 + 3 * pointers)
}

/// How many pointers a call of so many arguments hands over.
fn pointers(arguments: usize) -> usize {
    if arguments > FEW_POINTERS { POINTERS } else { FEW_POINTERS }
}

/// Whether `plan` has a kernel of more than few pointers.
pub fn has_many(plan: &Plan) -> bool {
    plan.steps.iter().flat_map(|step| step.work.calls()).any(|call| call.arguments.len() > FEW_POINTERS)
}

/// The records of all calls of `plan`, in the plan's order.
pub fn table(plan: &Plan) -> Vec<u8> {
    let mut words: Vec<u64> = Vec::new();
    for step in &plan.steps {
        let all: usize = step.work.calls().map(|call| call.items).sum();
        let mut before = 0;
        for call in step.work.calls() {
            words.extend([all, before, call.items].map(|count| count as u64));
            before += call.items;
            for argument in &call.arguments {
                let region = WORD * region(plan, argument.region);
                let offset = plan.begin(argument.region) + argument.offset;
                words.extend([region, offset, argument.stride].map(|bytes| bytes as u64));
            }
            words.extend(std::iter::repeat_n(0, 3 * (pointers(call.arguments.len()) - call.arguments.len())));
        }
    }
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// The index of a region in a worker's row of [`Context::regions`].
pub fn region(plan: &Plan, region: Region) -> usize {
    match region {
        Region::Weights => WEIGHTS,
        Region::Tensor(_) => ARENA,
        Region::Scratch => SCRATCH,
        Region::Input(index) => TENSORS + index,
        Region::Output(index) => TENSORS + plan.inputs.len() + index,
    }
}

fn signature_of(call_conv: CallConv, parameters: &[ir::Type]) -> ir::Signature {
    let mut signature = ir::Signature::new(call_conv);
    signature.params.extend(parameters.iter().map(|&ty| AbiParam::new(ty)));
    signature
}

/// The signature of the entry: the context, and the worker's number.
pub fn signature(call_conv: CallConv) -> ir::Signature {
    signature_of(call_conv, &[types::I64, types::I32])
}

/// The signature of a kernel with so many parameters: its first pointers, the number of items, and the other pointers.
pub fn kernel_signature(call_conv: CallConv, parameters: usize) -> ir::Signature {
    signature_of(call_conv, &[types::I64; POINTERS + 1][..=pointers(parameters)])
}

/// The signature of [`build_items`]: kernel, record, the worker's regions, its number, and how many workers there are.
pub fn items_signature(call_conv: CallConv) -> ir::Signature {
    signature_of(call_conv, &[types::I64; 5])
}

/// The signature of [`build_band`]: kernel, record, the worker's regions, the band.
pub fn band_signature(call_conv: CallConv) -> ir::Signature {
    signature_of(call_conv, &[types::I64; 4])
}

/// What building a function takes.
pub struct Site<'a> {
    /// The function, with its signature.
    pub function: &'a mut ir::Function,
    /// Reused from function to function.
    pub context: &'a mut FunctionBuilderContext,
    /// The target's conventions.
    pub frontend: TargetFrontendConfig,
}

/// Builds one function out of its parameters.
fn build(site: Site<'_>, body: impl FnOnce(&mut FunctionBuilder<'_>, &[Value])) {
    let mut builder = FunctionBuilder::new(site.function, site.context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let parameters = builder.block_params(entry).to_vec();
    body(&mut builder, &parameters);
    builder.ins().return_(&[]);
    builder.seal_all_blocks();
    builder.finalize(site.frontend);
}

/// The table and the context never change while the entry runs; the worker's regions do, from image to image.
fn constant() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly()
}

/// A function that calls a kernel of `pointers` on the part of the worker's share of a step that falls on the call.
pub fn build_items(site: Site<'_>, pointers: usize) {
    build(site, |b, parameters| {
        let [kernel, record, regions, worker, workers] = *parameters else { unreachable!("items_signature") };
        let word = |b: &mut FunctionBuilder<'_>, index: usize| {
            b.ins().load(types::I64, constant(), record, (WORD * index) as i32)
        };
        let (all, before, items) = (word(b, 0), word(b, 1), word(b, 2));
        let share = share(b, all, worker, workers);
        let [begin, end] = share.map(|bound| within(b, bound, before, items));
        if_any(b, begin, end, |b| {
            let count = b.ins().isub(end, begin);
            launch(b, (kernel, pointers), [record, regions, begin], count);
        });
    });
}

/// A function that calls a kernel of `pointers` on all of its items in one band.
pub fn build_band(site: Site<'_>, pointers: usize) {
    build(site, |b, parameters| {
        let [kernel, record, regions, band] = *parameters else { unreachable!("band_signature") };
        let items = b.ins().load(types::I64, constant(), record, 2 * WORD as i32);
        launch(b, (kernel, pointers), [record, regions, band], items);
    });
}

/// Calls `kernel` with the addresses that a record has at an item or band.
fn launch(
    b: &mut FunctionBuilder<'_>,
    (kernel, pointers): (Value, usize),
    [record, regions, index]: [Value; 3],
    items: Value,
) {
    let mut arguments: Vec<Value> = (0..pointers).map(|p| address(b, [record, regions, index], p)).collect();
    arguments.insert(FEW_POINTERS, items);
    let signature = kernel_signature(b.func.signature.call_conv, pointers);
    let signature = b.import_signature(signature);
    b.ins().call_indirect(signature, kernel, &arguments);
}

fn address(b: &mut FunctionBuilder<'_>, [record, regions, index]: [Value; 3], pointer: usize) -> Value {
    let word = |b: &mut FunctionBuilder<'_>, part: usize| {
        b.ins().load(types::I64, constant(), record, (WORD * (3 + 3 * pointer + part)) as i32)
    };
    let (region, offset, stride) = (word(b, 0), word(b, 1), word(b, 2));
    let region = b.ins().iadd(regions, region);
    let base = b.ins().load(types::I64, MemFlagsData::trusted(), region, 0);
    let base = b.ins().iadd(base, offset);
    let distance = b.ins().imul(index, stride);
    b.ins().iadd(base, distance)
}

/// The first and the end of the share of worker `worker` of `workers` in `count`.
fn share(b: &mut FunctionBuilder<'_>, count: Value, worker: Value, workers: Value) -> [Value; 2] {
    let begin = b.ins().imul(count, worker);
    let end = b.ins().iadd(begin, count);
    [begin, end].map(|product| b.ins().udiv(product, workers))
}

/// `bound` counted from `before`, and kept within `0..=count`.
fn within(b: &mut FunctionBuilder<'_>, bound: Value, before: Value, count: Value) -> Value {
    let zero = b.ins().iconst(types::I64, 0);
    let inside = b.ins().isub(bound, before);
    let inside = b.ins().smax(inside, zero);
    b.ins().smin(inside, count)
}

/// Runs what `body` builds where `begin < end`.
fn if_any(
    b: &mut FunctionBuilder<'_>,
    begin: Value,
    end: Value,
    body: impl FnOnce(&mut FunctionBuilder<'_>),
) {
    let condition = b.ins().icmp(IntCC::UnsignedLessThan, begin, end);
    let (some, behind) = (b.create_block(), b.create_block());
    b.ins().brif(condition, some, &[], behind, &[]);
    b.switch_to_block(some);
    body(b);
    b.ins().jump(behind, &[]);
    b.switch_to_block(behind);
}

/// Builds the entry of `plan`.
pub fn build_entry(site: Site<'_>, plan: &Plan, callees: &Callees) {
    build(site, |builder, parameters| {
        let [context, worker] = *parameters else { unreachable!("signature") };
        let mut driver = Driver::new(builder, callees, plan, [context, worker]);
        driver.images(plan.inputs.len() + plan.outputs.len(), |driver| {
            for (index, step) in plan.steps.iter().enumerate() {
                if index > 0 {
                    driver.meet();
                }
                driver.step(step);
            }
        });
    });
}

struct Driver<'a, 'b> {
    builder: &'a mut FunctionBuilder<'b>,
    callees: &'a Callees,
    /// The context and the worker as the entry got them.
    entry: [Value; 2],
    /// The worker's row of regions, and the strides of the ports among them.
    regions: Value,
    strides: Value,
    /// How many images there are.
    count: Value,
    worker: Value,
    workers: Value,
    wait: Value,
    table: Value,
    /// Where in the table the next record lies.
    record: usize,
}

impl<'a, 'b> Driver<'a, 'b> {
    fn new(
        builder: &'a mut FunctionBuilder<'b>,
        callees: &'a Callees,
        plan: &Plan,
        entry: [Value; 2],
    ) -> Driver<'a, 'b> {
        let [context, worker] = entry;
        let field = |b: &mut FunctionBuilder<'_>, ty: ir::Type, offset: usize| {
            b.ins().load(ty, constant(), context, offset as i32)
        };
        let worker = builder.ins().uextend(types::I64, worker);
        let workers = field(builder, types::I32, offset_of!(Context, workers));
        let workers = builder.ins().uextend(types::I64, workers);
        let row = WORD * (TENSORS + plan.inputs.len() + plan.outputs.len());
        let regions = field(builder, types::I64, offset_of!(Context, regions));
        let own = builder.ins().imul_imm_s(worker, row as i64);
        let regions = builder.ins().iadd(regions, own);
        let strides = field(builder, types::I64, offset_of!(Context, strides));
        let count = field(builder, types::I64, offset_of!(Context, images));
        let wait = field(builder, types::I64, offset_of!(Context, wait));
        let table = builder.ins().func_addr(types::I64, callees.table);
        Driver { builder, callees, entry, regions, strides, count, worker, workers, wait, table, record: 0 }
    }

    /// Runs what `image` builds for each image; between two all workers meet, and each moves its `ports` on.
    fn images(&mut self, ports: usize, image: impl FnOnce(&mut Self)) {
        let (body, next, behind) =
            (self.builder.create_block(), self.builder.create_block(), self.builder.create_block());
        let left = self.builder.append_block_param(body, types::I64);
        self.builder.ins().jump(body, &[self.count.into()]);
        self.builder.switch_to_block(body);
        image(self);
        let left = self.builder.ins().iadd_imm_s(left, -1);
        self.builder.ins().brif(left, next, &[], behind, &[]);
        self.builder.switch_to_block(next);
        self.meet();
        for port in 0..ports {
            let place = (WORD * (TENSORS + port)) as i32;
            let address = self.builder.ins().load(types::I64, MemFlagsData::trusted(), self.regions, place);
            let stride = self.builder.ins().load(types::I64, constant(), self.strides, (WORD * port) as i32);
            let address = self.builder.ins().iadd(address, stride);
            self.builder.ins().store(MemFlagsData::trusted(), address, self.regions, place);
        }
        self.builder.ins().jump(body, &[left.into()]);
        self.builder.switch_to_block(behind);
    }

    fn step(&mut self, step: &Step) {
        match &step.work {
            Work::Items(calls) => calls.iter().for_each(|call| self.items(call)),
            Work::Bands(sections) => self.sections(sections),
        }
    }

    /// The functions that launch `call`, which is the next one, its kernel and its record.
    fn next(&mut self, call: &Call) -> (Launchers, [Value; 2]) {
        let launchers = match self.callees.many {
            Some(many) if call.arguments.len() > FEW_POINTERS => many,
            _ => self.callees.few,
        };
        let kernel = self.builder.ins().func_addr(types::I64, self.callees.kernels[call.kernel]);
        let record = self.builder.ins().iadd_imm_s(self.table, self.record as i64);
        self.record += self::record(pointers(call.arguments.len()));
        (launchers, [kernel, record])
    }

    fn items(&mut self, call: &Call) {
        let (launchers, [kernel, record]) = self.next(call);
        let arguments = [kernel, record, self.regions, self.worker, self.workers];
        self.builder.ins().call(launchers.items, &arguments);
    }

    fn sections(&mut self, sections: &[Section]) {
        let all: usize = sections.iter().map(|section| section.bands).sum();
        let all = self.builder.ins().iconst(types::I64, all as i64);
        let share = share(self.builder, all, self.worker, self.workers);
        let mut before = 0;
        for section in sections {
            self.section(section, before, share);
            before += section.bands;
        }
    }

    /// The bands of `section`, the first of which is band `before` of the step, that fall into the share.
    fn section(&mut self, section: &Section, before: usize, share: [Value; 2]) {
        let first = self.builder.ins().iconst(types::I64, before as i64);
        let bands = self.builder.ins().iconst(types::I64, section.bands as i64);
        let [begin, end] = share.map(|bound| within(self.builder, bound, first, bands));
        let (some, body, behind) =
            (self.builder.create_block(), self.builder.create_block(), self.builder.create_block());
        let any = self.builder.ins().icmp(IntCC::UnsignedLessThan, begin, end);
        self.builder.ins().brif(any, some, &[], behind, &[]);
        self.builder.switch_to_block(some);
        self.halo(section, begin, [share[0], first]);
        self.builder.ins().jump(body, &[begin.into()]);
        let band = self.builder.append_block_param(body, types::I64);
        self.builder.switch_to_block(body);
        section.calls.iter().for_each(|call| self.band(call, band));
        let next = self.builder.ins().iadd_imm_s(band, 1);
        let more = self.builder.ins().icmp(IntCC::UnsignedLessThan, next, end);
        self.builder.ins().brif(more, body, &[next.into()], behind, &[]);
        self.builder.switch_to_block(behind);
    }

    /// The calls before the worker's first band, where that is in this section: where `share` begins no earlier than
    /// `section` does.
    fn halo(&mut self, section: &Section, band: Value, [share, begin]: [Value; 2]) {
        if section.halo.is_empty() {
            return;
        }
        let (some, behind) = (self.builder.create_block(), self.builder.create_block());
        let first = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, share, begin);
        self.builder.ins().brif(first, some, &[], behind, &[]);
        self.builder.switch_to_block(some);
        section.halo.iter().for_each(|call| self.band(call, band));
        self.builder.ins().jump(behind, &[]);
        self.builder.switch_to_block(behind);
    }

    fn band(&mut self, call: &Call, band: Value) {
        let (launchers, [kernel, record]) = self.next(call);
        self.builder.ins().call(launchers.band, &[kernel, record, self.regions, band]);
    }

    fn meet(&mut self) {
        let signature = signature(self.builder.func.signature.call_conv);
        let signature = self.builder.import_signature(signature);
        self.builder.ins().call_indirect(signature, self.wait, &self.entry);
    }
}
