//! An index is used for what it leads to, in a database of any size: SQLite goes by what the store
//! tells it about the tables.

use rusqlite::Connection;

use crate::ground::{Ground, run};

/// A database as it is before its first customer, once it has been opened.
fn fresh() -> (Ground, Connection) {
    let mut ground = None;
    run(async {
        let fresh = Ground::sqlite().await;
        drop(fresh.open().await);
        ground = Some(fresh);
    });
    let ground = ground.unwrap();
    let database = Connection::open(ground.file()).unwrap();
    (ground, database)
}

/// How a question is going to be answered.
fn plan(database: &Connection, question: &str) -> String {
    let mut explain = database
        .prepare(&format!("EXPLAIN QUERY PLAN {question}"))
        .unwrap();
    let asked = explain.parameter_count();
    let values = rusqlite::params_from_iter(vec![rusqlite::types::Null; asked]);
    let steps = explain.query_map(values, |row| row.get::<_, String>("detail"));
    let steps: Result<Vec<_>, _> = steps.unwrap().collect();
    steps.unwrap().join("; ")
}

/// Table, columns and condition of each index.
fn indexes(database: &Connection) -> Vec<(String, String, Vec<String>, String)> {
    let mut listed = database
        .prepare(
            "SELECT t.name, i.name, COALESCE(s.sql, ''), (SELECT group_concat(name, ' ') FROM \
             (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) \
             FROM sqlite_schema t, pragma_index_list(t.name) i \
             LEFT JOIN sqlite_schema s ON s.name = i.name WHERE t.type = 'table'",
        )
        .unwrap();
    let listed = listed.query_map([], |row| {
        let (sql, columns): (String, String) = (row.get(2)?, row.get(3)?);
        let condition = sql.split_once("WHERE ").map_or("1", |(_, text)| text);
        let columns = columns.split(' ').map(str::to_owned).collect();
        Ok((row.get(0)?, row.get(1)?, columns, condition.to_owned()))
    });
    listed.unwrap().collect::<Result<_, _>>().unwrap()
}

/// The column that is a table's primary key, where one column is.
fn name_of_row(database: &Connection, table: &str) -> Option<String> {
    let mut key = database
        .prepare("SELECT name FROM pragma_table_info(?1) WHERE pk > 0")
        .unwrap();
    let columns = key.query_map([table], |row| row.get(0)).unwrap();
    let columns: Vec<_> = columns.map(Result::unwrap).collect();
    columns.try_into().ok().map(|[only]: [String; 1]| only)
}

#[test]
fn whoever_names_all_columns_of_an_index_is_led_by_all_of_them() {
    let (_ground, database) = fresh();
    let indexes = indexes(&database);
    assert!(indexes.len() > 80, "{}", indexes.len());
    for (table, index, columns, condition) in indexes {
        let wanted: Vec<_> = columns.iter().map(|name| format!("{name} = ?")).collect();
        let wanted = wanted.join(" AND ");
        let question = format!("SELECT * FROM {table} WHERE {wanted} AND {condition}");
        let plan = plan(&database, &question);
        assert!(
            !plan.contains("(company_id=?)") || columns.len() == 1,
            "{index}: {plan}"
        );
        let last = format!("{}=?", columns.last().unwrap());
        let row = name_of_row(&database, &table).map(|name| format!("({name}=?)"));
        let finds_row = plan.contains("(rowid=?)") || row.is_some_and(|row| plan.contains(&row));
        let is_led = plan.starts_with("SEARCH") && (plan.contains(&last) || finds_row);
        assert!(is_led, "{index}: {plan}");
    }
}

#[test]
fn who_is_looked_for_is_not_looked_for_among_all_customers_of_a_company() {
    let (_ground, database) = fresh();
    for (question, index) in [
        (
            "SELECT * FROM customer_verification WHERE company_id = ? AND phone_index = ? \
             ORDER BY updated_at DESC LIMIT 1",
            "customer_verification_by_phone",
        ),
        (
            "SELECT * FROM age_customers WHERE company_id = ? AND email_index = ?",
            "age_customers_by_email",
        ),
        (
            "SELECT * FROM square_customers WHERE company_id = ? AND subject_index = ?",
            "square_customers_by_subject",
        ),
        (
            "SELECT * FROM orders WHERE company_id = ? AND email_index = ? ORDER BY placed_at, id",
            "orders_of_customer",
        ),
        (
            "SELECT * FROM idempotency_keys WHERE company_id = ? AND subject_index = ?",
            "idempotency_keys_by_subject",
        ),
        (
            "SELECT * FROM data_keys WHERE company_id = ? AND purpose = ? AND label = ?",
            "data_keys_with_label",
        ),
        (
            "SELECT * FROM veriff_sessions WHERE company_id = ? AND poll_at <= ? \
             ORDER BY poll_at, id LIMIT ?",
            "veriff_sessions_to_poll",
        ),
    ] {
        let plan = plan(&database, question);
        let is_led = ["USING INDEX", "USING COVERING INDEX"]
            .iter()
            .any(|led| plan.contains(&format!("{led} {index} ")));
        assert!(is_led, "{plan}");
        assert!(!plan.contains("(company_id=?)"), "{plan}");
    }
}

