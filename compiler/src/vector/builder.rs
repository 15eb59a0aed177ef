//! Builds a [`Program`], handing out registers within the target's number.

use super::program::{Address, Count, Instruction, Pointer, Program, Register, Width};

/// Collects instructions; loops nest through [`Builder::repeat`].
///
/// Registers are handed out by [`Builder::register`] and given back by [`Builder::free`]; asking for more than the
/// width has is remembered and makes [`Builder::finish`] refuse the program by name.
pub struct Builder {
    name: String,
    width: Width,
    parameters: usize,
    pointers: usize,
    /// Registers that may be handed out again, lowest last.
    spare: Vec<Register>,
    registers: usize,
    /// Bodies under construction, innermost last.
    bodies: Vec<Vec<Instruction>>,
}

/// A tile that needs more vector registers than the target has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooManyRegisters {
    /// The kernel's name.
    pub kernel: String,
    /// Registers that it would need.
    pub needed: usize,
    /// Registers that the target has.
    pub available: usize,
}

impl Builder {
    /// Starts the kernel `name` with `parameters` pointer arguments.
    pub fn new(name: impl Into<String>, width: Width, parameters: usize) -> Builder {
        Builder {
            name: name.into(),
            width,
            parameters,
            pointers: parameters,
            spare: Vec::new(),
            registers: 0,
            bodies: vec![Vec::new()],
        }
    }

    /// The target.
    pub fn width(&self) -> Width {
        self.width
    }

    /// The pointer argument `index`.
    pub fn parameter(&self, index: usize) -> Pointer {
        assert!(index < self.parameters, "{} has {} parameters", self.name, self.parameters);
        Pointer(index as u16)
    }

    /// A free vector register; its content is undefined until written.
    pub fn register(&mut self) -> Register {
        self.spare.pop().unwrap_or_else(|| {
            self.registers += 1;
            Register((self.registers - 1) as u16)
        })
    }

    /// `count` registers.
    pub fn registers(&mut self, count: usize) -> Vec<Register> {
        (0..count).map(|_| self.register()).collect()
    }

    /// Gives `register` back; it may be handed out again.
    pub fn free(&mut self, register: Register) {
        self.spare.push(register);
    }

    /// Gives all of `registers` back.
    pub fn free_all(&mut self, registers: impl IntoIterator<Item = Register>) {
        self.spare.extend(registers);
    }

    /// Registers handed out and not given back.
    pub fn taken(&self) -> usize {
        self.registers - self.spare.len()
    }

    /// A new pointer variable, set to `base + offset` bytes.
    pub fn pointer(&mut self, base: Pointer, offset: i64) -> Pointer {
        let to = Pointer(self.pointers as u16);
        self.pointers += 1;
        self.emit(Instruction::SetPointer { to, base, offset });
        to
    }

    /// Appends `instruction` to the innermost body.
    pub fn emit(&mut self, instruction: Instruction) {
        self.bodies.last_mut().expect("the outermost body is never popped").push(instruction);
    }

    /// Runs what `body` emits `count` times; a static count of 0 emits nothing, of 1 no loop.
    pub fn repeat(&mut self, count: Count, body: impl FnOnce(&mut Builder)) {
        if count == Count::Static(0) {
            return;
        }
        self.bodies.push(Vec::new());
        body(self);
        let inner = self.bodies.pop().expect("pushed above");
        if count == Count::Static(1) {
            self.bodies.last_mut().expect("the outermost body is never popped").extend(inner);
        } else {
            self.emit(Instruction::Loop { count, body: inner });
        }
    }

    /// `lanes` values at `base + offset`, in a fresh register.
    pub fn load(&mut self, base: Pointer, offset: i32) -> Register {
        let to = self.register();
        self.emit(Instruction::Load { to, from: Address::new(base, offset) });
        to
    }

    /// The finished program, or the reason why it doesn't fit the target.
    pub fn finish(mut self) -> Result<Program, TooManyRegisters> {
        if self.registers > self.width.registers {
            return Err(TooManyRegisters {
                kernel: self.name,
                needed: self.registers,
                available: self.width.registers,
            });
        }
        let body = self.bodies.pop().expect("the outermost body is never popped");
        Ok(Program {
            name: self.name,
            vectors: self.width.vectors(),
            parameters: self.parameters,
            pointers: self.pointers,
            registers: self.registers,
            body,
        })
    }
}
