//! BigQuery's JSON: tables as they are made and looked at, rows, and what became of them.

use app::archive::{Content, Row, Table, Verdict};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// The column that tables are partitioned by.
const PARTITION: &str = "occurred_at";

/// How long a partition is kept, in milliseconds: 2558 days. Seven years have up to 2557 days, and the
/// time is counted from the beginning of the partition's day.
pub const KEPT: i64 = 221_011_200_000;

/// The most characters of a word of BigQuery's that are kept.
const LONGEST: usize = 64;

/// A column: its name, its type, and whether it always has a value.
type Column = (&'static str, &'static str, bool);

const AUDIT_RECORDS: &[Column] = &[
    ("record_id", "STRING", true),
    (PARTITION, "TIMESTAMP", true),
    ("request_id", "STRING", true),
    ("company", "STRING", true),
    ("credential", "STRING", true),
    ("action", "STRING", true),
    ("outcome", "STRING", true),
    ("status", "INTEGER", true),
    ("latency_us", "INTEGER", true),
    ("occurrences", "INTEGER", true),
    ("detail", "STRING", false),
    ("archived_at", "TIMESTAMP", true),
];

const AGE_VERIFICATIONS: &[Column] = &[
    ("verification_id", "STRING", true),
    (PARTITION, "TIMESTAMP", true),
    ("company", "STRING", true),
    ("outcome", "STRING", true),
    ("method", "STRING", true),
    ("reason", "STRING", true),
    ("state", "STRING", true),
    ("age_bracket", "STRING", true),
    ("assurance", "STRING", true),
    ("request_id", "STRING", true),
    ("archived_at", "TIMESTAMP", true),
];

const fn columns(table: Table) -> &'static [Column] {
    match table {
        Table::AuditRecords => AUDIT_RECORDS,
        Table::AgeVerifications => AGE_VERIFICATIONS,
    }
}

const fn description(table: Table) -> &'static str {
    match table {
        Table::AuditRecords => {
            "Bonafide: the audit log, without whom it is about. Rows may come twice."
        }
        Table::AgeVerifications => {
            "Bonafide: decisions about ages, without whom they are about. Rows may come twice."
        }
    }
}

/// A table as it is made.
pub fn table(project: &str, dataset: &str, table: Table) -> Value {
    let fields = columns(table).iter().map(|(name, kind, required)| {
        let mode = if *required { "REQUIRED" } else { "NULLABLE" };
        json!({"name": name, "type": kind, "mode": mode})
    });
    json!({
        "tableReference": {"projectId": project, "datasetId": dataset, "tableId": table.name()},
        "description": description(table),
        "schema": {"fields": fields.collect::<Vec<_>>()},
        // 64-bit numbers are texts in Google's JSON.
        "timePartitioning": {"type": "DAY", "field": PARTITION, "expirationMs": KEPT.to_string()},
    })
}

/// Whether a table takes our rows and keeps them for long enough.
pub fn is_fit(table: Table, found: &Value, now: Timestamp) -> bool {
    has_columns(table, found) && is_partitioned(found) && stays(found, now)
}

