//! Says to the tests what the machine has, so that those that need more are ignored with a reason: `frit_models` where
//! `FRIT_MODELS` names a folder of models, `frit_python` where `FRIT_PYTHON` names a Python that can judge exports, `frit_cxx`
//! where there is a C++ compiler.

use std::process::Command;

fn main() {
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
}
