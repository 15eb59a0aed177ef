//! Metadata as bytes: numbers little-endian, lists and texts behind their length, structures field by field.

use std::collections::TryReserveError;

use super::Record;
use crate::error::{LoadError, Refusal};
use crate::port::{Element, Layout, Port};
use crate::program::{BlockWay, Metadata, Preprocess, Source, Step, Target};

/// What is written and read back.
pub(super) trait Coded: Sized {
    /// Appends the value to `to`.
    fn encode(&self, to: &mut Vec<u8>);

    /// The value that `from` goes on with.
    ///
    /// # Errors
    /// The bytes end early, or are no such value.
    fn decode(from: &mut Reader<'_>) -> Result<Self, LoadError>;
}

/// Bytes that are yet to be read.
pub(super) struct Reader<'a> {
    /// What they are, in faults.
    what: &'static str,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(what: &'static str, bytes: &'a [u8]) -> Reader<'a> {
        Reader { what, bytes }
    }

    /// The value that the bytes begin with.
    pub(super) fn first<T: Coded>(mut self) -> Result<T, LoadError> {
        T::decode(&mut self)
    }

    /// The value that all bytes make together.
    pub(super) fn all<T: Coded>(mut self) -> Result<T, LoadError> {
        let value = T::decode(&mut self)?;
        if self.bytes.is_empty() { Ok(value) } else { Err(self.wrong("goes on behind its end")) }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], LoadError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(|| self.wrong("ends early"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or_else(|| self.wrong("ends early"))?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn count(&mut self) -> Result<usize, LoadError> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn wrong(&self, how: &str) -> LoadError {
        LoadError::Inconsistent(format!("the {} {how}", self.what))
    }
}

fn no_memory(_: TryReserveError) -> LoadError {
    let reason = std::io::ErrorKind::OutOfMemory.into();
    Refusal { what: "memory for an artifact's metadata".to_owned(), reason }.into()
}

/// Appends a length; one that fits no u32 makes metadata that is refused for its size.
fn put_count(count: usize, to: &mut Vec<u8>) {
    to.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

macro_rules! numbers {
    ($($number:ident)+) => {$(
        impl Coded for $number {
            fn encode(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }

            fn decode(from: &mut Reader<'_>) -> Result<Self, LoadError> {
                Ok($number::from_le_bytes(from.array()?))
            }
        }
    )+};
}

numbers!(u64 f32 f64);

impl Coded for usize {
    fn encode(&self, to: &mut Vec<u8>) {
        (*self as u64).encode(to);
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, LoadError> {
        usize::try_from(u64::decode(from)?).map_err(|_| from.wrong("has a number that is too large"))
    }
}

impl Coded for bool {
    fn encode(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, LoadError> {
        match from.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(from.wrong("has a truth value that is none")),
        }
    }
}

impl Coded for String {
    fn encode(&self, to: &mut Vec<u8>) {
        put_count(self.len(), to);
        to.extend_from_slice(self.as_bytes());
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, LoadError> {
        let count = from.count()?;
        let text = from.take(count)?;
        let text = std::str::from_utf8(text).map_err(|_| from.wrong("has a text that is no UTF-8"))?;
        let mut owned = String::new();
        owned.try_reserve_exact(count).map_err(no_memory)?;
        owned.push_str(text);
        Ok(owned)
    }
}

impl<T: Coded> Coded for Vec<T> {
    fn encode(&self, to: &mut Vec<u8>) {
        put_count(self.len(), to);
        self.iter().for_each(|value| value.encode(to));
    }

    /// Every value takes bytes, so that a length beyond the end asks for no memory.
    fn decode(from: &mut Reader<'_>) -> Result<Self, LoadError> {
        let count = from.count()?;
        let mut values = Vec::new();
        for _ in 0..count {
            let value = T::decode(from)?;
            values.try_reserve(1).map_err(no_memory)?;
            values.push(value);
        }
        Ok(values)
    }
}

impl<T: Coded> Coded for Option<T> {
    fn encode(&self, to: &mut Vec<u8>) {
        self.is_some().encode(to);
        self.iter().for_each(|value| value.encode(to));
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, LoadError> {
        bool::decode(from)?.then(|| T::decode(from)).transpose()
    }
}

impl<T: Coded + Copy + Default, const N: usize> Coded for [T; N] {
    fn encode(&self, to: &mut Vec<u8>) {
        self.iter().for_each(|value| value.encode(to));
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, LoadError> {
        let mut values = [T::default(); N];
        for value in &mut values {
            *value = T::decode(from)?;
        }
        Ok(values)
    }
}

macro_rules! structures {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        impl Coded for $name {
            fn encode(&self, to: &mut Vec<u8>) {
                // Named one by one, so that a field that is forgotten here does not compile.
                let $name { $($field),+ } = self;
                $($field.encode(to);)+
            }

            fn decode(from: &mut Reader<'_>) -> Result<Self, LoadError> {
                Ok($name { $($field: Coded::decode(from)?),+ })
            }
        }
    )+};
}

/// Writes one of few as a byte: its place in the list.
macro_rules! choices {
    ($($name:ident [ $($choice:ident),+ $(,)? ] $what:literal)+) => {$(
        impl Coded for $name {
            fn encode(&self, to: &mut Vec<u8>) {
                let all = [$($name::$choice),+];
                to.extend(all.iter().position(|choice| choice == self).map(|place| place as u8));
            }

            fn decode(from: &mut Reader<'_>) -> Result<Self, LoadError> {
                let all = [$($name::$choice),+];
                let [place] = from.array()?;
                all.get(usize::from(place)).copied().ok_or_else(|| from.wrong(concat!("has ", $what, " that is none")))
            }
        }
    )+};
}

choices! {
    Element [F32] "an element"
    Layout [ChannelsLast] "a layout"
}

structures! {
    Port { name, element, shape, layout, is_unbatched }
    Step { node, block, sources, kernels, macs, bytes, predicted_ms }
    BlockWay { layers, way }
    Target { level, lowering, lanes, features }
    Preprocess { crop_center_square, bicubic, range, mean, std }
    Record { code, entry, metadata, steps, weights, arena, scratch, inputs, outputs, target }
    Source { weights, macs, preprocess, labels, gives_probabilities }
    Metadata {
        name, producer, source, target, fused, inputs, outputs, steps, blocks, arena_bytes, scratch_bytes, reach,
    }
}
