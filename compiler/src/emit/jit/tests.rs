use frit_runtime::{Model, Port, Session, View};
use proptest::prelude::*;

use super::*;
use crate::machine::Lowering;
use crate::pack::{Packing, Source};
use crate::plan::{Argument, Call, Region, Step, Tensor, Work, interpret};
use crate::vector::check::MOST_PARAMETERS;
use crate::vector::{Address, Builder, Count, Instruction, Operand, Pointer, Width};

/// Every machine whose code this CPU runs, in every lowering.
fn machines() -> Vec<Machine> {
    Machine::all().into_iter().filter(Machine::runs_here).collect()
}

fn vector_bytes(width: Width) -> usize {
    4 * width.lanes
}

fn advance(builder: &mut Builder, pointer: Pointer) {
    let bytes = vector_bytes(builder.width()) as i64;
    builder.emit(Instruction::Advance { pointer, bytes });
}

/// `sum += the vector at from`, and then on to the next vector.
fn add_next(builder: &mut Builder, sum: vector::Register, from: Pointer) {
    let b = Operand::Memory(Address::new(from, 0));
    builder.emit(Instruction::Add { to: sum, a: sum, b });
    advance(builder, from);
}

fn store_next(builder: &mut Builder, to: Pointer, from: vector::Register) {
    builder.emit(Instruction::Store { to: Address::new(to, 0), from });
    advance(builder, to);
}

/// Per item: a vector of parameter 2 = a vector of parameter 0 + a vector of parameter 1.
fn add(width: Width) -> vector::Program {
    let mut builder = Builder::new("add", width, 3);
    let [x, y, to] = [0, 1, 2].map(|index| builder.parameter(index));
    builder.repeat(Count::Items, |b| {
        let sum = b.load(x, 0);
        advance(b, x);
        add_next(b, sum, y);
        store_next(b, to, sum);
        b.free(sum);
    });
    builder.finish().unwrap()
}

/// Per item: a vector of parameter 2 = a vector of parameter 1 + the sum of all `vectors` at parameter 0.
fn add_all(width: Width, vectors: usize) -> vector::Program {
    let mut builder = Builder::new("add_all", width, 3);
    let [all, x, to] = [0, 1, 2].map(|index| builder.parameter(index));
    builder.repeat(Count::Items, |b| {
        let sum = b.load(x, 0);
        advance(b, x);
        let from = b.pointer(all, 0);
        b.repeat(Count::Static(vectors as u32), |b| add_next(b, sum, from));
        store_next(b, to, sum);
        b.free(sum);
    });
    builder.finish().unwrap()
}

fn step(name: &str, calls: Vec<Call>) -> Step {
    Step {
        node: name.into(),
        block: name.into(),
        fused: Vec::new(),
        sources: vec![name.into()],
        macs: 0,
        bytes: 0,
        predicted_ms: [0.0; 2],
        work: Work::Items(calls),
    }
}

/// Two inputs, two outputs, the weights and a tensor in the arena, all of `vectors`. Before `steps`, both outputs are the sum of
/// the inputs.
fn plan(width: Width, vectors: usize, mut steps: Vec<Step>) -> Proved {
    let elements = vectors * width.lanes;
    let sum = |output| added(width, [Region::Input(0), Region::Input(1), Region::Output(output)], 0, vectors);
    steps.insert(0, step("begin", vec![sum(0), sum(1)]));
    let tensors = vec![Tensor { bytes: elements * 4, last: steps.len(), ..Tensor::default() }];
    let mut weights = Packing::default();
    weights.add(Source::Values(values(elements, 5).into()));
    let port = |name: &str| Port::new(name, &[elements]);
    let plan = Plan {
        name: "hand-made".into(),
        inputs: vec![port("a"), port("b")],
        outputs: vec![port("y"), port("z")],
        kernels: vec![add(width), add_all(width, vectors)],
        steps,
        choices: Vec::new(),
        tensors,
        weights,
        arena_bytes: (elements * 4).next_multiple_of(64),
        scratch_bytes: 0,
    };
    prove(plan).unwrap()
}

/// `to = x + y` for `items` vectors from vector `begin` on.
fn added(width: Width, [x, y, to]: [Region; 3], begin: usize, items: usize) -> Call {
    let stride = vector_bytes(width);
    let argument = |region| Argument { region, offset: begin * stride, stride };
    Call { kernel: 0, arguments: [x, y, to].map(argument).to_vec(), items }
}

fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 37 + seed * 101) % 113) as f32 / 3.0 - 17.0).collect()
}

fn bits(tensors: &[Vec<f32>]) -> Vec<Vec<u32>> {
    tensors.iter().map(|values| values.iter().map(|value| value.to_bits()).collect()).collect()
}

