//! Whatever order decisions come in, and however often, the same is proven in the end.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use super::{Stage, decision, hook};
use crate::customers::standing;
use crate::harness::{TestApp, flows};

flows!(any_order_of_decisions_proves_the_same);

/// How many stories are told.
const ROUNDS: usize = 20;

/// What Veriff can say of a session.
const WORDS: [&str; 6] = [
    "approved",
    "declined",
    "resubmission_requested",
    "review",
    "expired",
    "abandoned",
];

/// Seven decisions on one session, told in the order in which they were made, and on another one in
/// any order, each at least once, with the worker at work at any moment in between.
async fn any_order_of_decisions_proves_the_same(app: TestApp) {
    let stage = Stage::set(&app).await;
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[8; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    let words = proptest::collection::vec(prop::sample::select(&WORDS[..]), 7);
    let some = proptest::collection::vec((0_usize..7, any::<bool>()), 0..7);
    let all = Just((0..7).collect::<Vec<_>>()).prop_shuffle();
    let mut approved = 0;
    for round in 0..ROUNDS {
        let story = (words.clone(), some.clone(), all.clone());
        let (words, some, all) = story.new_tree(&mut runner).unwrap().current();
        let rest = all.into_iter().map(|number| (number, true));
        let shuffled: Vec<_> = some.into_iter().chain(rest).collect();
        let sorted: Vec<_> = (0..7).map(|number| (number, true)).collect();
        let mut known = Vec::new();
        for (name, order) in [("sorted", sorted), ("shuffled", shuffled)] {
            let email = format!("{name}-{round}@example.com");
            tell(&stage, &email, &words, &order).await;
            known.push(standing(&stage.app, &stage.key, &email).await);
        }
        assert_eq!(known[0], known[1], "{words:?}");
        approved += usize::from(known[0]["veriff_approved"] == true);
    }
    assert!((1..ROUNDS).contains(&approved), "both ends are seen");
}

async fn tell(stage: &Stage, email: &str, words: &[&str], order: &[(usize, bool)]) {
    let (session, reference) = stage.started(email).await;
    for (turn, (number, works)) in order.iter().enumerate() {
        let at = format!("2024-12-31T23:{:02}:00.000Z", 10 + number);
        let mut told = decision(&session, &reference, words[*number], &at);
        // A repetition under another name is processed again.
        told["verification"]["attemptId"] = json!(format!("attempt-{turn}"));
        hook(&stage.app, &told).expect(200).await;
        if *works {
            stage.work().await;
        }
    }
    stage.work().await;
}
