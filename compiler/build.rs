//! Makes Rust types of `src/onnx/onnx.proto`. Fields of bytes share the buffer that they were decoded from. To the tests of
//! the command it says `frit_models` where `FRIT_MODELS` names a folder of models; the others are ignored.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=src/onnx");
    println!("cargo::rerun-if-env-changed=FRIT_MODELS");
    println!("cargo::rustc-check-cfg=cfg(frit_models)");
    if std::env::var_os("FRIT_MODELS").is_some() {
        println!("cargo::rustc-cfg=frit_models");
    }
    let files = protox::compile(["onnx.proto"], ["src/onnx"])?;
    // Most attributes are numbers: they have no room for the rest.
    let mut config = prost_build::Config::new();
    config.bytes(["."]).boxed(".onnx.Attribute.t").boxed(".onnx.Attribute.g");
    Ok(config.compile_fds(files)?)
}
