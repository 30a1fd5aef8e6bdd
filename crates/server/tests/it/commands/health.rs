//! `bonafide health`: what supervisors ask that have no client of HTTP.

use test_support::ServerBuilder;

use super::Installation;

#[tokio::test]
async fn it_tells_whether_the_server_answers_and_whether_it_can() {
    let mut installation = Installation::on_sqlite(ServerBuilder::new());
    for arguments in [&["health"][..], &["health", "--live"]] {
        let nobody = installation.run(arguments).failure(1);
        assert!(nobody.contains("no server answers"), "{nobody}");
    }
    assert!(!installation.server.directory().join("data").exists());

    installation.server.start_again().unwrap();
    assert_eq!(installation.run(&["health"]).text(), "ready\n");
    let told = installation.run(&["health", "--json"]).json();
    assert_eq!(told["status"], "ready");

    // A record that cannot be written: the process lives, and is not ready.
    installation.execute("ALTER TABLE audit_records RENAME TO audit_records_hidden");
    assert_eq!(installation.status("bf_aaaaaaaaaaaa_wrong").await, 503);
    let unready = installation.run(&["health"]).failure(1);
    assert!(unready.contains("not ready"), "{unready}");
    assert_eq!(installation.run(&["health", "--live"]).text(), "live\n");
    installation.execute("ALTER TABLE audit_records_hidden RENAME TO audit_records");
}
