//! Tokens: got with a signed assertion or from the machine, kept, renewed, and never shown.

use std::sync::Arc;
use std::time::Duration;

use app::archive::{ArchiveProblem, Follower};
use bonafide::outbound::{Account, BigQueryClient, BigQueryUnusable};
use url::Url;

use super::google::Mood;
use super::{AGES, Stage, configured};
use crate::harness::{TestApp, flows, logged};

flows!(
    one_token_is_used_until_just_before_it_ends,
    a_token_that_is_refused_is_renewed_once,
    an_account_that_is_refused_is_told,
    the_machine_has_an_account_too,
    a_key_file_that_cannot_be_used_is_told,
    secrets_do_not_reach_the_log,
);

async fn begun(app: &TestApp) -> Stage {
    let mut stage = Stage::set(app).await;
    stage.copy().await;
    stage
}

async fn one_token_is_used_until_just_before_it_ends(app: TestApp) {
    let mut stage = begun(&app).await;
    assert_eq!(
        stage.google.granted(),
        0,
        "nothing is asked before there is anything to say"
    );
    for number in 0..3 {
        stage.decide(number, number + 1).await;
        stage.copy().await;
    }
    assert_eq!(stage.google.granted(), 1);
    stage.advance(Duration::from_secs(3_500));
    stage.decide(3, 4).await;
    stage.copy().await;
    assert_eq!(stage.google.granted(), 1);
    stage.advance(Duration::from_secs(60));
    stage.decide(4, 5).await;
    stage.copy().await;
    assert_eq!(stage.google.granted(), 2);
    assert_eq!(stage.google.names(AGES).1, 5);
}

async fn a_token_that_is_refused_is_renewed_once(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.decide(0, 1).await;
    stage.copy().await;
    stage.google.revokes_tokens();
    stage.decide(1, 2).await;
    stage.copy().await;
    assert_eq!((stage.google.granted(), stage.google.names(AGES).1), (2, 2));
    // A fresh token that is refused as well is not replaced for ever.
    stage.decide(2, 3).await;
    stage.google.asked();
    stage.google.be_at_insert(Mood::Status(401));
    stage.google.be_at_insert(Mood::Status(401));
    stage.google.be_at_insert(Mood::Status(401));
    stage.google.be_at_insert(Mood::Status(401));
    assert_eq!(stage.fail().await.0, ArchiveProblem::Refused);
    assert!(stage.google.granted() <= 4);
    stage.copy().await;
    assert_eq!(stage.google.names(AGES).1, 3);
}

async fn an_account_that_is_refused_is_told(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.decide(0, 1).await;
    stage.google.refuses_assertions(true);
    assert_eq!(stage.fail().await.0, ArchiveProblem::Refused);
    stage.google.refuses_assertions(false);
    // A clock that is an hour off makes assertions that are refused.
    stage
        .google
        .it_is(stage.app.now() + Duration::from_secs(4_000));
    assert_eq!(stage.fail().await.0, ArchiveProblem::Refused);
    stage.google.it_is(stage.app.now());
    stage.google.be(Mood::Status(503));
    assert_eq!(stage.fail().await.0, ArchiveProblem::Away(None));
    stage.copy().await;
    assert_eq!(stage.google.names(AGES).1, 1);
}

async fn the_machine_has_an_account_too(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.follower.release().await.unwrap();
    let config = configured(&stage.google, None);
    let account = Account::Machine(Url::parse(&stage.google.metadata()).unwrap());
    let clock = stage.app.app.clock.clone();
    let client = BigQueryClient::with_account(&config, account, clock).unwrap();
    assert_eq!(
        client.check().await.unwrap().len(),
        2,
        "no table is there yet"
    );
    let mut follower = Follower::new(stage.app.app.clone(), Arc::new(client));
    stage.decide(0, 2).await;
    follower.step().await.unwrap();
    assert_eq!(stage.google.names(AGES).1, 2);
    assert_eq!(stage.google.granted(), 1);
}

async fn a_key_file_that_cannot_be_used_is_told(app: TestApp) {
    let stage = begun(&app).await;
    let path = stage.files.path().join("other.json");
    let client = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let config = configured(&stage.google, Some(path.clone()));
        let client = BigQueryClient::new(&config, stage.app.app.clock.clone());
        client.map(drop).map_err(|unusable| unusable.to_string())
    };
    let mut file = stage.google.key_file();
    assert_eq!(client(&file.to_string()), Ok(()));
    file["private_key"] = "hunter2".into();
    let told = client(&file.to_string()).unwrap_err();
    assert!(told.starts_with("BIGQUERY_CREDENTIALS_FILE: "), "{told}");
    assert!(!told.contains("hunter2"));
    assert!(client("{}").unwrap_err().contains("key file"));
    let config = configured(&stage.google, Some("/nowhere/key.json".into()));
    let clock = stage.app.app.clock.clone();
    assert!(matches!(
        BigQueryClient::new(&config, clock),
        Err(BigQueryUnusable::Account(_))
    ));
}

async fn secrets_do_not_reach_the_log(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.decide(0, 1).await;
    stage.google.be_at_insert(Mood::Forbids("accessDenied"));
    stage.fail().await;
    stage.copy().await;
    let key = stage.google.key_file()["private_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let secret = key.lines().nth(1).unwrap();
    let log = logged();
    assert!(!log.contains(&secret[..64]));
    assert!(!log.contains("ya29."));
}
