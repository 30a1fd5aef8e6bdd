//! Many at once: a session ends once, and every count is exact.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use app::numbers::sweep;
use domain::rate::Limit;
use futures_util::future::join_all;
use serde_json::json;

use super::{
    ALL, NUMBER, OTHER, Opened, SUBMIT, initiate, open, rows, status, submission, submit, submit_as,
};
use crate::harness::{Answer, Settings, TestApp, flows};

flows!(
    of_a_thousand_submissions_one_verifies,
    of_many_other_numbers_three_are_counted,
    right_and_other_numbers_end_a_session_once,
    of_many_links_the_last_one_opens_the_session,
    at_the_moment_of_the_end_one_session_follows,
    sessions_do_not_get_in_each_others_way,
);

/// Two instances without limits, and a key.
async fn two(app: &TestApp) -> ([TestApp; 2], String) {
    let mut settings = Settings::default();
    settings.limits.initiate = Limit::Off;
    settings.limits.status = Limit::Off;
    settings.limits.submit = Limit::Off;
    let key = app.key("default", ALL).await;
    let instances = [
        app.another(settings.clone()).await,
        app.another(settings).await,
    ];
    (instances, key)
}

fn count(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for answer in answers {
        *statuses.entry(answer.status.as_u16()).or_default() += 1;
    }
    statuses
}

async fn of_a_thousand_submissions_one_verifies(app: TestApp) {
    let (instances, key) = &two(&app).await;
    app.webhook("default", "https://hooks.example.com/numbers")
        .await;
    app.leaves_deliveries();
    instances[0].chores().await;
    instances[1].chores().await;
    let session = &open(&instances[0], key, "order-81").await;
    let answers = join_all((0..1000).map(|number| {
        let instance = &instances[number % 2];
        match number % 3 {
            0 => submit_as(instance, key, session, NUMBER).send(),
            _ => submit(instance, session, NUMBER).send(),
        }
    }))
    .await;
    assert_eq!(count(&answers), BTreeMap::from([(200, 1), (409, 999)]));
    for answer in &answers {
        match answer.status.as_u16() {
            200 => assert_eq!(answer.json["status"], "verified"),
            _ => assert_eq!(answer.code(), "session_closed"),
        }
    }
    assert_eq!(rows(&app, "status").await, ["verified"]);
    assert_eq!(app.recorded().await["number.submit"], 1000);
    let deliveries = "SELECT topic, COUNT(*) FROM deliveries GROUP BY topic";
    assert_eq!(
        app.database().sql(deliveries).await,
        [["verification.verified", "1"]]
    );
}

async fn of_many_other_numbers_three_are_counted(app: TestApp) {
    let (instances, key) = &two(&app).await;
    let session = &open(&instances[0], key, "order-81").await;
    let answers = join_all((0..300).map(|number| {
        let other = format!("+1415555{:04}", 200 + number);
        submit(&instances[number % 2], session, &other).send()
    }))
    .await;
    assert_eq!(count(&answers), BTreeMap::from([(200, 3), (409, 297)]));
    let mut left: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.json["attemptsLeft"].as_i64())
        .collect();
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2]);
    assert_eq!(rows(&app, "mismatches").await, ["3"]);
    assert_eq!(rows(&app, "status").await, ["failed"]);
}

async fn right_and_other_numbers_end_a_session_once(app: TestApp) {
    let (instances, key) = &two(&app).await;
    for round in 0..10 {
        let session = &open(&instances[0], key, &format!("order-{round}")).await;
        let answers = join_all((0..12).map(|number| {
            let named = if (number + round) % 4 == 3 {
                NUMBER
            } else {
                OTHER
            };
            submit(&instances[number % 2], session, named).send()
        }))
        .await;
        let ends = answers.iter().filter(|answer| {
            let standing = &answer.json["status"];
            standing == "verified" || standing == "failed"
        });
        let ends: Vec<_> = ends.collect();
        assert_eq!(ends.len(), 1, "{answers:?}");
        let mismatches = answers
            .iter()
            .filter(|answer| answer.json["attemptsLeft"].is_number());
        let mismatches = mismatches.count();
        assert!(mismatches <= 3);
        let found = status(&app, key, &session.id).expect(200).await;
        assert_eq!(found.json["status"], ends[0].json["status"]);
        let counted = rows(&app, "mismatches").await;
        assert_eq!(counted[round], mismatches.to_string());
        app.advance(Duration::from_millis(1)); // Names sort by time.
    }
}

