//! What a mail looks like on the wire, and what it says.

use std::io::Write as _;
use std::process::{Command, Stdio};

use app::mail::{Mailer as _, Occasion};
use serde_json::{Value, json};
use test_support::oracle;

use super::office::{Manner, Office, Received};
use super::{letter_about, mailer};

async fn sent(occasion: Occasion, company: &str, order: &str) -> Received {
    let office = Office::open(Manner::default()).await;
    let letter = letter_about("zoe@example.com", occasion, company, order);
    mailer(&office).send(&letter).await;
    office.take().remove(0)
}

const OCCASIONS: [Occasion; 4] = [
    Occasion::First,
    Occasion::Between,
    Occasion::Last,
    Occasion::Expired,
];

#[tokio::test]
async fn the_headers_are_those_of_a_mail_that_a_program_sends() {
    for occasion in OCCASIONS {
        let received = sent(occasion, "Green Leaf", "81").await;
        let header = |name| received.header(name).unwrap_or_default();
        assert_eq!(header("From"), "\"Green Leaf\" <verify@shop.example>");
        assert_eq!(header("To"), "zoe@example.com");
        assert_eq!(header("Date"), "Wed, 01 Jan 2025 12:00:00 +0000");
        assert_eq!(
            header("Message-ID"),
            "<00000000000000000000000000000009@shop.example>"
        );
        assert_eq!(header("Auto-Submitted"), "auto-generated");
        assert!(header("Content-Type").starts_with("multipart/alternative;"));
        let (link, post) = match occasion {
            Occasion::Expired => ("", ""),
            _ => (
                "<https://verify.example.com/stop/to-ken_1>",
                "List-Unsubscribe=One-Click",
            ),
        };
        assert_eq!(header("List-Unsubscribe"), link);
        assert_eq!(header("List-Unsubscribe-Post"), post);
    }
}

#[tokio::test]
async fn names_of_shops_cannot_add_a_header() {
    let company = "Söhne & <b>Töchter\r\nBcc: everybody@example.com";
    let received = sent(Occasion::First, company, "81\n\n<script>").await;
    assert_eq!(received.header("Bcc"), None);
    assert!(received.header("Subject").is_some());
    let letter = letter_about(
        "zoe@example.com",
        Occasion::First,
        company,
        "81\n\n<script>",
    );
    let html = letter.content.html;
    assert!(!html.contains("<b>") && !html.contains("<script>"));
    assert!(html.contains("Söhne &amp; &lt;b&gt;Töchter Bcc: everybody@example.com"));
}

#[test]
fn a_mail_tells_no_more_than_it_must() {
    for occasion in OCCASIONS {
        let letter = letter_about("zoe@example.com", occasion, "Green Leaf", "81");
        for body in [&letter.content.text, &letter.content.html] {
            let body = body.replace("&#x2f;", "/");
            assert!(!body.contains("zoe@"), "{body}");
            assert!(body.contains("https://verify.example.com/verify/to-ken_1"));
            let offers = body.contains("https://verify.example.com/stop/to-ken_1");
            assert_eq!(offers, occasion.is_reminder());
            assert!(!body.contains("{{") && !body.contains("{%"));
        }
        // Nothing is fetched by opening it.
        let html = &letter.content.html;
        assert!(!html.contains("<img") && !html.contains("src=") && !html.contains("url("));
    }
}

#[test]
fn what_mails_say() {
    for occasion in OCCASIONS {
        let content = letter_about("zoe@example.com", occasion, "Green Leaf", "81").content;
        let said = format!("Subject: {}\n\n{}", content.subject, content.text);
        insta::assert_snapshot!(occasion.word(), said);
        insta::assert_snapshot!(format!("{}_html", occasion.word()), content.html);
    }
}

/// Reads a mail from its input as Python's own library does; prints what it says as JSON.
const READ: &str = r#"
import email, email.policy, json, sys
mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
bodies = {kind: mail.get_body((kind,)).get_content() for kind in ("plain", "html")}
print(json.dumps({"subject": mail["subject"], "from": mail["from"].addresses[0].addr_spec,
                  "defects": [str(defect) for part in mail.walk() for defect in part.defects], **bodies}))
"#;

#[tokio::test]
async fn a_library_of_another_language_reads_the_same_mail() {
    let company = "Weingut Söhne & Töchter";
    let mail = sent(Occasion::Last, company, "№ 81").await.mail;
    let python = oracle::python().unwrap();
    let mut reading = Command::new(python)
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = reading.stdin.take().unwrap();
    input.write_all(mail.as_bytes()).unwrap();
    drop(input);
    let read = reading.wait_with_output().unwrap();
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    let letter = letter_about("zoe@example.com", Occasion::Last, company, "№ 81");
    assert_eq!(read["defects"], json!([]));
    assert_eq!(read["from"], "verify@shop.example");
    assert_eq!(read["subject"], letter.content.subject);
    for (kind, said) in [
        ("plain", &letter.content.text),
        ("html", &letter.content.html),
    ] {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(read[kind].as_str().unwrap()), lines(said), "{kind}");
    }
    assert!(mail.is_ascii(), "old mail servers take nothing else");
    assert!(
        mail.lines().all(|line| line.len() <= 998),
        "RFC 5322 allows no more"
    );
}
