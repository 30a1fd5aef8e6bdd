//! The checkout: only customers who are verified now can place an order.

use super::shop::Visit;

fn is_free(visit: &mut Visit) -> bool {
    let free = "!document.querySelector('#place-order').disabled";
    visit.page.evaluate(free).unwrap() == true
}

#[test]
fn only_the_verified_can_order() {
    let mut visit = Visit::new();
    visit.sign_in("checkout.html", "buyer-1");
    visit.notice("Verify your age first");
    assert!(!is_free(&mut visit));
    visit.page.picture("checkout-never-verified").unwrap();

    visit.page.click(".notice a").unwrap();
    visit
        .page
        .wait_for("document.querySelector('#full-name')")
        .unwrap();
    visit.claim("Ana María", "4/27/1991", "1234", "TX");
    visit.notice("You’re verified");
    visit.page.click(".notice a").unwrap();
    let said = visit.notice("Age verified");
    assert!(said.starts_with("Good until "), "{said}");
    assert!(is_free(&mut visit));
    visit.page.picture("checkout-verified").unwrap();
    visit.page.click("#place-order").unwrap();
    visit.notice("Order placed");
    assert_eq!(visit.refusals(), ["404 status/buyer-1"]);

    // Whoever signs in next stands where they stand.
    let token = visit.token(&[]);
    let url = visit.server.base_url();
    visit.connect(&url, &token, Some("buyer-2"));
    visit.notice("Verify your age first");
    assert!(!is_free(&mut visit));
    assert_eq!(visit.refusals(), ["404 status/buyer-2"]);
}

#[test]
fn an_expired_verification_is_told_from_none() {
    let mut visit = Visit::with(|builder| builder.variable("AGE_VALIDITY", "1s"));
    visit.sign_in("verify.html", "buyer-3");
    visit.claim("Ana María", "4/27/1991", "1234", "TX");
    visit.notice("You’re verified");
    let over = "Date.now() > new Date(document.querySelector('.notice time').dateTime)";
    visit.page.wait_for(over).unwrap();
    visit.open("checkout.html");
    let said = visit.notice("Your verification has expired");
    assert!(said.contains("It was good until "), "{said}");
    assert!(!is_free(&mut visit));
    visit.page.picture("checkout-expired").unwrap();
    assert_eq!(visit.refusals(), [""; 0]);
}

#[test]
fn without_an_answer_nothing_is_sold() {
    let mut visit = Visit::new();
    visit.open("checkout.html");
    assert!(!is_free(&mut visit));
    let busy = format!("{}/busy", visit.site.origin());
    visit.connect(&busy, "token", Some("buyer-4"));
    visit.notice("The age check is busy");
    assert!(!is_free(&mut visit));
    let url = visit.server.base_url();
    visit.connect(&url, "no.good.token", Some("buyer-4"));
    visit.notice("The token is not accepted");
    assert!(!is_free(&mut visit));
    // What is no answer of this API must not pass for one.
    let nowhere = format!("{}/nowhere", visit.site.origin());
    visit.connect(&nowhere, "token", Some("buyer-4"));
    visit.notice("That did not work");
    assert!(!is_free(&mut visit));
}

#[test]
fn a_slow_answer_frees_nobody_else() {
    let mut visit = Visit::new();
    let token = visit.token(&[]);
    visit.open("checkout.html");
    let slow = format!("{}/slow", visit.site.origin());
    visit.connect(&slow, &token, Some("buyer-5"));
    let url = visit.server.base_url();
    visit.connect(&url, &token, Some("buyer-6"));
    visit.notice("Verify your age first");

    visit.site.answer_slowly();
    let answered =
        "performance.getEntriesByType('resource').some(({ name }) => name.includes('slow'))";
    visit.page.wait_for(answered).unwrap();
    assert!(!is_free(&mut visit));
    visit.notice("Verify your age first");

    // The same answer does free whom it is about.
    visit.connect(&slow, &token, Some("buyer-5"));
    visit.site.answer_slowly();
    visit.notice("Age verified");
    assert!(is_free(&mut visit));
}
