//! Where a customer's ID check stands, as far as the customer is told.

use domain::veriff::{LIFETIME, Reason, Status, Verdict};
use jiff::Timestamp;
use store::tables::veriff_sessions::{Session, State};

/// Where an ID check stands that has not proven anything yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// Nothing has been begun that counts now.
    New,
    /// The customer was sent there. Whether they have finished, only Veriff knows.
    Begun,
    /// People at Veriff look at it.
    InReview,
    /// Veriff could not make enough of it: the customer may go on in the same session.
    Again,
    /// Veriff did not accept it.
    Declined,
    /// The document is not valid any more.
    DocumentExpired,
    /// A person of the company has to decide.
    ByHand,
    /// It was not finished in time.
    Lapsed,
    /// The holder of the document is too young.
    TooYoung,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::New,
        Self::Begun,
        Self::InReview,
        Self::Again,
        Self::Declined,
        Self::DocumentExpired,
        Self::ByHand,
        Self::Lapsed,
        Self::TooYoung,
    ];

    /// Whether the customer can do something about it at Veriff.
    #[must_use]
    pub const fn can_go_there(self) -> bool {
        !matches!(self, Self::InReview | Self::TooYoung)
    }

    /// By the customer's newest session. How one ended before `since` is told nobody any more.
    pub(crate) fn of(newest: Option<&Session>, since: Timestamp, now: Timestamp) -> Self {
        let Some(session) = newest else {
            return Self::New;
        };
        match session.state {
            State::Asking => Self::New,
            State::Open if now.duration_since(session.created_at) >= LIFETIME => Self::Lapsed,
            State::Open => match session.decided.map(|decided| decided.status) {
                Some(Status::Review) => Self::InReview,
                Some(Status::ResubmissionRequested) => Self::Again,
                _ => Self::Begun,
            },
            State::Over => Self::ended(session, since),
        }
    }

    fn ended(session: &Session, since: Timestamp) -> Self {
        let at = session.decided.and_then(|decided| decided.at);
        if at.unwrap_or(session.created_at) < since {
            return Self::New;
        }
        match session.verdict.as_deref().and_then(Verdict::parse) {
            Some(Verdict::Refused(Reason::TooYoung)) => Self::TooYoung,
            Some(Verdict::Refused(Reason::DocumentExpired)) => Self::DocumentExpired,
            Some(Verdict::Refused(_)) => Self::Declined,
            Some(Verdict::Manual(_)) => Self::ByHand,
            Some(Verdict::Lapsed) => Self::Lapsed,
            // What was approved then was taken back since.
            Some(Verdict::Approved | Verdict::Open) | None => Self::New,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::seal::BlindIndex;
    use domain::veriff::Decided;
    use jiff::ToSpan as _;
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn session(state: State, status: Option<Status>, verdict: Option<Verdict>) -> Session {
        let created_at = at("2025-01-01T00:00:00Z");
        Session {
            id: Uuid::nil(),
            company_id: "default".to_owned(),
            email_index: BlindIndex::from_bytes(&[0; 16]).unwrap(),
            data_key: Uuid::nil(),
            state,
            attempts: 1,
            ask_until: created_at,
            veriff_id: None,
            url: None,
            decided: status.map(|status| Decided {
                status,
                at: Some(created_at + 1.hour()),
            }),
            verdict: verdict.map(|verdict| verdict.as_str().to_owned()),
            created_at,
        }
    }

    fn seen(session: &Session) -> Check {
        let placed_at = session.created_at - 1.hour();
        Check::of(Some(session), placed_at, session.created_at + 2.hours())
    }

    #[test]
    fn a_session_under_way_is_told_apart() {
        assert_eq!(Check::of(None, Timestamp::MIN, Timestamp::MAX), Check::New);
        assert_eq!(seen(&session(State::Asking, None, None)), Check::New);
        for (status, check) in [
            (None, Check::Begun),
            (Some(Status::Review), Check::InReview),
            (Some(Status::ResubmissionRequested), Check::Again),
        ] {
            let open = session(State::Open, status, status.map(|_| Verdict::Open));
            assert_eq!(seen(&open), check);
            let week = open.created_at + LIFETIME;
            assert_eq!(Check::of(Some(&open), open.created_at, week), Check::Lapsed);
        }
    }

    #[test]
    fn how_it_ended_is_told_for_the_orders_before_that() {
        for (status, verdict, check) in [
            (
                Status::Approved,
                Verdict::Refused(Reason::TooYoung),
                Check::TooYoung,
            ),
            (
                Status::Approved,
                Verdict::Refused(Reason::DocumentExpired),
                Check::DocumentExpired,
            ),
            (
                Status::Declined,
                Verdict::Refused(Reason::Declined),
                Check::Declined,
            ),
            (
                Status::Approved,
                Verdict::Manual(Reason::TimeUnclear),
                Check::ByHand,
            ),
            (Status::Expired, Verdict::Lapsed, Check::Lapsed),
            (Status::Approved, Verdict::Approved, Check::New),
        ] {
            let over = session(State::Over, Some(status), Some(verdict));
            assert_eq!(seen(&over), check);
            let later = over.created_at + 61.minutes();
            assert_eq!(Check::of(Some(&over), later, later), Check::New);
        }
    }
}
