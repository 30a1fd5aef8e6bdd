//! Mails and their page in a real browser: on a phone and on a desk, by day and by night.

use app::mail::Occasion;
use axum::Router;
use axum::response::Html;
use axum::routing::get;
use test_support::Browser;
use test_support::browser::Colours;
use tokio::net::TcpListener;

use super::letter_about;
use crate::browser::look_at;

const LONG_NAME: &str = "Weingut Söhne & Töchter Donaudampfschifffahrtsgesellschaft";

const SIZES: [(u32, u32); 2] = [(360, 800), (1280, 900)];

/// The mails, each at a path of its own.
fn mails() -> Router {
    let mut router = Router::new();
    for (path, occasion, company, order) in [
        ("/first", Occasion::First, "Green Leaf", "81"),
        ("/expired", Occasion::Expired, "Green Leaf", "81"),
        ("/long", Occasion::Last, LONG_NAME, "4711-08-15-ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ] {
        let html = letter_about("zoe@example.com", occasion, company, order).content.html;
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
                    look_at(&mut page, &format!("mail-{mail}-{width}-{word}"));
                }
            }
        }
    });
    looking.await.unwrap();
}
