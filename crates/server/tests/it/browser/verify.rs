//! The form in which a customer tells how old they are.

use super::shop::Visit;

/// Twenty years old at most, on every day of the year.
fn too_young(visit: &mut Visit) -> String {
    let born = visit
        .page
        .evaluate("`12/31/${new Date().getFullYear() - 21}`");
    born.unwrap().as_str().unwrap().to_owned()
}

/// What a screen reader says of a field beyond its label.
fn description(visit: &mut Visit, field: &str) -> String {
    let described = format!(
        "document.querySelector('{field}').getAttribute('aria-describedby').split(' ') \
         .map((id) => document.getElementById(id).innerText).filter(Boolean).join('; ')"
    );
    let described = visit.page.evaluate(&described).unwrap();
    described.as_str().unwrap().to_owned()
}

fn is_invalid(visit: &mut Visit, field: &str) -> bool {
    let invalid = format!("document.querySelector('{field}').ariaInvalid === 'true'");
    visit.page.evaluate(&invalid).unwrap() == true
}

#[test]
fn an_adult_passes_once_and_is_known_then() {
    let mut visit = Visit::new();
    visit.sign_in("verify.html", "José / 7 & Söhne?");
    visit.claim("José O'Neill-Ruiz", "4/27/1991", "0123", "TX");
    let said = visit.notice("You’re verified");
    let expiry = "new Date(document.querySelector('.notice time').dateTime)";
    let in_a_year = format!("Math.abs({expiry} - Date.now() - 365.5 * 864e5) < 864e5");
    assert_eq!(visit.page.evaluate(&in_a_year).unwrap(), true, "{said}");
    assert!(said.starts_with("Good until "), "{said}");
    assert_eq!(visit.focused(), "You’re verified");
    visit.page.picture("verify-passed").unwrap();

    visit.open("verify.html");
    visit.claim("Somebody Else", "1/1/2020", "x", "TX");
    assert_eq!(visit.notice("You’re verified already"), said);
    assert_eq!(visit.refusals(), [""; 0]);

    // Details that have changed are checked anew, and what was is no longer.
    visit.page.click(".notice button").unwrap();
    visit.claim("José O'Neill-Ruiz", "4/27/1991", "0123", "GU");
    visit.notice("You’re verified");
    visit.page.click(".notice a").unwrap();
    visit
        .page
        .wait_for("location.pathname === '/checkout.html'")
        .unwrap();
    visit.notice("Age verified");
    assert_eq!(visit.refusals(), [""; 0]);
}

#[test]
fn a_refusal_names_its_field_and_three_use_up_the_attempts() {
    let mut visit = Visit::new();
    visit.sign_in("verify.html", "customer-2");
    let too_young = too_young(&mut visit);
    visit.claim("Ana María", &too_young, "1234", "TX");
    assert_eq!(visit.focused(), "birth-month");
    let described = description(&mut visit, "#birth-month");
    assert!(
        described.ends_with("Must be at least 21 years old"),
        "{described}"
    );
    assert!(is_invalid(&mut visit, "#birth-year"));
    assert!(!is_invalid(&mut visit, "#full-name"));
    visit.page.picture("verify-refused").unwrap();

    visit.claim("Ana", "4/27/1991", "1234", "TX");
    assert_eq!(visit.focused(), "full-name");
    assert!(is_invalid(&mut visit, "#full-name"));
    assert!(!is_invalid(&mut visit, "#birth-year"));

    visit.claim("Ana María", "4/27/1991", "12", "TX");
    assert_eq!(visit.focused(), "id-digits");

    visit.claim("Ana María", "4/27/1991", "1234", "TX");
    let said = visit.notice("No attempts left");
    assert!(said.contains("3 of 3 attempts"), "{said}");
    let reset = "new Date(document.querySelector('.notice time').dateTime) - Date.now()";
    let tomorrow = format!("Math.abs({reset} - 864e5) < 6e5");
    assert_eq!(visit.page.evaluate(&tomorrow).unwrap(), true, "{said}");
    assert_eq!(visit.focused(), "No attempts left");
    visit.page.picture("verify-used-up").unwrap();
    assert_eq!(
        visit.refusals(),
        ["400 verify", "400 verify", "400 verify", "429 verify"]
    );
}