#[test]
fn deadlines_lead_to_their_sessions_one_by_one() {
    let (_ground, database) = fresh();
    let window = "(SELECT verification_id, expires_at FROM verification_deadlines \
         WHERE expires_at <= ?1 ORDER BY expires_at, verification_id LIMIT ?2)";
    for question in [
        format!(
            "SELECT s.id FROM {window} d CROSS JOIN verification_sessions s \
             LEFT JOIN data_keys k ON k.id = s.data_key \
             WHERE s.verification_id = d.verification_id AND s.status = 'pending' \
             AND s.expires_at <= ?1 ORDER BY d.expires_at LIMIT ?3"
        ),
        format!(
            "SELECT d.expires_at, d.verification_id FROM {window} d \
             WHERE NOT EXISTS (SELECT 1 FROM verification_sessions s \
             WHERE s.verification_id = d.verification_id AND s.status = 'pending')"
        ),
        format!(
            "UPDATE verification_sessions AS s SET status = 'expired' WHERE status = 'pending' \
             AND id = ?3 AND verification_id IN (SELECT verification_id FROM {window} d)"
        ),
    ] {
        let plan = plan(&database, &question);
        let due = "verification_deadlines USING PRIMARY KEY (expires_at<?)";
        assert!(plan.contains(due), "{plan}");
        let session = "SEARCH s USING PRIMARY KEY (verification_id=?)";
        assert!(plan.contains(session), "{plan}");
        assert!(!plan.contains("SCAN verification"), "{plan}");
    }
}

#[test]
fn a_line_of_merges_is_followed_from_one_to_the_next() {
    let (_ground, database) = fresh();
    let plan = plan(
        &database,
        "WITH RECURSIVE line (square_index, holder_index) AS (\
         SELECT c.square_index, c.holder_index FROM square_customers c \
         WHERE c.company_id = ?1 AND c.subject_index = ?2 \
         UNION SELECT c.square_index, c.holder_index FROM square_customers c \
         JOIN line ON c.square_index = line.holder_index WHERE c.company_id = ?1) \
         SELECT * FROM square_customers c JOIN line ON c.square_index = line.square_index \
         WHERE c.company_id = ?1 ORDER BY c.square_index",
    );
    assert!(!plan.contains("BLOOM"), "{plan}");
    assert!(!plan.contains("(company_id=?)"), "{plan}");
}

#[test]
fn what_was_told_is_told_once_and_again_when_it_is_lost() {
    let (ground, database) = fresh();
    let told = || -> Vec<(String, String)> {
        let mut rows = database
            .prepare("SELECT COALESCE(idx, tbl), stat FROM sqlite_stat1 ORDER BY 1")
            .unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    };
    let version = || -> i64 {
        database
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .unwrap()
    };
    let open = || run(async { drop(ground.open().await) });
    let (first, before) = (told(), version());
    assert!(first.len() > 80, "{}", first.len());
    open();
    assert_eq!(version(), before, "nothing is written the next time");
    // As somebody's own ANALYZE would.
    database.execute_batch("ANALYZE").unwrap();
    assert_ne!(told(), first);
    open();
    assert_eq!(told(), first);
}

#[test]
fn a_file_that_somebody_else_is_writing_is_opened_and_told_the_next_time() {
    let (ground, database) = fresh();
    let told = || -> i64 {
        let count = "SELECT COUNT(*) FROM sqlite_stat1";
        database.query_row(count, [], |row| row.get(0)).unwrap()
    };
    let open = || run(async { drop(ground.open().await) });
    database.execute_batch("DELETE FROM sqlite_stat1").unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    open();
    assert_eq!(told(), 0);
    database.execute_batch("ROLLBACK").unwrap();
    open();
    assert!(told() > 80, "{}", told());
}

#[test]
fn postgres_finds_and_lists_sessions_by_their_groups() {
    run(async {
        let ground = Ground::postgres("plans").await;
        let question = "SET enable_seqscan = off; SET enable_bitmapscan = off; \
             EXPLAIN SELECT verification_id FROM verification_sessions \
             WHERE company_id = 'default' AND number_index = '\\x01' \
             AND (ascii(encode(number_index, 'hex')) & 3) = (ascii(encode('\\x01', 'hex')) & 3)";
        let plan = ground.sql(question).await.concat().join("; ");
        assert!(plan.contains("verification_sessions_in_groups"), "{plan}");
        assert!(plan.contains("& 3)) ="), "{plan}");
        let newest = "SET enable_seqscan = off; SET enable_bitmapscan = off; \
             EXPLAIN SELECT verification_id FROM verification_sessions \
             WHERE company_id = 'default' AND (ascii(encode(number_index, 'hex')) & 3) = 2 \
             AND verification_id < 'nv_1' ORDER BY verification_id DESC LIMIT 10";
        let plan = ground.sql(newest).await.concat().join("; ");
        assert!(plan.contains("verification_sessions_in_groups"), "{plan}");
        assert!(plan.contains("& 3)) ="), "{plan}");
        assert!(!plan.contains("Sort"), "{plan}");
    });
}
