//! Models out of files.

use std::path::Path;

use crate::code::Code;
use crate::error::LoadError;
use crate::map::MappedFile;
use crate::memory::Memory;
use crate::model::Model;
use crate::program::Program;
use crate::weights::{MappedBytes, Weights};
use crate::{artifact, cpu, file};

/// On which pages the weights of a loaded model lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pages {
    /// On those of the file, shared with every process that has it loaded.
    #[default]
    Shared,
    /// Copied to huge pages, where the system gives them: faster to run, slower to load, and not shared.
    Huge,
}

impl Model {
    /// Loads an artifact. It is checked as a whole before any of it is executed; its code is executed where it lies in the
    /// file.
    ///
    /// # Errors
    /// The file is no artifact, of another version, damaged or inconsistent; its code is for another CPU; the system
    /// refuses memory. Nothing was executed then.
    ///
    /// # Safety
    /// The file must have been written by frit and not been altered since, and must not be altered or truncated while the
    /// model lives. To load an artifact is to trust it like a program: the checksum finds damage, and what the code says of
    /// itself finds metadata that is not its own, but the code and the weights are taken as they are.
    pub unsafe fn load(path: &Path, pages: Pages) -> Result<Model, LoadError> {
        let file = file::open(path).map_err(LoadError::Unreadable)?;
        let map = MappedFile::of(&file).map_err(LoadError::Unreadable)?;
        let artifact = artifact::decode(&map)?;
        cpu::check(&artifact.metadata.target.features)?;
        // SAFETY: by this function's contract frit wrote the code, for a CPU that has the features just compared, and
        // nobody changes it; the decoder found the entry inside of it.
        let code = unsafe { Code::mapped(&file, artifact.code, artifact.entry)? };
        let bytes = MappedBytes::new(map, artifact.weights);
        let mapped = Weights::Mapped(
            bytes.ok_or_else(|| LoadError::Inconsistent("the weights begin at no cache line".to_owned()))?,
        );
        let weights = match pages {
            Pages::Shared => mapped,
            Pages::Huge => {
                let mut memory = Memory::zeroed(mapped.bytes().len())?;
                memory.bytes_mut().copy_from_slice(mapped.bytes());
                memory.into()
            }
        };
        Model::new(Program { metadata: artifact.metadata, weights, code })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::abi::TENSORS;
    use crate::artifact::tests::recorded;
    use crate::artifact::{Contents, MAGIC, write};
    use crate::port::Port;
    use crate::program::{Metadata, Target};
    use crate::session::Session;

    /// A function that returns at once, behind a breakpoint that must not be reached.
    const RETURN: &[u8] = if cfg!(target_arch = "x86_64") {
        &[0xcc, 0xcc, 0xcc, 0xcc, 0xc3]
    } else {
        &[0x00, 0x00, 0x20, 0xd4, 0xc0, 0x03, 0x5f, 0xd6]
    };

    /// The artifact of [`RETURN`] with `features`, in a file of this test's own.
    fn saved(test: &str, features: &[&str]) -> PathBuf {
        let port = |name: &str| Port::new(name, &[2]);
        let metadata = Metadata {
            name: "nothing".into(),
            inputs: vec![port("x")],
            outputs: vec![port("y")],
            target: Target {
                level: "any".into(),
                lowering: "portable".into(),
                lanes: 4,
                features: features.iter().map(|&name| name.to_owned()).collect(),
            },
            reach: vec![0; TENSORS + 2],
            ..Metadata::default()
        };
        let mut bytes = Vec::new();
        let code = recorded(&metadata, 2, RETURN, 4);
        let contents = Contents { metadata: &metadata, code: &code, weights: &[1, 2, 3, 4, 5, 6, 7, 8] };
        write(&contents, &mut bytes).unwrap();
        let path = std::env::temp_dir().join(format!("frit-load-{test}-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn load(path: &Path, pages: Pages) -> Result<Model, LoadError> {
        // SAFETY: the file was just written by this test, and its code is a return.
        unsafe { Model::load(path, pages) }
    }

    #[test]
    fn code_runs_where_it_lies_and_weights_are_shared_or_copied() {
        let path = saved("runs", &[cpu::ARCHITECTURE]);
        for pages in [Pages::Shared, Pages::Huge] {
            let model = load(&path, pages).unwrap();
            assert_eq!(model.program().weights.bytes(), [1, 2, 3, 4, 5, 6, 7, 8]);
            assert_eq!(matches!(model.program().weights, Weights::Mapped(_)), pages == Pages::Shared);
            let mut output = [7.0; 2];
            Session::new(&model, 2)
                .unwrap()
                .run(&[[0.0; 2].as_slice().into()], &mut [output.as_mut_slice().into()], 1)
                .unwrap();
            assert_eq!(output, [7.0; 2], "the code does nothing");
        }
        std::fs::remove_file(path).unwrap();
    }

    /// The permissions of every page that this process has of the file, as the system tells them.
    #[cfg(target_os = "linux")]
    #[test]
    fn no_page_of_the_file_is_writable_and_only_code_is_executable() {
        let path = saved("pages", &[cpu::ARCHITECTURE]);
        let model = load(&path, Pages::Shared).unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let name = path.to_str().unwrap();
        let of_file = maps.lines().filter(|line| line.ends_with(name));
        let mut permissions: Vec<&str> =
            of_file.filter_map(|line| line.split_whitespace().nth(1)).map(|flags| &flags[..3]).collect();
        permissions.sort_unstable();
        assert_eq!(permissions, ["r--", "r-x"]);
        drop(model);
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(!maps.contains(name), "the last clone takes the mappings with it");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn code_for_another_cpu_is_refused_by_name_before_it_is_mapped() {
        let other = cpu::ARCHITECTURES.into_iter().find(|name| !cpu::has(name)).unwrap();
        let path = saved("other", &[other]);
        let error = load(&path, Pages::Shared).unwrap_err();
        assert!(matches!(&error, LoadError::Architecture { needed, .. } if needed == other), "{error}");
        std::fs::remove_file(path).unwrap();
        let path = saved("lacks", &[cpu::ARCHITECTURE, "avx1024"]);
        let error = load(&path, Pages::Shared).unwrap_err();
        assert!(matches!(&error, LoadError::MissingFeatures(lacks) if lacks == &["avx1024"]), "{error}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_that_is_not_there_or_empty_is_refused() {
        let path = std::env::temp_dir().join(format!("frit-load-none-{}", std::process::id()));
        assert!(matches!(load(&path, Pages::Shared), Err(LoadError::Unreadable(_))));
        std::fs::write(&path, []).unwrap();
        assert!(matches!(load(&path, Pages::Shared), Err(LoadError::NotAnArtifact)));
        std::fs::write(&path, MAGIC).unwrap();
        assert!(matches!(load(&path, Pages::Shared), Err(LoadError::Damaged(_))));
        std::fs::remove_file(path).unwrap();
    }
}
