//! No list of the console grows with what there is: each is cut into pages, which lead on along a cursor.

use std::collections::BTreeSet;

use super::{Admin, PAGES};
use crate::deliveries::{told, verify};
use crate::harness::{TestApp, flows};
use crate::inbox::{event, hook, taking};
use crate::orders::{ALL, ANN, placed};

flows!(
    every_list_is_cut_into_pages_that_lead_on,
    a_cursor_that_no_list_gave_is_refused,
);

/// Every list, and how many rows a page of it has.
const LISTS: [(&str, usize); 7] = [
    ("/console/orders", 25),
    ("/console/numbers", 25),
    ("/console/deliveries", 25),
    ("/console/inbox", 25),
    ("/console/companies", 50),
    ("/console/keys", 50),
    ("/console/audit", 50),
];

/// More of everything than fits on a page.
async fn fill(app: &TestApp) {
    for number in 0..51 {
        app.company(&format!("shop-{number:02}")).await;
        app.key("default", "customers:read").await;
    }
    let shop = app.key("default", ALL).await;
    let (_, numbers) = told(app).await;
    for number in 0..27 {
        placed(app, &shop, &format!("order-{number:02}"), ANN).await;
        verify(app, &numbers, &format!("session-{number:02}")).await;
        hook(app, &event(&format!("e-{number}"), "c-1"))
            .expect(200)
            .await;
        app.advance(std::time::Duration::from_secs(1));
    }
}

/// The rows of the tables on a page.
fn rows(page: &str) -> Vec<String> {
    let bodies = page.split("<tbody>").skip(1);
    let bodies = bodies.map(|rest| rest.split("</tbody>").next().unwrap());
    bodies
        .flat_map(|body| body.split("<tr").skip(1))
        .map(str::to_owned)
        .collect()
}

/// Where a page leads on, if it does.
fn next(page: &str) -> Option<String> {
    let links = page.split("href=\"").skip(1);
    let mut links = links.map(|rest| rest.split('"').next().unwrap());
    let link = links.find(|link| link.contains("cursor="))?;
    Some(link.trim_start_matches("../").replace("&amp;", "&"))
}

async fn every_list_is_cut_into_pages_that_lead_on(app: TestApp) {
    let app = taking(&app).await;
    fill(&app).await;
    let admin = Admin::new(&app).await;
    for (list, size) in LISTS {
        let mut seen = BTreeSet::new();
        let mut path = list.to_owned();
        loop {
            let page = admin.get(&path).expect(200).await.text();
            let found = rows(&page);
            assert!(found.len() <= size, "{path}: {}", found.len());
            for row in found {
                assert!(seen.insert(row.clone()), "{path} shows twice: {row}");
            }
            match next(&page) {
                Some(link) => path = format!("/{link}"),
                None => break,
            }
        }
        assert!(
            seen.len() > size,
            "{list} is no longer than a page: {}",
            seen.len()
        );
    }
    // What is no list has nothing that grows, and what is one is named above.
    for path in PAGES {
        let page = admin.get(path).expect(200).await.text();
        let is_list = LISTS
            .iter()
            .any(|(list, _)| path.split('?').next() == Some(list));
        assert!(rows(&page).len() <= 50, "{path}");
        assert!(is_list || next(&page).is_none(), "{path}");
    }
    app.leaves_deliveries();
}

async fn a_cursor_that_no_list_gave_is_refused(app: TestApp) {
    let admin = Admin::new(&app).await;
    for (list, _) in LISTS {
        let answer = admin.get(&format!("{list}?cursor=%00")).send().await;
        assert_eq!(answer.status.as_u16(), 400, "{list}: {}", answer.text());
    }
}
