//! The tensors of a program's signature.

/// What one element is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Element {
    /// IEEE 754 single precision, in the order of bytes of this machine.
    #[default]
    F32,
}

impl Element {
    /// Its name, as NumPy spells it.
    pub fn name(self) -> &'static str {
        match self {
            Element::F32 => "float32",
        }
    }

    /// Bytes of one.
    pub fn bytes(self) -> usize {
        match self {
            Element::F32 => 4,
        }
    }
}

/// How the elements of one image follow one another where nobody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Layout {
    /// Dense, the last axis fastest; in a map that is the channel.
    #[default]
    ChannelsLast,
}

/// A tensor of the signature.
///
/// ```
/// use frit_runtime::{Element, Port};
///
/// let port = Port::new("image", &[224, 224, 3]);
/// assert_eq!((port.element, port.elements(), port.bytes()), (Element::F32, 150_528, 602_112));
/// assert_eq!(port.axes(8), [8, 224, 224, 3]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Port {
    /// Name in the source.
    pub name: String,
    /// What its elements are.
    pub element: Element,
    /// Shape of one image.
    pub shape: Vec<usize>,
    /// How one image lies.
    pub layout: Layout,
    /// Whether the source gives it no axis for the images of a batch: the result of one image has its own axes alone.
    pub is_unbatched: bool,
}

impl Port {
    /// A port of f32 elements, as the compiler makes them.
    pub fn new(name: impl Into<String>, shape: &[usize]) -> Port {
        Port { name: name.into(), shape: shape.to_vec(), ..Port::default() }
    }

    /// Elements of one image.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of one image that lies dense.
    pub fn bytes(&self) -> usize {
        self.elements() * self.element.bytes()
    }

    /// The axes of `batch` images: the batch first, unless it is one image and the source gives the port no axis for it.
    pub fn axes(&self, batch: usize) -> Vec<usize> {
        match batch {
            1 if self.is_unbatched => self.shape.clone(),
            _ => [&[batch], self.shape.as_slice()].concat(),
        }
    }

    /// Bytes from one element to the next along each axis of one image that lies dense, the last axis first.
    pub(crate) fn dense_strides(&self) -> impl Iterator<Item = usize> {
        let mut next = self.element.bytes();
        self.shape.iter().rev().map(move |&length| {
            let stride = next;
            next *= length;
            stride
        })
    }
}
