//! What compiling, running and verifying gave.

use frit_images::Guess;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Object, line};
use crate::report::results::{self, Results, Written};
use crate::verify::difference::Difference;
use crate::verify::overflow::Overflow;
use crate::verify::{Output, Region, Run, TOLERANCE, Verdict};

/// `{"file", "header" of a library, "model", "isa", "kernels", "steps", "code_bytes", "weight_bytes", "arena_bytes", "scratch_bytes", "verified"}`.
pub fn written(written: &Written) -> String {
    line(written) + "\n"
}

#[derive(Serialize)]
struct Class<'a> {
    index: usize,
    label: Option<&'a str>,
    probability: f32,
}

impl<'a> From<&'a Guess> for Class<'a> {
    fn from(guess: &'a Guess) -> Class<'a> {
        Class { index: guess.index, label: guess.label.as_deref(), probability: guess.probability }
    }
}

#[derive(Serialize)]
struct Values<'a> {
    shape: &'a [usize],
    min: f32,
    max: f32,
    mean: f64,
    not_finite: usize,
}

/// Outputs by name, in their order.
struct Outputs<'a>(&'a [results::Output]);

impl Serialize for Outputs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for output in self.0 {
            let &results::Output { ref name, ref shape, min, max, mean, not_finite } = output;
            map.serialize_entry(name, &Values { shape: shape.axes(), min, max, mean, not_finite })?;
        }
        map.end()
    }
}

/// `{"outputs": {NAME: {"shape", "min", "max", "mean", "not_finite"}}, "top": [{"index", "label", "probability"}]}`.
///
/// `top` is there where it was asked for; for more than one image it is a list of such lists, in the order of the images.
pub fn results(results: &Results) -> String {
    let object = Object::default().field("outputs", &Outputs(&results.outputs));
    match results.top.as_deref() {
        None => object,
        Some([only]) => object.list("top", only.iter().map(Class::from)),
        Some(several) => {
            object.list("top", several.iter().map(|one| one.iter().map(Class::from).collect::<Vec<_>>()))
        }
    }
    .text()
}

#[derive(Serialize)]
struct Off<'a> {
    name: &'a str,
    max_abs: f64,
    max_rel: f64,
    ulp: u64,
}

impl<'a> Off<'a> {
    fn new(name: &'a str, difference: &Difference) -> Off<'a> {
        let &Difference { max_abs, max_rel, ulp } = difference;
        Off { name, max_abs, max_rel, ulp }
    }
}

impl<'a> From<&'a Output> for Off<'a> {
    fn from(output: &'a Output) -> Off<'a> {
        Off::new(&output.name, &output.difference)
    }
}

#[derive(Serialize)]
struct VariantRun<'a> {
    variant: String,
    threads: usize,
    same_bits: bool,
    outputs: Vec<Off<'a>>,
}

impl<'a> From<&'a Run> for VariantRun<'a> {
    fn from(run: &'a Run) -> VariantRun<'a> {
        VariantRun {
            variant: run.variant.to_string(),
            threads: run.threads,
            same_bits: run.same_bits,
            outputs: run.outputs.iter().map(Off::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct RegionOff<'a> {
    #[serde(flatten)]
    off: Off<'a>,
    added: f64,
    sources: &'a [String],
}

impl<'a> From<&'a Region> for RegionOff<'a> {
    fn from(region: &'a Region) -> RegionOff<'a> {
        let off = Off::new(&region.name, &region.difference);
        RegionOff { off, added: region.added, sources: &region.sources }
    }
}

/// Where numbers leave what f32 holds.
#[derive(Serialize)]
struct Left<'a> {
    code: String,
    layer: &'a str,
    value: f64,
    sample: usize,
}

impl<'a> From<&'a Overflow> for Left<'a> {
    fn from(overflow: &'a Overflow) -> Left<'a> {
        let Overflow { layer, value, sample } = overflow;
        Left { code: overflow.warning().code.to_string(), layer, value: *value, sample: *sample }
    }
}

/// `{"passed", "tolerance", "samples", "outputs": [{"name", "max_abs", "max_rel", "ulp"}], "runs", "regions",
/// "overflow": {"code", "layer", "value", "sample"}}`.
///
/// `outputs` are the worst of all runs. `runs` are `{"variant", "threads", "same_bits", "outputs"}`, `regions`
/// `{"name", "max_abs", "max_rel", "ulp", "added", "sources"}`. `overflow` is null where all numbers stay in f32; its value
/// where f64 does not hold it either.
pub fn verdict(verdict: &Verdict) -> String {
    Object::default()
        .field("passed", &verdict.passed)
        .field("tolerance", &TOLERANCE)
        .field("samples", &verdict.samples)
        .list("outputs", verdict.outputs.iter().map(Off::from))
        .list("runs", verdict.runs.iter().map(VariantRun::from))
        .list("regions", verdict.regions.iter().map(RegionOff::from))
        .field("overflow", &verdict.overflow.as_ref().map(Left::from))
        .text()
}

#[cfg(test)]
mod tests {
    use frit_images::Guess;
    use frit_ir::Shape;
    use serde_json::{Value, json};

    use super::*;
    use crate::report::results::Output as RunOutput;

    fn guess(index: usize) -> Guess {
        Guess { index, label: None, probability: 0.5 }
    }

    fn of(top: Option<Vec<Vec<Guess>>>) -> Value {
        let output = RunOutput::new("y/z".into(), Shape::new(&[1, 2]), &[0.0, 1.0]);
        serde_json::from_str(&results(&Results { outputs: vec![output], top, images: Vec::new() })).unwrap()
    }

    #[test]
    fn the_top_of_one_image_is_a_list_and_of_several_a_list_of_lists() {
        let class = json!({"index": 3, "label": null, "probability": 0.5});
        assert_eq!(of(Some(vec![vec![guess(3)]]))["top"], json!([class]));
        assert_eq!(of(Some(vec![vec![guess(3)], vec![guess(3)]]))["top"], json!([[class], [class]]));
        assert_eq!(of(None).get("top"), None);
    }

    #[test]
    fn outputs_stand_under_their_names() {
        assert_eq!(of(None)["outputs"]["y/z"]["shape"], json!([1, 2]));
    }

    #[test]
    fn an_infinite_difference_is_null() {
        let difference = Difference { max_abs: f64::INFINITY, max_rel: f64::INFINITY, ulp: 7 };
        let output = Output { name: "y".into(), difference };
        let value = Verdict {
            passed: false,
            samples: 1,
            outputs: vec![output],
            runs: Vec::new(),
            regions: Vec::new(),
            overflow: None,
        };
        let value: Value = serde_json::from_str(&verdict(&value)).unwrap();
        assert_eq!(value["outputs"][0], json!({"name": "y", "max_abs": null, "max_rel": null, "ulp": 7}));
    }
}
