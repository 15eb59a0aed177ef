//! Runs the file tests: each stage on small texts, with the answer beside the question.

use std::fmt::Write;

use frit_compiler::emit::dump::{Dump, dump};
use frit_compiler::import::{GivenShape, Request, Source, json, keras, onnx, part};
use frit_compiler::machine::Machine;
use frit_compiler::prove::Proved;
use frit_compiler::report::parts::{Joint, Port};
use frit_compiler::report::results::Alternatives;
use frit_compiler::schedule::ways;
use frit_compiler::{Options, alternatives, cost, report};
use frit_ir::diagnostic::render;
use frit_ir::ops::{Input, Scalar};
use frit_ir::{Faults, Graph, Op, Preprocess, Shape, Tensor, text};
use frit_passes::cut::{self, Border, Cutter, Found, Width};
use frit_passes::repair::{Policy, ProjectionWeights};
use frit_passes::{CostModel, Limits, egraph, legality, lint, stitch};
use frit_tests::case::Case;
use frit_tests::{compare, nodes, root, source};

/// Runs all cases in the folder of `stage`.
fn run(stage: &str, answer: fn(&Case) -> Result<String, Faults>) {
    let cases = source::files(&root().join("tests/files").join(stage), "test");
    assert!(!cases.is_empty(), "no case for {stage}");
    let bless = std::env::var("FRIT_BLESS").is_ok_and(|value| value == "1");
    let mut failures = Vec::new();
    for path in cases {
        let case = Case::read(&path);
        let runs = case.directive("run").split_whitespace().next();
        assert_eq!(runs, Some(stage), "{}: the folder is named after what runs", path.display());
        let answer = answer(&case).unwrap_or_else(|faults| rendered(&faults));
        failures.extend(case.settle(&answer, bless).err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn rendered(faults: &Faults) -> String {
    faults.iter().map(|fault| render::text(fault) + "\n").collect()
}

#[test]
fn texts() {
    run("text", |case| Ok(text::print(&text::parse(&case.body)?)));
}

#[test]
fn descriptions() {
    run("json", |case| {
        let folder = Some(root().join("tests/files/json"));
        let source = Source { file: "model.json".to_owned(), folder, ..Source::default() };
        let (graph, warnings) = json::read(&case.body, &source)?;
        Ok(rendered(&warnings) + &text::print(&graph))
    });
}

#[test]
fn nodes_of_onnx_files() {
    run("onnx", |case| {
        let request = Request { shapes: shapes(case), ..Request::default() };
        let (graph, warnings) = onnx::read(nodes::file(&case.body).into(), None, &request)?;
        Ok(rendered(&warnings) + &text::print(&graph))
    });
}

#[test]
fn alternatives_to_blocks() {
    run("alternatives", |case| {
        let source = Source { file: "model.json".to_owned(), ..Source::default() };
        let (legal, _) = legality::check(json::read(&case.body, &source)?.0)?;
        let studies = alternatives::study(&legal, &Options::native())?;
        let (model, isa) = (legal.name.clone(), String::new());
        Ok(report::text::alternatives(&Alternatives { model, isa, machine: None, studies }))
    });
}

/// The shapes of `// shape:`.
fn shapes(case: &Case) -> Vec<GivenShape> {
    let words = case.directive("shape").split_whitespace();
    words
        .map(|word| word.parse().unwrap_or_else(|error| panic!("{}: {error}", case.path.display())))
        .collect()
}

#[test]
fn descriptions_of_keras() {
    run("keras", |case| {
        let request = Request { shapes: shapes(case), ..Request::default() };
        let (graph, warnings) = keras::described(&case.body, "model.json", &request)?;
        Ok(rendered(&warnings) + &text::print(&graph))
    });
}

#[test]
fn legality() {
    run("legality", |case| {
        let (_, warnings) = legality::check(text::parse(&case.body)?)?;
        Ok(rendered(&warnings) + "legal\n")
    });
}

#[test]
fn repair() {
    run("repair", |case| {
        let weights = match case.directive("weights") {
            "zero" => ProjectionWeights::Zero,
            _ => ProjectionWeights::Seeded,
        };
        let policy = match case.directive("residual") {
            "drop" => Policy::Drop,
            "project" => Policy::Project(weights),
            "insert" => Policy::Insert,
            other => panic!("{}: there is no policy {other}", case.path.display()),
        };
        let repaired = frit_passes::repair::repair(text::parse(&case.body)?, policy);
        let mut answer: String =
            repaired.repairs.iter().map(|edit| report::text::edit(edit) + "\n").collect();
        answer += &rendered(&repaired.warnings);
        Ok(answer
            + &legality::check(repaired.graph)
                .map_or_else(|faults| rendered(&faults), |(legal, _)| text::print(&legal)))
    });
}

#[test]
fn egraph() {
    run("egraph", |case| {
        let (legal, _) = legality::check(text::parse(&case.body)?)?;
        let disabled = case.directive("disable").split_whitespace().map(str::to_owned).collect();
        let limits = Limits { disabled, ..Limits::default() };
        let (graph, report) = egraph::optimise(&legal, &CostModel::default(), &limits)
            .unwrap_or_else(|fault| panic!("{}: {fault}", case.path.display()));
        let mut answer = text::print(&graph);
        let rewriting = report.rewriting.expect("this pass has an e-graph");
        for kernel in rewriting.kernels.iter().filter(|kernel| !kernel.rules.is_empty()) {
            writeln!(answer, "// {} by {}", kernel.name, kernel.rules.join(", "))
                .expect("a string takes all");
        }
        Ok(answer)
    });
}

/// Lints, for vectors of 16 numbers; with `// range: LOW HIGH` pictures come as numbers between these.
#[test]
fn lint() {
    run("lint", |case| {
        let mut graph = text::parse(&case.body)?;
        if let Some((low, high)) = case.directive("range").split_once(' ') {
            let range = [low, high].map(|end| end.parse().expect("the ends of a range are numbers"));
            let (mean, std) = ([Scalar::ZERO; 3], [Scalar::ONE; 3]);
            graph.preprocess =
                Some(Preprocess { crop_center_square: false, bicubic: false, range, mean, std });
        }
        Ok(report::text::findings(&lint::findings(&graph, 16)))
    });
}

#[test]
fn interpret() {
    run("interpret", |case| {
        let graph = text::parse(&case.body)?;
        let inputs = inputs(case, &graph);
        let exact = compare::interpreted(&graph, &inputs).unwrap_or_else(|error| panic!("{error}"));
        compare::agree(&graph, &compare::ways(), &inputs)
            .unwrap_or_else(|error| panic!("{}: {error}", case.path.display()));
        let shapes = graph.shapes()?;
        let mut answer = String::new();
        for (&id, values) in graph.outputs().iter().zip(exact) {
            writeln!(answer, "{} : {}", graph.node(id).name, shapes[&id]).expect("a string takes all");
            let row = shapes[&id].axes().last().copied().unwrap_or(1).max(1);
            for values in values.chunks(row) {
                let values: Vec<String> = values.iter().map(|&value| (value as f32).to_string()).collect();
                writeln!(answer, "  {}", values.join(" ")).expect("a string takes all");
            }
        }
        Ok(answer)
    });
}

/// The cuts of a graph; with `// at: PLACE ...` the halves there, of several tensors with `// width: multi`.
#[test]
fn cuts() {
    run("cut", |case| {
        let (graph, _) = legality::check(text::parse(&case.body)?)?;
        let cutter = Cutter::new(&graph);
        let at = case.directive("at");
        if at.is_empty() {
            return Ok(report::text::cuts(&cost::cuts(&graph)));
        }
        let found: Vec<Found> =
            at.split_whitespace().map(|at| part::find(&cutter, at)).collect::<Result<_, _>>()?;
        let width = if case.directive("width") == "multi" { Width::Multi } else { Width::Single };
        let (boundary, warnings) = cutter.cut(&found, width)?;
        let halves = [cut::head, cut::tail].map(|half| text::print(&half(&graph, &boundary, Border::Source)));
        Ok(rendered(&warnings) + &halves.join("\n"))
    });
}

#[test]
fn schedule() {
    run("schedule", |case| {
        let plans = plans(case)?;
        Ok(plans.iter().map(|(_, plan)| plan.to_string()).collect::<Vec<_>>().join("\n"))
    });
}

#[test]
fn vector() {
    run("vector", |case| dumped(case, Dump::Vector));
}

#[test]
fn assembly() {
    run("asm", |case| dumped(case, Dump::Asm));
}

/// All kernels of the case's network at a level, for each of its targets.
fn dumped(case: &Case, level: Dump) -> Result<String, Faults> {
    let plans = plans(case)?;
    let dumped = |(machine, plan): &(Machine, Proved)| dump(plan, machine, level);
    let dumped: Result<Vec<String>, _> = plans.iter().map(dumped).collect();
    Ok(dumped.unwrap_or_else(|error| panic!("{}: {error}", case.path.display())).join("\n"))
}

/// The proved plan of the graph in text, for each of the targets that the case names.
fn plans(case: &Case) -> Result<Vec<(Machine, Proved)>, Faults> {
    let planned = |options: Options| {
        let optimised = frit_compiler::optimise(text::parse(&case.body)?, &options)?;
        let plan = frit_compiler::schedule(&optimised.graph, &options)?;
        Ok((options.machine, plan))
    };
    options(case).into_iter().map(planned).collect()
}

/// The options of compilation behind the name of what runs, as the command spells them; `--target` may be given several times,
/// and has to be, so that the answer is the same on every CPU.
fn options(case: &Case) -> Vec<Options> {
    let (mut machines, mut fuse, mut way) = (Vec::new(), true, None);
    let mut words = case.directive("run").split_whitespace().skip(1);
    while let Some(word) = words.next() {
        match word {
            "--no-fuse" => fuse = false,
            "--target" => {
                let name = words.next().filter(|&name| name != "native").expect("a target that is no CPU");
                machines
                    .push(name.parse().unwrap_or_else(|error| panic!("{}: {error}", case.path.display())));
            }
            "--schedule" => {
                let name = words.next().expect("a way through the caches");
                way = Some(ways::ALL.into_iter().find(|way| way.name == name).expect("a way's name"));
            }
            other => panic!("{}: there is no option {other}", case.path.display()),
        }
    }
    assert!(!machines.is_empty(), "{}: name a --target", case.path.display());
    let options = |machine| Options { machine, fuse, disabled_rules: Vec::new(), way, winograd: true };
    machines.into_iter().map(options).collect()
}

/// The adapters from one shape to another.
#[test]
fn adapters() {
    run("stitch", |case| {
        let shape = |words: &str| {
            let axis = |axis: &str| axis.parse().unwrap_or_else(|_| panic!("{axis} is no length"));
            Shape::new(&words.trim().split('x').map(axis).collect::<Vec<usize>>())
        };
        let (from, to) = case.body.split_once("->").expect("two shapes with an arrow between");
        let [from, to] = [("head", shape(from)), ("tail", shape(to))]
            .map(|(name, shape)| Port { name: name.to_owned(), shape });
        let adapters = stitch::adapters(&from.shape, &to.shape, 0);
        Ok(report::text::adapters(&Joint { from, to, adapters }))
    });
}

/// The numbers of `// input:`, shared out among the graph's inputs; without it 1, 2, 3 and so on.
fn inputs(case: &Case, graph: &Graph) -> Vec<Tensor<f32>> {
    let given: Vec<f32> = case
        .directive("input")
        .split_whitespace()
        .map(|word| word.parse().unwrap_or_else(|_| panic!("{}: {word} is no number", case.path.display())))
        .collect();
    let mut values = (0..).map(|index| if given.is_empty() { (index + 1) as f32 } else { given[index] });
    let mut next = || values.next().expect("the sequence has no end");
    let shapes = graph.inputs().iter().copied().map(|id| match &graph.node(id).op {
        Op::Input(Input { shape }) => shape.axes().to_vec(),
        other => unreachable!("{} is no input", other.name()),
    });
    shapes.map(|shape| Tensor::from_shape_simple_fn(shape, &mut next)).collect()
}

#[test]
fn the_description_in_the_readme_is_legal() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let (_, after) = readme.split_once("```json\n").expect("the README shows a description");
    let (description, _) = after.split_once("```").expect("the block ends");
    let source = Source { file: "README.md".to_owned(), ..Source::default() };
    let (graph, warnings) = json::read(description, &source).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(warnings.is_empty(), "{warnings}");
    legality::check(graph).unwrap_or_else(|faults| panic!("{faults}"));
}
