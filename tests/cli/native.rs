//! Objects, libraries and headers for C and C++: built with every warning, linked, and run against `frit run`.

use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::{ArrayD, IxDyn};
use ndarray_npy::WriteNpyExt;
use object::{Object, ObjectSymbol};

use super::runs::with_pictures;
use super::{Folder, TINY, npz};

/// What every C and C++ file is compiled with.
const WARNINGS: &str = "-Wall -Wextra -Wpedantic -Werror -O1 -I.";

/// A file of the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Runs a command, its arguments separated by spaces, in the folder; it must succeed and say nothing against it.
#[track_caller]
fn run(folder: &Folder, command: &str) -> String {
    let mut words = command.split_whitespace();
    let run = Command::new(words.next().unwrap()).args(words).current_dir(folder.path("")).output();
    let run = run.unwrap_or_else(|error| panic!("{command}: {error}"));
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && stderr.is_empty(), "{command}: {}\n{stderr}", run.status);
    String::from_utf8(run.stdout).unwrap()
}

/// Compiles and links `source` of the project by C11 with what else is named, to `program`.
#[track_caller]
fn cc(folder: &Folder, source: &str, others: &str) {
    let source = project(source);
    run(folder, &format!("cc -std=c11 {WARNINGS} {} {others} -pthread -o program", source.display()));
}

/// Values of images: `image.npy` for `frit run`, `image.raw` for C.
fn images(folder: &Folder, axes: &[usize]) {
    let mut next = 7u32;
    let values = ArrayD::from_shape_simple_fn(IxDyn(axes), || {
        next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (next >> 8) as f32 / (1 << 23) as f32 - 1.0
    });
    values.write_npy(std::fs::File::create(folder.path("image.npy")).unwrap()).unwrap();
    folder.write("image.raw", bytes(&values));
}

fn bytes(values: &ArrayD<f32>) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

/// The only output of `frit run` with these arguments, raw.
#[track_caller]
fn expected(folder: &Folder, arguments: &str) -> Vec<u8> {
    folder.frit(&format!("run {arguments} -o expected.npz")).ok();
    bytes(npz::read(&folder.path("expected.npz")).first_key_value().unwrap().1)
}

/// Runs `program` on `image.raw` and compares what it gives with what `frit run` of `model` gives.
#[track_caller]
fn same_bits(folder: &Folder, model: &str, batch: usize) {
    let wanted = expected(folder, &format!("{model} image.npy"));
    for threads in [1, 2, 3] {
        let told = run(folder, &format!("./program {threads} {batch} found.raw image.raw"));
        assert!(told.starts_with("{\"name\":"), "{told}");
        assert_eq!(folder.read("found.raw"), wanted, "{threads} threads");
    }
}

/// What `run.c` has to know of a model.
fn of_model(symbol: &str, elements: usize) -> String {
    format!("-include {symbol}.h -DMODEL(name)={symbol}_##name -DOUTPUT_ELEMENTS={elements}")
}

#[test]
fn every_kind_of_library_gives_the_bits_that_run_gives() {
    let folder = Folder::with_tiny();
    images(&folder, &[3, 16, 16, 3]);
    for (file, link) in [
        ("tiny.o", "tiny.o"),
        ("libtiny.a", "-L. -l:libtiny.a"),
        ("libtiny.so", "-L. -ltiny -Wl,-rpath,$ORIGIN"),
    ] {
        let told = folder.frit(&format!("compile tiny.json -o {file}")).ok();
        assert!(told.contains("\ntiny.h: the header\n"), "{told}");
        cc(&folder, "tests/cli/native/run.c", &format!("{} {link}", of_model("tiny", 10)));
        same_bits(&folder, "tiny.json", 3);
        std::fs::remove_file(folder.path(file)).unwrap();
        std::fs::remove_file(folder.path("tiny.h")).unwrap();
    }
}

