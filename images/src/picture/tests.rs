use image::Rgb;

use super::*;

fn plain() -> Preprocess {
    let (mean, std) = ([0.0; 3], [1.0; 3]);
    Preprocess { crop_center_square: true, bicubic: true, range: [0.0, 255.0], mean, std }
}

fn prepared(pixels: &RgbImage, preprocess: &Preprocess, shape: &[usize]) -> Result<Vec<f32>, PictureError> {
    Picture { pixels: pixels.clone(), allowed: Allowance::of(&[]) }.input(preprocess, shape)
}

#[test]
fn a_wide_picture_loses_its_sides_and_a_high_one_its_ends() {
    let wide = RgbImage::from_fn(7, 3, |x, y| Rgb([x as u8, y as u8, 9]));
    let tensor = prepared(&wide, &plain(), &[3, 3, 3]).unwrap();
    assert_eq!(tensor.len(), 27);
    assert_eq!(tensor[..6], [2.0, 0.0, 9.0, 3.0, 0.0, 9.0]);
    let high = RgbImage::from_fn(3, 6, |x, y| Rgb([x as u8, y as u8, 9]));
    let tensor = prepared(&high, &plain(), &[3, 3, 3]).unwrap();
    assert_eq!(tensor[..3], [0.0, 1.0, 9.0]);
}

#[test]
fn values_are_mapped_to_the_range_and_normalised_by_channel() {
    let (mean, std) = ([0.0, 0.5, 0.0], [1.0, 1.0, 0.5]);
    let preprocess = Preprocess { range: [-1.0, 1.0], mean, std, ..plain() };
    let picture = RgbImage::from_pixel(1, 1, Rgb([0, 255, 255]));
    let tensor = prepared(&picture, &preprocess, &[1, 1, 3]).unwrap();
    assert_eq!(tensor, [-1.0, 0.5, 2.0]);
}

#[test]
fn resizing_keeps_a_plain_colour_and_the_order_of_axes() {
    let picture = RgbImage::from_fn(40, 40, |x, _| Rgb([if x < 20 { 10 } else { 200 }, 7, 7]));
    let tensor = prepared(&picture, &plain(), &[4, 4, 3]).unwrap();
    let red = |row: usize, column: usize| tensor[(row * 4 + column) * 3];
    assert!(red(3, 0) < 20.0 && red(0, 3) > 190.0, "{tensor:?}");
    assert!(tensor.iter().skip(1).step_by(3).all(|&green| green == 7.0));
}

#[test]
fn channels_come_first_where_the_model_has_them_so() {
    let picture = RgbImage::from_fn(2, 4, |x, y| Rgb([x as u8, y as u8, 9]));
    let plain = Preprocess { crop_center_square: false, ..plain() };
    let last = prepared(&picture, &plain, &[4, 2, 3]).unwrap();
    let first = prepared(&picture, &plain, &[3, 4, 2]).unwrap();
    assert_eq!(first.len(), 24);
    assert!(first.iter().enumerate().all(|(at, &value)| value == last[at % 8 * 3 + at / 8]));
}

#[test]
fn a_model_that_takes_no_picture_gets_none() {
    let picture = RgbImage::new(2, 2);
    let error = prepared(&picture, &plain(), &[2, 2, 1]).unwrap_err();
    assert!(matches!(&error, PictureError::Shape(shape) if shape == &[2, 2, 1]), "{error}");
    assert!(error.to_string().ends_with("2x2x1"), "{error}");
}

#[test]
fn pixels_of_somebody_else_are_as_many_as_they_say() {
    assert_eq!(Picture::rgb(2, 2, vec![7; 12]).unwrap().input(&plain(), &[2, 2, 3]).unwrap(), [7.0; 12]);
    for (width, height) in [(0, 4), (4, 0), (SIDE + 1, 1)] {
        let bytes = vec![7; 3 * width as usize * height as usize];
        assert!(matches!(Picture::rgb(width, height, bytes), Err(PictureError::Pixels { .. })));
    }
    for bytes in [0, 11, 13] {
        assert!(
            matches!(Picture::rgb(2, 2, vec![7; bytes]), Err(PictureError::Pixels { got, .. }) if got == bytes)
        );
    }
}

#[test]
fn what_is_no_picture_or_ends_early_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::new(9, 9).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    let bytes = bytes.into_inner();
    let missing = folder.path().join("b.png");
    for content in [&b"no picture"[..], &bytes[..bytes.len() / 2], &[]] {
        std::fs::write(&path, content).unwrap();
        assert!(matches!(Picture::load(&path), Err(PictureError::Unreadable(_))));
    }
    assert!(matches!(Picture::load(&missing), Err(PictureError::Unreadable(_))));
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(Picture::load(&path).unwrap().input(&plain(), &[9, 9, 3]).unwrap().len(), 243);
}

#[test]
fn a_picture_that_claims_to_be_huge_is_refused_before_it_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::new(1, 1).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    let mut bytes = bytes.into_inner();
    bytes[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let crc = crc(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    std::fs::write(&path, bytes).unwrap();
    let error = Picture::load(&path).unwrap_err().to_string();
    assert!(error.to_lowercase().contains("limit"), "{error}");
}

/// The checksum of a PNG's chunk.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    let byte = |crc: u32, &byte: &u8| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc));
    !bytes.iter().fold(!0, byte)
}
