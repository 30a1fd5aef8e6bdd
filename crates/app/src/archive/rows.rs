//! What is copied of a record and of a decision about an age.
//!
//! Guarantees: names of things, outcomes, methods, brackets and times; nothing that leads to a person:
//! no subject and no customer, also not as a keyed hash, no caller, no age in years. A remark of the log
//! names nobody either.

use domain::age::{VerificationId, bracket};
use jiff::Timestamp;
use store::tables::archive::Decision;
use store::tables::audit::Located;

/// Where rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Records of the audit log.
    AuditRecords,
    /// Decisions about ages, passed or refused.
    AgeVerifications,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 2] = [Self::AuditRecords, Self::AgeVerifications];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuditRecords => "audit_records",
            Self::AgeVerifications => "age_verifications",
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name within its table, the same whenever it is copied.
    pub name: String,
    /// What it says.
    pub content: Content,
}

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A record.
    Audit(AuditRow),
    /// A decision.
    Age(Decision, &'static str),
}

/// A record of the audit log, as it is archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// When the request arrived.
    pub at: Timestamp,
    /// Its id.
    pub request_id: String,
    /// On whose behalf; empty when nobody was authenticated.
    pub company: String,
    /// By which kind of credential, and by which key.
    pub credential: String,
    /// What was asked.
    pub action: String,
    /// What came of it.
    pub outcome: String,
    /// HTTP status; 0 for what did not come by HTTP.
    pub status: i64,
    /// Microseconds until the record was handed to the log.
    pub latency: i64,
    /// How many requests it stands for.
    pub occurrences: i64,
    /// What else is to say.
    pub detail: Option<String>,
}

impl Row {
    /// Of a record.
    #[must_use]
    pub fn of_record(located: Located) -> Self {
        let Located {
            log,
            batch,
            position,
            record,
            ..
        } = located;
        Self {
            name: format!("{log}.{batch}.{position}"),
            content: Content::Audit(AuditRow {
                at: record.at,
                request_id: record.request_id.as_ref().into(),
                company: record.company.as_ref().into(),
                credential: without_subject(&record.credential),
                action: record.action.into_owned(),
                outcome: record.outcome.code.into_owned(),
                status: record.outcome.status,
                latency: record.latency,
                occurrences: record.occurrences,
                detail: record.detail,
            }),
        }
    }

    /// Of a decision.
    #[must_use]
    pub fn of_decision(mut decision: Decision) -> Self {
        let bracket = decision.age.take().map_or("unknown", bracket);
        Self {
            name: decision.verification_id.clone(),
            content: Content::Age(decision, bracket),
        }
    }

    /// Where it goes.
    #[must_use]
    pub const fn table(&self) -> Table {
        match self.content {
            Content::Audit(_) => Table::AuditRecords,
            Content::Age(..) => Table::AgeVerifications,
        }
    }
}

/// The decision that a record tells of, if it tells of one: the last word of its remark.
pub(super) fn decision_named(detail: Option<&str>) -> Option<VerificationId> {
    VerificationId::parse(detail?.rsplit(' ').next()?)
}

/// A credential without the keyed hash of a token's subject, who may be a customer.
fn without_subject(credential: &str) -> String {
    let words = credential.split(' ').map(|word| {
        let is_subject = word.starts_with("token:");
        if is_subject { "token" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_names_a_key_and_no_subject() {
        for (credential, expected) in [
            ("key:abc", "key:abc"),
            ("token:00ff", "token"),
            ("token:00ff key:abc", "token key:abc"),
            ("command", "command"),
            ("", ""),
        ] {
            assert_eq!(without_subject(credential), expected);
        }
    }

    #[test]
    fn a_decision_is_named_last() {
        let name = "av_1704067200000_a1b2c3d4e5f6g7h8";
        for detail in [name.to_owned(), format!("age_check under_age {name}")] {
            assert_eq!(decision_named(Some(&detail)).unwrap().as_str(), name);
        }
        for detail in [None, Some(""), Some("cache"), Some("av_1 stopped")] {
            assert_eq!(decision_named(detail), None);
        }
    }
}
