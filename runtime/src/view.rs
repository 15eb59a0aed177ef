//! Tensors of the caller's: where the images of a port lie, and how.

use std::ops::Range;

use crate::error::RunError;
use crate::port::{Element, Port};

/// How a view's elements lie.
#[derive(Debug, Clone, Copy)]
enum Lying<'a> {
    /// All images one behind the other, each dense.
    Dense,
    /// So many bytes from one element to the next along each axis, the images first.
    Strided(&'a [usize]),
}

impl Lying<'_> {
    /// Bytes from one image of `port` to the next.
    fn image(self, port: &Port) -> usize {
        match self {
            Lying::Dense => port.bytes(),
            Lying::Strided(strides) => strides.first().copied().unwrap_or(0),
        }
    }
}

/// Values that the caller lends to be read.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub(crate) bytes: &'a [u8],
    element: Element,
    place: Lying<'a>,
}

/// Values that the caller lends to be written.
#[derive(Debug)]
pub struct ViewMut<'a> {
    pub(crate) bytes: &'a mut [u8],
    element: Element,
    place: Lying<'a>,
}

impl<'a> View<'a> {
    /// Elements in `bytes`, `strides` bytes from one to the next along each axis, the images first: NumPy's strides of an
    /// array that begins at the first byte.
    ///
    /// ```
    /// use frit_runtime::{Element, View};
    ///
    /// // Images of 3 channels by 4 rows by 5 columns, channels first, for a model that takes channels last.
    /// let (channels, rows, columns) = (3, 4, 5);
    /// let bytes = vec![0; 8 * channels * rows * columns * 4];
    /// let strides = [channels * rows * columns * 4, columns * 4, 4, rows * columns * 4];
    /// let images = View::strided(Element::F32, &bytes, &strides);
    /// ```
    pub fn strided(element: Element, bytes: &'a [u8], strides: &'a [usize]) -> View<'a> {
        View { bytes, element, place: Lying::Strided(strides) }
    }
}

impl<'a> ViewMut<'a> {
    /// Elements in `bytes`, as [`View::strided`] has them; no two may share a byte.
    pub fn strided(element: Element, bytes: &'a mut [u8], strides: &'a [usize]) -> ViewMut<'a> {
        ViewMut { bytes, element, place: Lying::Strided(strides) }
    }
}

impl<'a> From<&'a [f32]> for View<'a> {
    fn from(values: &'a [f32]) -> View<'a> {
        View { bytes: bytemuck::cast_slice(values), element: Element::F32, place: Lying::Dense }
    }
}

impl<'a> From<&'a Vec<f32>> for View<'a> {
    fn from(values: &'a Vec<f32>) -> View<'a> {
        values.as_slice().into()
    }
}

impl<'a> From<&'a mut [f32]> for ViewMut<'a> {
    fn from(values: &'a mut [f32]) -> ViewMut<'a> {
        ViewMut { bytes: bytemuck::cast_slice_mut(values), element: Element::F32, place: Lying::Dense }
    }
}

impl<'a> From<&'a mut Vec<f32>> for ViewMut<'a> {
    fn from(values: &'a mut Vec<f32>) -> ViewMut<'a> {
        values.as_mut_slice().into()
    }
}

/// What a program takes of a view: where its images begin, and whether each lies as the program wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lie<'a> {
    /// Bytes from one image to the next.
    pub(crate) image: usize,
    /// Bytes from one element to the next along each axis of an image, where that is not dense.
    pub(crate) strides: Option<&'a [usize]>,
}

impl<'a> View<'a> {
    /// How `batch` images of `port` lie here.
    pub(crate) fn lie(&self, port: &Port, batch: usize) -> Result<Lie<'a>, RunError> {
        Wanted { kind: "input", port, batch }.lie(self.bytes, self.element, self.place)
    }

    /// Some of the images of `port` that lie here.
    pub(crate) fn images(&self, port: &Port, images: Range<usize>) -> View<'a> {
        let bytes = match self.place {
            Lying::Dense => self.bytes.get(images.start * port.bytes()..images.end * port.bytes()),
            Lying::Strided(_) => self.bytes.get(images.start * self.place.image(port)..),
        };
        View { bytes: bytes.unwrap_or_default(), ..*self }
    }
}

