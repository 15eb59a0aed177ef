//! Names what a compiled network sees in a picture. Links no compiler.
//!
//! `cargo run --release -- compile examples/mobilenet_v2/model.json -o mobilenet_v2.frit`, then
//! `cargo run --release -p frit-images --example classify_artifact -- mobilenet_v2.frit examples/mobilenet_v2/cat.png`

use std::error::Error;
use std::path::Path;

use frit_images::{Picture, guesses};
use frit_runtime::load::Pages;
use frit_runtime::{Model, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [artifact, picture] = arguments.as_slice() else {
        return Err("usage: classify_artifact MODEL.frit PICTURE".into());
    };
    // SAFETY: whoever names the file vouches that frit wrote it, and that nobody changes it meanwhile.
    let model = unsafe { Model::load(Path::new(artifact), Pages::Shared)? };
    let image = Picture::load(Path::new(picture))?.input_of(&model)?;
    let mut scores = vec![0.0; model.metadata().outputs[0].elements()];
    Session::new(&model, 2)?.run(&[(&image).into()], &mut [(&mut scores).into()], 1)?;
    for guess in guesses(&model, &scores, 3) {
        println!("{:.3}  {guess}", guess.probability);
    }
    Ok(())
}
