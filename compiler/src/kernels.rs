//! The kernels: each file is a loop nest that builds one vector program from a shape, a tile and an epilogue.
//!
//! A kernel addresses a tensor by a base and three strides ([`Strides`]), so that one source serves dense maps
//! (channels last) and maps in blocks of channels. Kernels never test for a border: [`window`] splits each axis into
//! runs of equal tiles, and a tile whose window hangs over an edge is code of its own.
//!
//! **Names.** `KIND_SHAPE_TILE_EPILOGUE`, for example `conv1x1_24to144_4x2_relu6`: what it computes, the channels or the
//! window, the tile as pixels × vectors, and what happens to the sum. Two kernels of one name differ only in strides or
//! borders, and are told apart by a number behind the name.
//!
//! **Padding lanes.** In a map of channel blocks the last block may have more lanes than there are channels. What these
//! lanes hold is of no concern: no kernel lets a lane flow into another, and sums over channels stop at the last one.
//!
//! Read [`pool`] first: it is the smallest.

pub mod arg_max;
pub mod binary;
pub mod conv;
pub mod copy;
pub mod depthwise;
pub mod elementwise;
pub mod epilogue;
pub mod formula;
pub mod functions;
pub mod gate;
pub mod join;
pub mod nest;
pub mod pad;
pub mod pair;
pub mod pool;
pub mod rearrange;
pub mod reduce;
pub mod resize;
pub mod softmax;
pub mod squeeze;
pub mod transcendental;
pub mod window;
pub mod window_pool;
pub mod winograd;

use crate::vector::{Address, Builder, Instruction, Pointer};

/// Bytes of one f32.
pub const F32: usize = 4;

/// Distances in bytes inside a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Strides {
    /// From one row of the map to the next.
    pub row: usize,
    /// From one pixel to the next.
    pub pixel: usize,
    /// From one block of `lanes` channels to the next.
    pub block: usize,
    /// From one channel to the next inside a block: a value, but in what lies channels first, which convolutions alone read.
    pub channel: usize,
}

/// The place `offset` bytes behind `base`.
///
/// The schedule refuses tensors and paddings of a gibibyte and more (`schedule::LARGEST`), so every distance fits.
fn at(base: Pointer, offset: i64) -> Address {
    let offset = i32::try_from(offset).expect("the schedule refuses tensors whose distances pass 2^30 bytes");
    Address::new(base, offset)
}

/// Sets each pointer of a loop level to that of the level around it and an offset in bytes.
fn set<const N: usize>(b: &mut Builder, to: [Pointer; N], from: [Pointer; N], offsets: [i64; N]) {
    for ((to, base), offset) in to.into_iter().zip(from).zip(offsets) {
        b.emit(Instruction::SetPointer { to, base, offset });
    }
}

/// Moves each pointer of a loop level on to its next turn.
fn advance<const N: usize>(b: &mut Builder, pointers: [Pointer; N], bytes: [usize; N]) {
    for (pointer, bytes) in pointers.into_iter().zip(bytes) {
        if bytes != 0 {
            b.emit(Instruction::Advance { pointer, bytes: bytes as i64 });
        }
    }
}