fn has_columns(table: Table, found: &Value) -> bool {
    let fields = found.pointer("/schema/fields").and_then(Value::as_array);
    let Some(fields) = fields else { return false };
    let text = |field: &Value, key: &str| {
        let text = field.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let expected = columns(table);
    let has = |(name, kind, _): &Column| {
        let mut fields = fields.iter();
        fields.any(|field| text(field, "name") == *name && same_type(kind, &text(field, "type")))
    };
    let fills = |field: &Value| {
        let name = text(field, "name");
        text(field, "mode") != "REQUIRED" || expected.iter().any(|(known, ..)| *known == name)
    };
    expected.iter().all(has) && fields.iter().all(fills)
}

/// Whether two names of types mean the same; some have two.
fn same_type(one: &str, other: &str) -> bool {
    one == other || (one == "INTEGER" && other == "INT64")
}

fn is_partitioned(found: &Value) -> bool {
    let Some(partitioning) = found.get("timePartitioning") else {
        return false;
    };
    let kept = match partitioning.get("expirationMs") {
        // Partitions that do not expire are kept for long enough.
        None => true,
        Some(kept) => number(kept).is_some_and(|kept| kept >= KEPT),
    };
    let field = partitioning.get("field").and_then(Value::as_str);
    field == Some(PARTITION) && kept
}

/// Whether the table itself does not end too soon, as those of the sandbox do.
fn stays(found: &Value, now: Timestamp) -> bool {
    let Some(ends) = found.get("expirationTime") else {
        return true;
    };
    let kept = now.saturating_add(SignedDuration::from_millis(KEPT));
    let kept = kept.unwrap_or(Timestamp::MAX).as_millisecond();
    number(ends).is_some_and(|ends| ends >= kept)
}

/// A 64-bit number, which Google's JSON writes as text.
fn number(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

/// A request that adds rows.
pub fn insert(rows: &[Row], now: Timestamp) -> Value {
    let rows = rows.iter().map(|row| {
        // BigQuery drops rows of a name that it saw a moment ago; later ones are told apart by readers.
        json!({"insertId": format!("{}/{}", row.table().name(), row.name), "json": json_of(row, now)})
    });
    json!({
        "kind": "bigquery#tableDataInsertAllRequest",
        // One bad row is not to hold up the others.
        "skipInvalidRows": true,
        "ignoreUnknownValues": false,
        "rows": rows.collect::<Vec<_>>(),
    })
}

fn json_of(row: &Row, now: Timestamp) -> Value {
    match &row.content {
        Content::Audit(record) => json!({
            "record_id": row.name,
            PARTITION: record.at.to_string(),
            "request_id": record.request_id,
            "company": record.company,
            "credential": record.credential,
            "action": record.action,
            "outcome": record.outcome,
            "status": record.status,
            "latency_us": record.latency,
            "occurrences": record.occurrences,
            "detail": record.detail,
            "archived_at": now.to_string(),
        }),
        Content::Age(decision, bracket) => json!({
            "verification_id": row.name,
            PARTITION: decision.decided_at.to_string(),
            "company": decision.company,
            "outcome": if decision.passed { "passed" } else { "refused" },
            "method": decision.method,
            "reason": decision.reason,
            "state": decision.state,
            "age_bracket": bracket,
            "assurance": decision.assurance,
            "request_id": decision.request_id,
            "archived_at": now.to_string(),
        }),
    }
}

/// What became of so many rows; `None` when that cannot be understood.
pub fn verdicts(answer: &Value, rows: usize) -> Option<Vec<Verdict>> {
    let mut verdicts = vec![Verdict::Taken; rows];
    let errors = match answer.as_object()?.get("insertErrors") {
        None | Some(Value::Null) => return Some(verdicts),
        Some(errors) => errors.as_array()?,
    };
    for error in errors {
        let error = error.as_object()?;
        let index = error.get("index").map_or(Some(0), number)?;
        let verdict = verdicts.get_mut(usize::try_from(index).ok()?)?;
        *verdict = judge(error);
    }
    Some(verdicts)
}

/// Of several errors of a row one that no repetition cures decides.
fn judge(error: &Map<String, Value>) -> Verdict {
    let errors = error.get("errors").and_then(Value::as_array);
    let mut again = None;
    for error in errors.into_iter().flatten() {
        let reason = word(error, "reason").unwrap_or_else(|| "unknown".to_owned());
        if !passes(&reason) {
            let place = word(error, "location");
            return Verdict::Refused(match place {
                Some(place) => format!("{reason} at {place}"),
                None => reason,
            });
        }
        again.get_or_insert(reason);
    }
    Verdict::Again(again.unwrap_or_else(|| "unknown".to_owned()))
}

/// Whether a reason is none of the row's own: BigQuery's trouble, or that another row was bad.
fn passes(reason: &str) -> bool {
    const PASSING: [&str; 10] = [
        "stopped",
        "backendError",
        "internalError",
        "rateLimitExceeded",
        "quotaExceeded",
        "timeout",
        "tableUnavailable",
        "serviceUnavailable",
        "jobBackendError",
        "unknown",
    ];
    PASSING.contains(&reason)
}

/// A word of BigQuery's, as far as it is one; what else it says could repeat a row.
fn word(error: &Value, key: &str) -> Option<String> {
    let word = error.get(key)?.as_str()?;
    let is_word = !word.is_empty()
        && word.len() <= LONGEST
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte));
    is_word.then(|| word.to_owned())
}

