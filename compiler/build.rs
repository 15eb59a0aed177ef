//! Makes Rust types of `src/onnx/onnx.proto`. Fields of bytes share the buffer that they were decoded from. To the tests of
//! the command it says `frit_models` where `FRIT_MODELS` names a folder of models, and `frit_python` where `FRIT_PYTHON` names a
//! Python, and `frit_cxx` where there is a C++ compiler; those that need them are ignored elsewhere.

use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=src/onnx");
    for (variable, flag) in [("FRIT_MODELS", "frit_models"), ("FRIT_PYTHON", "frit_python")] {
        println!("cargo::rerun-if-env-changed={variable}");
        println!("cargo::rustc-check-cfg=cfg({flag})");
        if std::env::var_os(variable).is_some() {
            println!("cargo::rustc-cfg={flag}");
        }
    }
    println!("cargo::rustc-check-cfg=cfg(frit_cxx)");
    if Command::new("c++").arg("--version").output().is_ok_and(|run| run.status.success()) {
        println!("cargo::rustc-cfg=frit_cxx");
    }
    let files = protox::compile(["onnx.proto"], ["src/onnx"])?;
    // Most attributes are numbers: they have no room for the rest.
    let mut config = prost_build::Config::new();
    config.bytes(["."]).boxed(".onnx.Attribute.t").boxed(".onnx.Attribute.g");
    Ok(config.compile_fds(files)?)
}
