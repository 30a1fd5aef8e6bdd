//! The statistics, for the shop's staff.

use super::shop::Visit;

fn figures(visit: &mut Visit) -> [String; 5] {
    ["rate", "passed", "refused", "total", "label"].map(|name| {
        let figure = visit.page.text(&format!("[data-figure={name}]"));
        figure.unwrap()
    })
}

fn wait_for_period(visit: &mut Visit, period: &str) {
    let shown =
        format!("document.querySelector('[data-figure=label]').textContent.endsWith('{period}')");
    visit.page.wait_for(&shown).unwrap();
}

#[test]
fn the_staff_see_how_many_passed() {
    let mut visit = Visit::new();
    visit.sign_in("verify.html", "counted-1");
    visit.claim("Ana", "4/27/1991", "1234", "TX");
    visit.claim("Ana María", "4/27/1991", "1234", "TX");
    visit.notice("You’re verified");
    for customer in ["counted-2", "counted-1"] {
        visit.sign_in("verify.html", customer);
        visit.claim("Ana María", "4/27/1991", "1234", "TX");
        visit
            .page
            .wait_for("document.querySelector('.notice.good')")
            .unwrap();
    }
    assert_eq!(visit.refusals(), ["400 verify"]);

    for right in [["--role", "admin"], ["--scope", "statistics:read"]] {
        let token = visit.token(&right);
        visit.open("statistics.html");
        let url = visit.server.base_url();
        visit.connect(&url, &token, None);
        wait_for_period(&mut visit, "30 days");
        let label = "of 3 decided attempts passed in 30 days";
        assert_eq!(figures(&mut visit), ["66.67 %", "2", "1", "3", label]);
    }
    let bar = visit.page.evaluate(
        "document.querySelector('#bar [data-passed]').getBoundingClientRect().width \
        / document.querySelector('#bar').getBoundingClientRect().width",
    );
    let share = bar.unwrap().as_f64().unwrap();
    assert!((share - 0.6667).abs() < 0.001, "{share}");
    visit.page.picture("statistics-counted").unwrap();

    for (choice, period) in [(1, "1 day"), (2, "7 days"), (4, "1 year")] {
        visit
            .page
            .click(&format!(".choice label:nth-of-type({choice})"))
            .unwrap();
        wait_for_period(&mut visit, period);
    }
    assert_eq!(visit.refusals(), [""; 0]);
}

#[test]
fn a_token_without_the_right_is_told_so() {
    let mut visit = Visit::new();
    let (shops, staffs) = (visit.token(&[]), visit.token(&["--role", "admin"]));
    visit.open("statistics.html");
    let url = visit.server.base_url();
    visit.connect(&url, &shops, None);
    let said = visit.notice("This token does not have the right");
    assert!(said.contains("statistics:read"), "{said}");
    assert_eq!(
        visit
            .page
            .evaluate("document.querySelector('#figures').hidden")
            .unwrap(),
        true
    );
    assert_eq!(visit.refusals(), ["403 statistics?days=30"]);
    visit.page.picture("statistics-forbidden").unwrap();

    visit.connect(&url, &staffs, None);
    wait_for_period(&mut visit, "30 days");
    assert_eq!(figures(&mut visit)[..4], ["–", "0", "0", "0"]);
    assert_eq!(
        visit
            .page
            .evaluate("document.querySelector('.notice')")
            .unwrap(),
        serde_json::Value::Null
    );
    assert_eq!(visit.refusals(), [""; 0]);
}
