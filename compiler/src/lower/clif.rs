//! Vector programs to Cranelift IR, on vectors of four f32.
//!
//! Registers and pointers become Cranelift variables, loops become blocks. The code is meant for `opt_level=none`: a
//! kernel is already in the order in which it should run, and Cranelift's optimiser moves loads away from their uses
//! until the registers spill.
//!
//! A minimum is a comparison and a bitwise select, which Cranelift lowers to the one instruction of x86; its `fmin` has
//! other rules for NaN and takes seven.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Value, types};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

use frit_ir::Element;
use frit_runtime::abi::FEW_POINTERS;

use crate::vector::program::{Address, Comparison, Count, Instruction, Operand, Pointer, Program, Register};

/// Lanes of this lowering.
pub const LANES: usize = 4;

/// Builds the body of `program` in `function`, whose parameters are those of a kernel (`frit_runtime::abi`).
///
/// # Panics
/// If `program` is not one of [`LANES`] lanes: the caller chooses the lowering by the lanes.
pub fn build(
    program: &Program,
    function: &mut ir::Function,
    context: &mut FunctionBuilderContext,
    frontend: cranelift_codegen::isa::TargetFrontendConfig,
) {
    assert_eq!(program.vectors.lanes, LANES, "{} is not for this lowering", program.name);
    let mut builder = FunctionBuilder::new(function, context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let registers = (0..program.registers).map(|_| builder.declare_var(types::F32X4)).collect();
    let pointers: Vec<Variable> = (0..program.pointers).map(|_| builder.declare_var(types::I64)).collect();
    let arguments = builder.block_params(entry).to_vec();
    let (few, behind) = arguments.split_at(FEW_POINTERS);
    let (&items, rest) = behind.split_first().expect("a kernel gets the number of items");
    for (&pointer, &argument) in pointers[..program.parameters].iter().zip(few.iter().chain(rest)) {
        builder.def_var(pointer, argument);
    }
    let mut lowering = Lowering { builder, registers, pointers, items, fused: program.vectors.fused };
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
            I::Load { to, from } | I::LoadPart { to, from, lanes: 4 } => {
                let value = self.load(types::F32X4, from, 0);
                self.set(to, value);
            }
            I::Store { to, from } | I::StorePart { to, from, lanes: 4 } => {
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
                    // Without AVX an operand in memory must be aligned, and Cranelift reads a loaded value that only a
                    // comparison uses from memory whatever its alignment; seen as integers it stays in a register.
                    let [a, b] = [a, b].map(|value| {
                        let bits = as_type(ins, types::I32X4, value);
                        as_type(ins, types::F32X4, bits)
                    });
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
                self.shift(to, a, |ins, a| ins.ins().ishl_imm_s(a, i64::from(bits)));
            }
            I::ShiftRight { to, a, bits } => {
                self.shift(to, a, |ins, a| ins.ins().ushr_imm_s(a, i64::from(bits)));
            }
            I::SquareRoot { to, a } => {
                // As with comparisons, an operand in memory would have to be aligned.
                let value = self.get(a);
                let bits = as_type(&mut self.builder, types::I32X4, value);
                let value = as_type(&mut self.builder, types::F32X4, bits);
                let root = self.builder.ins().sqrt(value);
                self.set(to, root);
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

    fn shift(
        &mut self,
        to: Register,
        a: Register,
        function: impl FnOnce(&mut FunctionBuilder<'_>, Value) -> Value,
    ) {
        let value = self.get(a);
        let integer = as_type(&mut self.builder, types::I32X4, value);
        let shifted = function(&mut self.builder, integer);
        let value = as_type(&mut self.builder, types::F32X4, shifted);
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
        assert_eq!(address.element, Element::F32, "the checker refuses all others");
        self.builder.ins().load(ty, plain(), base, address.offset + 4 * i32::from(lane))
    }

    fn store(&mut self, value: Value, address: Address, lane: u8) {
        let base = self.pointer(address.base);
        assert_eq!(address.element, Element::F32, "the checker refuses all others");
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

#[cfg(test)]
mod tests {
    use cranelift_codegen::{Context, control::ControlPlane};
    use proptest::prelude::*;

    use super::*;
    use crate::emit::jit::Prepared;
    use crate::machine::{Level, Lowering, Machine};
    use crate::vector::{interpret, parse::parse, random};

    fn portable(level: Level) -> Machine {
        Machine::of(level).with_lowering(Lowering::Portable).unwrap()
    }

    /// The machine code of `program` as text.
    fn assembly(program: &Program, level: Level) -> String {
        let isa = portable(level).isa().unwrap();
        let mut context = Context::new();
        context.func.signature = crate::driver::kernel_signature(isa.default_call_conv(), program.parameters);
        context.set_disasm(true);
        build(program, &mut context.func, &mut FunctionBuilderContext::new(), isa.frontend_config());
        let code = context.compile(&*isa, &mut ControlPlane::default()).unwrap();
        code.vcode.clone().unwrap()
    }

    /// How many instructions of the code for `body`, whose operands are r0, r1 and r2, begin with each of `mnemonics`.
    fn count(body: &str, level: Level, mnemonics: &[&str]) -> Vec<usize> {
        let rounding = if portable(level).width().fused { "fused" } else { "unfused" };
        let text = format!(
            "kernel k parameters 1 pointers 1 registers 3 lanes 4 of 16 {rounding} {{
            load r0, [p0]\nload r1, [p0+16]\nload r2, [p0+32]\n{body}\nstore [p0], r0\nstore [p0+16], r1\n}}"
        );
        let code = assembly(&parse(&text).unwrap(), level);
        let named =
            |mnemonic: &&str| code.lines().filter(|line| line.trim_start().starts_with(*mnemonic)).count();
        mnemonics.iter().map(named).collect()
    }

    #[test]
    fn extremes_and_fused_sums_are_one_instruction_each() {
        let all = ["vmin", "vmax", "vcmp", "vpblend", "vfmadd", "vmul", "vadd", "call"];
        assert_eq!(count("min r0, r1, r2", Level::V3, &all), [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(count("max r0, r1, r2", Level::V3, &all), [0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(count("madd r0, r1, r2", Level::V3, &all), [0, 0, 0, 0, 1, 0, 0, 0]);
        let narrow = ["min", "max", "cmp", "mul", "add", "call"];
        assert_eq!(count("min r0, r1, r2", Level::V2, &narrow), [1, 0, 0, 0, 0, 0]);
        assert_eq!(count("max r0, r1, r2", Level::V2, &narrow), [0, 1, 0, 0, 0, 0]);
        assert_eq!(count("madd r0, r1, r2", Level::V2, &narrow), [0, 0, 0, 1, 1, 0]);
    }

    #[test]
    fn a_broadcast_operand_is_read_by_the_instruction_that_spreads_it() {
        let body = "madd r0, r1, each [p0+48]";
        assert_eq!(count(body, Level::V3, &["vbroadcastss", "vmovss", "vfmadd213ps"]), [1, 0, 1]);
    }

    /// The two must agree bit for bit, but for the payloads of NaNs.
    fn same(interpreted: &[Vec<f32>], run: &[Vec<f32>]) -> Result<(), TestCaseError> {
        for (buffer, (expected, got)) in interpreted.iter().zip(run).enumerate() {
            for (index, (a, b)) in expected.iter().zip(got).enumerate() {
                let equal = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
                prop_assert!(equal, "buffer {buffer}, value {index}: interpreted {a:e}, run {b:e}");
            }
        }
        Ok(())
    }

    fn agrees(case: &random::Case, machine: &Machine) -> Result<(), TestCaseError> {
        let mut expected = case.memory.clone();
        interpret::run(&case.program, &mut expected, &case.arguments, case.items)
            .map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        let memory = case.memory.clone();
        let mut prepared = Prepared::new(&case.program, machine, memory, &case.arguments, case.items)
            .map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        prepared.run();
        same(&expected, prepared.memory())
            .map_err(|error| TestCaseError::fail(format!("{error}\n{}", case.program)))
    }

    /// The levels whose code this CPU can run; those of other architectures are only compiled.
    fn runnable() -> Vec<Machine> {
        [Level::V2, Level::V3, Level::Aarch64].into_iter().map(portable).filter(Machine::runs_here).collect()
    }

    #[test]
    fn this_cpu_runs_the_lowest_level_at_least() {
        assert!(!runnable().is_empty());
    }

    proptest! {
        #[test]
        fn machine_code_equals_the_interpreter_bit_for_bit(
            (machine, case) in prop::sample::select(runnable())
                .prop_flat_map(|machine| (Just(machine.clone()), random::cases(machine.width().vectors())))
        ) {
            agrees(&case, &machine)?;
        }

        #[test]
        fn every_program_has_code_at_every_level(
            (level, program) in prop::sample::select(&[Level::V2, Level::V3, Level::V4, Level::Aarch64][..])
                .prop_flat_map(|level| (Just(level), random::programs(portable(level).width().vectors())))
        ) {
            // A call would be a function of Cranelift's library, which no program may need.
            let code = assembly(&program, level);
            let calls = |line: &str| {
                let word = line.split_whitespace().next();
                word.is_some_and(|word| ["call", "callq", "bl", "blr"].contains(&word))
            };
            prop_assert!(!code.lines().any(calls), "{}", code);
        }
    }
}