#[test]
fn so_does_one_of_every_lowering_and_schedule_and_of_networks_with_large_memory() {
    let folder = Folder::with_tiny();
    images(&folder, &[1, 16, 16, 3]);
    for options in ["--lower portable", "--schedule bands", "--schedule groups", "--no-fuse"] {
        folder.frit(&format!("compile tiny.json -o tiny.o {options}")).ok();
        cc(&folder, "tests/cli/native/run.c", &format!("{} tiny.o", of_model("tiny", 10)));
        same_bits(&folder, &format!("tiny.json {options}"), 1);
    }
    let description = folder.frit("zoo mobilenet_v2 --width 0.5 --resolution 192").ok();
    folder.write("net.json", description);
    images(&folder, &[1, 192, 192, 3]);
    folder.frit("compile net.json -o net.o --symbol net").ok();
    cc(&folder, "tests/cli/native/run.c", &format!("{} net.o", of_model("net", 1000)));
    same_bits(&folder, "net.json", 1);
}

#[test]
fn a_position_independent_program_and_one_that_is_not_can_link_it() {
    let folder = with_pictures();
    folder.frit("compile tiny.json -o tiny.o").ok();
    for how in ["-fPIE -pie", "-fno-pie -no-pie", "-static"] {
        cc(&folder, "tests/cli/native/refused.c", &format!("tiny.o {how}"));
        run(&folder, "./program");
    }
}

/// A header of the model, read twice by the compiler `how`.
#[track_caller]
fn header_is_read(how: &str) {
    let folder = with_pictures();
    folder.frit("compile tiny.json -o tiny.h").ok();
    assert_eq!(folder.names(), ["a.png", "b.jpg", "labels.json", "tiny.h", "tiny.json"]);
    folder.write("twice.c", "#include \"tiny.h\"\n#include \"tiny.h\"\n");
    run(&folder, &format!("{how} {WARNINGS} -fsyntax-only twice.c"));
}

#[test]
fn a_header_is_c99() {
    header_is_read("cc -std=c99 -x c");
    header_is_read("cc -std=c17 -x c");
}

#[test]
#[cfg_attr(not(frit_cxx), ignore = "needs a C++ compiler, c++")]
fn a_header_is_every_c_plus_plus() {
    header_is_read("c++ -std=c++11 -x c++");
    header_is_read("c++ -std=c++20 -x c++");
}

/// What a linker finds in the object `name`: its global functions, and what it wants of others.
fn symbols(folder: &Folder, name: &str) -> [Vec<String>; 2] {
    let bytes = folder.read(name);
    let file = object::File::parse(&*bytes).unwrap();
    assert_eq!(file.architecture() == object::Architecture::Aarch64, name.contains("arm"));
    [false, true].map(|undefined| {
        let found = file.symbols().filter(|symbol| symbol.is_global() && symbol.is_undefined() == undefined);
        let mut found: Vec<String> = found.map(|symbol| symbol.name().unwrap().to_owned()).collect();
        found.sort();
        found
    })
}

#[test]
fn an_object_has_no_other_global_names_and_needs_libc_alone() {
    let folder = with_pictures();
    let allowed = [
        "clock_gettime",
        "free",
        "madvise",
        "memcpy",
        "memset",
        "posix_memalign",
        "pthread_cond_broadcast",
        "pthread_cond_destroy",
        "pthread_cond_init",
        "pthread_cond_wait",
        "pthread_create",
        "pthread_join",
        "pthread_mutex_destroy",
        "pthread_mutex_init",
        "pthread_mutex_lock",
        "pthread_mutex_unlock",
        "sched_yield",
    ];
    for (name, target) in [("native.o", "native"), ("old.o", "x86-64-v2"), ("arm.o", "aarch64")] {
        folder.frit(&format!("compile tiny.json -o {name} --symbol cats --target {target}")).ok();
        let [own, wanted] = symbols(&folder, name);
        let functions = ["cpu_ok", "create", "destroy", "label", "message", "run", "signature"]
            .map(|name| format!("cats_{name}"));
        assert_eq!(own, functions);
        assert!(wanted.iter().all(|name| allowed.contains(&name.as_str()) || name.is_empty()), "{wanted:?}");
    }
}

