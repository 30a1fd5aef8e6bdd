//! How a mail server is spoken to: encrypted, logged in, patient, and never in the clear abroad.

use std::time::{Duration, Instant};

use app::mail::Mailer as _;
use bonafide::config::Secret;
use bonafide::mail::{MailServer, SmtpMailer};
use domain::mail::Outcome;

use super::office::{Does, Manner, Office, PASSWORD, USER};
use super::{PATIENCE, letter, mailer, sender};
use crate::harness::{capture, logged};

const CUSTOMER: &str = "zoe@example.com";

/// Shorter than any test may take.
const IMPATIENCE: Duration = Duration::from_millis(300);

fn mailer_at(server: MailServer, timeout: Duration) -> SmtpMailer {
    SmtpMailer::new(server, sender(), "verify.example.com", timeout)
}

async fn outcome(server: MailServer) -> Outcome {
    mailer_at(server, PATIENCE).send(&letter(CUSTOMER)).await
}

#[tokio::test]
async fn encryption_and_logins_of_every_kind() {
    for manner in [
        (false, true, Some("PLAIN")),
        (false, true, Some("LOGIN")),
        (false, true, Some("LOGIN PLAIN XOAUTH2")),
        (false, true, None),
        (true, false, Some("PLAIN")),
        (true, false, Some("LOGIN")),
        (true, false, None),
        // In the clear, as it does not leave this machine.
        (false, false, Some("PLAIN")),
        (false, false, None),
    ] {
        let (implicit, starttls, login) = manner;
        let office = Office::open(Manner {
            implicit,
            starttls,
            login,
        })
        .await;
        assert_eq!(
            outcome(office.server()).await,
            Outcome::Delivered,
            "{manner:?}"
        );
        let received = office.take();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].encrypted, implicit || starttls);
        assert_eq!(received[0].login.as_deref(), login.map(|_| USER));
        if starttls {
            let overheard = office.overheard();
            let said = ["EHLO verify.example.com\r\n", "STARTTLS\r\n"];
            assert_eq!(overheard, said.join("\n"), "nothing else in the clear");
        }
    }
}

#[tokio::test]
async fn who_cannot_prove_who_it_is_gets_nothing() {
    for implicit in [false, true] {
        let office = Office::open(Manner {
            implicit,
            starttls: !implicit,
            login: Some("PLAIN"),
        })
        .await;
        // An authority that nobody knows, and a certificate for another name.
        let unknown = MailServer::parse(&Secret::new(office.url_at("localhost")), None).unwrap();
        let another = office.server_at(&office.url_at("127.0.0.1"));
        for server in [unknown, another] {
            assert_eq!(outcome(server).await, Outcome::Tls);
        }
        assert!(office.take().is_empty());
        assert!(!office.overheard().contains("AUTH"));
    }
}

#[tokio::test]
async fn nothing_is_said_in_the_clear_to_another_machine() {
    let office = Office::open(Manner {
        login: Some("PLAIN"),
        ..Manner::default()
    })
    .await;
    // Both lead here, and neither says so.
    for host in ["0.0.0.0", "[::ffff:127.0.0.1]"] {
        let server = office.server_at(&office.url_at(host));
        assert_eq!(outcome(server).await, Outcome::PlainText, "{host}");
    }
    let overheard = office.overheard();
    assert!(overheard.contains("EHLO") && !overheard.contains("AUTH"));
    assert!(!overheard.contains("MAIL"));
}

