//! Checkpoints that leave the database: the file, the webhook, and the comparison with what was kept.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use app::audit::{Announcements, CHECKPOINT, Kept, published};
use app::deliveries::{Channels, Dispatcher};
use bonafide::checkpoint_file::{CheckpointFile, Trouble};
use bonafide::http::audit::CheckpointDocument;
use domain::audit::Checkpoint;
use store::tables::audit_checkpoints::{self, Signed};
use store::tables::signing_keys::{self, SigningKey};

use crate::customers::{BOTH, prove};
use crate::harness::{Receivers, Settings, TestApp, deliveries_settings, flows};

use super::grown::rotate;

flows!(
    every_checkpoint_is_a_line_of_the_file,
    what_is_torn_is_written_again,
    a_file_that_knows_more_is_left_alone,
    processes_that_share_a_file_take_turns,
    every_checkpoint_is_told_in_order,
    nobody_is_told_who_did_not_ask,
    what_was_kept_is_compared,
);

/// All checkpoints.
pub async fn checkpoints(app: &TestApp) -> Vec<Signed> {
    let read = app.app.store.read(|mut tx| {
        Box::pin(async move { audit_checkpoints::list(&mut tx, 0, i64::MAX).await })
    });
    let stored = read.await.unwrap();
    stored
        .into_iter()
        .map(|(_, signed)| signed.unwrap())
        .collect()
}

/// All signing keys, the present one first.
pub async fn signing_keys(app: &TestApp) -> Vec<SigningKey> {
    let read = app
        .app
        .store
        .read(|mut tx| Box::pin(async move { signing_keys::list(&mut tx).await }));
    read.await.unwrap()
}

/// All checkpoints as somebody keeps them.
pub async fn kept(app: &TestApp) -> Vec<Kept> {
    let published = published(&app.app.store, 0, i64::MAX).await.unwrap();
    let documents = published.iter().map(CheckpointDocument::of);
    documents.map(|document| document.kept().unwrap()).collect()
}

/// So many checkpoints, one a minute; the third names another key.
async fn checkpoints_of_minutes(app: &TestApp, count: usize) {
    let key = app.key("default", BOTH).await;
    for minute in 1..=count {
        prove(app, &key, "ann@example.com", "veriff", minute % 2 == 0).await;
        app.advance(Duration::from_secs(60));
        if minute == 3 {
            rotate(app).await;
        } else {
            app.chores().await;
        }
    }
}

fn lines(path: &Path) -> Vec<CheckpointDocument> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let line = |line| serde_json::from_str(line).unwrap();
    text.lines().map(line).collect()
}

async fn every_checkpoint_is_a_line_of_the_file(app: TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.jsonl");
    let file = CheckpointFile::new(&path);
    assert_eq!(file.catch_up(&app.app).await.unwrap(), 0);
    checkpoints_of_minutes(&app, 5).await;
    assert_eq!(file.catch_up(&app.app).await.unwrap(), 5);
    assert_eq!(file.catch_up(&app.app).await.unwrap(), 0);
    checkpoints_of_minutes(&app, 2).await;
    assert_eq!(file.catch_up(&app.app).await.unwrap(), 2);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let lines = lines(&path);
    assert!(lines.iter().map(|line| line.number).eq(1..=7));
    for (line, signed) in lines.iter().zip(checkpoints(&app).await) {
        assert_eq!(line.statement, signed.checkpoint.statement());
        let kept = line.kept().unwrap();
        assert!(
            kept.public_key
                .accepts(&signed.checkpoint, &kept.signed.signature)
        );
    }
    assert_ne!(lines[2].public_key, lines[3].public_key);
    let named = Checkpoint::parse(&lines[2].statement).unwrap();
    assert_eq!(named.next_key().unwrap().to_hex(), lines[3].public_key);
}

async fn what_is_torn_is_written_again(app: TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.jsonl");
    let file = CheckpointFile::new(&path);
    checkpoints_of_minutes(&app, 4).await;
    file.catch_up(&app.app).await.unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in [1, 100, whole.len() / 2, whole.len()] {
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        assert!(file.catch_up(&app.app).await.unwrap() > 0);
        assert_eq!(std::fs::read(&path).unwrap(), whole, "{cut} bytes were cut");
    }
}

