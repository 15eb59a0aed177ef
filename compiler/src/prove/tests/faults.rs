//! Plans that were proved, each with one fault, and what the proof says of it.

use frit_ir::text::parse;

use super::*;
use crate::plan::{Argument, Call, Section, Work};
use crate::vector::{Address, Instruction, Pointer, Register};

/// A convolution, its rows shared out; two steps over its three blocks of channels, the last with blank lanes; a copy.
const CHAIN: &str = "model chain
@a : 3x3x8x20 seeded(1)
%x = input {shape=12x10x8}
%a = conv2d %x, @a {filters=20, kernel=3x3, pad=1:1:1:1}
%b = relu %a
%c = add %a, %b
output %c
";

/// A copy, whose last three lanes nobody writes, and a step that reads them.
const NARROW: &str = "model narrow
%x = input {shape=4x4x5}
%r = relu %x
output %r
";

/// A sum that a convolution adds up.
const SUM: &str = "model sum
@a : 1x1x8x16 seeded(1)
@b : 1x1x16x16 seeded(2)
%x = input {shape=4x4x8}
%a = conv2d %x, @a {filters=16, kernel=1x1}
%b = conv2d %a, %a, @b {filters=16, kernel=1x1, add}
output %b
";

/// A block, in bands.
const BLOCK: &str = "model block
@a : 1x1x8x24 seeded(1)
@b : 3x3x1x24 seeded(2)
@c : 1x1x24x16 seeded(3)
%x = input {shape=24x10x8}
%a = conv2d %x, @a {filters=24, kernel=1x1}
%b = conv2d %a, @b {filters=24, kernel=3x3, pad=1:1:1:1, groups=24}
%c = conv2d %b, @c {filters=16, kernel=1x1}
output %c
";

