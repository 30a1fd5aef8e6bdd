//! What an operator does about the counts of decisions.

use serde_json::{Value, json};
use test_support::ServerBuilder;

use super::{Installation, names};

const CHECK: [&str; 3] = ["ages", "recount", "--check"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_compared_and_put_right_on_sqlite() {
    counts_are_compared_and_put_right(Installation::on_sqlite(ServerBuilder::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_compared_and_put_right_on_postgres() {
    let installation = Installation::on_postgres(ServerBuilder::new(), "recount");
    counts_are_compared_and_put_right(installation).await;
}

/// Has somebody's age decided on.
async fn decide(installation: &Installation, key: &str, born: &str, expected: u16) {
    let url = format!(
        "{}/api/age-verification/verify",
        installation.server.base_url()
    );
    let claim = json!({"customerId": born, "fullName": "Ada Lovelace", "dateOfBirth": born,
        "idNumberLast4": "1234", "state": "TX"});
    let request = reqwest::Client::new().post(url).header("X-API-Key", key);
    let answer = request.json(&claim).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), expected);
}

async fn counts_are_compared_and_put_right(mut installation: Installation) {
    let key = installation.new_key(&["--company", "default", "--scope", "ages:write"]);
    let key = key["key"].as_str().unwrap();
    installation.server.start_again().unwrap();
    decide(&installation, key, "1990-06-15", 200).await;
    decide(&installation, key, "2020-06-15", 400).await;
    let fine = installation.run(&CHECK).text();
    assert_eq!(fine, "The statistics are right: 1 day compared.\n");

    let more = "UPDATE age_daily_totals SET passed = passed + 7 WHERE passed > 0";
    assert_eq!(installation.execute(more), 1);
    let found = installation.run(&CHECK);
    assert!(found.failure(1).contains("bonafide ages recount"));
    let words = found.stdout();
    assert!(
        words.contains("default passed total: counted 8, found 1\n"),
        "{words}"
    );
    assert!(
        words.ends_with("The statistics are NOT right: 1 difference in 1 day.\n"),
        "{words}"
    );

    // Whoever only compared has changed nothing.
    let put_right = installation.run(&["ages", "recount", "--json"]).json();
    assert_eq!(names(&put_right), ["days", "differences"]);
    let [difference] = &put_right["differences"].as_array().unwrap()[..] else {
        panic!("{put_right}");
    };
    let told = ["company", "what", "counted", "found"].map(|name| difference[name].clone());
    let expected: [Value; 4] = ["default".into(), "passed total".into(), 8.into(), 1.into()];
    assert_eq!(told, expected);
    let fine = installation.run(&["ages", "recount"]).text();
    assert_eq!(fine, "The statistics are right: 1 day compared.\n");
    assert_eq!(installation.run(&CHECK).code(), 0);
}