async fn of_many_links_the_last_one_opens_the_session(app: TestApp) {
    let (instances, key) = &two(&app).await;
    let answers = join_all(
        (0..100).map(|number| initiate(&instances[number % 2], key, NUMBER, "order-81").send()),
    )
    .await;
    assert_eq!(count(&answers), BTreeMap::from([(200, 99), (201, 1)]));
    let sessions: Vec<_> = answers.iter().map(Opened::of).collect();
    assert!(sessions.iter().all(|session| session.id == sessions[0].id));
    let links: BTreeSet<_> = answers
        .iter()
        .map(|answer| answer.json["deepLink"].as_str())
        .collect();
    assert_eq!(links.len(), 100);
    let mut live = Vec::new();
    for session in &sessions {
        // Only who may submit is told that this is no number.
        let unreadable = submission(session, "no number");
        let answer = instances[0].post(SUBMIT).json(&unreadable).send().await;
        match answer.status.as_u16() {
            400 => live.push(session),
            status => assert_eq!(status, 401),
        }
    }
    assert_eq!(live.len(), 1);
    // And from now on it is the one that is asked for last.
    let last = Opened::of(&initiate(&app, key, NUMBER, "order-81").expect(200).await);
    submit(&app, live[0], NUMBER).expect(401).await;
    submit(&app, &last, NUMBER).expect(200).await;
}

async fn at_the_moment_of_the_end_one_session_follows(app: TestApp) {
    let (instances, key) = &two(&app).await;
    let first = &open(&instances[0], key, "order-81").await;
    app.advance(Duration::from_secs(600));
    let opening = join_all((0..40).map(|number| {
        let number = if number % 5 == 4 { OTHER } else { NUMBER };
        initiate(&instances[number.len() % 2], key, number, "order-81").send()
    }));
    let naming =
        join_all((0..40).map(|number| submit(&instances[number % 2], first, NUMBER).send()));
    let sweeps = join_all((0..4).map(|number| sweep(&instances[number % 2].app)));
    let (opened, named, swept) = tokio::join!(opening, naming, sweeps);
    assert_eq!(count(&named), BTreeMap::from([(410, 40)]));
    let opened = count(&opened);
    assert_eq!(opened[&201], 1, "{opened:?}");
    assert!(
        opened.keys().all(|status| [200, 201, 409].contains(status)),
        "{opened:?}"
    );
    assert!(swept.iter().all(Result::is_ok), "{swept:?}");
    assert_eq!(rows(&app, "status").await, ["expired", "pending"]);
    assert_eq!(app.recorded().await["number.expire"], 1);
}

async fn sessions_do_not_get_in_each_others_way(app: TestApp) {
    let (instances, key) = &two(&app).await;
    let mut sessions = Vec::new();
    for number in 0..8 {
        sessions.push(open(&instances[0], key, &format!("order-{number}")).await);
    }
    let sessions = &sessions;
    let answers = join_all((0..400).map(|number| async move {
        let instance = &instances[number % 2];
        let at = (number + number / 8) % 8;
        match number % 4 {
            0 => {
                initiate(instance, key, NUMBER, &format!("order-{at}"))
                    .send()
                    .await
            }
            1 => status(instance, key, &sessions[at].id).send().await,
            2 => submit_as(instance, key, &sessions[at], OTHER).send().await,
            _ => {
                initiate(instance, key, NUMBER, &format!("new-{number}"))
                    .send()
                    .await
            }
        }
    }))
    .await;
    let statuses = count(&answers);
    // Who comes to a session that has failed opens another one.
    assert!(
        statuses
            .keys()
            .all(|status| [200, 201, 409].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(statuses.values().sum::<usize>(), 400);
    let failed = "SELECT COUNT(*) FROM verification_sessions WHERE status = 'failed' \
                  AND mismatches = 3";
    assert_eq!(app.database().sql(failed).await, [["8"]]);
    let found = status(&app, key, &sessions[0].id).expect(200).await;
    assert_eq!(found.json["verifiedAt"], json!(null));
}
