//! Files that ask for more than they should, made when they are needed: none of them lies in the tree.

use std::io::{Cursor, Write};

use image::{ImageFormat, Rgb, RgbImage};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A photograph of a kind, encoded.
pub(super) fn photograph(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = RgbImage::from_fn(64, 48, |x, y| Rgb([(x * 4) as u8, (y * 5) as u8, (x * y) as u8]));
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A PNG that says so of itself, with image data that is none.
pub(super) fn png(width: u32, height: u32, depth: u8, colour: u8) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colour, 0, 0, 0]].concat();
    let parts = [chunk(b"IHDR", &header), chunk(b"IDAT", &[0x78, 0x9c, 0, 0]), chunk(b"IEND", &[])];
    [b"\x89PNG\r\n\x1a\n".to_vec(), parts.concat()].concat()
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
}

/// A JPEG whose frame says that it is so large.
pub(super) fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = photograph(ImageFormat::Jpeg);
    let frame = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// The header of a `.npy` array of f32.
pub(super) fn npy_header(shape: &str, fortran: bool) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let text = format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat()
}

/// An archive of these members; those that are packed are followed by so many zeros.
pub(super) fn archive(members: &[(&str, Vec<u8>, usize)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let zeros = vec![0; 1 << 20];
    for (name, content, more) in members {
        let method = if *more > 0 { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(content).unwrap();
        for _ in 0..more >> 20 {
            zip.write_all(&zeros).unwrap();
        }
    }
    zip.finish().unwrap().into_inner()
}

/// `bytes` with `from` replaced by `to`, of the same length, wherever it stands.
pub(super) fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|&at| bytes[at..at + to.len()].copy_from_slice(to));
    bytes
}

/// A safetensors file with this header, and so many bytes of values.
pub(super) fn safetensors(header: &str, bytes: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; bytes]].concat()
}

/// A tensor of one value in such a header.
pub(super) fn tensor(name: &str, begin: usize) -> String {
    format!(r#""{name}":{{"dtype":"F32","shape":[1],"data_offsets":[{begin},{}]}}"#, begin + 4)
}

/// A description with these layers.
pub(super) fn description(layers: &str) -> String {
    format!(
        r#"{{"frit": 1, "name": "n", "input": {{"name": "x", "shape": [4, 4, 3]}}, "weights": {{"seed": 1}}, "layers": [{layers}]}}"#
    )
}

/// `count` copies of what `text` makes of their number, with commas between.
pub(super) fn listed(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect::<Vec<_>>().join(",")
}
