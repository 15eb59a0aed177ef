//! Vector programs to Cranelift IR, on vectors of four f32.
//!
//! Registers and pointers become Cranelift variables, loops become blocks. The code is meant for `opt_level=none`: a
//! kernel is already in the order in which it should run, and Cranelift's optimiser moves loads away from their uses
//! until the registers spill.
//!
//! A minimum is a comparison and a bitwise select, which Cranelift lowers to the one instruction of x86; its `fmin` has
//! other rules for NaN and takes seven.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{self, AbiParam, InstBuilder, MemFlagsData, Value, types};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

use crate::vector::program::{Address, Comparison, Count, Instruction, Operand, Pointer, Program, Register};

/// Lanes of this lowering.
pub const LANES: usize = 4;

/// The parameters of every kernel: its pointers, then the number of items.
pub fn signature(program: &Program, call_conv: cranelift_codegen::isa::CallConv) -> ir::Signature {
    let mut signature = ir::Signature::new(call_conv);
    signature.params.extend(std::iter::repeat_n(AbiParam::new(types::I64), program.parameters + 1));
    signature
}

/// Builds the body of `program` in `function`, whose signature is [`signature`]'s.
///
/// # Panics
/// If `program` is not one of [`LANES`] lanes: the caller chooses the lowering by the lanes.
pub fn build(
    program: &Program,
    function: &mut ir::Function,
    context: &mut FunctionBuilderContext,
    frontend: cranelift_codegen::isa::TargetFrontendConfig,
) {
    assert_eq!(program.width.lanes, LANES, "{} is not for this lowering", program.name);
    let mut builder = FunctionBuilder::new(function, context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let registers = (0..program.registers).map(|_| builder.declare_var(types::F32X4)).collect();
    let pointers: Vec<Variable> = (0..program.pointers).map(|_| builder.declare_var(types::I64)).collect();
    let arguments = builder.block_params(entry).to_vec();
    for (&pointer, &argument) in pointers.iter().zip(&arguments[..program.parameters]) {
        builder.def_var(pointer, argument);
    }
    let items = arguments[program.parameters];
    let mut lowering = Lowering { builder, registers, pointers, items, fused: program.width.fused };
    lowering.body(&program.body);
    lowering.builder.ins().return_(&[]);
    lowering.builder.seal_all_blocks();
    lowering.builder.finalize(frontend);
}

struct Lowering<'a> {
    builder: FunctionBuilder<'a>,
    registers: Vec<Variable>,
    pointers: Vec<Variable>,
    items: Value,
    fused: bool,
}

/// Nothing traps, and nothing is assumed of the alignment.
fn plain() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