/// Runs `plan` `rounds` times, with and without taking times, and compares the outputs with the interpreter's.
fn agrees(plan: &Proved, machine: &Machine, threads: usize, rounds: usize) -> Result<(), TestCaseError> {
    let model = Model::new(emit(plan, plan.weights.pack().unwrap(), machine).unwrap()).unwrap();
    let mut session = Session::new(&model, threads).unwrap();
    let elements = model.metadata().inputs[0].elements();
    for round in 0..rounds {
        let inputs = [values(elements, round), values(elements, round + 1000)];
        let expected = interpret::run(plan, &inputs, threads).unwrap();
        let mut outputs = vec![vec![0.0; elements]; 2];
        let [y, z] = outputs.as_mut_slice() else { unreachable!("two outputs") };
        session.run(&inputs.each_ref().map(View::from), &mut [y.into(), z.into()], 1).unwrap();
        let told = format!("{:?} of {}, {threads} threads, round {round}", machine.lowering, machine.name);
        prop_assert_eq!(bits(&outputs), bits(&expected), "{}", told);
        let mut outputs = vec![vec![0.0; elements]; 2];
        let [y, z] = outputs.as_mut_slice() else { unreachable!("two outputs") };
        let profile = session.profile(&inputs.each_ref().map(View::from), &mut [y.into(), z.into()]).unwrap();
        prop_assert_eq!(bits(&outputs), bits(&expected), "{}, timed", told);
        prop_assert_eq!(profile.steps().len(), plan.steps.len());
        prop_assert!(profile.steps().iter().all(|time| !time.is_zero()), "{}: a step without a mark", told);
    }
    let images: Vec<[Vec<f32>; 2]> =
        (0..3).map(|image| [values(elements, image), values(elements, image + 1000)]).collect();
    let joined = |tensors: &[Vec<Vec<f32>>]| {
        [0, 1].map(|port| tensors.iter().flat_map(|image| image[port].clone()).collect::<Vec<f32>>())
    };
    let expected: Vec<Vec<Vec<f32>>> =
        images.iter().map(|image| interpret::run(plan, image, threads).unwrap()).collect();
    let inputs = joined(&images.iter().map(|image| image.to_vec()).collect::<Vec<_>>());
    let mut outputs = [vec![0.0; 3 * elements], vec![0.0; 3 * elements]];
    let [y, z] = &mut outputs;
    session.run(&inputs.each_ref().map(View::from), &mut [y.into(), z.into()], 3).unwrap();
    prop_assert_eq!(bits(&outputs), bits(&joined(&expected)), "a batch for {}", machine.name);
    Ok(())
}

#[test]
fn every_worker_sees_all_of_the_step_before() {
    let vectors = 13;
    for machine in machines() {
        let width = machine.width();
        let stride = vector_bytes(width);
        let sources = [Region::Input(0), Region::Weights, Region::Tensor(0)];
        let total = Call {
            kernel: 1,
            arguments: vec![
                Argument { region: Region::Tensor(0), offset: 0, stride: 0 },
                Argument { region: Region::Input(1), offset: 0, stride },
                Argument { region: Region::Output(1), offset: 0, stride },
            ],
            items: vectors,
        };
        let steps = vec![step("sums", vec![added(width, sources, 0, vectors)]), step("total", vec![total])];
        let plan = plan(width, vectors, steps);
        for threads in [1, 2, 3, 20] {
            agrees(&plan, &machine, threads, 30).unwrap();
        }
    }
}

#[test]
fn two_hundred_steps_of_one_item_each_run_in_order() {
    for machine in machines() {
        let width = machine.width();
        let call = |index: usize| {
            let (from, to) = if index.is_multiple_of(2) { (0, 1) } else { (1, 0) };
            added(width, [Region::Output(from), Region::Input(0), Region::Output(to)], 0, 1)
        };
        let steps = (0..200).map(|index| step("link", vec![call(index)])).collect();
        agrees(&plan(width, 1, steps), &machine, 2, 3).unwrap();
    }
}

#[test]
fn a_plan_of_one_step_needs_no_barrier() {
    for machine in machines() {
        agrees(&plan(machine.width(), 2, Vec::new()), &machine, 2, 1).unwrap();
    }
}

/// Where a call reads and writes, and its items; calls of a step write one behind the other.
type Calls = Vec<(usize, usize, usize)>;

/// `outputs[k] += inputs[j]` for each of `calls`, (j, k, items).
fn accumulating(width: Width, calls: &Calls) -> Step {
    let mut begin = 0;
    let call = |&(j, k, items): &(usize, usize, usize)| {
        let regions = [Region::Input(j), Region::Output(k), Region::Output(k)];
        let call = added(width, regions, begin, items);
        begin += items;
        call
    };
    step("part", calls.iter().map(call).collect())
}

