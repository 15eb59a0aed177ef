//! scratch
use super::*;
#[test]
fn scratch_trained() {
    let started = std::time::Instant::now();
    let (graph, warnings) = load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/mobilenet_v2/model.json")), None).unwrap_or_else(|f| panic!("{f}"));
    println!("{:?} {}", started.elapsed(), warnings);
    let arrays = array::archive(Path::new("/work/shared/models/pretrained/mobilenet_v2_imagenet.npz")).unwrap();
    let input = &arrays["input"];
    let shape = frit_ir::Shape::new(&[224, 224, 3]);
    for (index, name) in ["cat.png", "coffee.png"].iter().enumerate() {
        let image = input.index_axis(ndarray::Axis(0), index).permuted_axes(vec![1, 2, 0]).as_standard_layout().into_owned();
        let path = format!("{}/../examples/mobilenet_v2/{name}", env!("CARGO_MANIFEST_DIR"));
        let picture = picture::load(Path::new(&path), graph.preprocess.as_ref().unwrap(), &shape).unwrap();
        let diff = picture.iter().zip(&image).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
        println!("{name}: picture against golden {diff}");
        let out = frit_ir::interpret::run::<f32>(&graph, &[image]).unwrap_or_else(|f| panic!("{f}"));
        let want = arrays["output"].index_axis(ndarray::Axis(0), index);
        let most = want.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let err = out[0].iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
        let best = out[0].iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        println!("err {err} of {most}: {} {}", err / most, graph.labels.as_ref().unwrap()[best]);
    }
}
