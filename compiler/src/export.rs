//! From graphs to model files that others read, frit itself among them.

pub mod json;
