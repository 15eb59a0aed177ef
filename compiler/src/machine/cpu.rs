//! What this CPU says of itself, and what was measured of CPUs like it.

use std::ops::RangeInclusive;

use super::{COMMON, Caches, GENERIC, Level, Machine, Rates};

/// CPUs of one design.
pub(super) struct Cpu {
    pub(super) name: &'static str,
    maker: &'static str,
    family: u32,
    models: &'static [RangeInclusive<u32>],
    level: Level,
    /// Where the CPU does not say.
    caches: Caches,
    pub(super) rates: Rates,
}

/// How AMD and Intel call themselves.
const AMD: &str = "AuthenticAMD";
const INTEL: &str = "GenuineIntel";

/// Those that were measured. Another is a CPU of which nothing is known but its caches.
const CPUS: [Cpu; 3] = [
    Cpu {
        name: "Zen 3",
        maker: AMD,
        family: 0x19,
        models: &[0x00..=0x0f, 0x20..=0x5f],
        level: Level::V3,
        caches: Caches { l1: 32 << 10, l2: 512 << 10, l3: 32 << 20 },
        rates: COMMON,
    },
    Cpu {
        name: "Zen 4",
        maker: AMD,
        family: 0x19,
        models: &[0x10..=0x1f, 0x60..=0x7f, 0xa0..=0xaf],
        level: Level::V4,
        caches: Caches { l1: 32 << 10, l2: 1 << 20, l3: 32 << 20 },
        rates: Rates { gflops_128: 58.5, near_gb_per_s: 112.0, far_gb_per_s: 98.0, ..COMMON },
    },
    // Skylake to Granite Rapids for servers, measured on Emerald Rapids.
    Cpu {
        name: "Xeon with two 512-bit units",
        maker: INTEL,
        family: 0x06,
        models: &[0x55..=0x55, 0x6a..=0x6a, 0x6c..=0x6c, 0x8f..=0x8f, 0xad..=0xae, 0xcf..=0xcf],
        level: Level::V4,
        caches: Caches { l1: 48 << 10, l2: 2 << 20, l3: 32 << 20 },
        rates: Rates {
            gflops_128: 44.7,
            vectors: 4,
            near_gb_per_s: 118.0,
            far_gb_per_s: 24.0,
            barrier_us: 0.8,
        },
    },
];

/// The machines that were measured.
pub(super) fn measured() -> impl Iterator<Item = Machine> {
    CPUS.iter().map(|cpu| Machine {
        name: cpu.name.to_owned(),
        caches: cpu.caches,
        rates: cpu.rates,
        ..Machine::of(cpu.level)
    })
}

/// Maker, family and model.
struct Signature {
    maker: String,
    family: u32,
    model: u32,
}

/// The design of this CPU, where it was measured, and its caches.
pub(super) fn own() -> (Option<&'static Cpu>, Caches) {
    let cpu = signature().and_then(|signature| of(&signature));
    let table = cpu.map_or(GENERIC, |cpu| cpu.caches);
    (cpu, caches(table))
}

fn of(signature: &Signature) -> Option<&'static Cpu> {
    CPUS.iter().find(|cpu| {
        cpu.maker == signature.maker
            && cpu.family == signature.family
            && cpu.models.iter().any(|models| models.contains(&signature.model))
    })
}

#[cfg(target_arch = "x86_64")]
fn signature() -> Option<Signature> {
    let cpuid = raw_cpuid::CpuId::new();
    let (vendor, features) = (cpuid.get_vendor_info()?, cpuid.get_feature_info()?);
    let (family, model) = (features.family_id(), features.model_id());
    Some(Signature { maker: vendor.as_str().to_owned(), family: family.into(), model: model.into() })
}

/// Nothing: only x86-64 has CPUID.
#[cfg(not(target_arch = "x86_64"))]
fn signature() -> Option<Signature> {
    None
}

/// The caches that CPUID lists (leaf 4, on AMD 0x8000001d); a level that it does not list is that of `table`.
#[cfg(target_arch = "x86_64")]
fn caches(table: Caches) -> Caches {
    use raw_cpuid::{CacheType, CpuId};

    let cpuid = CpuId::new();
    let Some(listed) = cpuid.get_cache_parameters() else { return table };
    listed.fold(table, |mut caches, cache| {
        let lines = cache.associativity() * cache.physical_line_partitions() * cache.coherency_line_size();
        let bytes = lines * cache.sets();
        match (cache.level(), cache.cache_type()) {
            (1, CacheType::Data) => caches.l1 = bytes,
            (2, CacheType::Data | CacheType::Unified) => caches.l2 = bytes,
            (3, CacheType::Data | CacheType::Unified) => caches.l3 = bytes,
            _ => {}
        }
        caches
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn caches(table: Caches) -> Caches {
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_names_the_design_and_its_caches() {
        let found = |maker: &str, family, model| of(&Signature { maker: maker.to_owned(), family, model });
        let name = |maker, family, model| found(maker, family, model).map(|cpu| cpu.name);
        assert_eq!(name(AMD, 0x19, 0x01), Some("Zen 3"), "EPYC 7003");
        assert_eq!(name(AMD, 0x19, 0x11), Some("Zen 4"), "EPYC 9004");
        assert_eq!(name(AMD, 0x19, 0x61), Some("Zen 4"), "Ryzen 7000");
        assert_eq!(name(AMD, 0x17, 0x31), None, "EPYC 7002");
        assert_eq!(name(INTEL, 0x06, 0xcf), Some("Xeon with two 512-bit units"), "Emerald Rapids");
        assert_eq!(name(AMD, 0x06, 0xcf), None);
        assert_eq!(found(AMD, 0x19, 0x11).map(|cpu| cpu.caches.l2), Some(1 << 20));
    }

    #[test]
    fn caches_grow_from_level_to_level() {
        let (_, Caches { l1, l2, l3 }) = own();
        assert!((16 << 10..=l2).contains(&l1) && l2 <= l3, "{l1}, {l2} and {l3} bytes");
    }
}