impl<'a> ViewMut<'a> {
    /// How `batch` images of `port` lie here, each element in a place of its own.
    pub(crate) fn lie(&self, port: &Port, batch: usize) -> Result<Lie<'a>, RunError> {
        let wanted = Wanted { kind: "output", port, batch };
        let lie = wanted.lie(self.bytes, self.element, self.place)?;
        match self.place {
            Lying::Strided(strides) if !wanted.are_apart(strides) => {
                Err(wanted.refused("has elements that share bytes; give each a place of its own".to_owned()))
            }
            _ => Ok(lie),
        }
    }

    /// Whether each image of `port` ends before the next begins.
    pub(crate) fn is_apart_by_image(&self, port: &Port) -> bool {
        match self.place {
            Lying::Dense => true,
            Lying::Strided(strides) => {
                let one = Wanted { kind: "output", port, batch: 1 };
                one.end(strides).is_some_and(|end| end <= self.place.image(port))
            }
        }
    }

    /// The same view for a shorter time.
    pub(crate) fn reborrowed(&mut self) -> ViewMut<'_> {
        ViewMut { bytes: self.bytes, element: self.element, place: self.place }
    }

    /// The first `count` images of `port`, which are apart; the view keeps the rest.
    pub(crate) fn take_images(&mut self, port: &Port, count: usize) -> ViewMut<'a> {
        let bytes = std::mem::take(&mut self.bytes);
        let end = (count * self.place.image(port)).min(bytes.len());
        let (taken, rest) = bytes.split_at_mut(end);
        self.bytes = rest;
        ViewMut { bytes: taken, element: self.element, place: self.place }
    }
}

/// What a view shall hold.
struct Wanted<'a> {
    kind: &'static str,
    port: &'a Port,
    batch: usize,
}

impl Wanted<'_> {
    fn lie<'v>(&self, bytes: &[u8], element: Element, place: Lying<'v>) -> Result<Lie<'v>, RunError> {
        let Wanted { port, batch, .. } = *self;
        if element != port.element {
            return Err(self.refused(format!(
                "is {}, the model takes {}",
                element.name(),
                port.element.name()
            )));
        }
        if bytes.as_ptr().align_offset(element.bytes()) != 0 && !bytes.is_empty() {
            return Err(self.refused(format!("begins at an address that no {} begins at", element.name())));
        }
        let strides = match place {
            Lying::Dense => {
                let (got, expected) = (bytes.len() / element.bytes(), port.elements().saturating_mul(batch));
                let (kind, name) = (self.kind, port.name.clone());
                return match got == expected {
                    true => Ok(Lie { image: port.bytes(), strides: None }),
                    false => Err(RunError::Length { kind, name, got, expected, batch }),
                };
            }
            Lying::Strided(strides) => strides,
        };
        let Some((&image, own)) = strides.split_first().filter(|(_, own)| own.len() == port.shape.len())
        else {
            let message = format!("has {} strides, the model takes {}", strides.len(), port.shape.len() + 1);
            return Err(self.refused(message));
        };
        if let Some(stride) = strides.iter().find(|&&stride| !stride.is_multiple_of(element.bytes())) {
            return Err(
                self.refused(format!("has a stride of {stride} bytes, which is no number of elements"))
            );
        }
        match self.end(strides) {
            Some(end) if end <= bytes.len() => {}
            end => {
                let end = end.map_or("beyond all memory".to_owned(), |end| end.to_string());
                return Err(self.refused(format!("ends at byte {end} of {}", bytes.len())));
            }
        }
        let axes = own.iter().rev().zip(port.dense_strides()).zip(port.shape.iter().rev());
        let is_dense = axes.into_iter().all(|((&stride, dense), &length)| length == 1 || stride == dense);
        Ok(Lie { image, strides: (!is_dense).then_some(own) })
    }

    fn refused(&self, how: String) -> RunError {
        RunError::View { kind: self.kind, name: self.port.name.clone(), how }
    }

    /// The axes of all images with their strides.
    fn axes<'s>(&'s self, strides: &'s [usize]) -> impl Iterator<Item = (usize, usize)> + Clone + 's {
        std::iter::once(self.batch).chain(self.port.shape.iter().copied()).zip(strides.iter().copied())
    }

    /// The byte behind the last element; 0 where there is none.
    fn end(&self, strides: &[usize]) -> Option<usize> {
        if self.axes(strides).any(|(length, _)| length == 0) {
            return Some(0);
        }
        let last = self
            .axes(strides)
            .try_fold(0usize, |end, (length, stride)| end.checked_add((length - 1).checked_mul(stride)?));
        last?.checked_add(self.port.element.bytes())
    }

    /// Whether no two elements share a byte, as far as strides that lie one in the other tell: along each axis the next
    /// element begins behind all that axes of smaller strides reach.
    fn are_apart(&self, strides: &[usize]) -> bool {
        self.axes(strides).enumerate().filter(|&(_, (length, _))| length > 1).all(|(own, (_, stride))| {
            let inner = self.axes(strides).enumerate().filter(|&(other, (length, inner))| {
                length > 1 && other != own && (inner < stride || (inner == stride && other < own))
            });
            let reach: usize = inner.map(|(_, (length, inner))| (length - 1) * inner).sum();
            stride >= reach + self.port.element.bytes()
        })
    }
}

