#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::{BTreeSet, HashSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

/// A root, two branches and the node that joins them.
const DIAMOND: &[&[usize]] = &[&[], &[0], &[0], &[1, 2]];

fn dag<P: AsRef<[usize]>>(parents: &[P]) -> Dag {
    let mut dag = Dag::with_capacity(parents.len());
    for parents in parents {
        dag.push(parents.as_ref().iter().copied().map(Some));
    }
    dag
}

/// Parents of a random graph without circles, in which a node may come before its parents.
fn random(rng: &mut ChaCha8Rng, count: usize) -> Vec<Vec<usize>> {
    let mut below = |end: usize| usize::try_from(rng.next_u32()).unwrap() % end;
    let mut shuffled: Vec<usize> = (0..count).collect();
    for place in 1..count {
        shuffled.swap(place, below(place + 1));
    }
    let mut parents = vec![Vec::new(); count];
    for (at, place) in shuffled.iter().enumerate().skip(1) {
        let back = 1 + below(at.min(5));
        for _ in 0..=below(3) {
            parents[*place].push(shuffled[at - back]);
            parents[*place].push(shuffled[at - 1 - below(at.min(3))]);
        }
    }
    parents
}

/// The past of each node, by repeated looks at all links.
fn pasts(parents: &[Vec<usize>]) -> Vec<BTreeSet<usize>> {
    let mut pasts = vec![BTreeSet::new(); parents.len()];
    loop {
        let before = pasts.clone();
        for (node, parents) in parents.iter().enumerate() {
            for parent in parents {
                let further: Vec<usize> = before[*parent].iter().copied().collect();
                pasts[node].insert(*parent);
                pasts[node].extend(further);
            }
        }
        if pasts == before {
            return pasts;
        }
    }
}

fn assert_parents_first(dag: &Dag, order: &[usize]) {
    let mut placed = HashSet::new();
    for place in order {
        assert!(
            dag.parents(*place)
                .iter()
                .all(|parent| placed.contains(parent))
        );
        assert!(placed.insert(*place), "{place} is placed twice");
    }
}

#[test]
fn diamond_is_ordered_alike_from_any_list() {
    let dag_of_ids = dag(DIAMOND);
    assert_eq!(dag_of_ids.by_depth(0, |place| place), [0, 1, 2, 3]);
    assert_eq!(dag_of_ids.by_depth(0, std::cmp::Reverse), [0, 2, 1, 3]);
    let backwards = dag::<&[usize]>(&[&[1, 2], &[3], &[3], &[]]);
    assert_eq!(backwards.by_depth(3, std::cmp::Reverse), [3, 2, 1, 0]);
    assert_eq!(backwards.by_place(), [3, 1, 2, 0]);
    assert_eq!(backwards.by_wave(), [3, 1, 2, 0]);
}

#[test]
fn depth_is_the_longest_way_from_the_root() {
    // The last node has the root as a parent, and is the deepest all the same.
    let dag = dag::<&[usize]>(&[&[], &[0], &[1], &[0, 2], &[0]]);
    assert_eq!(dag.by_depth(0, std::cmp::Reverse), [0, 4, 1, 2, 3]);
}

#[test]
fn ordered_list_keeps_its_order_by_place() {
    // A second branch begins in the middle, so the order by wave differs.
    let dag = dag::<&[usize]>(&[&[], &[0], &[], &[2]]);
    assert_eq!(dag.by_place(), [0, 1, 2, 3]);
    assert_eq!(dag.by_wave(), [0, 2, 1, 3]);
}

#[test]
fn circle_is_left_out_with_its_descendants() {
    let parents: &[&[usize]] = &[&[], &[0, 2], &[1], &[2], &[0], &[5]];
    let circle = dag(parents);
    assert_eq!(circle.by_place(), [0, 4]);
    assert_eq!(circle.by_wave(), [0, 4]);
    assert_eq!(circle.by_depth(0, |place| place), [0, 4]);
    assert!(circle.by_depth(1, |place| place).is_empty());
    let kept = circle.arranged(&[0, 4]);
    assert_eq!(
        (kept.len(), kept.parents(0), kept.parents(1)),
        (2, &[][..], &[0][..])
    );
}

#[test]
fn missing_parent_leaves_out_a_node_with_its_descendants() {
    let mut dag = Dag::with_capacity(4);
    dag.push([]);
    dag.push([Some(0), None]);
    dag.push([Some(1)]);
    dag.push([Some(0)]);
    assert_eq!(dag.by_place(), [0, 3]);
    assert_eq!(dag.by_wave(), [0, 3]);
    assert_eq!(dag.by_depth(0, |place| place), [0, 3]);
}

#[test]
fn node_that_does_not_descend_from_the_root_counts_nowhere() {
    let dag = dag::<&[usize]>(&[&[], &[], &[0, 1], &[1]]);
    assert_eq!(dag.by_depth(0, |place| place), [0, 2]);
    assert_eq!(dag.arranged(&[0, 2]).parents(1), [0]);
}

#[test]
fn first_of_two_copies_gives_the_place() {
    let place_of = places(["a", "b", "a"].into_iter());
    assert_eq!((place_of["a"], place_of["b"]), (0, 1));
}