#[test]
fn wrong_arguments_are_statuses_and_sessions_are_independent() {
    let folder = with_pictures();
    folder.frit("compile tiny.json -o tiny.o").ok();
    cc(
        &folder,
        "tests/cli/native/refused.c",
        "tiny.o -fsanitize=address,undefined -fno-sanitize-recover=all",
    );
    run(&folder, "./program");
}

#[test]
fn where_the_system_refuses_memory_or_threads_nothing_is_left() {
    let folder = Folder::with_tiny();
    folder.frit("compile tiny.json -o tiny.o").ok();
    let refusing = "-Wl,--wrap=posix_memalign,--wrap=pthread_create,--wrap=free,--wrap=pthread_join";
    cc(&folder, "tests/cli/native/starved.c", &format!("tiny.o {refusing}"));
    run(&folder, "./program");
}

#[test]
fn two_models_of_shared_libraries_run_in_one_process_each_in_two_threads() {
    let folder = Folder::with_tiny();
    let other = TINY.replace("\"seed\": 7", "\"seed\": 8").replace("\"units\": 10", "\"units\": 7");
    folder.write("other.json", other.replace("\"tiny\"", "\"other\""));
    for model in ["tiny", "other"] {
        folder.frit(&format!("compile {model}.json -o ./{model}.so")).ok();
    }
    let values = ArrayD::from_shape_fn(IxDyn(&[1, 16, 16, 3]), |at| {
        (((at[1] * 16 + at[2]) * 3 + at[3]) % 17) as f32 / 8.0 - 1.0
    });
    values.write_npy(std::fs::File::create(folder.path("x.npy")).unwrap()).unwrap();
    let wanted = ["tiny", "other"].map(|model| expected(&folder, &format!("{model}.json x.npy"))).concat();
    cc(&folder, "tests/cli/native/plugins.c", "-D_GNU_SOURCE -ldl");
    let mut program = Command::new(folder.path("program"));
    program.current_dir(folder.path(""));
    program.args(["./tiny.so", "tiny", "768", "10", "./other.so", "other", "768", "7"]);
    let found = program.output().unwrap();
    assert!(found.status.success(), "{}: {}", found.status, String::from_utf8_lossy(&found.stderr));
    assert_eq!(found.stdout, wanted);
}

/// Pictures of MobileNetV2's as the examples read them.
fn with_mobilenet() -> Folder {
    let folder = Folder::new();
    for name in ["cat", "coffee"] {
        let picture = image::open(project(&format!("examples/mobilenet_v2/{name}.png"))).unwrap().into_rgb8();
        let head = format!("P6\n{} {}\n255\n", picture.width(), picture.height());
        folder.write(&format!("{name}.ppm"), [head.as_bytes(), picture.as_raw()].concat());
    }
    let model = project("examples/mobilenet_v2/model.json");
    folder.frit(&format!("compile {} -o mobilenet_v2.o", model.display())).ok();
    folder
}

#[test]
fn the_example_says_what_is_in_the_picture() {
    let folder = with_mobilenet();
    cc(&folder, "examples/c/classify.c", "mobilenet_v2.o");
    let model = project("examples/mobilenet_v2");
    let wanted = expected(&folder, &format!("{0}/model.json {0}/cat.png", model.display()));
    let logits: Vec<f32> =
        wanted.chunks_exact(4).map(|four| f32::from_ne_bytes(four.try_into().unwrap())).collect();
    for threads in [1, 2] {
        let told = run(&folder, &format!("./program cat.ppm {threads}"));
        let (name, logit) = told.trim().trim_end_matches(')').split_once(" (class 285, logit ").unwrap();
        assert_eq!((name, logit.parse::<f32>().unwrap()), ("Egyptian cat", logits[285]), "{threads} threads");
    }
}

#[test]
#[cfg_attr(not(frit_cxx), ignore = "needs a C++ compiler, c++")]
fn so_does_the_example_in_c_plus_plus() {
    let folder = with_mobilenet();
    let source = project("examples/cpp/classify.cpp");
    run(
        &folder,
        &format!("c++ -std=c++17 {WARNINGS} {} mobilenet_v2.o -pthread -o program", source.display()),
    );
    let told = run(&folder, "./program cat.ppm coffee.ppm");
    assert!(told.starts_with("cat.ppm: Egyptian cat\ncoffee.ppm: "), "{told}");
}

