//! Weights that hold the same values under several names.

use std::collections::BTreeMap;

use super::{Data, Fnv, Mapped, Values, Weight};
use crate::element::Element;
use crate::tensor::Shape;

/// Values at either end that are looked at before two weights are compared as a whole.
const SAMPLE: usize = 4;

/// Weights as far as they are distinct. Of those that differ only a few values are read, so that a network whose weights all
/// differ is not read twice.
#[derive(Debug, Default)]
pub struct Distinct<'a>(BTreeMap<Look, Vec<(&'a str, &'a Weight)>>);

/// What is seen of a weight at a glance.
type Look = (Element, Shape, u64);

impl<'a> Distinct<'a> {
    /// The name under which a weight of the same shape and the same bits came first: `name` itself where none did. What a seed
    /// makes is drawn by its name, and of a digest no values are known: they are the same as no other.
    pub fn first(&mut self, name: &'a str, weight: &'a Weight) -> &'a str {
        let Some(sample) = sample(&weight.data) else { return name };
        let known = self.0.entry((weight.element, weight.shape.clone(), sample)).or_default();
        if let Some((first, _)) = known.iter().find(|(_, other)| holds_the_same(&other.data, &weight.data)) {
            return first;
        }
        known.push((name, weight));
        name
    }
}

/// A hash of the values at both ends, as they lie.
fn sample(data: &Data) -> Option<u64> {
    let mut hash = Fnv::default();
    match data {
        Data::Values(values) => {
            let ends = values.iter().take(SAMPLE).chain(values.iter().rev().take(SAMPLE));
            ends.for_each(|value| hash.word(u64::from(value.to_bits())));
        }
        Data::Mapped(mapped) => {
            let bytes = mapped.bytes();
            let ends = bytes.iter().take(4 * SAMPLE).chain(bytes.iter().rev().take(4 * SAMPLE));
            ends.for_each(|&byte| hash.word(u64::from(byte)));
        }
        Data::Seeded(_) | Data::Digest(_) => return None,
    }
    Some(hash.0)
}

/// Whether all bits are the same, as far as it can be told without computing values.
fn holds_the_same(a: &Data, b: &Data) -> bool {
    match (a, b) {
        (Data::Values(a), Data::Values(b)) => same_bits(a, b),
        (Data::Mapped(a), Data::Mapped(b)) => lie_the_same(a, b),
        _ => false,
    }
}

fn same_bits(a: &Values, b: &Values) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

fn lie_the_same(a: &Mapped, b: &Mapped) -> bool {
    a.spot() == b.spot() || a.element == b.element && a.order == b.order && a.bytes() == b.bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn values(values: &[f32]) -> Weight {
        Weight::new(Shape::new(&[values.len()]), Data::Values(values.to_vec().into()))
    }

    #[test]
    fn the_first_of_the_same_bits_stands_for_all() {
        let weights = [values(&[1.0, 2.0]), values(&[1.0, 2.0]), values(&[1.0, 3.0]), values(&[1.0, 2.0])];
        let mut distinct = Distinct::default();
        let names = ["a", "b", "c", "d"];
        let found: Vec<&str> =
            names.iter().zip(&weights).map(|(name, weight)| distinct.first(name, weight)).collect();
        assert_eq!(found, ["a", "a", "c", "a"]);
    }

    #[test]
    fn what_differs_in_the_middle_a_sign_of_zero_or_the_shape_is_another() {
        let middle = |value: f32| values(&[&[1.0; 9][..], &[value], &[1.0; 9]].concat());
        let [plus, minus] = [0.0, -0.0].map(|zero| values(&[zero]));
        let nan = values(&[f32::NAN]);
        let tall = Weight::new(Shape::new(&[2, 1]), values(&[1.0, 2.0]).data);
        let wide = Weight::new(Shape::new(&[1, 2]), values(&[1.0, 2.0]).data);
        for (a, b, are_same) in [
            (&middle(2.0), &middle(3.0), false),
            (&plus, &minus, false),
            (&tall, &wide, false),
            (&nan, &nan, true),
        ] {
            let mut distinct = Distinct::default();
            distinct.first("a", a);
            assert_eq!(distinct.first("b", b) == "a", are_same, "{a:?} {b:?}");
        }
    }

    #[test]
    fn mapped_values_are_the_same_where_they_lie_the_same() {
        let bytes: Vec<u8> = [1.0f32, 2.0, 1.0, 2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let owner: super::super::Owner = Arc::new(bytes);
        let mapped = |begin: usize| Mapped::new(owner.clone(), begin..begin + 8).unwrap();
        let of = |mapped: Mapped| Weight::new(Shape::new(&[1, 2]), Data::Mapped(mapped));
        let turned = mapped(8).permuted(&Shape::new(&[2, 1]), &[1, 0]).unwrap();
        let (first, second, between, turned) = (of(mapped(0)), of(mapped(8)), of(mapped(4)), of(turned));
        let mut distinct = Distinct::default();
        assert_eq!(distinct.first("a", &first), "a");
        assert_eq!(distinct.first("b", &second), "a");
        assert_eq!(distinct.first("c", &between), "c");
        assert_eq!(distinct.first("d", &turned), "d", "another order is not looked through");
    }

    #[test]
    fn what_is_drawn_or_known_by_a_digest_is_the_same_as_no_other() {
        for data in [Data::Seeded(7), Data::Digest(7)] {
            let weight = Weight::new(Shape::new(&[2]), data);
            let mut distinct = Distinct::default();
            assert_eq!([distinct.first("a", &weight), distinct.first("b", &weight)], ["a", "b"]);
        }
    }
}
