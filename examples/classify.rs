//! Compiles a described network and names what it sees in a picture.
//!
//! `cargo run --release --example classify -- examples/mobilenet_v2/model.json examples/mobilenet_v2/cat.png`

use std::env;
use std::error::Error;
use std::path::Path;

use frit_compiler::import::{self, Request};
use frit_compiler::{Options, compile};
use frit_images::{Picture, guesses};
use frit_runtime::{Model, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, picture] = arguments.as_slice() else {
        return Err("usage: classify MODEL.json PICTURE".into());
    };

    let (graph, _) =
        import::load(Path::new(model), &Request::default()).map_err(|faults| faults.to_string())?;
    let compiled = compile(graph, &Options::native()).map_err(|faults| faults.to_string())?;
    let model = Model::new(compiled.program)?;

    let image = Picture::load(Path::new(picture))?.input_of(&model)?;
    let mut scores = vec![0.0; model.metadata().outputs[0].elements()];
    Session::new(&model, 2)?.run(&[(&image).into()], &mut [(&mut scores).into()], 1)?;

    for guess in guesses(&model, &scores, 3) {
        println!("{:.3}  {guess}", guess.probability);
    }
    Ok(())
}
