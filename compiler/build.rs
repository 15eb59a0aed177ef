//! Makes Rust types of `src/onnx/onnx.proto`. Fields of bytes share the buffer that they were decoded from.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=src/onnx");
    let files = protox::compile(["onnx.proto"], ["src/onnx"])?;
    Ok(prost_build::Config::new().bytes(["."]).compile_fds(files)?)
}
