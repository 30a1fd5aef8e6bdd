//! Whatever order events come in, and however often, the same is known in the end.

use app::inbox::{Listed, Status};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::{Stage, customer, event, hook, merge};
use crate::harness::{TestApp, flows};

flows!(
    a_line_of_merges_ends_in_the_same_state,
    a_merge_and_its_end_end_in_the_same_state,
    instances_at_work_at_once_miss_nothing,
);

/// How many orders each story is told in.
const ROUNDS: usize = 12;

/// Something that is told of a customer.
enum Word {
    /// An event of Square's.
    Event(Value),
    /// A proof: whose, which, given or withdrawn, when.
    Proof(usize, &'static str, bool, &'static str),
}

/// A day of December.
fn day(number: u32) -> String {
    format!("2024-12-{number:02}T00:00:00Z")
}

/// Tells a story of seven words in any order, each at least once and some more often, with the worker at
/// work at any moment in between. In the end it must be known what each customer has proven, and how
/// many are tied.
async fn tell(
    stage: &Stage,
    story: impl Fn(&[String], &str) -> Vec<Word>,
    expected: [[bool; 3]; 3],
    tied: usize,
) {
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[9; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    for round in 0..ROUNDS {
        let emails = ["a", "b", "c"].map(|name| format!("{name}{round}@example.com"));
        let words = story(&emails, &round.to_string());
        let count = words.len();
        let steps = proptest::collection::vec((0..count, any::<bool>()), count..2 * count);
        let order = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
        let steps = (steps, order).new_tree(&mut runner).unwrap().current();
        let rest = steps.1.into_iter().map(|number| (number, false));
        for (turn, (number, works)) in steps.0.into_iter().chain(rest).enumerate() {
            say(stage, &words[number], &emails, turn).await;
            if works {
                stage.work().await;
            }
        }
        stage.work().await;
        for (email, expected) in emails.iter().zip(expected) {
            assert_eq!(stage.proofs(email).await, expected, "{email}");
        }
        assert_eq!(stage.tied().await, (round + 1) * tied);
    }
    let finished = |one: &Listed| matches!(one.status, Status::Done | Status::Ignored);
    assert!(stage.events().await.iter().all(finished));
    let left = stage.app.database().sql("SELECT asked FROM square_carries");
    assert!(left.await.is_empty());
}

async fn say(stage: &Stage, word: &Word, emails: &[String; 3], turn: usize) {
    match word {
        Word::Event(told) => {
            let mut told = told.clone();
            // Every other repetition comes under a name of its own, and is processed again.
            if turn.is_multiple_of(2) {
                let name = told["event_id"].as_str().unwrap();
                told["event_id"] = json!(format!("{name}-{turn}"));
            }
            hook(&stage.app, &told).expect(200).await;
        }
        Word::Proof(whose, proof, status, at) => {
            let change = json!({"email": emails[*whose], "verification_type": proof,
                "status": status, "metadata": {"occurred_at": at}});
            let call = crate::customers::update(&stage.app, &stage.key, &change);
            call.expect(200).await;
        }
    }
}

/// One goes into another, and that into a third, while proofs come in.
async fn a_line_of_merges_ends_in_the_same_state(app: TestApp) {
    let stage = Stage::set(&app).await;
    let story = |emails: &[String], round: &str| {
        let of = |at: usize, version: i64| {
            let id = format!("{}{round}", ["A", "B", "C"][at]);
            customer(&id, &emails[at], version)
        };
        let first = merge(&format!("m{round}"), &day(20), &[of(0, 1)], &of(1, 1));
        let second = merge(&format!("n{round}"), &day(21), &[of(1, 2)], &of(2, 1));
        let mut words: Vec<_> = first.into_iter().chain(second).map(Word::Event).collect();
        words.push(Word::Proof(0, "veriff", true, "2024-12-10T00:00:00Z"));
        words.push(Word::Proof(1, "veriff", false, "2024-12-09T00:00:00Z"));
        words.push(Word::Proof(1, "membership", true, "2024-12-22T00:00:00Z"));
        words
    };
    let expected = [
        [true, false, false],
        [true, true, false],
        [true, true, false],
    ];
    tell(&stage, story, expected, 1).await;
}

/// One goes into another and is brought back, while proofs come in.
async fn a_merge_and_its_end_end_in_the_same_state(app: TestApp) {
    let stage = Stage::set(&app).await;
    let story = |emails: &[String], round: &str| {
        let of = |at: usize, version: i64| {
            let id = format!("{}{round}", ["A", "B", "C"][at]);
            customer(&id, &emails[at], version)
        };
        let events = merge(&format!("m{round}"), &day(20), &[of(0, 1)], &of(1, 1));
        let mut words: Vec<_> = events.into_iter().map(Word::Event).collect();
        let mut back = of(0, 2);
        back["creation_source"] = json!("UNMERGE_RECOVERY");
        let (name, kind) = (format!("u{round}"), "customer.created");
        words.push(Word::Event(event(&name, kind, &day(21), &back)));
        let (name, kind) = (format!("v{round}"), "customer.updated");
        words.push(Word::Event(event(&name, kind, &day(21), &of(1, 2))));
        words.push(Word::Proof(0, "veriff", true, "2024-12-10T00:00:00Z"));
        words.push(Word::Proof(1, "membership", true, "2024-12-09T00:00:00Z"));
        words.push(Word::Proof(1, "veriff", false, "2024-12-08T00:00:00Z"));
        words
    };
    let expected = [[true, false, false], [false, true, false], [false; 3]];
    tell(&stage, story, expected, 2).await;
}

/// A merge and the proof that is to follow it, written at the same time by two instances: one of the
/// two sees the other.
async fn instances_at_work_at_once_miss_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    let mut settings = crate::harness::Settings::default().customers("off");
    settings
        .orders
        .square
        .clone_from(&stage.app.app.orders.square);
    let other = stage.app.another(settings).await;
    for round in 0..ROUNDS {
        let [ann, bob] = ["a", "b"].map(|name| format!("{name}{round}@example.com"));
        let (gone, left) = (format!("A{round}"), format!("B{round}"));
        let gone = customer(&gone, &ann, 1);
        for event in merge(
            &format!("m{round}"),
            &day(20),
            &[gone],
            &customer(&left, &bob, 1),
        ) {
            hook(&stage.app, &event).expect(200).await;
        }
        let mut worker = stage.worker();
        let prove = crate::customers::prove(&other, &stage.key, &ann, "veriff", true);
        let (worked, _) = tokio::join!(worker.run_due(), prove);
        worked.unwrap();
        let (one, two) = tokio::join!(
            app::square::sweep(&stage.app.app),
            app::square::sweep(&other.app)
        );
        one.and(two).unwrap();
        assert_eq!(stage.proofs(&bob).await, [true, false, false], "{round}");
    }
}
