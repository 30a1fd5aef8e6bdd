//! Where an order stands.

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It may ship: everything was proven, or a person said so.
    Released,
    /// It waits for proofs.
    Held,
    /// Its deadline came before the proofs.
    Expired,
    /// A proof came after the deadline; a person decides.
    Late,
    /// The shop wants it no more.
    Cancelled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Released,
        Self::Held,
        Self::Expired,
        Self::Late,
        Self::Cancelled,
    ];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Held => "held",
            Self::Expired => "expired",
            Self::Late => "late",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads what [`Status::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether a proof can still change something, or be news to whoever decides.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Held | Self::Expired | Self::Late)
    }

    /// What the merchant is told when an order comes to stand here; nothing of a cancelled one,
    /// which is the merchant's own doing.
    #[must_use]
    pub const fn topic(self) -> Option<&'static str> {
        match self {
            Self::Released => Some("order.released"),
            Self::Held => Some("order.held"),
            Self::Expired => Some("order.expired"),
            Self::Late => Some("order.late"),
            Self::Cancelled => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_wire() {
        let names = ["released", "held", "expired", "late", "cancelled"];
        assert_eq!(Status::ALL.map(Status::as_str), names);
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
            let topic = format!("order.{}", status.as_str());
            assert!(status.topic().is_none_or(|told| told == topic));
        }
        assert_eq!(Status::parse("Held"), None);
    }
}
