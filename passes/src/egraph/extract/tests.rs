use std::collections::BTreeSet;

use proptest::prelude::*;

use super::choices::{Choice, Choices};
use super::search;

/// What a way through the choices costs: each class that is needed once.
fn cost(choices: &Choices, way: &[usize]) -> u64 {
    let mut needed = BTreeSet::from([0u32]);
    let mut cost = 0;
    for (class, &chosen) in way.iter().enumerate() {
        if needed.contains(&(class as u32)) {
            let choice = &choices.nodes[class][chosen];
            cost += choice.cost;
            needed.extend(&choice.needs);
        }
    }
    cost
}

/// The least cost of all ways, each tried.
fn least(choices: &Choices) -> u64 {
    let mut way = vec![0; choices.nodes.len()];
    let mut least = u64::MAX;
    loop {
        least = least.min(cost(choices, &way));
        let Some(class) = (0..way.len()).find(|&class| way[class] + 1 < choices.nodes[class].len()) else {
            return least;
        };
        way[class] += 1;
        way[..class].fill(0);
    }
}

/// Up to 9 classes with up to 3 choices, each over any classes further down the order.
fn dag() -> impl Strategy<Value = Choices> {
    let class = prop::collection::vec((0..12u64, any::<u16>()), 1..4);
    prop::collection::vec(class, 1..10).prop_map(|classes| {
        let count = classes.len();
        let choice = |class: usize, (node, (cost, mask)): (usize, (u64, u16))| Choice {
            cost,
            needs: (class + 1..count).filter(|&need| mask >> need & 1 == 1).map(|need| need as u32).collect(),
            node,
        };
        let nodes = classes.into_iter().enumerate();
        let nodes = nodes
            .map(|(class, nodes)| nodes.into_iter().enumerate().map(|node| choice(class, node)).collect());
        Choices { classes: (0..count).map(egg::Id::from).collect(), nodes: nodes.collect(), lossless: true }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_cheaper_than_what_is_found(choices in dag()) {
        let found = search(&choices, 4_096);
        prop_assert!(found.exact);
        prop_assert_eq!(found.cost, least(&choices));
        let mut way = vec![0; choices.nodes.len()];
        for &(class, choice) in &found.picks {
            way[class] = choice;
        }
        prop_assert_eq!(cost(&choices, &way), found.cost);
    }

    #[test]
    fn pruning_loses_nothing(mut choices in dag()) {
        let before = search(&choices, 4_096).cost;
        choices.prune();
        prop_assert_eq!(search(&choices, 4_096).cost, before);
    }

    #[test]
    fn a_bound_on_states_still_finds_a_way_and_says_so_where_it_cut(choices in dag()) {
        let found = search(&choices, 1);
        prop_assert!(found.cost >= least(&choices));
        prop_assert!(found.cost == least(&choices) || !found.exact);
    }
}
