//! Both databases have the same tables, and any number of instances may bring them up to date.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use crate::ground::{Ground, contract, run};

/// How many migrations there are.
fn migrations() -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    std::fs::read_dir(folder).unwrap().count()
}

contract!(
    migrating_again_changes_nothing,
    what_a_newer_program_has_migrated_is_served_by_the_one_before,
    the_first_company_is_as_old_as_the_database,
);

#[test]
fn both_engines_have_the_same_schema() {
    run(async {
        let sqlite = sqlite(&Ground::sqlite().await).await;
        let postgres = postgres(&Ground::postgres("schema").await).await;
        assert!(sqlite.tables.contains_key("customer_verification"));
        assert_eq!(sqlite, postgres);
    });
}

async fn migrating_again_changes_nothing(ground: Ground) {
    let again = join_all((0..5).map(|_| ground.location().migrate())).await;
    for applied in again {
        assert_eq!(applied.unwrap(), 0);
    }
    assert_eq!(ground.number("SELECT COUNT(*) FROM companies").await, 1);
}

async fn what_a_newer_program_has_migrated_is_served_by_the_one_before(ground: Ground) {
    let newer = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
         VALUES (9999, 'newer', '2027-01-01T00:00:00Z', '1')";
    ground.sql(newer).await;
    assert_eq!(ground.location().migrate().await.unwrap(), 0);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a migration goes by the database's own clock"
)]
async fn the_first_company_is_as_old_as_the_database(ground: Ground) {
    let now = jiff::Timestamp::now().as_microsecond();
    for column in ["created_at", "updated_at"] {
        let at = ground
            .number(&format!("SELECT {column} FROM companies"))
            .await;
        let age = std::time::Duration::from_micros(now.abs_diff(at));
        assert!(age < std::time::Duration::from_secs(600), "{column}: {at}");
    }
}

#[test]
fn instances_may_migrate_a_fresh_sqlite_file_at_once() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let location = bonafide_store::Location::Sqlite(directory.path().join("fresh.db"));
        let applied = join_all((0..4).map(|_| location.migrate())).await;
        let applied: usize = applied.into_iter().map(Result::unwrap).sum();
        assert_eq!(applied, migrations(), "applied once, by whoever was first");
    });
}

#[test]
fn instances_may_migrate_a_fresh_postgres_database_at_once() {
    run(async {
        let database = test_support::postgres::database_for_test("fresh").unwrap();
        let target = bonafide_store::postgres::Target::parse(database.url(), None).unwrap();
        let location = bonafide_store::Location::Postgres(Box::new(target));
        let applied = join_all((0..4).map(|_| location.migrate())).await;
        let applied: usize = applied.into_iter().map(Result::unwrap).sum();
        assert_eq!(applied, migrations(), "applied once, by whoever was first");
    });
}

/// What has to be alike. Types are those of SQLite, onto which PostgreSQL's are mapped.
#[derive(Debug, PartialEq, Eq)]
struct Schema {
    /// By table, by column: type, and whether it may be NULL.
    tables: BTreeMap<String, BTreeMap<String, (String, bool)>>,
    /// Table, whether unique, columns in order, and whether it has a condition, of every index, primary
    /// keys included, and hashes not, which SQLite lacks.
    indexes: BTreeSet<(String, bool, String)>,
}

fn schema(columns: Vec<Vec<String>>, indexes: Vec<Vec<String>>) -> Schema {
    let mut tables = BTreeMap::<_, BTreeMap<_, _>>::new();
    for row in columns {
        let [table, column, kind, nullable] = <[String; 4]>::try_from(row).unwrap();
        let column = (column, (kind, nullable == "1"));
        tables.entry(table).or_default().extend([column]);
    }
    let indexes = indexes.into_iter().map(|row| {
        let [table, unique, columns] = <[String; 3]>::try_from(row).unwrap();
        (table, unique == "1", columns)
    });
    Schema {
        tables,
        indexes: indexes.collect(),
    }
}

async fn sqlite(ground: &Ground) -> Schema {
    let columns = "SELECT t.name, c.name, c.type, 1 - c.\"notnull\" FROM sqlite_master t, \
         pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' \
         AND t.name NOT LIKE 'refinery_%' AND t.name <> 'notes'";
    // An INTEGER PRIMARY KEY is the table itself and has no index: it is added by hand.
    let indexes = "SELECT name, u, group_concat(column, ',') || iif(p, ' of some', '') FROM (SELECT t.name, i.name AS i, \
         i.\"unique\" AS u, i.partial AS p, c.name AS column FROM sqlite_master t, pragma_index_list(t.name) i, \
         pragma_index_info(i.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'refinery_%' \
         ORDER BY t.name, i.name, c.seqno) \
         GROUP BY name, i, u, p UNION SELECT t.name, 1, c.name FROM sqlite_master t, \
         pragma_table_info(t.name) c WHERE t.type = 'table' AND c.pk = 1 AND c.type = 'INTEGER' \
         AND t.name NOT LIKE 'refinery_%' \
         AND NOT EXISTS (SELECT 1 FROM pragma_index_list(t.name) WHERE origin = 'pk')";
    schema(ground.sql(columns).await, ground.sql(indexes).await)
}

async fn postgres(ground: &Ground) -> Schema {
    let columns = "SELECT table_name, column_name, CASE data_type WHEN 'bigint' THEN 'INTEGER' \
         WHEN 'boolean' THEN 'INTEGER' WHEN 'text' THEN 'TEXT' WHEN 'bytea' THEN 'BLOB' \
         WHEN 'uuid' THEN 'BLOB' ELSE data_type END, CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END \
         FROM information_schema.columns WHERE table_schema = 'public' \
         AND table_name NOT LIKE 'refinery_%' AND table_name <> 'notes' \
         AND NOT (SELECT relispartition FROM pg_class WHERE oid = table_name::regclass)";
    let indexes = "SELECT t.relname, i.indisunique::int, string_agg(a.attname, ',' ORDER BY k.at) \
         || CASE WHEN i.indpred IS NULL THEN '' ELSE ' of some' END \
         FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid \
         JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'public' \
         JOIN pg_class x ON x.oid = i.indexrelid \
         JOIN pg_am m ON m.oid = x.relam AND m.amname <> 'hash', \
         unnest(i.indkey::int[]) WITH ORDINALITY AS k(attnum, at) \
         JOIN pg_attribute a ON a.attnum = k.attnum WHERE a.attrelid = t.oid \
         AND NOT t.relispartition AND t.relname NOT LIKE 'refinery_%' \
         GROUP BY t.relname, i.indexrelid, i.indisunique, i.indpred";
    schema(ground.sql(columns).await, ground.sql(indexes).await)
}