/// Whether a refusal (403) is for want of room: a limit that passes.
pub fn is_quota(answer: &Value) -> bool {
    let reason = answer.pointer("/error/errors/0/reason");
    let reason = reason.and_then(Value::as_str);
    matches!(
        reason,
        Some("rateLimitExceeded" | "quotaExceeded" | "userRateLimitExceeded")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn what_we_make_is_fit() {
        for one in Table::ALL {
            assert!(is_fit(one, &table("p", "d", one), NOW));
        }
    }

    #[test]
    fn a_table_that_lacks_something_is_not_fit() {
        let made = || table("p", "d", Table::AuditRecords);
        let changed = |change: fn(&mut Value)| {
            let mut table = made();
            change(&mut table);
            is_fit(Table::AuditRecords, &table, NOW)
        };
        assert!(!changed(
            |table| table["timePartitioning"]["expirationMs"] = json!("220924800000")
        ));
        assert!(!changed(|table| table["timePartitioning"] = Value::Null));
        assert!(!changed(
            |table| table["timePartitioning"]["field"] = json!("archived_at")
        ));
        assert!(!changed(
            |table| table["schema"]["fields"][3]["name"] = json!("firm")
        ));
        assert!(!changed(
            |table| table["schema"]["fields"][7]["type"] = json!("STRING")
        ));
        assert!(!changed(
            |table| table["expirationTime"] = json!("5184000000")
        ));
        assert!(!changed(|table| {
            let more = json!({"name": "more", "type": "STRING", "mode": "REQUIRED"});
            table["schema"]["fields"].as_array_mut().unwrap().push(more);
        }));
        assert!(!changed(|table| *table = json!({})));
        // What serves as well, or better.
        assert!(changed(
            |table| table["schema"]["fields"][7]["type"] = json!("INT64")
        ));
        assert!(changed(|table| {
            table["timePartitioning"]
                .as_object_mut()
                .unwrap()
                .remove("expirationMs");
        }));
        assert!(changed(|table| {
            let more = json!({"name": "more", "type": "STRING", "mode": "NULLABLE"});
            table["schema"]["fields"].as_array_mut().unwrap().push(more);
        }));
    }

    #[test]
    fn every_row_is_judged_by_itself() {
        let error = |reason: &str| json!({"reason": reason, "location": "", "message": "Ann"});
        let answer = json!({"insertErrors": [
            {"index": 1, "errors": [error("stopped")]},
            {"index": 2, "errors": [error("stopped"), {"reason": "invalid", "location": "status"}]},
            {"index": 3, "errors": [error("Ann Lee, no such field")]},
            {"index": 4, "errors": []},
        ]});
        let again = |reason: &str| Verdict::Again(reason.to_owned());
        assert_eq!(
            verdicts(&answer, 5).unwrap(),
            [
                Verdict::Taken,
                again("stopped"),
                Verdict::Refused("invalid at status".to_owned()),
                again("unknown"),
                again("unknown"),
            ]
        );
        assert_eq!(
            verdicts(&json!({}), 2).unwrap(),
            [Verdict::Taken, Verdict::Taken]
        );
        for garbled in [
            json!([]),
            json!({"insertErrors": 1}),
            json!({"insertErrors": [{"index": 2}]}),
            json!({"insertErrors": [{"index": -1}]}),
        ] {
            assert_eq!(verdicts(&garbled, 2), None, "{garbled}");
        }
    }

    #[test]
    fn seven_years_are_covered() {
        let days = KEPT / 86_400_000;
        assert_eq!((days, KEPT % 86_400_000), (2558, 0));
    }
}
