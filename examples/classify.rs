//! Compiles a described network and names what it sees in a picture.
//!
//! `cargo run --release --example classify -- examples/mobilenet_v2/model.json examples/mobilenet_v2/cat.png`

use std::env;
use std::error::Error;
use std::path::Path;

use frit_compiler::import::{self, Request};
use frit_compiler::{Options, classify, compile};
use frit_runtime::{Model, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, picture] = arguments.as_slice() else {
        return Err("usage: classify MODEL.json PICTURE".into());
    };

    let (graph, _) =
        import::load(Path::new(model), &Request::default()).map_err(|faults| faults.to_string())?;
    let preprocess = graph.preprocess.clone().ok_or("the model does not say how pictures become inputs")?;
    let (labels, given) = (graph.labels.clone(), classify::gives_probabilities(&graph));
    let shapes = graph.shapes().map_err(|faults| faults.to_string())?;
    let image = import::picture::load(Path::new(picture), &preprocess, &shapes[&graph.inputs()[0]])
        .map_err(|faults| faults.to_string())?;

    let compiled = compile(graph, &Options::native()).map_err(|faults| faults.to_string())?;
    let model = Model::new(compiled.program)?;
    let mut session = Session::new(&model, 2)?;
    let mut scores = vec![0.0; model.metadata().outputs[0].elements()];
    let values: Vec<f32> = image.into_iter().collect();
    session.run(&[(&values).into()], &mut [(&mut scores).into()], 1)?;

    for guess in classify::top(&classify::probabilities(&scores, given), 3, labels.as_deref()) {
        println!("{:.3}  {}", guess.probability, guess.label.unwrap_or_else(|| guess.index.to_string()));
    }
    Ok(())
}
