//! The messages of an ONNX file, as Rust types made of `onnx/onnx.proto` when the crate is built. Reading and writing of files
//! use the same ones; what they mean is said where they are used.

// What is generated has its documentation in the .proto file, which does not cover all that the generator adds.
#![allow(missing_docs)]

include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
