//! Whatever order decisions come in, and however often, the same is proven in the end.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use super::{Stage, decision, hook};
use crate::customers::standing;
use crate::harness::{TestApp, flows};

flows!(
    any_order_of_decisions_proves_the_same,
    any_order_of_decisions_on_two_sessions_proves_the_same,
    what_one_session_takes_back_another_has_still_given,
);

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
    let session = stage.started(email).await;
    let words: Vec<_> = words.iter().map(|word| (0, *word)).collect();
    tell_of(stage, &[session], &words, order).await;
}

/// Tells what was decided, each on the session of that number and a minute after the one before.
async fn tell_of(
    stage: &Stage,
    sessions: &[(String, String)],
    words: &[(usize, &str)],
    order: &[(usize, bool)],
) {
    for (turn, (number, works)) in order.iter().enumerate() {
        let at = format!("2024-12-31T23:{:02}:00.000Z", 10 + number);
        let (session, word) = words[*number];
        let (session, reference) = &sessions[session];
        let mut told = decision(session, reference, word, &at);
        // A repetition under another name is processed again.
        told["verification"]["attemptId"] = json!(format!("attempt-{turn}"));
        hook(&stage.app, &told).expect(200).await;
        if *works {
            stage.work().await;
        }
    }
    stage.work().await;
}

/// Two sessions of a customer: the first is too old by now to be handed out.
async fn two_sessions(stage: &Stage, emails: &[String]) -> Vec<[(String, String); 2]> {
    let mut first = Vec::new();
    for email in emails {
        first.push(stage.started(email).await);
    }
    stage
        .app
        .advance(std::time::Duration::from_secs(7 * 86_400));
    let mut both = Vec::new();
    for (email, first) in emails.iter().zip(first) {
        both.push([first, stage.started(email).await]);
    }
    both
}

/// The same for seven decisions on two sessions of one customer.
async fn any_order_of_decisions_on_two_sessions_proves_the_same(app: TestApp) {
    let stage = Stage::set(&app).await;
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[10; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    // Only these come to a conclusion.
    let word = (0_usize..2, prop::sample::select(&WORDS[..3]));
    let words = proptest::collection::vec(word, 7);
    let some = proptest::collection::vec((0_usize..7, any::<bool>()), 0..7);
    let all = Just((0..7).collect::<Vec<_>>()).prop_shuffle();
    let mut emails = Vec::new();
    for round in 0..ROUNDS {
        emails.extend(["sorted", "shuffled"].map(|name| format!("{name}-{round}@example.com")));
    }
    let sessions = two_sessions(&stage, &emails).await;
    let mut approved = 0;
    for (emails, sessions) in emails.chunks(2).zip(sessions.chunks(2)) {
        let story = (words.clone(), some.clone(), all.clone());
        let (words, some, all) = story.new_tree(&mut runner).unwrap().current();
        let rest = all.into_iter().map(|number| (number, true));
        let shuffled: Vec<_> = some.into_iter().chain(rest).collect();
        let sorted: Vec<_> = (0..7).map(|number| (number, true)).collect();
        let mut known = Vec::new();
        for ((email, sessions), order) in emails.iter().zip(sessions).zip([&sorted, &shuffled]) {
            tell_of(&stage, sessions, &words, order).await;
            known.push(standing(&stage.app, &stage.key, email).await);
        }
        assert_eq!(known[0], known[1], "{words:?} told as {shuffled:?}");
        approved += usize::from(known[0]["veriff_approved"] == true);
    }
    assert!((1..ROUNDS).contains(&approved), "both ends are seen");
}

async fn what_one_session_takes_back_another_has_still_given(app: TestApp) {
    let stage = Stage::set(&app).await;
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    let emails: Vec<_> = (0..orders.len())
        .map(|number| format!("c{number}@example.com"))
        .collect();
    let words = [
        (0, "approved"),
        (1, "approved"),
        (0, "resubmission_requested"),
    ];
    let sessions = two_sessions(&stage, &emails).await;
    for ((email, sessions), order) in emails.iter().zip(sessions).zip(orders) {
        tell_of(
            &stage,
            &sessions,
            &words,
            &order.map(|number| (number, true)),
        )
        .await;
        assert!(stage.is_approved(email).await, "{order:?}");
    }
}