/// Copies one image of `port`, whose elements are `strides` bytes apart in `from`, to where it lies dense.
pub(crate) fn gather(port: &Port, strides: &[usize], from: &[u8], to: &mut [u8]) {
    each_run(port, strides, &mut |strided, dense, bytes| {
        to[dense..dense + bytes].copy_from_slice(&from[strided..strided + bytes]);
    });
}

/// The reverse.
pub(crate) fn scatter(port: &Port, strides: &[usize], from: &[u8], to: &mut [u8]) {
    each_run(port, strides, &mut |strided, dense, bytes| {
        to[strided..strided + bytes].copy_from_slice(&from[dense..dense + bytes]);
    });
}

/// Tells of each run of neighbouring bytes of an image where it lies strided, where dense, and how many they are.
fn each_run(port: &Port, strides: &[usize], copy: &mut impl FnMut(usize, usize, usize)) {
    let mut dense = 0;
    runs(&port.shape, strides, (0, port.element.bytes()), &mut dense, copy);
}

fn runs(
    shape: &[usize],
    strides: &[usize],
    (from, bytes): (usize, usize),
    dense: &mut usize,
    copy: &mut impl FnMut(usize, usize, usize),
) {
    match (shape, strides) {
        ([length], [stride]) if *stride == bytes => {
            copy(from, *dense, length * bytes);
            *dense += length * bytes;
        }
        ([length, shape @ ..], [stride, strides @ ..]) => {
            for index in 0..*length {
                runs(shape, strides, (from + index * stride, bytes), dense, copy);
            }
        }
        _ => {
            copy(from, *dense, bytes);
            *dense += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(shape: &[usize]) -> Port {
        Port::new("x", shape)
    }

    fn lie<'a>(shape: &[usize], values: &'a [f32], strides: &'a [usize]) -> Result<Lie<'a>, RunError> {
        View::strided(Element::F32, bytemuck::cast_slice(values), strides).lie(&port(shape), 2)
    }

    #[test]
    fn a_view_is_as_dense_as_its_images_are() {
        let values = [0.0; 24];
        let dense = lie(&[2, 3], &values, &[24, 12, 4]).unwrap();
        assert_eq!(dense, Lie { image: 24, strides: None });
        assert_eq!(lie(&[2, 3], &values, &[48, 12, 4]).unwrap(), Lie { image: 48, strides: None });
        assert_eq!(lie(&[2, 1], &values, &[8, 4, 400]).unwrap().strides, None, "one element has no next");
        assert_eq!(lie(&[2, 3], &values, &[24, 4, 8]).unwrap().strides, Some(&[4, 8][..]), "transposed");
        assert_eq!(lie(&[2, 3], &values, &[0, 0, 4]).unwrap().strides, Some(&[0, 4][..]), "repeated");
    }

    #[test]
    fn what_leaves_the_callers_memory_is_refused_with_both_numbers() {
        let values = [0.0; 24];
        for strides in [&[76, 12, 4][..], &[24, 64, 4], &[usize::MAX - 3, 12, 4]] {
            let error = lie(&[2, 3], &values, strides).unwrap_err().to_string();
            assert!(error.contains("ends at byte"), "{error}");
        }
        let error = lie(&[2, 3], &values, &[24, 12, 2]).unwrap_err().to_string();
        assert!(error.contains("a stride of 2 bytes"), "{error}");
        let error = lie(&[2, 3], &values, &[24, 4]).unwrap_err().to_string();
        assert!(error.contains("has 2 strides, the model takes 3"), "{error}");
    }

    #[test]
    fn outputs_whose_elements_meet_are_refused() {
        let mut values = [0.0f32; 24];
        let mut apart = |strides: &[usize]| {
            let bytes = bytemuck::cast_slice_mut(&mut values);
            ViewMut::strided(Element::F32, bytes, strides).lie(&port(&[2, 3]), 2).is_ok()
        };
        assert!(apart(&[24, 12, 4]));
        assert!(apart(&[4, 8, 16]), "the images fastest");
        assert!(!apart(&[24, 8, 4]));
        assert!(!apart(&[0, 12, 4]));
        assert!(!apart(&[12, 12, 4]));
    }

    #[test]
    fn runs_are_as_long_as_what_lies_side_by_side() {
        let of = |shape: &[usize], strides: &[usize]| {
            let mut found = Vec::new();
            each_run(&port(shape), strides, &mut |from, to, bytes| found.push((from, to, bytes)));
            found
        };
        assert_eq!(of(&[2, 3], &[100, 4]), [(0, 0, 12), (100, 12, 12)]);
        assert_eq!(of(&[2, 2], &[4, 8]), [(0, 0, 4), (8, 4, 4), (4, 8, 4), (12, 12, 4)]);
        assert_eq!(of(&[], &[]), [(0, 0, 4)]);
    }
}
