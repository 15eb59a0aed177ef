//! Makes Rust types of `src/onnx/onnx.proto`. Fields of bytes share the buffer that they were decoded from.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=src/onnx");
    let files = protox::compile(["onnx.proto"], ["src/onnx"])?;
    // Most attributes are numbers: they have no room for the rest.
    let mut config = prost_build::Config::new();
    config.bytes(["."]).boxed(".onnx.Attribute.t").boxed(".onnx.Attribute.g");
    Ok(config.compile_fds(files)?)
}
