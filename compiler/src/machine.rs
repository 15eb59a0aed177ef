//! What a kernel can know of its target: lanes, registers, multiply-add, caches.
//!
//! Targets are levels of instruction sets, so that the same description gives the same code everywhere; `native` is the
//! highest level that this CPU has, with its caches where they are known.

mod cpu;

use std::fmt;
use std::str::FromStr;

use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};

use crate::vector::program::Width;

/// A level of instruction sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// x86-64 with SSE4.2: 128 bits, no fused multiply-add.
    V2,
    /// x86-64 with AVX2 and FMA: 256 bits, 16 registers.
    V3,
    /// x86-64 with AVX-512: 512 bits, 32 registers.
    V4,
    /// 64-bit Arm: 128 bits, 32 registers.
    Aarch64,
}

/// Which lowering turns vector programs into machine code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lowering {
    /// Cranelift, at 128 bits.
    Portable,
    /// The assembler, at the level's full width.
    Wide,
}

/// Sizes in bytes that decide how a tensor goes through memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caches {
    /// First level, data, of one core.
    pub l1: usize,
    /// Second level, of one core.
    pub l2: usize,
    /// Third level, shared.
    pub l3: usize,
}

/// Rates of one core, and the price of a barrier, that predictions are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// 10^9 floating-point operations a second with 128-bit vectors.
    pub gflops_128: f64,
    /// How many 128-bit vectors the multiply-add units take at once.
    pub vectors: usize,
    /// 10^9 bytes a second out of the second-level cache.
    pub near_gb_per_s: f64,
    /// 10^9 bytes a second out of the third-level cache.
    pub far_gb_per_s: f64,
    /// Microseconds of a barrier between two workers.
    pub barrier_us: f64,
}

/// A target.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// What it is called in reports.
    pub name: String,
    /// Its instruction sets.
    pub level: Level,
    /// How vector programs are lowered.
    pub lowering: Lowering,
    /// Its caches.
    pub caches: Caches,
    /// Its rates.
    pub rates: Rates,
}

/// Rates of a CPU of which nothing is known: those of Zen 3, as measured.
const COMMON: Rates =
    Rates { gflops_128: 50.6, vectors: 2, near_gb_per_s: 86.0, far_gb_per_s: 60.0, barrier_us: 0.8 };

/// Caches of a CPU of which nothing is known.
const GENERIC: Caches = Caches { l1: 32 << 10, l2: 512 << 10, l3: 8 << 20 };

/// The names of targets.
pub const NAMES: [&str; 5] = ["native", "x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64"];

/// A name that is none of [`NAMES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTarget(pub String);

impl fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no target {}: choose one of {}", self.0, NAMES.join(", "))
    }
}

impl std::error::Error for UnknownTarget {}

/// A level without a wide lowering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoWideLowering(pub Level);

impl fmt::Display for NoWideLowering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has no wide lowering: it needs x86-64-v3 or x86-64-v4", self.0)
    }
}

impl std::error::Error for NoWideLowering {}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::V2 => "x86-64-v2",
            Level::V3 => "x86-64-v3",
            Level::V4 => "x86-64-v4",
            Level::Aarch64 => "aarch64",
        })
    }
}

impl Lowering {
    /// Its name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Lowering::Portable => "portable",
            Lowering::Wide => "wide",
        }
    }
}

impl FromStr for Machine {
    type Err = UnknownTarget;

    fn from_str(name: &str) -> Result<Machine, UnknownTarget> {
        let level = match name {
            "native" => return Ok(Machine::native()),
            "x86-64-v2" => Level::V2,
            "x86-64-v3" => Level::V3,
            "x86-64-v4" => Level::V4,
            "aarch64" => Level::Aarch64,
            _ => return Err(UnknownTarget(name.to_owned())),
        };
        Ok(Machine::of(level))
    }
}

impl Machine {
    /// The highest level of this CPU.
    pub fn native() -> Machine {
        let levels = [Level::Aarch64, Level::V4, Level::V3];
        let level = levels.into_iter().find(|&level| Machine::of(level).runs_here()).unwrap_or(Level::V2);
        let machine = Machine::of(level);
        let (cpu, caches) = cpu::own();
        let name = cpu.map_or(format!("native ({level})"), |cpu| format!("native ({level}, {})", cpu.name));
        let rates = cpu.map_or(COMMON, |cpu| cpu.rates);
        Machine { name, caches, rates, ..machine }
    }

    /// A CPU of `level` of which no more is known.
    pub fn of(level: Level) -> Machine {
        let lowering = if level.has_wide() { Lowering::Wide } else { Lowering::Portable };
        Machine { name: level.to_string(), level, lowering, caches: GENERIC, rates: COMMON }
    }

    /// Every level in each of its lowerings, whether this CPU runs it or not, and the measured CPUs for which kernels are built
    /// otherwise than for their level.
    pub fn all() -> Vec<Machine> {
        let levels = [Level::V2, Level::V3, Level::V4, Level::Aarch64].into_iter();
        let lowered = |level| {
            let lowerings = [Lowering::Portable, Lowering::Wide].into_iter();
            lowerings.filter_map(move |lowering| Machine::of(level).with_lowering(lowering).ok())
        };
        let of_its_own = |machine: &Machine| machine.width() != Machine::of(machine.level).width();
        levels.flat_map(lowered).chain(cpu::measured().filter(of_its_own)).collect()
    }

