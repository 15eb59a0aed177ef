//! Seeded values and digests.

use super::*;
use crate::interpret::run_all;
use crate::ops::Op;
use crate::text;
use crate::{Graph, Tensor};

fn seeded(name: &str, shape: &[usize], seed: u64) -> Values {
    let mut weights = Weights::default();
    weights.insert(name, Weight::new(Shape::new(shape), Data::Seeded(seed)));
    weights.values(name).unwrap()
}

#[test]
fn seeded_values_depend_on_seed_and_name_alone() {
    let shape = [3, 3, 4, 8];
    assert_eq!(seeded("a.kernel", &shape, 7), seeded("a.kernel", &shape, 7));
    assert_ne!(seeded("a.kernel", &shape, 7), seeded("a.kernel", &shape, 8));
    assert_ne!(seeded("a.kernel", &shape, 7), seeded("b.kernel", &shape, 7));
}

#[test]
fn a_kernel_has_the_variance_of_he_initialisation() {
    let values = seeded("a.kernel", &[3, 3, 64, 32], 1);
    let variance = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
    let expected = 2.0 / (9.0 * 64.0);
    assert!((variance / expected - 1.0).abs() < 0.05, "{variance} against {expected}");
}

#[test]
fn statistics_are_positive_and_not_trivial() {
    let values = seeded("a.variance", &[1000], 1);
    assert!(values.iter().all(|&v| (0.6..1.4).contains(&v)));
    assert!(values.iter().any(|&v| v < 0.8) && values.iter().any(|&v| v > 1.2));
}

#[test]
fn a_digest_tells_content_and_shape_apart() {
    let weight =
        |shape: &[usize], values: &[f32]| Weight::new(Shape::new(shape), Data::Values(values.into()));
    let digest = weight(&[2, 1], &[1.0, 2.0]).digest();
    assert_ne!(digest, weight(&[1, 2], &[1.0, 2.0]).digest());
    assert_ne!(digest, weight(&[2, 1], &[1.0, 3.0]).digest());
    assert_eq!(digest, weight(&[2, 1], &[1.0, 2.0]).digest());
}

#[test]
fn a_lent_weight_is_the_one_that_has_its_values() {
    let bytes: Vec<u8> = [1.0f32, 2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut weights = Weights::default();
    let shape = Shape::new(&[2]);
    let mapped = Weight::new(shape.clone(), Data::Mapped(Mapped::new(Arc::new(bytes), 0..8).unwrap()));
    let given = Weight::new(shape, Data::Values([1.0, 2.0].into()));
    assert_eq!(mapped.digest(), given.digest());
    weights.insert("a", mapped);
    assert_eq!(*weights.values("a").unwrap(), [1.0, 2.0]);
}

/// MobileNetV2 (Sandler et al., 2018) at 64 x 64, every layer on its own.
fn mobilenet_v2() -> Graph {
    let mut lines = vec![String::from("%image = input : 64x64x3")];
    let mut shapes = String::new();
    let mut channels = 3;
    let mut last = String::from("image");
    let mut conv = |last: &mut String, name: &str, shape: [usize; 4], stride: usize, activate: bool| {
        let [kernel, inputs, filters, groups] = shape;
        shapes += &format!("@{name}.kernel : {kernel}x{kernel}x{}x{filters} seeded(1)\n", inputs / groups);
        for role in ["gamma", "beta", "mean", "variance"] {
            shapes += &format!("@{name}.{role} : {filters} seeded(1)\n");
        }
        let around = kernel / 2;
        lines.push(format!(
            "%{name} = conv2d %{last}, @{name}.kernel {{filters={filters}, kernel={kernel}x{kernel}, \
             stride={stride}x{stride}, pad={around}:{around}:{around}:{around}, groups={groups}}}"
        ));
        lines.push(format!(
            "%{name}/bn = batch_norm %{name}, @{name}.gamma, @{name}.beta, @{name}.mean, @{name}.variance {{eps=0.001}}"
        ));
        *last = format!("{name}/bn");
        if activate {
            lines.push(format!("%{name}/relu6 = relu6 %{last}"));
            *last = format!("{name}/relu6");
        }
    };
    conv(&mut last, "stem", [3, channels, 32, 1], 2, true);
    channels = 32;
    let mut adds = Vec::new();
    let stages = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ];
    for (stage, (expand, filters, repeat, stride)) in stages.into_iter().enumerate() {
        for block in 0..repeat {
            let (name, shortcut) = (format!("s{stage}.{block}"), last.clone());
            let stride = if block == 0 { stride } else { 1 };
            let wide = channels * expand;
            if expand > 1 {
                conv(&mut last, &format!("{name}/expand"), [1, channels, wide, 1], 1, true);
            }
            conv(&mut last, &format!("{name}/depthwise"), [3, wide, wide, wide], stride, true);
            conv(&mut last, &format!("{name}/project"), [1, wide, filters, 1], 1, false);
            if stride == 1 && channels == filters {
                adds.push(format!("%{name}/add = add %{last}, %{shortcut}"));
                last = format!("{name}/add");
            }
            channels = filters;
        }
    }
    conv(&mut last, "head", [1, channels, 1280, 1], 1, true);
    lines.push(format!("%pool = global_avg_pool %{last}"));
    lines.push("%logits = dense %pool, @logits.kernel, @logits.bias {units=1000, bias}".to_owned());
    lines.extend(adds);
    shapes += "@logits.kernel : 1280x1000 seeded(1)\n@logits.bias : 1000 seeded(1)\n";
    text::parse(&(shapes + &lines.join("\n") + "\noutput %logits\n")).unwrap()
}

#[test]
fn seeded_weights_keep_every_layer_of_mobilenet_v2_alive_and_bounded() {
    let graph = mobilenet_v2();
    let convolutions = graph.ids().filter(|&id| matches!(graph.node(id).op, Op::Conv2d(_))).count();
    assert_eq!(convolutions, 52);
    let mut source = Noise::new(1);
    let image = Tensor::from_shape_simple_fn(vec![64, 64, 3], || source.normal() as f32);
    for (id, value) in run_all(&graph, &[image]).unwrap() {
        let count = value.len() as f32;
        let mean = value.sum() / count;
        let deviation = (value.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count).sqrt();
        assert!((0.05..=20.0).contains(&deviation), "{}: {deviation}", graph.node(id).name);
    }
}