impl Lowering<'_> {
    fn body(&mut self, body: &[Instruction]) {
        for instruction in body {
            self.instruction(instruction);
        }
    }

    fn instruction(&mut self, instruction: &Instruction) {
        use Instruction as I;
        match *instruction {
            I::Load { to, from } => {
                let value = self.load(types::F32X4, from, 0);
                self.set(to, value);
            }
            I::Store { to, from } => {
                let value = self.get(from);
                self.store(value, to, 0);
            }
            I::LoadPart { to, from, lanes } => self.load_part(to, from, lanes),
            I::StorePart { to, from, lanes } => self.store_part(to, from, lanes),
            I::Broadcast { to, from } => {
                let value = self.operand(Operand::Broadcast(from));
                self.set(to, value);
            }
            I::Constant { to, value } => {
                let scalar = self.builder.ins().f32const(value);
                let vector = self.builder.ins().splat(types::F32X4, scalar);
                self.set(to, vector);
            }
            I::Move { to, from } => {
                let value = self.get(from);
                self.set(to, value);
            }
            I::SetPointer { to, base, offset } => {
                let base = self.pointer(base);
                let value = self.builder.ins().iadd_imm_s(base, offset);
                self.builder.def_var(self.pointers[usize::from(to.0)], value);
            }
            I::Advance { pointer, bytes } => {
                let base = self.pointer(pointer);
                let value = self.builder.ins().iadd_imm_s(base, bytes);
                self.builder.def_var(self.pointers[usize::from(pointer.0)], value);
            }
            // Cranelift has no prefetch; the hint changes no result.
            I::Prefetch { .. } => {}
            I::Loop { count, ref body } => self.repeat(count, body),
            _ => self.compute(instruction),
        }
    }

    fn compute(&mut self, instruction: &Instruction) {
        use Instruction as I;
        match *instruction {
            I::MultiplyAdd { sum, a, b } => {
                let (a, b, old) = (self.get(a), self.operand(b), self.get(sum));
                let value = if self.fused {
                    self.builder.ins().fma(a, b, old)
                } else {
                    let product = self.builder.ins().fmul(a, b);
                    self.builder.ins().fadd(product, old)
                };
                self.set(sum, value);
            }
            I::Add { to, a, b } => self.two(to, a, b, |ins, a, b| ins.ins().fadd(a, b)),
            I::Subtract { to, a, b } => self.two(to, a, b, |ins, a, b| ins.ins().fsub(a, b)),
            I::Multiply { to, a, b } => self.two(to, a, b, |ins, a, b| ins.ins().fmul(a, b)),
            I::Divide { to, a, b } => self.two(to, a, b, |ins, a, b| ins.ins().fdiv(a, b)),
            I::Minimum { to, a, b } => self.two(to, a, b, |ins, a, b| least(ins, [a, b], [a, b])),
            I::Maximum { to, a, b } => self.two(to, a, b, |ins, a, b| least(ins, [b, a], [a, b])),
            I::Compare { to, comparison, a, b } => {
                let condition = match comparison {
                    Comparison::Less => FloatCC::LessThan,
                    Comparison::LessOrEqual => FloatCC::LessThanOrEqual,
                };
                self.two(to, a, Operand::Register(b), |ins, a, b| {
                    let mask = ins.ins().fcmp(condition, a, b);
                    as_type(ins, types::F32X4, mask)
                });
            }
            I::Select { to, mask, yes, no } => {
                let (mask, yes, no) = (self.get(mask), self.get(yes), self.get(no));
                let value = self.builder.ins().bitselect(mask, yes, no);
                self.set(to, value);
            }
            I::AddInteger { to, a, b } => self.two(to, a, Operand::Register(b), |ins, a, b| {
                let (a, b) = (as_type(ins, types::I32X4, a), as_type(ins, types::I32X4, b));
                let sum = ins.ins().iadd(a, b);
                as_type(ins, types::F32X4, sum)
            }),
            I::ShiftLeft { to, a, bits } => {
                let value = self.get(a);
                let integer = as_type(&mut self.builder, types::I32X4, value);
                let shifted = self.builder.ins().ishl_imm_s(integer, i64::from(bits));
                let value = as_type(&mut self.builder, types::F32X4, shifted);
                self.set(to, value);
            }
            _ => unreachable!("every other instruction was taken before"),
        }
    }

    fn two(
        &mut self,
        to: Register,
        a: Register,
        b: Operand,
        function: impl FnOnce(&mut FunctionBuilder<'_>, Value, Value) -> Value,
    ) {
        let (a, b) = (self.get(a), self.operand(b));
        let value = function(&mut self.builder, a, b);
        self.set(to, value);
    }

    fn get(&mut self, register: Register) -> Value {
        self.builder.use_var(self.registers[usize::from(register.0)])
    }

    fn set(&mut self, register: Register, value: Value) {
        self.builder.def_var(self.registers[usize::from(register.0)], value);
    }

    fn pointer(&mut self, pointer: Pointer) -> Value {
        self.builder.use_var(self.pointers[usize::from(pointer.0)])
    }

    fn operand(&mut self, operand: Operand) -> Value {
        match operand {
            Operand::Register(register) => self.get(register),
            Operand::Memory(address) => self.load(types::F32X4, address, 0),
            Operand::Broadcast(address) => {
                let scalar = self.load(types::F32, address, 0);
                self.builder.ins().splat(types::F32X4, scalar)
            }
        }
    }

    /// The value `lane` f32 behind `address`.
    fn load(&mut self, ty: ir::Type, address: Address, lane: u8) -> Value {
        let base = self.pointer(address.base);
        self.builder.ins().load(ty, plain(), base, address.offset + 4 * i32::from(lane))
    }

    fn store(&mut self, value: Value, address: Address, lane: u8) {
        let base = self.pointer(address.base);
        self.builder.ins().store(plain(), value, base, address.offset + 4 * i32::from(lane));
    }

    fn load_part(&mut self, to: Register, from: Address, lanes: u8) {
        let zero = self.builder.ins().f32const(0.0);
        let mut vector = self.builder.ins().splat(types::F32X4, zero);
        for lane in 0..lanes {
            let scalar = self.load(types::F32, from, lane);
            vector = self.builder.ins().insertlane(vector, scalar, lane);
        }
        self.set(to, vector);
    }

    fn store_part(&mut self, to: Address, from: Register, lanes: u8) {
        let vector = self.get(from);
        for lane in 0..lanes {
            let scalar = self.builder.ins().extractlane(vector, lane);
            self.store(scalar, to, lane);
        }
    }

    /// The body runs first and is counted after; items may be none, so that their loop is guarded.
    fn repeat(&mut self, count: Count, body: &[Instruction]) {
        let b = &mut self.builder;
        let (head, behind) = (b.create_block(), b.create_block());
        let counter = b.append_block_param(head, types::I64);
        match count {
            Count::Static(count) => {
                let count = b.ins().iconst(types::I64, i64::from(count));
                b.ins().jump(head, &[count.into()]);
            }
            Count::Items => {
                let none = b.ins().icmp_imm_s(IntCC::Equal, self.items, 0);
                b.ins().brif(none, behind, &[], head, &[self.items.into()]);
            }
        }
        b.switch_to_block(head);
        self.body(body);
        let b = &mut self.builder;
        let left = b.ins().iadd_imm_s(counter, -1);
        b.ins().brif(left, head, &[left.into()], behind, &[]);
        b.switch_to_block(behind);
    }
}

/// `if smaller < larger { yes } else { no }`, lane by lane.
fn least(b: &mut FunctionBuilder<'_>, [smaller, larger]: [Value; 2], [yes, no]: [Value; 2]) -> Value {
    let mask = b.ins().fcmp(FloatCC::LessThan, smaller, larger);
    let mask = as_type(b, types::F32X4, mask);
    b.ins().bitselect(mask, yes, no)
}

fn as_type(b: &mut FunctionBuilder<'_>, ty: ir::Type, value: Value) -> Value {
    b.ins().bitcast(ty, MemFlagsData::new().with_endianness(ir::Endianness::Little), value)
}
