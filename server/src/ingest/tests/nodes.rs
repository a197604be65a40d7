//! Several nodes over one store: each judges, ticks and wakes, and no work is done twice or lost.

use std::collections::HashMap;
use std::sync::Barrier;

use super::overdue::{gone_up, rules};
use super::*;
use crate::server::Server;

const MINUTE_MS: i64 = 60_000;

/// Lets two nodes work at the same time, and returns the results. `work` also gets the number of the node.
fn together<T: Send>(nodes: [&Server; 2], work: impl Fn(&Server, usize) -> T + Sync) -> [T; 2] {
    let barrier = Barrier::new(2);
    let one = |number: usize| {
        barrier.wait();
        work(nodes[number], number)
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| one(1));
        [one(0), other.join().unwrap()]
    })
}

#[test]
fn nodes_that_tick_together_make_each_move_once() {
    const CASES: usize = 12;
    let times = "accept_minutes = 30\n";
    let world = TestServer::with(rules(times));
    let other = world.second_node(rules(times));
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let cases: Vec<Envelope> = (0..CASES).map(|_| reporter.report("gas")).collect();
    for (number, case) in cases.iter().enumerate() {
        // The phone meets another node each time.
        let node = if number % 2 == 0 {
            &*world.server
        } else {
            &other
        };
        let answer = reporter.push(node, &[case]);
        assert_eq!(statuses(&answer), [Status::Accepted]);
    }
    let late = NOW + 31 * MINUTE_MS;
    let made = together([&world.server, &other], |node, _| node.tick(late).unwrap());
    assert_eq!(made[0] + made[1], CASES);
    for case in &cases {
        assert_eq!(gone_up(&world, case.record()).0, ["overdue_accept"]);
    }
    assert_eq!(other.tick(late + MINUTE_MS).unwrap(), 0, "once");
    digests_are_right(&world);
}

/// Each node has judged the case without the other's envelope, and only one of them may store its plan as it is.
#[test]
fn nodes_that_take_in_one_case_together_lose_nothing() {
    let world = TestServer::new();
    let other = world.reopened();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let mut worker = world.phone(GRID_WORKER_CHEN);
    let genesis = reporter.report("gas");
    reporter.push(&world.server, &[&genesis]);
    let id = genesis.record();
    // Neither author sees the other's words.
    let (mut of_worker, mut of_reporter) = (genesis.id(), genesis.id());
    let mut sent = Vec::new();
    for round in 0..10 {
        let comment = Event::Comment(Comment {
            text: Some(Text::new(format!("round {round}")).unwrap()),
            attachments: Vec::new(),
            mentions: Vec::new(),
        });
        let one = worker.act(id, &[of_worker], &comment);
        let two = reporter.act(id, &[of_reporter], &comment);
        (of_worker, of_reporter) = (one.id(), two.id());
        let bundles = [worker.bundle(&[&one]), reporter.bundle(&[&two])];
        let results = together([&world.server, &other], |node, number| {
            node.ingest(bundles[number].clone(), &HashMap::new(), NOW + 1)
        });
        for result in results {
            assert_eq!(result.unwrap().lines[0].verdict.status, Status::Accepted);
        }
        sent.extend([of_worker, of_reporter]);
    }
    let store = world.server.store();
    let settled = store.read(|tx| tx.settled_ids(id)).unwrap();
    assert!(sent.iter().all(|id| settled.contains(id)));
    digests_are_right(&world);
}

#[test]
fn work_of_another_node_wakes_its_readers_once() {
    let world = TestServer::new();
    let other = world.reopened();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let worker = world.phone(GRID_WORKER_CHEN);
    let mut wake = other.subscribe(worker.session.device, NOW).unwrap();
    let mut woken = |hinted: Option<&BTreeSet<StreamId>>| {
        other.follow(hinted).unwrap();
        let woken = wake.has_changed().unwrap();
        wake.borrow_and_update();
        woken
    };
    assert!(!woken(None), "nothing has changed");
    let first = reporter.report("gas");
    reporter.push(&world.server, &[&first]);
    let village = BTreeSet::from([StreamId::AreaStaff(VILLAGE)]);
    let elsewhere = BTreeSet::from([StreamId::DirectoryBase]);
    assert!(!woken(Some(&elsewhere)), "the hint names other streams");
    assert!(woken(Some(&village)));
    assert!(!woken(None), "it has been told");
    // The hint is lost.
    let second = reporter.report("gas");
    reporter.push(&world.server, &[&second]);
    assert!(woken(None));
    // The node itself has told its phones.
    let third = reporter.report("gas");
    reporter.push(&other, &[&third]);
    assert!(woken(None));
    assert!(!woken(None));
}

/// A phone that connects learns of the newest work by its sync, and must not hide it from those who wait.
#[test]
fn new_subscription_hides_nothing_from_older_ones() {
    let world = TestServer::new();
    let other = world.reopened();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let (one, two) = (world.phone(GRID_WORKER_CHEN), world.phone(GRID_WORKER_LIN));
    let mut waiting = other.subscribe(one.session.device, NOW).unwrap();
    waiting.borrow_and_update();
    let genesis = reporter.report("gas");
    reporter.push(&world.server, &[&genesis]);
    let fresh = other.subscribe(two.session.device, NOW).unwrap();
    assert!(waiting.has_changed().unwrap());
    assert!(!fresh.has_changed().unwrap());
}