/// What is done to a plan, and a part of what is then said.
type Fault = (fn(&mut Plan), &'static str);

fn scheduled(text: &str) -> Plan {
    let machine = "x86-64-v3".parse::<Machine>().unwrap();
    schedule(&parse(text).unwrap(), &machine, Some(ways::BANDS)).unwrap()
}

fn assert_found(text: &str, faults: &[Fault]) {
    let sound = scheduled(text);
    assert!(prove(sound.clone()).is_ok());
    for (number, (spoil, expected)) in faults.iter().enumerate() {
        let mut plan = sound.clone();
        spoil(&mut plan);
        match prove(plan) {
            Ok(_) => panic!("fault {number} was proved; expected: {expected}"),
            Err(found) => {
                assert_eq!(found.code, codes::INTERNAL);
                assert!(found.message.contains(expected), "fault {number}: {}: {expected}", found.message);
            }
        }
    }
}

fn calls(plan: &mut Plan, step: usize) -> &mut Vec<Call> {
    match &mut plan.steps[step].work {
        Work::Items(calls) => calls,
        Work::Bands(_) => panic!("step {step} has bands"),
    }
}

/// An argument of the first call of a step.
fn argument(plan: &mut Plan, step: usize, index: usize) -> &mut Argument {
    &mut calls(plan, step)[0].arguments[index]
}

fn sections(plan: &mut Plan) -> &mut Vec<Section> {
    match &mut plan.steps[0].work {
        Work::Bands(sections) => sections,
        Work::Items(_) => panic!("the block has no bands"),
    }
}

/// Offsets, strides, items and sizes.
#[test]
fn accesses_outside_their_memory_are_found() {
    assert_found(
        CHAIN,
        &[
            (|plan| argument(plan, 1, 1).offset += 64, "writes bytes 11520 to 11584 of tensor 1"),
            (|plan| argument(plan, 3, 0).offset += 32, "of tensor 2 of the arena, which has 11520 bytes"),
            (|plan| argument(plan, 1, 0).offset += 2, "gets tensor 0 of the arena from byte 2 on"),
            (|plan| argument(plan, 1, 0).stride += 2, "items lie 3840 bytes apart for the kernel"),
            (|plan| argument(plan, 1, 1).stride -= 32, "and 3808 bytes for its call"),
            (|plan| argument(plan, 2, 2).offset = usize::MAX - 3, "gets tensor 2 of the arena from byte"),
            (|plan| calls(plan, 1)[0].items += 1, "reads bytes 11520 to 15360 of tensor 0"),
            (|plan| calls(plan, 1)[0].items = 0, "arguments and 0 items"),
            (|plan| plan.tensors[2].bytes -= 4, "bytes 11516 to 11520 of tensor 2"),
            (|plan| plan.outputs[0].shape[0] -= 1, "of output 0, which has 8800 bytes"),
            (|plan| plan.inputs[0].shape[0] -= 1, "of input 0, which has 3520 bytes"),
            (|plan| plan.inputs[0].shape = vec![usize::MAX; 2], "is too large to be counted"),
            (|plan| plan.arena_bytes -= 64, "in an arena of"),
            (|plan| plan.arena_bytes += 4, "which are no multiple of 64"),
            (|plan| plan.scratch_bytes += 32, "the scratch memory has 32 bytes"),
            (|plan| argument(plan, 0, 1).offset += 4, "of the weights, which has"),
            (|plan| argument(plan, 1, 0).region = Region::Tensor(9), "there is no tensor 9"),
            (|plan| plan.tensors[0].blank.count = usize::MAX, "a tensor of 11520 bytes has Blank"),
        ],
    );
}

/// Steps, lives and shares.
#[test]
fn what_is_read_unwritten_or_written_twice_is_found() {
    assert_found(
        CHAIN,
        &[
            (|plan| calls(plan, 1).clear(), "reads, before anything has written them, bytes 0 to 7696"),
            (|plan| calls(plan, 3).clear(), "no step writes bytes 0 to 9600 of the output c"),
            (|plan| calls(plan, 3)[0].items -= 1, "no step writes bytes 9520 to 9600 of the output c"),
            (|plan| calls(plan, 1)[0].items -= 1, "before anything has written them, bytes 7680 to 7696"),
            (|plan| plan.steps.swap(1, 2), "touches tensor 2 of the arena, which is alive from step 2"),
            (|plan| plan.tensors[0].last -= 1, "which is alive from step 0 to step 1"),
            (|plan| plan.tensors[1].first += 2, "tensor 1 is alive from step 3 to step 2"),
            (|plan| plan.tensors[1].offset = plan.tensors[0].offset, "are alive in step 1 and share bytes"),
            (|plan| plan.tensors[1].offset += 32, "in lines of 64"),
            (
                |plan| calls(plan, 0)[1].arguments[2].offset -= 320,
                "writes, as another call of the step does,",
            ),
            (
                |plan| calls(plan, 0)[0].arguments[2].offset += 320,
                "writes, as another call of the step does,",
            ),
            (reads_its_neighbour, "reads, while another item or band may write them,"),
            (writes_the_input, "writes what is only read, bytes 0 to 3840 of input 0"),
            (reads_scratch, "reads, before its item has written them, bytes 0 to 3840 of the scratch"),
        ],
    );
    assert_found(
        NARROW,
        &[(|plan| plan.tensors[0].blank = Blank::default(), "before anything has written them, bytes 20 to")],
    );
}

/// What a call writes through one pointer it has not written yet when it reads through another.
#[test]
fn a_call_that_reads_its_own_result_is_found() {
    assert_found(
        SUM,
        &[(
            |plan| *argument(plan, 1, 3) = *argument(plan, 1, 2),
            "reads, before anything has written them, bytes 0 to 1024 of tensor 1",
        )],
    );
}

/// The first of two items of the sum reads what the second one writes.
fn reads_its_neighbour(plan: &mut Plan) {
    let output = *argument(plan, 2, 2);
    *argument(plan, 2, 1) = Argument { offset: output.offset + output.stride, ..output };
    calls(plan, 2)[0].items = 2;
}

fn writes_the_input(plan: &mut Plan) {
    argument(plan, 1, 1).region = Region::Input(0);
    calls(plan, 1)[0].items = 1;
}

fn reads_scratch(plan: &mut Plan) {
    argument(plan, 1, 0).region = Region::Scratch;
    plan.scratch_bytes = 11520;
}

/// Calls and kernels that don't belong together.
#[test]
fn kernels_that_are_not_as_they_are_called_are_found() {
    assert_found(
        CHAIN,
        &[
            (|plan| calls(plan, 1)[0].kernel = 99, "there is no kernel 99"),
            (|plan| calls(plan, 1)[0].arguments.truncate(1), "its call 1 arguments"),
            (|plan| kernel(plan, 1).registers = 99, "99"),
            (stores_once, "every share writes bytes 0 to 32 of tensor 1"),
            (stores_after_the_items, "where p3 points is no sum of whole turns"),
        ],
    );
}

/// The kernel of the first call of a step.
fn kernel(plan: &mut Plan, step: usize) -> &mut crate::vector::Program {
    let index = calls(plan, step)[0].kernel;
    &mut plan.kernels[index]
}

/// A vector of zeros, stored at `base`.
fn stores(base: Pointer) -> [Instruction; 2] {
    let from = Register(0);
    [Instruction::Constant { to: from, value: 0.0 }, Instruction::Store { to: Address::new(base, 0), from }]
}

/// Each share stores a vector where the first item's output begins.
fn stores_once(plan: &mut Plan) {
    kernel(plan, 1).body.splice(0..0, stores(Pointer(1)));
}

/// Each share stores a vector where its items end: the pointer to the output's block moves on with them.
fn stores_after_the_items(plan: &mut Plan) {
    kernel(plan, 1).body.extend(stores(Pointer(3)));
}

#[test]
fn bands_that_leave_their_memory_or_their_order_are_found() {
    assert_found(
        BLOCK,
        &[
            (|plan| plan.scratch_bytes -= 64, "of the scratch memory, which has"),
            (|plan| sections(plan)[1].halo.clear(), "reads, before its worker has written them,"),
            (|plan| sections(plan)[1].calls.rotate_left(1), "reads, before its worker has written them,"),
            (|plan| sections(plan).last_mut().unwrap().bands += 1, "which has"),
            (|plan| sections(plan)[1].bands -= 1, "before anything has written them"),
            (|plan| scratch(plan).stride = 64, "has other scratch memory in each band"),
            (|plan| tensor(&mut sections(plan)[1].calls).stride /= 4, "writes more than once, by several"),
            (|plan| tensor(&mut sections(plan)[1].calls).offset += 320, "as another call of the step does"),
            (writes_in_its_halo, "writes, before a worker's first band,"),
        ],
    );
}

/// The first argument of `calls` in the arena.
fn tensor(calls: &mut [Call]) -> &mut Argument {
    let mut arguments = calls.iter_mut().flat_map(|call| &mut call.arguments);
    arguments.find(|argument| matches!(argument.region, Region::Tensor(_))).unwrap()
}

/// An argument of the second section in scratch memory.
fn scratch(plan: &mut Plan) -> &mut Argument {
    let mut arguments = sections(plan)[1].calls.iter_mut().flat_map(|call| &mut call.arguments);
    arguments.find(|argument| argument.region == Region::Scratch).unwrap()
}

/// The rows that a worker computes first go to where the result lies, too.
fn writes_in_its_halo(plan: &mut Plan) {
    let output = *tensor(&mut sections(plan)[1].calls);
    let halo = &mut sections(plan)[1].halo;
    let mut call = halo[0].clone();
    let ring = call.arguments.iter_mut().filter(|argument| argument.region == Region::Scratch);
    ring.for_each(|argument| *argument = Argument { offset: 0, stride: 0, ..output });
    halo.push(call);
}
