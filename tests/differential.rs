//! Whole networks: compiled in every way that this CPU has, with 1, 2 and 3 threads, against the interpreter in f64.

fn main() {}