async fn a_file_that_knows_more_is_left_alone(app: TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.jsonl");
    let file = CheckpointFile::new(&path);
    checkpoints_of_minutes(&app, 2).await;
    file.catch_up(&app.app).await.unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    let other = whole.replace("\"number\":2", "\"number\":9");
    for content in [other, "hello\n".to_owned()] {
        std::fs::write(&path, &content).unwrap();
        let trouble = file.catch_up(&app.app).await.unwrap_err();
        assert!(
            matches!(trouble, Trouble::Contradicts(9) | Trouble::Foreign),
            "{trouble}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
    let nowhere = CheckpointFile::new(&folder.path().join("no/such/folder"));
    let trouble = nowhere.catch_up(&app.app).await.unwrap_err();
    assert!(matches!(trouble, Trouble::File(_)), "{trouble}");
}

async fn processes_that_share_a_file_take_turns(app: TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.jsonl");
    let file = CheckpointFile::new(&path);
    let other = app.another(Settings::default()).await;
    checkpoints_of_minutes(&app, 6).await;
    let (one, two) = tokio::join!(file.catch_up(&app.app), file.catch_up(&other.app));
    assert!(one.unwrap() + two.unwrap() >= 6);
    assert!(lines(&path).iter().map(|line| line.number).eq(1..=6));
}

/// A worker that tells checkpoints to the keeper.
fn dispatcher(app: &TestApp, receivers: &std::sync::Arc<Receivers>) -> Dispatcher {
    let announcements = Announcements::new(KEEPER, receivers.clone());
    let channels = Channels::default().with(CHECKPOINT, announcements);
    Dispatcher::new(app.app.clone(), channels, deliveries_settings())
}

const KEEPER: &str = "https://keeper.example.com/checkpoints";

async fn every_checkpoint_is_told_in_order(app: TestApp) {
    let settings = Settings {
        announce_checkpoints: Some(bonafide::http::audit::announcement),
        ..Settings::default()
    };
    let app = app.another(settings).await;
    let receivers = Receivers::new();
    checkpoints_of_minutes(&app, 2).await;
    receivers.answer_status(KEEPER, 503);
    dispatcher(&app, &receivers).run_due().await.unwrap();
    assert_eq!(receivers.take().len(), 1, "the second waits for the first");
    checkpoints_of_minutes(&app, 2).await;
    receivers.answer_status(KEEPER, 204);
    app.advance(Duration::from_secs(60));
    dispatcher(&app, &receivers).run_due().await.unwrap();
    let heard = receivers.take();
    let told: Vec<CheckpointDocument> = heard
        .iter()
        .map(|heard| serde_json::from_slice(&heard.body).unwrap())
        .collect();
    assert!(told.iter().map(|told| told.number).eq(1..=4));
    assert!(heard.iter().all(|heard| heard.signature.is_empty()));
    for (told, kept) in told.iter().zip(kept(&app).await) {
        assert_eq!(told.kept(), Some(kept));
    }
}

async fn nobody_is_told_who_did_not_ask(app: TestApp) {
    checkpoints_of_minutes(&app, 2).await;
    assert_eq!(app::deliveries::depth(&app.app).await.unwrap().waiting, 0);
}

async fn what_was_kept_is_compared(app: TestApp) {
    checkpoints_of_minutes(&app, 5).await;
    let kept = kept(&app).await;
    let none: Vec<String> = Vec::new();
    assert_eq!(app.verified_against(&kept).await, none);
    assert_eq!(app.verified_against(&kept[3..4]).await, none);
    checkpoints_of_minutes(&app, 1).await;
    assert_eq!(app.verified_against(&kept).await, none);
    let mut damaged = kept.clone();
    damaged[1].signed.signature[0] ^= 1;
    damaged[2].signed.statement.push('x');
    assert_eq!(
        app.verified_against(&damaged).await,
        [
            "checkpoint 2, as kept elsewhere: its signature does not hold",
            "checkpoint 0, as kept elsewhere: it is no checkpoint",
        ]
    );
}