#[test]
fn parent_named_twice_counts_once() {
    let dag = dag::<&[usize]>(&[&[], &[0, 0], &[1, 0, 1]]);
    assert_eq!(dag.by_place(), [0, 1, 2]);
    assert_eq!(dag.by_wave(), [0, 1, 2]);
    assert_eq!(dag.by_depth(0, |place| place), [0, 1, 2]);
    let ancestry = Ancestry::of(&dag);
    assert_eq!(ancestry.past_of(2), [0, 1]);
    assert_eq!(ancestry.last_of(dag.parents(2)), Some(1));
}

#[test]
fn long_line_is_ordered_and_walked_without_recursion() {
    const COUNT: usize = 10_000;
    let parents: Vec<Vec<usize>> = (0..COUNT)
        .map(|at| if at + 1 < COUNT { vec![at + 1] } else { vec![] })
        .collect();
    let line = dag(&parents);
    let order = line.by_place();
    assert!(order.iter().copied().eq((0..COUNT).rev()));
    assert_eq!(line.by_wave(), order);
    assert_eq!(line.by_depth(COUNT - 1, |place| place), order);
    let ordered = line.arranged(&order);
    let ancestry = Ancestry::of(&ordered);
    assert!((0..COUNT).all(|at| ancestry.has_seen_all_before(at)));
    let mut walk = Walk::from_places(COUNT, [COUNT - 1]);
    let mut met = 0;
    while let Some(place) = walk.next() {
        met += 1;
        walk.extend(ordered.parents(place).iter().copied());
    }
    assert_eq!(met, COUNT);
    let links = parents
        .iter()
        .enumerate()
        .flat_map(|(at, parents)| parents.iter().map(move |p| (*p, at)));
    assert_eq!(descendants([COUNT - 1], links).len(), COUNT);
}

#[test]
fn joining_node_has_seen_both_branches() {
    let ancestry = Ancestry::of(&dag(DIAMOND));
    assert!(ancestry.concurrent(1, 2));
    assert!(!ancestry.concurrent(1, 3) && !ancestry.concurrent(2, 2));
    assert_eq!(ancestry.last_of(&[1, 2]), None);
    assert_eq!(ancestry.last_of(&[0, 2]), Some(2));
    assert_eq!(ancestry.last_of(&[]), None);
    assert!(ancestry.has_seen_all_before(3) && !ancestry.has_seen_all_before(2));
    assert_eq!(ancestry.past_of(2), [0]);
}

#[test]
fn random_graphs_agree_with_repeated_looks_at_all_links() {
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let count = 1 + usize::try_from(rng.next_u32()).unwrap() % 200;
        let parents = random(&mut rng, count);
        let random = dag(&parents);
        for order in [random.by_place(), random.by_wave()] {
            assert_eq!(order.len(), count, "seed {seed}");
            assert_parents_first(&random, &order);
        }
        let root = random.by_place()[0];
        let order = random.by_depth(root, |place| place);
        let ordered = random.arranged(&order);
        let known: Vec<Vec<usize>> = (0..ordered.len())
            .map(|at| ordered.parents(at).to_vec())
            .collect();
        let pasts = pasts(&known);
        let ancestry = Ancestry::of(&ordered);
        for later in 0..ordered.len() {
            let past: Vec<usize> = pasts[later].iter().copied().collect();
            assert_eq!(ancestry.past_of(later), past, "seed {seed}, node {later}");
            for other in 0..ordered.len() {
                let apart = other != later
                    && !pasts[later].contains(&other)
                    && !pasts[other].contains(&later);
                assert_eq!(
                    ancestry.concurrent(later, other),
                    apart,
                    "seed {seed}, node {later}"
                );
                assert!(
                    !apart || ancestry.around(later).contains(&other),
                    "seed {seed}, node {later}"
                );
            }
        }
        check_descent(&known, &pasts, seed);
    }
}

fn check_descent(parents: &[Vec<usize>], pasts: &[BTreeSet<usize>], seed: u64) {
    let count = parents.len();
    let targets: Vec<usize> = (0..count).rev().step_by(2).collect();
    let mut visited = BTreeSet::new();
    with_descendants(
        |at| &parents[at],
        &targets,
        count - 1,
        |target, has_seen| {
            assert!(visited.insert(target));
            for (later, past) in pasts.iter().enumerate() {
                assert_eq!(
                    has_seen(later),
                    past.contains(&target),
                    "seed {seed}, node {later}"
                );
            }
        },
    );
    assert_eq!(visited.len(), targets.len());
    let links = || {
        parents
            .iter()
            .enumerate()
            .flat_map(|(at, parents)| parents.iter().map(move |p| (*p, at)))
    };
    for of in 0..count {
        let found = descendants([of], links());
        let builds = |at: &usize| *at == of || pasts[*at].contains(&of);
        assert_eq!(
            found,
            (0..count).filter(builds).collect(),
            "seed {seed}, node {of}"
        );
    }
    assert!(descendants([], links()).is_empty());
}

#[test]
fn marks_are_forgotten_in_one_step() {
    let mut marks = Marks::new(3);
    assert!(marks.put(1) && !marks.put(1) && marks.has(1));
    marks.clear();
    assert!(!marks.has(1) && marks.put(1));
    let mut walk = Walk::with(&mut marks, [1, 2]);
    assert_eq!(
        (walk.next(), walk.next()),
        (Some(2), None),
        "1 counts as met"
    );
}