    /// The same machine with another lowering.
    ///
    /// # Errors
    /// The level has no wide lowering.
    pub fn with_lowering(mut self, lowering: Lowering) -> Result<Machine, NoWideLowering> {
        if lowering == Lowering::Wide && !self.level.has_wide() {
            return Err(NoWideLowering(self.level));
        }
        self.lowering = lowering;
        Ok(self)
    }

    /// What kernels know of the chosen lowering.
    pub fn width(&self) -> Width {
        let fused = self.level != Level::V2;
        // Cranelift copies a multiplicand for every fused multiply-add, and spills where there are more sums.
        let portable = |registers| Width { sums: 8, ..Width::new(4, registers, fused) };
        match (self.lowering, self.level) {
            (Lowering::Wide, Level::V4) => {
                let units = (2 * self.rates.vectors * 4 / 16).max(1);
                Width { broadcast_operand: true, units, ..Width::new(16, 32, fused) }
            }
            (Lowering::Wide, _) => Width::new(8, 16, fused),
            (Lowering::Portable, Level::Aarch64) => portable(32),
            (Lowering::Portable, _) => portable(16),
        }
    }

    /// 10^9 floating-point operations a second of one core at best, with the chosen lowering.
    pub fn gflops(&self) -> f64 {
        self.rates.gflops_128 * (self.width().lanes / 4).min(self.rates.vectors) as f64
    }

    /// Bytes that stay near a core between two uses: half of its second-level cache, as the other half is passed through.
    pub fn near(&self) -> usize {
        self.caches.l2 / 2
    }

    /// CPU features that code for this machine uses, by the names of [`frit_runtime::cpu`].
    pub fn features(&self) -> Vec<&'static str> {
        self.level.features()
    }

    /// Whether this CPU can run code for the machine.
    pub fn runs_here(&self) -> bool {
        frit_runtime::cpu::missing(&self.features()).is_empty()
    }

    /// Cranelift's description of the target, with exactly the level's features.
    ///
    /// # Errors
    /// Cranelift was built without the target, or does not know a setting.
    pub fn isa(&self) -> Result<OwnedTargetIsa, Box<dyn std::error::Error>> {
        self.described(self.level.cranelift_settings(), "false")
    }

    /// Cranelift's description of what every CPU of the architecture has, for code that other programs are linked with.
    ///
    /// # Errors
    /// As [`Machine::isa`].
    pub fn baseline(&self) -> Result<OwnedTargetIsa, Box<dyn std::error::Error>> {
        self.described(&[], "true")
    }

    fn described(
        &self,
        features: &[&str],
        is_pic: &str,
    ) -> Result<OwnedTargetIsa, Box<dyn std::error::Error>> {
        let mut flags = settings::builder();
        // Kernels are written in the order in which they should run; the optimiser would move loads and spill.
        flags.set("opt_level", "none")?;
        flags.set("is_pic", is_pic)?;
        flags.set("use_colocated_libcalls", "false")?;
        flags.set("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" })?;
        let triple = match self.level {
            Level::Aarch64 => "aarch64-unknown-linux-gnu",
            _ => "x86_64-unknown-linux-gnu",
        };
        let mut builder = isa::lookup_by_name(triple)?;
        for setting in features {
            builder.enable(setting)?;
        }
        Ok(builder.finish(settings::Flags::new(flags))?)
    }
}

impl Level {
    fn has_wide(self) -> bool {
        matches!(self, Level::V3 | Level::V4)
    }

    fn features(self) -> Vec<&'static str> {
        let v2 = ["x86-64", "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt"].as_slice();
        let v3 = ["avx", "avx2", "fma", "bmi1", "bmi2", "lzcnt"].as_slice();
        let v4 = ["avx512f", "avx512dq", "avx512vl", "avx512bw", "avx512cd"].as_slice();
        match self {
            Level::V2 => v2.to_vec(),
            Level::V3 => [v2, v3].concat(),
            Level::V4 => [v2, v3, v4].concat(),
            Level::Aarch64 => vec!["aarch64"],
        }
    }

    /// Portable code never uses AVX-512, so that v4 is v3 to Cranelift.
    fn cranelift_settings(self) -> &'static [&'static str] {
        match self {
            Level::V2 => &["has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"],
            Level::V3 | Level::V4 => &[
                "has_sse3",
                "has_ssse3",
                "has_sse41",
                "has_sse42",
                "has_popcnt",
                "has_avx",
                "has_avx2",
                "has_fma",
                "has_bmi1",
                "has_bmi2",
                "has_lzcnt",
            ],
            Level::Aarch64 => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_but_native_has_a_machine_and_an_isa() {
        for name in &NAMES[1..] {
            let machine: Machine = name.parse().unwrap();
            assert_eq!(&machine.name, name);
            machine.isa().unwrap();
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_names_that_there_are() {
        let error = "x86-64-v5".parse::<Machine>().unwrap_err();
        assert!(error.to_string().contains("x86-64-v4"), "{error}");
    }

    #[test]
    fn code_of_another_architecture_never_runs_here() {
        let other = if cfg!(target_arch = "aarch64") { Level::V2 } else { Level::Aarch64 };
        assert!(!Machine::of(other).runs_here());
        assert!(Machine::native().runs_here());
    }

    #[test]
    fn there_is_no_wide_lowering_below_v3() {
        let machine = Machine::of(Level::V2);
        assert_eq!(machine.with_lowering(Lowering::Wide), Err(NoWideLowering(Level::V2)));
    }
}
