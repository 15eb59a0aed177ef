use super::*;
use crate::code::tests::{LENGTH, program};
use crate::port::Element;

fn model(weight: f32) -> Model {
    Model::new(program(weight, Vec::new())).unwrap()
}

/// What the program makes of one image.
fn expected(input: &[f32], weight: f32) -> Vec<f32> {
    input.iter().rev().map(|value| value + weight).collect()
}

fn image(seed: usize) -> Vec<f32> {
    (0..LENGTH).map(|index| (seed * LENGTH + index) as f32).collect()
}

#[test]
fn every_number_of_threads_gives_the_same_result() {
    let model = model(0.5);
    for threads in 0..6 {
        let mut session = Session::new(&model, threads).unwrap();
        for round in 0..50 {
            let input = image(round);
            let mut output = vec![f32::NAN; LENGTH];
            session.run(&[(&input).into()], &mut [(&mut output).into()], 1).unwrap();
            assert_eq!(output, expected(&input, 0.5), "{threads} threads, round {round}");
        }
    }
}

#[test]
fn the_images_of_a_batch_are_run_each_on_its_own_part() {
    let mut session = Session::new(&model(2.0), 2).unwrap();
    let images: Vec<Vec<f32>> = (0..4).map(image).collect();
    let mut output = vec![f32::NAN; 4 * LENGTH];
    session.run(&[(&images.concat()).into()], &mut [(&mut output).into()], 4).unwrap();
    let each: Vec<f32> = images.iter().flat_map(|image| expected(image, 2.0)).collect();
    assert_eq!(output, each);
}

#[test]
fn an_empty_batch_does_nothing() {
    let mut session = Session::new(&model(2.0), 2).unwrap();
    session.run(&[[].as_slice().into()], &mut [[].as_mut_slice().into()], 0).unwrap();
}

#[test]
fn tensors_of_wrong_number_are_refused_before_anything_runs() {
    let mut session = Session::new(&model(1.0), 1).unwrap();
    let input = image(0);
    let mut output = vec![9.0; LENGTH];
    let error = session.run(&[], &mut [(&mut output).into()], 1).unwrap_err();
    assert_eq!(error, RunError::Count { kind: "input", got: 0, expected: 1 });
    let error = session.run(&[(&input).into(), (&input).into()], &mut [(&mut output).into()], 1).unwrap_err();
    assert_eq!(error, RunError::Count { kind: "input", got: 2, expected: 1 });
    let error = session.run(&[(&input).into()], &mut [], 1).unwrap_err();
    assert_eq!(error, RunError::Count { kind: "output", got: 0, expected: 1 });
    assert_eq!(output, [9.0; LENGTH]);
}

#[test]
fn tensors_of_wrong_length_are_refused_by_name_with_both_lengths() {
    let mut session = Session::new(&model(1.0), 1).unwrap();
    let (short, mut output) = (vec![0.0; LENGTH - 1], vec![9.0; LENGTH]);
    let error = session.run(&[(&short).into()], &mut [(&mut output).into()], 1).unwrap_err();
    let wrong = RunError::Length { kind: "input", name: "x".into(), got: 4, expected: 5, batch: 1 };
    assert_eq!(error, wrong);
    let input = image(0);
    let error = session.run(&[(&input).into()], &mut [(&mut output[1..]).into()], 1).unwrap_err();
    let wrong = RunError::Length { kind: "output", name: "y".into(), got: 4, expected: 5, batch: 1 };
    assert_eq!(error, wrong);
    for batch in [0, 2, usize::MAX] {
        assert!(
            session.run(&[(&input).into()], &mut [(&mut output).into()], batch).is_err(),
            "a batch of {batch}"
        );
    }
    assert_eq!(output, [9.0; LENGTH]);
}

#[test]
fn sessions_of_one_model_run_at_once() {
    let model = model(-1.0);
    std::thread::scope(|scope| {
        for caller in 0..3 {
            let model = &model;
            scope.spawn(move || {
                let mut session = Session::new(model, 2).unwrap();
                for round in 0..50 {
                    let input = image(1000 * caller + round);
                    let mut output = vec![f32::NAN; LENGTH];
                    session.run(&[(&input).into()], &mut [(&mut output).into()], 1).unwrap();
                    assert_eq!(output, expected(&input, -1.0), "caller {caller}, round {round}");
                }
            });
        }
    });
}

#[test]
fn images_lie_anywhere_and_elements_in_any_order() {
    let mut session = Session::new(&model(2.0), 2).unwrap();
    let images: Vec<Vec<f32>> = (0..3).map(image).collect();
    let each: Vec<Vec<f32>> = images.iter().map(|image| expected(image, 2.0)).collect();
    let apart: Vec<f32> = images.iter().flat_map(|image| [image.as_slice(), &[-1.0; 2]].concat()).collect();
    let turned: Vec<f32> =
        (0..LENGTH).flat_map(|index| images.iter().map(move |image| image[index])).collect();
    let (row, column) = (4 * (LENGTH + 2), [4, 4 * images.len()]);
    for (input, strides) in [(&apart, [row, 4]), (&turned, column)] {
        let input = View::strided(Element::F32, bytemuck::cast_slice(input), &strides);
        let mut dense = vec![f32::NAN; 3 * LENGTH];
        session.run(&[input], &mut [(&mut dense).into()], 3).unwrap();
        assert_eq!(dense, each.concat());
        let mut output = vec![f32::NAN; 3 * LENGTH];
        let strided = ViewMut::strided(Element::F32, bytemuck::cast_slice_mut(&mut output), &column);
        session.run(&[input], &mut [strided], 3).unwrap();
        for (index, value) in output.iter().enumerate() {
            assert_eq!(*value, each[index % 3][index / 3]);
        }
    }
    let once: [f32; LENGTH] = std::array::from_fn(|index| index as f32);
    let repeated = View::strided(Element::F32, bytemuck::cast_slice(&once), &[0, 4]);
    let mut output = vec![f32::NAN; 2 * LENGTH];
    session.run(&[repeated], &mut [(&mut output).into()], 2).unwrap();
    assert_eq!(output, [expected(&once, 2.0), expected(&once, 2.0)].concat());
}
