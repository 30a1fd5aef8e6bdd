//! A stock library of another language accepts our signatures, as they arrive over HTTP.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use app::deliveries::{Message, Sender as _};
use bonafide::ambient::{SystemClock, SystemRandom};
use domain::clock::Clock as _;
use domain::random::uuid_v7;
use domain::webhook::{WebhookSecret, message_id, sign};
use serde_json::json;
use test_support::oracle;

use super::receiver::{Received, Receiver, status};
use super::{sender, settings};

/// Says, for each line of JSON on its input, whether the library accepts it.
const VERIFY: &str = r#"
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
for line in sys.stdin:
    case = json.loads(line)
    try:
        Webhook(case["secret"]).verify(case["body"], case["headers"])
        print("accepted")
    except WebhookVerificationError as error:
        print(error)
"#;

const ACCEPTED: &str = "accepted";
const NO_MATCH: &str = "No matching signature found";

/// What a receiver hands to the library.
#[derive(Clone)]
struct Case {
    secret: String,
    body: String,
    id: String,
    timestamp: String,
    signature: String,
}

impl Case {
    fn new(received: &Received, secret: &WebhookSecret) -> Self {
        Self {
            secret: secret.shown().to_string(),
            body: String::from_utf8(received.body.to_vec()).unwrap(),
            id: received.header("webhook-id").to_owned(),
            timestamp: received.header("webhook-timestamp").to_owned(),
            signature: received.header("webhook-signature").to_owned(),
        }
    }

    fn line(&self) -> String {
        let case = json!({
            "secret": self.secret,
            "body": self.body,
            "headers": {
                "Webhook-Id": self.id,
                "Webhook-Timestamp": self.timestamp,
                "Webhook-Signature": self.signature,
            },
        });
        format!("{case}\n")
    }
}

/// The library's verdict on each case.
fn verdicts(cases: &[Case]) -> Vec<String> {
    let python = oracle::python().expect("the library of Standard Webhooks");
    let mut process = Command::new(python)
        .args(["-c", VERIFY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = cases.iter().map(Case::line).collect();
    let mut input = process.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Sends a message signed with these secrets, and returns it as it arrived.
async fn delivered(secrets: &[WebhookSecret]) -> Received {
    let receiver = Receiver::start(|_| status(200)).await;
    // The library compares with the machine's clock, so this one message needs the real time.
    let at = SystemClock.now();
    let id = message_id(uuid_v7(at, &SystemRandom));
    let body = json!({"type": "number.verified", "timestamp": at, "data": {"name": "Zoë 🦊"}});
    let body = body.to_string().into_bytes();
    let message = Message {
        url: receiver.url("/"),
        signature: sign(secrets, &id, at, &body),
        id,
        at,
        body,
    };
    assert!(
        sender(settings())
            .send(&message)
            .await
            .outcome
            .is_delivered()
    );
    receiver.received().remove(0)
}

#[tokio::test]
async fn the_stock_library_accepts_what_arrives() {
    let [newest, oldest, unknown] = [(); 3].map(|()| WebhookSecret::generate(&SystemRandom));
    let alone = delivered(std::slice::from_ref(&newest)).await;
    let rotating = delivered(&[newest.clone(), oldest.clone()]).await;
    let cases = [
        Case::new(&alone, &newest),
        Case::new(&rotating, &newest),
        Case::new(&rotating, &oldest),
        Case::new(&alone, &oldest),
        Case::new(&rotating, &unknown),
    ];
    assert_eq!(
        verdicts(&cases),
        [ACCEPTED, ACCEPTED, ACCEPTED, NO_MATCH, NO_MATCH]
    );
}

#[tokio::test]
async fn the_stock_library_refuses_any_change() {
    let secret = WebhookSecret::generate(&SystemRandom);
    let genuine = Case::new(&delivered(std::slice::from_ref(&secret)).await, &secret);
    let change = |change: fn(&mut Case)| {
        let mut case = genuine.clone();
        change(&mut case);
        case
    };
    let cases = [
        change(|case| case.body = case.body.replace("verified", "verifiee")),
        change(|case| case.body.push(' ')),
        change(|case| case.id = case.id.replacen("msg_0", "msg_1", 1)),
        change(|case| {
            let second: u64 = case.timestamp.parse().unwrap();
            case.timestamp = (second - 1).to_string();
        }),
        change(|case| {
            let second: u64 = case.timestamp.parse().unwrap();
            case.timestamp = (second - Duration::from_secs(3_600).as_secs()).to_string();
        }),
        genuine.clone(),
    ];
    assert_eq!(
        verdicts(&cases),
        [
            NO_MATCH,
            NO_MATCH,
            NO_MATCH,
            NO_MATCH,
            "Message timestamp too old",
            ACCEPTED
        ]
    );
}
