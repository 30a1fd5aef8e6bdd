//! Proofs come in by hook, on the page and by the API, in any order: it always ends the same.

use super::{AGREEMENT, Play};
use crate::customers::prove;
use crate::harness::{BASE_URL, TestApp, flows};
use crate::mail::office::Received;
use crate::orders::page::send;
use crate::orders::status;
use crate::veriff::decision;

flows!(every_order_of_every_way_ends_in_a_release);

/// How a proof comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Begun on the page, decided by Veriff, told by its hook.
    ShowId,
    TellAgeOnPage,
    IdByApi,
    SignOnPage,
    SignByApi,
    OptInOnPage,
    OptInByApi,
}

impl Step {
    /// Takes the step for a customer.
    pub async fn take(self, play: &Play, email: &str, page: &str) {
        let by_api = async |proof| {
            prove(play.app(), &play.key, email, proof, true).await;
        };
        match self {
            Self::ShowId => {
                let session = begin_check(play, page).await;
                decide_check(play, &session).await;
            }
            Self::TellAgeOnPage => {
                let typed = "fullName=Ann+Lee&month=4&day=7&year=1991&state=TX&idNumberLast4=1234";
                submit(play, page, &format!("step=age&{typed}")).await;
            }
            Self::IdByApi => by_api("veriff").await,
            Self::SignOnPage => {
                let agreement = domain::agreement::Agreement::new(AGREEMENT).unwrap();
                let version = agreement.version();
                submit(play, page, &format!("step=membership&agreement={version}")).await;
            }
            Self::SignByApi => by_api("membership").await,
            Self::OptInOnPage => submit(play, page, "step=email_optin").await,
            Self::OptInByApi => by_api("email_optin").await,
        }
    }
}

async fn submit(play: &Play, page: &str, form: &str) {
    send(play.app(), page, form).expect(200).await;
}

/// Sends the customer to Veriff; returns Veriff's name for the session and ours.
pub async fn begin_check(play: &Play, page: &str) -> [String; 2] {
    let gone = send(play.app(), page, "step=veriff").expect(303).await;
    let (_, session) = gone.header("location").split_once("/v/token-").unwrap();
    let (.., asked) = play.veriff.office.asked().pop().unwrap();
    let ours = asked["verification"]["vendorData"].as_str().unwrap();
    [session.to_owned(), ours.to_owned()]
}

/// Veriff approves of the session, and says so.
pub async fn decide_check(play: &Play, [session, ours]: &[String; 2]) {
    let at = play.app().now().to_string();
    play.veriff
        .hear(&decision(session, ours, "approved", &at))
        .await;
}

/// The path of the page that a mail leads to.
pub fn page_in(mail: &Received) -> String {
    let text = mail.mail.replace("=\r\n", "");
    let link = text.split(&format!("{BASE_URL}/verify/")).nth(1).unwrap();
    let is_sign = |sign: char| sign.is_ascii_alphanumeric() || "-_.".contains(sign);
    let token = link.split(|sign| !is_sign(sign)).next().unwrap();
    format!("/verify/{token}")
}

/// Every way for each proof, in every order.
fn plays() -> Vec<[Step; 3]> {
    let mut plays = Vec::new();
    for id in [Step::ShowId, Step::TellAgeOnPage, Step::IdByApi] {
        for signature in [Step::SignOnPage, Step::SignByApi] {
            for word in [Step::OptInOnPage, Step::OptInByApi] {
                plays.extend([
                    [id, signature, word],
                    [id, word, signature],
                    [signature, id, word],
                    [signature, word, id],
                    [word, id, signature],
                    [word, signature, id],
                ]);
            }
        }
    }
    plays
}

async fn every_order_of_every_way_ends_in_a_release(app: TestApp) {
    let play = Play::set(&app).await;
    for (number, steps) in plays().into_iter().enumerate() {
        let (id, email) = (format!("O{number}"), format!("ann{number}@example.com"));
        play.order(&id, &email).await;
        let mails = play.office.take();
        assert_eq!(mails.len(), 1, "{steps:?}");
        let page = page_in(&mails[0]);
        for step in steps {
            let now = status(play.app(), &play.key, &id).await;
            assert_eq!(now, "held", "{steps:?} before {step:?}");
            step.take(&play, &email, &page).await;
        }
        assert_eq!(
            status(play.app(), &play.key, &id).await,
            "released",
            "{steps:?}"
        );
        play.work().await;
        let mut told = play.told();
        told.sort();
        let expected = ["customer.verified", "order.held", "order.released"];
        assert_eq!(told, expected, "{steps:?}");
        let shown = play.stage.shop.field(&id).unwrap();
        assert_eq!(shown, "Verified: may ship", "{steps:?}");
        let page = play.app().get(&page).expect(200).await.text();
        assert!(page.contains("Your order is released"), "{steps:?}");
    }
    // Nobody is reminded of anything any more.
    play.pass(80).await;
    assert!(play.office.take().is_empty());
    let query = "SELECT COUNT(*) FROM orders WHERE status <> 'released'";
    assert_eq!(play.app().database().sql(query).await, [["0"]]);
}
