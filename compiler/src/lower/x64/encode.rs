//! Instruction codes by the number of lanes.

use iced_x86::{Code, Instruction as Encoded, OpKind, Register};

/// Lanes of the wide lowering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lanes {
    /// AVX2 and FMA, 16 ymm registers.
    Eight,
    /// AVX-512 F, DQ and VL, 32 zmm registers.
    Sixteen,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident: $eight:ident, $sixteen:ident;)+) => {
        impl Lanes {
            $($(#[$doc])* pub(super) fn $name(self) -> Code {
                match self {
                    Lanes::Eight => Code::$eight,
                    Lanes::Sixteen => Code::$sixteen,
                }
            })+
        }
    };
}

codes! {
    load: VEX_Vmovups_ymm_ymmm256, EVEX_Vmovups_zmm_k1z_zmmm512;
    store: VEX_Vmovups_ymmm256_ymm, EVEX_Vmovups_zmmm512_k1z_zmm;
    broadcast: VEX_Vbroadcastss_ymm_m32, EVEX_Vbroadcastss_zmm_k1z_xmmm32;
    copy: VEX_Vmovaps_ymm_ymmm256, EVEX_Vmovaps_zmm_k1z_zmmm512;
    multiply_add: VEX_Vfmadd231ps_ymm_ymm_ymmm256, EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er;
    add: VEX_Vaddps_ymm_ymm_ymmm256, EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er;
    subtract: VEX_Vsubps_ymm_ymm_ymmm256, EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er;
    multiply: VEX_Vmulps_ymm_ymm_ymmm256, EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er;
    divide: VEX_Vdivps_ymm_ymm_ymmm256, EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er;
    minimum: VEX_Vminps_ymm_ymm_ymmm256, EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae;
    maximum: VEX_Vmaxps_ymm_ymm_ymmm256, EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae;
    add_integer: VEX_Vpaddd_ymm_ymm_ymmm256, EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32;
    shift_left: VEX_Vpslld_ymm_ymm_imm8, EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8;
    shift_right: VEX_Vpsrld_ymm_ymm_imm8, EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8;
    square_root: VEX_Vsqrtps_ymm_ymmm256, EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er;
    exclusive_or: VEX_Vxorps_ymm_ymm_ymmm256, EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32;
}

impl Lanes {
    /// The lowering of that many lanes, where there is one.
    pub(super) fn new(lanes: usize) -> Option<Lanes> {
        match lanes {
            8 => Some(Lanes::Eight),
            16 => Some(Lanes::Sixteen),
            _ => None,
        }
    }

    /// The vector register of this index.
    pub(super) fn register(self, index: usize) -> Register {
        match self {
            Lanes::Eight => Register::YMM0 + index as u32,
            Lanes::Sixteen => Register::ZMM0 + index as u32,
        }
    }
}

/// The label that `instruction` refers to: the target of a branch, or the place of a constant.
pub(super) fn label(instruction: &Encoded) -> Option<u64> {
    if instruction.op0_kind() == OpKind::NearBranch64 {
        Some(instruction.near_branch64())
    } else if instruction.memory_base() == Register::RIP {
        Some(instruction.memory_displacement64())
    } else {
        None
    }
}

/// Lets `instruction`, which has a label, refer to `place` instead.
pub(super) fn set_label(instruction: &mut Encoded, place: u64) {
    if instruction.op0_kind() == OpKind::NearBranch64 {
        instruction.set_near_branch64(place);
    } else {
        instruction.set_memory_displacement64(place);
    }
}
