//! Tables for people.

mod alternatives;
mod artifact;
mod edit;
mod explained;
mod findings;
mod measured;
mod network;
mod outcome;
mod parts;

pub use alternatives::alternatives;
pub use artifact::artifact;
pub use edit::edit;
pub use explained::{codes, rules};
pub use findings::findings;
pub use measured::bench;
pub use network::{cost, passes, schedule, summary};
pub use outcome::{results, verdict, written};
pub use parts::{adapters, cuts, made};

/// A count with its thousands apart: `3,504,872`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes in the unit that leaves one to four digits before the point.
fn bytes(count: u64) -> String {
    match count {
        0..10_240 => format!("{count} B"),
        10_240..10_485_760 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

/// `count` of a thing, with the plural's s where it is due.
fn counted(count: usize, what: &str) -> String {
    format!("{} {what}{}", grouped(count as u64), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1000, 3_504_872].map(grouped), ["0", "999", "1,000", "3,504,872"]);
    }

    #[test]
    fn bytes_change_their_unit() {
        assert_eq!([0, 10_239, 10_240, 14_000_000].map(bytes), ["0 B", "10239 B", "10.0 KiB", "13.4 MiB"]);
    }

    #[test]
    fn one_has_no_plural() {
        assert_eq!([counted(1, "image"), counted(1200, "image")], ["1 image", "1,200 images"]);
    }
}