#[tokio::test]
async fn a_login_that_is_refused_is_tried_again_and_told_without_secrets() {
    capture();
    let office = Office::open(Manner {
        starttls: true,
        login: Some("PLAIN"),
        ..Manner::default()
    })
    .await;
    let mailer = mailer(&office);
    for (reply, expected) in [
        (Some("454 4.7.0 later"), Outcome::Deferred { code: 454 }),
        (Some("535 5.7.8 no"), Outcome::NotServed { code: Some(535) }),
        (None, Outcome::Delivered),
    ] {
        office.behaves();
        if let Some(reply) = reply {
            office.does("AUTH", Does::Says(reply));
        }
        assert_eq!(mailer.send(&letter(CUSTOMER)).await, expected);
        assert!(!expected.is_final());
    }
    let log = logged();
    assert!(log.contains("the mail server does not take mails from here"));
    assert!(log.contains("the mail server takes mails again"));
    for secret in [PASSWORD, "p%40ss", USER, CUSTOMER, "to-ken_1"] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn an_unknown_way_to_log_in_is_the_configurations_fault() {
    let office = Office::open(Manner {
        starttls: true,
        login: Some("CRAM-MD5"),
        ..Manner::default()
    })
    .await;
    let expected = Outcome::NotServed { code: None };
    assert_eq!(outcome(office.server()).await, expected);
}

#[tokio::test]
async fn who_does_not_answer_is_not_waited_for() {
    for step in ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let office = Office::open(Manner::default()).await;
        office.does(step, Does::Hangs);
        let began = Instant::now();
        let mailer = mailer_at(office.server(), IMPATIENCE);
        assert_eq!(
            mailer.send(&letter(CUSTOMER)).await,
            Outcome::Timeout,
            "{step}"
        );
        assert!(began.elapsed() < PATIENCE / 2);
    }
}

#[tokio::test]
async fn who_is_away_or_no_mail_server_is_unreachable() {
    for (step, does) in [
        ("GREETING", Does::HangsUp),
        ("GREETING", Does::Says("HTTP/1.1 400 Bad Request")),
        ("EHLO", Does::Says("nonsense")),
        ("RCPT", Does::HangsUp),
        (".", Does::HangsUp),
    ] {
        let office = Office::open(Manner::default()).await;
        office.does(step, does);
        assert_eq!(
            outcome(office.server()).await,
            Outcome::Unreachable,
            "{step} {does:?}"
        );
    }
    let deserted = test_support::ports::free_port().unwrap();
    let url = Secret::new(format!("smtp://localhost:{deserted}"));
    let server = MailServer::parse(&url, None).unwrap();
    assert_eq!(outcome(server).await, Outcome::Unreachable);
}

#[tokio::test]
async fn one_conversation_serves_many_mails() {
    let office = Office::open(Manner {
        starttls: true,
        login: Some("PLAIN"),
        ..Manner::default()
    })
    .await;
    let mailer = mailer(&office);
    for (reply, expected) in [
        (None, Outcome::Delivered),
        (Some("550 5.1.1 no"), Outcome::MailboxRefused { code: 550 }),
        (None, Outcome::Delivered),
        (Some("450 later"), Outcome::Deferred { code: 450 }),
        (None, Outcome::Delivered),
    ] {
        office.behaves();
        if let Some(reply) = reply {
            office.does("RCPT", Does::Says(reply));
        }
        assert_eq!(mailer.send(&letter(CUSTOMER)).await, expected);
    }
    assert_eq!((office.take().len(), office.connections()), (3, 1));
    // One that the mail server has ended is not used again.
    office.does("NOOP", Does::HangsUp);
    assert_eq!(mailer.send(&letter(CUSTOMER)).await, Outcome::Delivered);
    assert_eq!(office.connections(), 2);
}

#[tokio::test]
async fn an_address_that_the_mail_server_cannot_write_is_not_tried_again() {
    let office = Office::open(Manner::default()).await;
    let mailer = mailer(&office);
    let sent = mailer.send(&letter("zoë@example.com")).await;
    assert_eq!(sent, Outcome::Unsendable);
    assert_eq!(mailer.send(&letter(CUSTOMER)).await, Outcome::Delivered);
}

#[test]
fn an_address_that_cannot_be_used_is_refused_without_its_secrets() {
    let parse = |url: &str| MailServer::parse(&Secret::new(url), None);
    for url in [
        "http://u:hunter2@mail.example.com",
        "smtp://u@mail.example.com",
        "smtp://:hunter2@mail.example.com",
        "smtp://u:hunter2%ff@mail.example.com",
        "smtp://u:hunter2%0D%0ARSET@mail.example.com",
        "smtp://u:hunter2@",
        "hunter2",
    ] {
        let refusal = parse(url).err().unwrap();
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }
    for (url, shown) in [
        ("smtp://mail.example.com", "mail.example.com:587"),
        ("smtps://mail.example.com", "mail.example.com:465"),
        (
            "smtp://u:hunter2@mail.example.com:25",
            "mail.example.com:25",
        ),
        ("smtp://[::1]:25", "::1:25"),
    ] {
        assert_eq!(parse(url).unwrap().to_string(), shown);
    }
}
