//! Wrong rules are found out, under their names.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Reshape};
use frit_ir::{Diagnostic, Graph, Shape};

use crate::egraph::language::{ENode, Kind};
use crate::egraph::rule::Term;
use crate::egraph::rules::{ALL, Rule};
use crate::egraph::{CostModel, Fault, Limits, rewrite};
use crate::legality::Legal;
use crate::testing::{Net, conv};

/// Takes every reshape for an identity.
const WRONG_JOIN: Rule = Rule {
    name: "wrong-join",
    sound: "it is not",
    root: Kind::Reshape,
    find: |site, found| found.same(&[site.root], site.root.children[0]),
};

/// Forgets the weights of a convolution.
const WRONG_TERM: Rule = Rule {
    name: "wrong-term",
    sound: "it is not",
    root: Kind::Conv2d,
    find: |site, found| {
        let op = site.root.op().expect("it is a convolution").clone();
        found.equal(&[site.root], Term::default(), ENode::layer(op, site.root.operands()));
    },
};

fn network() -> Legal<Graph> {
    let mut net = Net::new(1);
    let x = net.input("x", &[2, 2, 1]);
    let y = net.conv("conv", conv(4, 1), x);
    let y = net.reshape("flatten", Reshape::Flatten, y);
    net.finish(&[y])
}

fn fault(rule: &'static Rule) -> Fault {
    rewrite(&network(), &[rule], &CostModel::default(), &Limits::default()).expect_err("the rule is wrong")
}

#[test]
fn a_join_of_two_shapes_names_the_rule_and_both() {
    let Fault::Join { rule, left, right } = fault(&WRONG_JOIN) else { panic!("shapes were joined") };
    let mut shapes = [left, right];
    shapes.sort();
    assert_eq!((rule, shapes), ("wrong-join", [Shape::new(&[2, 2, 4]), Shape::new(&[16])]));
}

#[test]
fn a_layer_that_can_not_be_names_the_rule_and_the_reason() {
    assert_eq!(
        fault(&WRONG_TERM),
        Fault::Term { rule: "wrong-term", reason: "conv2d takes 1 weights, not 0".to_owned() }
    );
}

#[test]
fn a_fault_is_a_diagnostic_of_frit_itself() {
    let diagnostic = Diagnostic::from(fault(&WRONG_TERM));
    assert_eq!(diagnostic.code, codes::INTERNAL);
    assert_eq!(
        diagnostic.message,
        "rule wrong-term built a layer that can't be: conv2d takes 1 weights, not 0"
    );
}

#[test]
fn no_rule_sees_into_the_class_of_its_own_root() {
    const LOOK: Rule = Rule {
        name: "look",
        sound: "it builds nothing",
        root: Kind::Activation,
        find: |site, _| {
            let child = site.egraph.find(site.root.children[0]);
            assert!(child != site.class || site.inside(child).is_empty(), "it looks into its own class");
        },
    };
    let mut net = Net::new(1);
    let x = net.input("x", &[4]);
    let y = net.activation("first", Activation::Relu, x);
    let y = net.activation("second", Activation::Relu, y);
    let source = net.finish(&[y]);
    let merge = ALL.iter().find(|rule| rule.name == "merge-clamps").expect("it is listed");
    let (_, report) =
        rewrite(&source, &[merge, &LOOK], &CostModel::default(), &Limits::default()).expect("both are right");
    assert_eq!(
        report.rewriting.expect("it has one").iterations,
        2,
        "the second sees relu(x) = relu(relu(x))"
    );
}

#[test]
fn a_weight_taken_for_a_tensor_of_its_shape_is_a_fault() {
    const WRONG_CONSTANT: Rule = Rule {
        name: "wrong-constant",
        sound: "it is not",
        root: Kind::BatchNorm,
        find: |site, found| found.same(&[site.root], site.root.weights()[0]),
    };
    let mut net = Net::new(1);
    let x = net.input("x", &[4]);
    let y = net.batch_norm("norm", x);
    let source = net.finish(&[y]);
    let fault = rewrite(&source, &[&WRONG_CONSTANT], &CostModel::default(), &Limits::default());
    assert!(matches!(fault, Err(Fault::Join { rule: "wrong-constant", .. })));
}
