use super::*;
use crate::code::tests::{LENGTH, program};

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
            session.run(&[&input], &mut [&mut output], 1).unwrap();
            assert_eq!(output, expected(&input, 0.5), "{threads} threads, round {round}");
        }
    }
}

#[test]
fn the_images_of_a_batch_are_run_each_on_its_own_part() {
    let mut session = Session::new(&model(2.0), 2).unwrap();
    let images: Vec<Vec<f32>> = (0..4).map(image).collect();
    let mut output = vec![f32::NAN; 4 * LENGTH];
    session.run(&[&images.concat()], &mut [&mut output], 4).unwrap();
    let each: Vec<f32> = images.iter().flat_map(|image| expected(image, 2.0)).collect();
    assert_eq!(output, each);
}

#[test]
fn an_empty_batch_does_nothing() {
    let mut session = Session::new(&model(2.0), 2).unwrap();
    session.run(&[&[]], &mut [&mut []], 0).unwrap();
}

#[test]
fn tensors_of_wrong_number_are_refused_before_anything_runs() {
    let mut session = Session::new(&model(1.0), 1).unwrap();
    let input = image(0);
    let mut output = vec![9.0; LENGTH];
    let error = session.run(&[], &mut [&mut output], 1).unwrap_err();
    assert_eq!(error, RunError::Count { kind: "input", got: 0, expected: 1 });
    let error = session.run(&[&input, &input], &mut [&mut output], 1).unwrap_err();
    assert_eq!(error, RunError::Count { kind: "input", got: 2, expected: 1 });
    let error = session.run(&[&input], &mut [], 1).unwrap_err();
    assert_eq!(error, RunError::Count { kind: "output", got: 0, expected: 1 });
    assert_eq!(output, [9.0; LENGTH]);
}

#[test]
fn tensors_of_wrong_length_are_refused_by_name_with_both_lengths() {
    let mut session = Session::new(&model(1.0), 1).unwrap();
    let (short, mut output) = (vec![0.0; LENGTH - 1], vec![9.0; LENGTH]);
    let error = session.run(&[&short], &mut [&mut output], 1).unwrap_err();
    let wrong = RunError::Length { kind: "input", name: "x".into(), got: 4, expected: 5, batch: 1 };
    assert_eq!(error, wrong);
    let input = image(0);
    let error = session.run(&[&input], &mut [&mut output[1..]], 1).unwrap_err();
    let wrong = RunError::Length { kind: "output", name: "y".into(), got: 4, expected: 5, batch: 1 };
    assert_eq!(error, wrong);
    for batch in [0, 2, usize::MAX] {
        assert!(session.run(&[&input], &mut [&mut output], batch).is_err(), "a batch of {batch}");
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
                    session.run(&[&input], &mut [&mut output], 1).unwrap();
                    assert_eq!(output, expected(&input, -1.0), "caller {caller}, round {round}");
                }
            });
        }
    });
}