#[test]
fn what_was_left_out_is_asked_for_and_costs_no_attempt() {
    let mut visit = Visit::new();
    visit.sign_in("verify.html", "customer-3");
    for _ in 0..4 {
        visit.claim("", "4//1991", "", "");
    }
    assert_eq!(visit.focused(), "full-name");
    for field in ["#full-name", "#birth-day", "#id-digits", "#state"] {
        assert!(is_invalid(&mut visit, field), "{field}");
    }
    visit.page.picture("verify-missing").unwrap();
    visit.claim("Ana María", "4/27/1991", "1234", "");
    assert_eq!(visit.focused(), "state");
    assert!(!is_invalid(&mut visit, "#full-name"));
    visit.claim("Ana María", "4/27/1991", "1234", "TX");
    visit.notice("You’re verified");
    assert_eq!(visit.refusals(), ["400 verify"; 5]);
}

#[test]
fn a_keyboard_is_enough() {
    let mut visit = Visit::new();
    let token = visit.token(&[]);
    visit.open("verify.html");
    let tab_to = |visit: &mut Visit, id: &str| {
        for _ in 0..12 {
            visit.page.press("Tab").unwrap();
            if visit.focused() == id {
                let ring = "getComputedStyle(document.activeElement).outlineStyle !== 'none'";
                assert_eq!(visit.page.evaluate(ring).unwrap(), true, "no ring on {id}");
                return;
            }
        }
        panic!("no way to {id}");
    };
    tab_to(&mut visit, "Skip to content");
    tab_to(&mut visit, "base-url");
    let url = visit.server.base_url();
    visit.page.type_text(&url).unwrap();
    tab_to(&mut visit, "token");
    visit.page.type_text(&token).unwrap();
    tab_to(&mut visit, "customer-id");
    visit.page.type_text("customer-4").unwrap();
    visit.page.press("Enter").unwrap();
    for (field, text) in [
        ("full-name", "Ana María"),
        ("birth-month", "4"),
        ("birth-day", "27"),
        ("birth-year", "1991"),
        ("id-digits", "1234"),
        ("state", "Texas"),
    ] {
        tab_to(&mut visit, field);
        visit.page.type_text(text).unwrap();
    }
    visit.page.press("Tab").unwrap();
    assert_eq!(visit.focused(), "Check my age");
    visit.page.press("Enter").unwrap();
    visit.notice("You’re verified");
    assert_eq!(visit.focused(), "You’re verified");
    visit.page.press("Tab").unwrap();
    assert_eq!(visit.focused(), "Go to checkout");
    visit.page.press("Enter").unwrap();
    visit.notice("Age verified");
    assert_eq!(visit.refusals(), [""; 0]);
}

#[test]
fn a_server_that_is_away_or_busy_loses_nothing() {
    let mut visit = Visit::new();
    visit.sign_in("verify.html", "customer-5");
    visit.server.terminate().unwrap();
    visit.claim("Ana María", "4/27/1991", "1234", "TX");
    visit.notice("We can’t reach the age check");
    visit.page.picture("verify-unreachable").unwrap();
    let complaints = visit.page.complaints().unwrap();
    let refused = |complaint: &String| complaint.contains("ERR_CONNECTION_REFUSED");
    assert!(
        !complaints.is_empty() && complaints.iter().all(refused),
        "{complaints:?}"
    );

    visit.server.start_again().unwrap();
    visit.page.click(".notice button").unwrap();
    visit.notice("You’re verified");
    assert_eq!(visit.refusals(), [""; 0]);

    visit.open("verify.html");
    let busy = format!("{}/busy", visit.site.origin());
    visit.connect(&busy, "token", Some("customer-5"));
    visit.claim("Ana María", "4/27/1991", "1234", "TX");
    let said = visit.notice("The age check is busy");
    assert!(said.contains("in 7 seconds"), "{said}");
    let kept = visit
        .page
        .evaluate("document.querySelector('#full-name').value");
    assert_eq!(kept.unwrap(), "Ana María");
    let complaints = visit.page.complaints().unwrap();
    assert_eq!(
        complaints,
        [format!("503 {busy}/api/age-verification/verify")]
    );
}

#[test]
fn a_token_that_is_not_accepted_is_named() {
    let mut visit = Visit::new();
    visit.open("verify.html");
    let url = visit.server.base_url();
    visit.connect(&url, "not.a.token", Some("customer-6"));
    visit.claim("Ana María", "4/27/1991", "1234", "TX");
    visit.notice("The token is not accepted");
    assert_eq!(visit.refusals(), ["401 verify"]);
}

#[test]
fn pages_of_other_origins_get_nothing() {
    let mut visit =
        Visit::with(|builder| builder.variable("CORS_ORIGINS", "https://other.example"));
    visit.sign_in("verify.html", "customer-7");
    visit.claim("Ana María", "4/27/1991", "1234", "TX");
    visit.notice("We can’t reach the age check");
    let complaints = visit.page.complaints().unwrap();
    let blocked = complaints
        .iter()
        .any(|complaint| complaint.contains("CORS"));
    assert!(blocked, "{complaints:?}");
}
