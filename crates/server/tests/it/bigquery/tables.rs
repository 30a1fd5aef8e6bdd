//! The two tables: made when they are missing, as they have to be, and never written to when they are
//! not.

use app::archive::{ArchiveProblem, Table};
use serde_json::{Value, json};

use super::google::{DATASET, PROJECT};
use super::{AGES, AUDIT, Stage};
use crate::harness::{TestApp, flows};

flows!(
    tables_are_made_with_partitions_that_last_for_seven_years,
    a_table_that_is_there_is_used,
    two_instances_make_a_table_at_once,
    a_table_that_was_just_made_is_waited_for,
    a_table_that_is_deleted_is_made_again,
    a_dataset_that_is_missing_is_not_made,
    a_table_that_is_not_fit_is_not_written_to,
);

async fn begun(app: &TestApp) -> Stage {
    let mut stage = Stage::set(app).await;
    stage.copy().await;
    stage.decide(0, 2).await;
    stage
}

fn makes(stage: &Stage) -> usize {
    let asked = stage.google.asked();
    let makes = asked.iter().filter(|asked| asked.path.ends_with("/tables"));
    makes.count()
}

async fn tables_are_made_with_partitions_that_last_for_seven_years(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.copy().await;
    assert_eq!(makes(&stage), 2);
    for name in [AUDIT, AGES] {
        let table = stage.google.table(name).unwrap();
        let partitioning = json!({"type": "DAY", "field": "occurred_at",
            "expirationMs": "221011200000"});
        assert_eq!(table["timePartitioning"], partitioning);
        let reference = json!({"projectId": PROJECT, "datasetId": DATASET, "tableId": name});
        assert_eq!(table["tableReference"], reference);
    }
    let columns = |name| {
        let table = stage.google.table(name).unwrap();
        let fields = table["schema"]["fields"].as_array().unwrap().iter();
        let names = fields.map(|field| field["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        columns(AUDIT),
        "record_id occurred_at request_id company credential action outcome status latency_us \
         occurrences detail archived_at"
    );
    assert_eq!(
        columns(AGES),
        "verification_id occurred_at company outcome method reason state age_bracket assurance \
         request_id archived_at"
    );
}

async fn a_table_that_is_there_is_used(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.copy().await;
    let mut other = stage.another();
    stage.follower.release().await.unwrap();
    stage.google.asked();
    stage.decide(2, 4).await;
    other.step().await.unwrap();
    assert_eq!(makes(&stage), 0);
    stage.decide(4, 5).await;
    other.step().await.unwrap();
    let asked = stage.google.asked();
    assert!(
        asked.iter().all(|asked| asked.path.ends_with("/insertAll")),
        "looked at once"
    );
    assert_eq!(stage.google.names(AGES).1, 5);
}

async fn two_instances_make_a_table_at_once(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.google.is_raced();
    stage.copy().await;
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (2, 2)
    );
}

async fn a_table_that_was_just_made_is_waited_for(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.google.is_slow(3);
    let mut times = 0;
    while let app::archive::Next::Again(problem, _) = stage.step().await {
        assert_eq!(problem, ArchiveProblem::NotYet);
        times += 1;
        assert!(times < 20);
    }
    assert!(times >= 3);
    assert_eq!(makes(&stage), 2, "it is not made twice");
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (2, 2)
    );
}

async fn a_table_that_is_deleted_is_made_again(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.copy().await;
    stage.google.drops_table(AGES);
    stage.decide(2, 3).await;
    assert_eq!(stage.fail().await.0, ArchiveProblem::NotYet);
    stage.copy().await;
    assert!(stage.google.table(AGES).is_some());
    assert_eq!(stage.google.names(AGES).1, 3);
}

async fn a_dataset_that_is_missing_is_not_made(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.google.has_no_dataset(true);
    assert_eq!(stage.fail().await.0, ArchiveProblem::Missing);
    stage.google.has_no_dataset(false);
    stage.copy().await;
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (2, 2)
    );
}

async fn a_table_that_is_not_fit_is_not_written_to(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.copy().await;
    let fit = stage.google.table(AGES).unwrap();
    stage.follower = stage.another();
    stage.advance(super::MINUTES);
    stage.decide(2, 3).await;
    let changes: [fn(&mut Value); 4] = [
        |table| table["timePartitioning"]["expirationMs"] = json!("220752000000"),
        |table| drop(table.as_object_mut().unwrap().remove("timePartitioning")),
        |table| table["schema"]["fields"][2]["name"] = json!("firm"),
        // Tables of the sandbox end after sixty days.
        |table| table["expirationTime"] = json!("1740873600000"),
    ];
    for change in changes {
        let mut table = fit.clone();
        change(&mut table);
        stage.google.set_table(AGES, table);
        let expected = ArchiveProblem::Unfit(Table::AgeVerifications);
        assert_eq!(stage.fail().await.0, expected);
        assert_eq!(stage.google.names(AGES).1, 2);
    }
    stage.google.set_table(AGES, fit);
    stage.copy().await;
    assert_eq!(stage.google.names(AGES).1, 3);
}
