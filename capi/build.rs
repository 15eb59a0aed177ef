//! Gives the shared library the name that programs look for, which changes where they must be compiled again.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libfrit.so.0");
}
