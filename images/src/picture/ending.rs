//! Whether the file of a picture is there to its end. Decoders fill in what is missing, and a network then classifies that.

/// What a JPEG file begins with.
const JPEG: &[u8] = b"\xff\xd8";
/// What a PNG file begins with.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Checks that the picture in `file` ends before the file does; bytes behind it are no matter. Other formats pass.
///
/// # Errors
/// In words, what is missing.
pub(super) fn check(file: &[u8]) -> Result<(), String> {
    let ends = match (file.strip_prefix(JPEG), file.strip_prefix(PNG)) {
        (Some(segments), _) => jpeg_ends(segments),
        (_, Some(chunks)) => png_ends(chunks),
        _ => Some(()),
    };
    ends.ok_or_else(|| "the file ends before the picture does: it was cut off".to_owned())
}

/// Walks over the segments and scans of a JPEG (ITU T.81, annex B) to its end; none where the bytes end first.
fn jpeg_ends(mut rest: &[u8]) -> Option<()> {
    loop {
        // In a scan, 0xff stands before a zero, which means itself, or before the number of a restart. Before a marker it may
        // stand several times.
        let at = rest.iter().position(|&byte| byte == 0xff)?;
        let marker = at + rest[at..].iter().position(|&byte| byte != 0xff)?;
        let code = rest[marker];
        rest = &rest[marker + 1..];
        match code {
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            0xd9 => return Some(()),
            _ => {
                let length = rest.first_chunk().copied().map(u16::from_be_bytes)?;
                rest = rest.get(usize::from(length)..)?;
            }
        }
    }
}

/// Walks over the chunks of a PNG to its end; none where the bytes end first.
fn png_ends(mut rest: &[u8]) -> Option<()> {
    loop {
        let length = u32::from_be_bytes(*rest.first_chunk()?);
        let kind = rest.get(4..8)?;
        // The length, the kind and the checksum are four bytes each.
        let behind = usize::try_from(length).ok()?.checked_add(12)?;
        if kind == b"IEND" {
            return Some(());
        }
        rest = rest.get(behind..)?;
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Rgb, RgbImage};

    use super::*;

    fn encoded(format: ImageFormat) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let picture = RgbImage::from_fn(40, 30, |x, y| Rgb([(x * 6) as u8, (y * 8) as u8, (x * y) as u8]));
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_picture_is_whole_from_its_last_byte_on_and_not_before() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            let whole = encoded(format);
            // A PNG ends with a checksum of nothing.
            let end = if format == ImageFormat::Png { whole.len() - 4 } else { whole.len() };
            for length in 8..end {
                assert!(check(&whole[..length]).is_err(), "{format:?} of {length} bytes");
            }
            assert_eq!(check(&whole), Ok(()));
            assert_eq!(check(&[whole.as_slice(), b"more"].concat()), Ok(()));
        }
    }

    #[test]
    fn the_end_of_a_picture_within_a_segment_is_not_the_end() {
        let whole = encoded(ImageFormat::Jpeg);
        let thumbnail = [&[0xff, 0xe1, 0, 6], JPEG, &[0xff, 0xd9]].concat();
        let with = |rest: &[u8]| [JPEG, &thumbnail, rest].concat();
        assert_eq!(check(&with(&whole[2..])), Ok(()));
        assert!(check(&with(&whole[2..whole.len() - 2])).is_err());
    }

    #[test]
    fn restarts_stuffing_and_filling_are_passed_over() {
        let scan = [0xff, 0xda, 0, 4, 1, 2, 0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56, 0xff, 0xff, 0xff, 0xd9];
        assert_eq!(check(&[JPEG, &scan].concat()), Ok(()));
        assert!(check(&[JPEG, &scan[..scan.len() - 1]].concat()).is_err());
    }
}