#[test]
#[cfg_attr(not(frit_python), ignore = "set FRIT_PYTHON to a Python")]
fn python_loads_a_shared_library() {
    let folder = Folder::with_tiny();
    images(&folder, &[2, 16, 16, 3]);
    folder.frit("compile tiny.json -o tiny.so").ok();
    let script = project("tests/cli/native/load.py");
    let wanted = expected(&folder, "tiny.json image.npy");
    let python = std::env::var("FRIT_PYTHON").unwrap();
    run(&folder, &format!("{python} {} ./tiny.so tiny image.raw found.raw 2", script.display()));
    assert_eq!(folder.read("found.raw"), wanted);
}

#[test]
fn what_is_written_follows_the_name_and_a_name_that_says_nothing_is_refused() {
    let folder = Folder::with_tiny();
    for arguments in [
        "tiny.so.1",
        "tiny",
        "tiny.obj",
        "tiny.frit --emit object",
        "tiny.o --emit frit",
        "tiny.o --emit shared",
        "tiny.o --symbol 9x",
        "tiny.o --symbol pthread",
        "tiny.o --symbol a-b",
        "tiny.o --emit elf",
    ] {
        let stderr = folder.frit(&format!("compile tiny.json -o {arguments}")).fails(2);
        assert!(!stderr.is_empty(), "{arguments}");
        assert_eq!(folder.names(), ["tiny.json"], "{arguments}");
    }
    let stderr = folder.frit("compile tiny.json -o tiny.dll").fails(2);
    for ending in [".o", ".a", ".so", ".h", ".frit"] {
        assert!(stderr.contains(ending), "{stderr}");
    }
    folder.frit("compile tiny.json -o tiny.O --verify").ok();
    assert_eq!(folder.names(), ["tiny.O", "tiny.h", "tiny.json"]);
    let value = folder.frit("compile tiny.json -o libtiny.a --format json").json();
    assert_eq!(value["header"], "tiny.h");
    folder.frit("compile tiny.json -o /dev/null --emit object").ok();
    assert_eq!(folder.names(), ["libtiny.a", "tiny.O", "tiny.h", "tiny.json"]);
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    let folder = Folder::with_tiny();
    for file in ["tiny.o", "tiny.a", "tiny.so", "tiny.h"] {
        folder.frit(&format!("compile tiny.json -o {file}")).ok();
        let first = folder.read(file);
        folder.frit(&format!("compile tiny.json -o {file}")).ok();
        assert_eq!(first, folder.read(file), "{file}");
    }
}

#[test]
fn without_a_linker_nothing_is_written_and_the_way_out_is_told() {
    let folder = Folder::with_tiny();
    let other = if cfg!(target_arch = "aarch64") { "x86-64-v2" } else { "aarch64" };
    for (options, reason) in [
        ("--linker ./absent-cc", "absent-cc"),
        ("--linker false", "has failed"),
        ("--target OTHER", "cross linker"),
    ] {
        let options = options.replace("OTHER", other);
        let mut command = super::frit(&folder.path(""), &format!("compile tiny.json -o tiny.so {options}"));
        let run = command.env_remove("CC").output().unwrap();
        let stderr = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.starts_with("error[FR0305]: tiny.so can't be linked") && stderr.contains(reason),
            "{stderr}"
        );
        assert_eq!(folder.names(), ["tiny.json"]);
    }
    let mut command = super::frit(&folder.path(""), "compile tiny.json -o tiny.so");
    assert!(command.env("CC", "cc -g").output().unwrap().status.success());
}

#[test]
fn a_header_that_would_replace_an_input_is_refused() {
    let folder = Folder::with_tiny();
    std::fs::rename(folder.path("tiny.json"), folder.path("tiny.h")).unwrap();
    let stderr = folder.frit("compile tiny.h -o tiny.o").fails(1);
    assert!(stderr.contains("tiny.h"), "{stderr}");
    assert_eq!(folder.read("tiny.h"), TINY.as_bytes());
}
