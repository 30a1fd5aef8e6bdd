//! A session as it may be shown: opened, and the number masked.

use domain::number::{MobileNumber, SessionId, Status};
use domain::seal::{DataKey, KeyRing, Place, SealError};
use jiff::Timestamp;
use store::tables::verification_sessions::Found;

/// A session as its company sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its public name.
    pub verification_id: SessionId,
    /// The company's own name for it.
    pub request_id: String,
    /// Country code and last digits: `+1******0123`.
    pub masked_number: String,
    /// Where it stands.
    pub status: Status,
    /// What the app told of its user.
    pub app_user_id: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When the number was named.
    pub verified_at: Option<Timestamp>,
    /// When its time is, or was, over.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Shown({}, …)", self.verification_id)
    }
}

impl Shown {
    /// Opens a session as it stands at `now`.
    pub(super) fn open(ring: &KeyRing, found: &Found, now: Timestamp) -> Result<Self, SealError> {
        let key = found.data_key.as_ref().ok_or(SealError::DoesNotOpen)?;
        Self::open_with(&ring.unwrap(key)?, found, now)
    }

    pub(super) fn open_with(
        key: &DataKey,
        found: &Found,
        now: Timestamp,
    ) -> Result<Self, SealError> {
        let open = |column, sealed: &[u8]| {
            let plain = key.open(place(&found.verification_id, column), sealed)?;
            String::from_utf8(plain.to_vec()).map_err(|_| SealError::DoesNotOpen)
        };
        let number = open("mobile_number", &found.mobile_number)?;
        let number = MobileNumber::stored(&number).ok_or(SealError::DoesNotOpen)?;
        Ok(Self {
            verification_id: found.verification_id.clone(),
            request_id: open("request_id", &found.request_id)?,
            masked_number: number.masked(),
            status: found.session.status_at(now),
            app_user_id: match &found.app_user_id {
                Some(sealed) => Some(open("app_user_id", sealed)?),
                None => None,
            },
            created_at: found.created_at,
            verified_at: found.verified_at,
            expires_at: found.session.expires_at,
        })
    }
}

/// Where a sealed value of a session lives.
pub(super) fn place<'a>(id: &'a SessionId, column: &'static str) -> Place<'a> {
    Place {
        table: "verification_sessions",
        column,
        row: id.as_str().as_bytes(),
    }
}
