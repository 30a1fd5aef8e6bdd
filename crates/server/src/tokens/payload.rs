//! What stands in a token, and whether it holds now and here.

use app::credentials::{Claims, Refusal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Number;

/// How far clocks may be apart, in seconds.
pub(super) const LEEWAY: f64 = 60.0;

/// Where tokens must come from and whom they must be for; our own say so too.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// `iss`, when it is checked.
    pub issuer: Option<String>,
    /// `aud`, when it is checked.
    pub audience: Option<String>,
}

/// The claims set of a token. Those that nobody asks about are ignored; each that
/// is known must have its type.
#[derive(Serialize, Deserialize)]
pub struct Payload {
    sub: String,
    exp: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aud: Option<Audience>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    company: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// For whom a token is.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// Whether it is for nobody else.
    pub(super) fn is_single(&self) -> bool {
        match self {
            Self::One(_) => true,
            Self::Many(many) => many.len() == 1,
        }
    }

    /// Whether it is for that one, among others perhaps.
    pub(super) fn names(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

impl Payload {
    /// What a new token says.
    pub fn new(
        claims: &Claims,
        expected: &Expected,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            sub: claims.subject.clone(),
            exp: expires_at.as_second().into(),
            iat: Some(now.as_second().into()),
            nbf: None,
            iss: expected.issuer.clone(),
            aud: expected.audience.clone().map(Audience::One),
            company: claims.company.clone(),
            scope: claims.scope.clone(),
            role: claims.role.clone(),
            key: claims.key.clone(),
        }
    }

    /// Whether it holds now, and for us.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, expected: &Expected, now: Timestamp) -> Result<(), Refusal> {
        let end = seconds(&self.exp)?;
        let start = self.nbf.as_ref().map(seconds).transpose()?;
        let now = now.as_duration().as_secs_f64();
        if now >= end + LEEWAY {
            return Err(Refusal::ExpiredToken);
        }
        let has_begun = start.is_none_or(|start| start - LEEWAY <= now);
        let from_whom = expected
            .issuer
            .as_ref()
            .is_none_or(|issuer| self.iss.as_ref() == Some(issuer));
        let for_us = expected
            .audience
            .as_ref()
            .is_none_or(|audience| self.aud.as_ref().is_some_and(|named| named.names(audience)));
        if has_begun && from_whom && for_us && !self.sub.is_empty() {
            Ok(())
        } else {
            Err(Refusal::BadToken)
        }
    }

    /// When its time is over, whole seconds and without leeway; the end of time for what is beyond.
    ///
    /// # Errors
    /// When it says no time.
    pub fn ends_at(&self) -> Result<Timestamp, Refusal> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is beyond is cut to the ends"
        )]
        let seconds = seconds(&self.exp)?.floor() as i64;
        let cut = seconds.clamp(0, Timestamp::MAX.as_second());
        Ok(Timestamp::from_second(cut).unwrap_or(Timestamp::MAX))
    }

    /// Whether it claims to be made from one of our API keys.
    pub fn names_a_key(&self) -> bool {
        self.key.is_some()
    }

    /// What it says, for the directory.
    pub fn claims(&self) -> Claims {
        Claims {
            subject: self.sub.clone(),
            company: self.company.clone(),
            scope: self.scope.clone(),
            role: self.role.clone(),
            key: self.key.clone(),
        }
    }
}

/// A NumericDate (RFC 7519 §2): seconds since 1970, possibly with a fraction.
pub(super) fn seconds(date: &Number) -> Result<f64, Refusal> {
    date.as_f64()
        .filter(|seconds| seconds.is_finite())
        .ok_or(Refusal::BadToken)
}
