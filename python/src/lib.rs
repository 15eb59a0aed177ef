//! `frit._frit`: what the Python package `frit` is made of. Each function takes and returns plain values; `python/frit` gives
//! them their names, defaults and documentation.
#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod artifact;
mod compile;
mod fault;
mod inspect;
#[allow(unsafe_code)]
mod lent;
mod measure;
mod pictures;
mod program;
mod sessions;
mod source;

use pyo3::prelude::*;

/// The extension module.
#[pymodule]
fn _frit(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<program::Program>()?;
    module.add_function(wrap_pyfunction!(compile::compile, module)?)?;
    module.add_function(wrap_pyfunction!(compile::load, module)?)?;
    module.add_function(wrap_pyfunction!(compile::restore, module)?)?;
    module.add_function(wrap_pyfunction!(inspect::check, module)?)?;
    module.add_function(wrap_pyfunction!(inspect::warnings, module)?)?;
    module.add_function(wrap_pyfunction!(inspect::graph, module)?)?;
    module.add_function(wrap_pyfunction!(inspect::passes, module)?)?;
    module.add_function(wrap_pyfunction!(inspect::page, module)?)?;
    module.add_function(wrap_pyfunction!(measure::profile, module)?)?;
    module.add_function(wrap_pyfunction!(measure::times, module)?)?;
    module.add_function(wrap_pyfunction!(measure::verdict, module)?)?;
    module.add_function(wrap_pyfunction!(pictures::of_file, module)?)?;
    module.add_function(wrap_pyfunction!(pictures::of_pixels, module)?)?;
    module.add_function(wrap_pyfunction!(pictures::top, module)?)
}