/// As many vectors as the calls of one step can have.
const MOST_VECTORS: usize = 5 * 8;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// An item that is left out, or run by two workers, shows in the sums.
    #[test]
    fn every_item_of_every_call_is_run_by_one_worker(
        machine in prop::sample::select(machines()),
        steps in prop::collection::vec(prop::collection::vec((0..2_usize, 0..2_usize, 1..9_usize), 1..6), 1..5),
        threads in 1..7_usize,
    ) {
        let width = machine.width();
        let steps = steps.iter().map(|calls| accumulating(width, calls)).collect();
        agrees(&plan(width, MOST_VECTORS, steps), &machine, threads, 2)?;
    }
}

#[test]
fn code_outlives_the_plan_and_is_shared_by_sessions_in_several_threads() {
    let machine = Machine::native();
    let width = machine.width();
    let sources = [Region::Input(0), Region::Input(1), Region::Output(0)];
    let plan = plan(width, 4, vec![step("sum", vec![added(width, sources, 0, 4)])]);
    let model = Model::new(emit(&plan, plan.weights.pack().unwrap(), &machine).unwrap()).unwrap();
    drop(plan);
    let callers: Vec<_> = (0..3_usize)
        .map(|caller| {
            let model = model.clone();
            std::thread::spawn(move || {
                let elements = model.metadata().inputs[0].elements();
                let mut session = Session::new(&model, 2).unwrap();
                drop(model);
                let (a, b) = (values(elements, caller), values(elements, caller + 50));
                let (mut y, mut z) = (vec![f32::NAN; elements], vec![0.0; elements]);
                session.run(&[(&a).into(), (&b).into()], &mut [(&mut y).into(), (&mut z).into()], 1).unwrap();
                let sums: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
                assert_eq!(y, sums);
            })
        })
        .collect();
    drop(model);
    for caller in callers {
        caller.join().unwrap();
    }
}

#[test]
fn a_kernel_that_reaches_outside_its_memory_is_never_run() {
    let machine = Machine::native();
    let kernel = add(machine.width());
    let memory = vec![vec![1.0; 2 * machine.width().lanes]];
    let arguments = [(0, 0), (0, 0), (0, vector_bytes(machine.width()))];
    let mut prepared = Prepared::new(&kernel, &machine, memory.clone(), &arguments, 1).unwrap();
    prepared.run();
    assert_eq!(prepared.memory()[0][machine.width().lanes..], vec![2.0; machine.width().lanes]);
    let refused = Prepared::new(&kernel, &machine, memory, &arguments, 2);
    assert!(matches!(refused, Err(PrepareError::Outside(_))), "item 1 writes behind the buffer");
}

#[test]
fn a_kernel_of_other_lanes_than_the_machine_has_is_never_run() {
    let machine = Machine::native().with_lowering(Lowering::Portable).unwrap();
    let wider = Width::new(16, 32, true);
    let arguments = [(0, 0), (0, 0), (0, 0)];
    let refused = Prepared::new(&add(wider), &machine, vec![vec![1.0; 16]], &arguments, 1);
    assert!(matches!(refused, Err(PrepareError::Vectors(Vectors { lanes: 16, .. }))));
}

/// Adds up vectors through as many pointers as a kernel can have, item by item.
#[test]
fn pointers_beyond_those_in_registers_arrive() {
    for machine in machines() {
        let width = machine.width();
        for parameters in 5..=MOST_PARAMETERS {
            let mut builder = Builder::new("many", width, parameters);
            let b = &mut builder;
            b.repeat(Count::Items, |b| {
                let sum = b.load(b.parameter(1), 0);
                for index in 2..parameters {
                    let base = b.parameter(index);
                    let value = Operand::Memory(Address::new(base, 0));
                    b.emit(Instruction::Add { to: sum, a: sum, b: value });
                }
                let to = Address::new(b.parameter(0), 0);
                b.emit(Instruction::Store { to, from: sum });
                b.free(sum);
                (0..parameters).for_each(|index| {
                    let pointer = b.parameter(index);
                    advance(b, pointer);
                });
            });
            let kernel = builder.finish().unwrap();
            let memory: Vec<Vec<f32>> = (0..parameters).map(|seed| values(3 * width.lanes, seed)).collect();
            let arguments: Vec<(usize, usize)> = (0..parameters).map(|buffer| (buffer, 0)).collect();
            let mut expected = memory.clone();
            vector::interpret::run(&kernel, &mut expected, &arguments, 3).unwrap();
            let mut prepared = Prepared::new(&kernel, &machine, memory, &arguments, 3).unwrap();
            prepared.run();
            assert_eq!(bits(prepared.memory()), bits(&expected), "{parameters} for {}", machine.name);
        }
    }
}
