//! Who sends a mail, when several could.

use std::collections::BTreeSet;
use std::time::Duration;

use super::office::Does;
use super::{CUSTOMER, LEASE, Post};
use crate::harness::{Settings, TestApp, flows};

flows!(
    a_mail_of_a_worker_that_died_is_sent_when_its_lease_ends,
    two_instances_send_each_mail_once,
);

async fn a_mail_of_a_worker_that_died_is_sent_when_its_lease_ends(app: TestApp) {
    let post = Post::open(app).await;
    post.order(CUSTOMER).await;
    post.office.does("DATA", Does::Hangs);
    let mut worker = post.worker();
    // The mail server never answers: this goes on until the worker is gone.
    let dead = tokio::time::timeout(Duration::from_millis(500), worker.run_due()).await;
    assert!(dead.is_err());
    drop(worker);

    post.office.behaves();
    post.app.advance(LEASE - Duration::from_millis(1));
    post.send().await;
    assert!(post.office.take().is_empty(), "it may still be on its way");
    post.app.advance(Duration::from_millis(1));
    post.send().await;
    post.send().await;
    assert_eq!(post.office.take().len(), 1);
    assert_eq!(post.words().await, ["delivered delivered"]);
}

async fn two_instances_send_each_mail_once(app: TestApp) {
    let post = Post::open(app).await;
    let other = post.app.another(Settings::default()).await;
    for _ in 0..40 {
        post.order(CUSTOMER).await;
    }
    let (mut one, mut two) = (post.worker(), post.worker_of(&other));
    let (first, second) = tokio::join!(one.run_due(), two.run_due());
    first.unwrap();
    second.unwrap();
    let received = post.office.take();
    let names: BTreeSet<_> = received
        .iter()
        .map(super::office::Received::message_id)
        .collect();
    assert_eq!((received.len(), names.len()), (40, 40));
    let connections = post.office.connections();
    assert!(connections <= 4, "{connections} connections for 40 mails");
}
