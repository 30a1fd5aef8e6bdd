//! Mails and their page in a real browser: on a phone and on a desk, by day and by night.

use app::mail::Occasion;
use axum::Router;
use axum::response::Html;
use axum::routing::get;
use domain::access::CompanyId;
use domain::mail::{Purpose, Ticket};
use domain::seal::IndexKey;
use test_support::browser::{Colours, Page};
use test_support::{Browser, ServerBuilder};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::letter_about;
use crate::browser::{look_at, look_at_mail, look_unaided};

const LONG_NAME: &str = "Weingut Söhne & Töchter Donaudampfschifffahrtsgesellschaft";

const SIZES: [(u32, u32); 2] = [(360, 800), (1280, 900)];

/// The mails, each at a path of its own.
fn mails() -> Router {
    let mut router = Router::new();
    for (path, occasion, company, order) in [
        ("/first", Occasion::First, "Green Leaf", "81"),
        ("/expired", Occasion::Expired, "Green Leaf", "81"),
        (
            "/long",
            Occasion::Last,
            LONG_NAME,
            "4711-08-15-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        ),
    ] {
        let html = letter_about("zoe@example.com", occasion, company, order)
            .content
            .html;
        router = router.route(path, get(move || async { Html(html) }));
    }
    router
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_fit_every_screen_and_can_be_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, mails()).await });
    let looking = tokio::task::spawn_blocking(move || {
        let browser = Browser::start().unwrap();
        let mut page = browser.page().unwrap();
        for (width, height) in SIZES {
            page.resize(width, height).unwrap();
            for (colours, word) in [(Colours::Light, "light"), (Colours::Dark, "dark")] {
                page.prefer(colours).unwrap();
                for mail in ["first", "expired", "long"] {
                    page.open(&format!("{origin}/{mail}")).unwrap();
                    look_at_mail(&mut page, &format!("mail-{mail}-{width}-{word}"));
                }
            }
        }
    });
    looking.await.unwrap();
}

#[test]
fn the_page_that_stops_reminders_fits_every_screen_and_needs_no_script() {
    const INDEX_KEY: &str = "an index key of a test, long enough";
    let builder = ServerBuilder::new().variable("INDEX_KEY", INDEX_KEY);
    let binary = env!("CARGO_BIN_EXE_bonafide");
    let server = builder.binary(binary).start().unwrap();
    let ticket = Ticket {
        purpose: Purpose::Stop,
        company: CompanyId::default(),
        subject: Uuid::from_u128(7),
        expires_at: "2125-01-01T00:00:00Z".parse().unwrap(),
    };
    let good = ticket.token(&IndexKey::new(INDEX_KEY.as_bytes()));
    let browser = Browser::start().unwrap();
    let links = [
        (good.as_str(), "good", "No more reminders"),
        ("bad", "bad", "This link does not work"),
    ];
    let links = links.map(|(token, name, headline)| {
        let link = format!("http://localhost:{}/stop/{token}", server.port());
        (link, name, headline)
    });
    let mut page = browser.page().unwrap();
    page.without_scripts().unwrap();
    stop(&mut page, &links, look_unaided);
    stop(&mut browser.page().unwrap(), &links, look_at);
}

/// Follows each link and its button, and looks at what is asked and what is answered.
fn stop(page: &mut Page, links: &[(String, &str, &str)], look: fn(&mut Page, &str)) {
    for (width, height) in SIZES {
        page.resize(width, height).unwrap();
        for (link, name, headline) in links {
            page.open(link).unwrap();
            assert_eq!(page.text("h1").unwrap(), "No more reminders?");
            look(page, &format!("stop-{name}-{width}-ask"));
            page.click("button").unwrap();
            let arrived = format!("document.querySelector('h1')?.innerText === '{headline}'");
            page.wait_for(&arrived).unwrap();
            look(page, &format!("stop-{name}-{width}-done"));
        }
    }
}
