//! What came of one attempt to hand a mail to a mail server.
//!
//! A reply means different things at different stages of the conversation (RFC 5321): a 550 to the
//! recipient is about that mailbox, a 550 to the sender is about us. Guarantees: only an answer
//! about the mailbox itself closes that mailbox; what is about our credentials, our encryption or
//! the server's health is tried again; the words never change, for they are stored.

/// How far the conversation with a mail server had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It greeted, was told who we are, or was asked to encrypt.
    Greeting,
    /// It was given our credentials.
    Login,
    /// It was told our address.
    Sender,
    /// It was told the recipient's.
    Recipient,
    /// It was given the mail.
    Content,
}

/// A reply that is no consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    /// The three digits, 400 to 599.
    pub code: u16,
    /// Subject and detail of the enhanced status code (RFC 3463), where one was given: `1, 1` of
    /// `5.1.1`.
    pub enhanced: Option<(u16, u16)>,
}

impl Reply {
    /// Reads the code and what was said with it: `5.1.1 No such user`.
    #[must_use]
    pub fn read(code: u16, text: &str) -> Self {
        let mut parts = text
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .split('.');
        let mut number = || parts.next()?.parse::<u16>().ok();
        let enhanced = match (number(), number(), number()) {
            (Some(class), Some(subject), Some(detail)) if class == code / 100 => {
                Some((subject, detail))
            }
            _ => None,
        };
        Self { code, enhanced }
    }
}

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The mail server took it, and answers for it from now on.
    Delivered,
    /// There is no mail server: it was written to the log.
    Printed,
    /// There is no such mailbox, or it takes no mail. It is final, and so for other mails to it.
    MailboxRefused {
        /// The reply's code.
        code: u16,
    },
    /// This mail is not taken. It is final.
    Refused {
        /// The reply's code.
        code: u16,
    },
    /// It is not taken now.
    Deferred {
        /// The reply's code.
        code: u16,
    },
    /// The mail server does not serve us: our credentials, our address or we are not welcome.
    NotServed {
        /// The reply's code, if it was a reply; there is none when it has no way to log in that we
        /// know.
        code: Option<u16>,
    },
    /// The mail server could not prove who it is, or speaks no TLS that we do.
    Tls,
    /// The mail server offers no encryption, and is not this machine.
    PlainText,
    /// It took too long.
    Timeout,
    /// No address, no connection, one that broke, or no mail server at its end.
    Unreachable,
    /// Nothing was begun: other mails took all the time there was. It is no attempt.
    Crowded,
    /// The mail cannot be put into a form that this mail server takes.
    Unsendable,
}

impl Outcome {
    /// Every [`word`](Self::word).
    pub const WORDS: [&'static str; 12] = [
        "delivered",
        "printed",
        "mailbox_refused",
        "refused",
        "deferred",
        "not_served",
        "tls",
        "plain_text",
        "timeout",
        "unreachable",
        "crowded",
        "unsendable",
    ];

    /// What a reply means at a stage of the conversation.
    #[must_use]
    pub const fn of_reply(stage: Stage, reply: Reply) -> Self {
        let Reply { code, enhanced } = reply;
        if code < 500 {
            return Self::Deferred { code };
        }
        match (stage, code, enhanced) {
            (Stage::Greeting | Stage::Login | Stage::Sender, ..)
            // "Authentication required" is said wherever it comes to mind.
            | (_, 530, _) => Self::NotServed { code: Some(code) },
            // Bad address, and a mailbox that is disabled.
            (_, _, Some((1, _) | (2, 1))) => Self::MailboxRefused { code },
            // 5.0.0 says as much as no enhanced code at all.
            (Stage::Recipient, 550 | 551 | 553, None | Some((0, _))) => {
                Self::MailboxRefused { code }
            }
            // Full, too large, a policy of theirs: the mailbox itself is there.
            _ => Self::Refused { code },
        }
    }

    /// The word it is stored and listed under, which must not change.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Printed => "printed",
            Self::MailboxRefused { .. } => "mailbox_refused",
            Self::Refused { .. } => "refused",
            Self::Deferred { .. } => "deferred",
            Self::NotServed { .. } => "not_served",
            Self::Tls => "tls",
            Self::PlainText => "plain_text",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Crowded => "crowded",
            Self::Unsendable => "unsendable",
        }
    }

    /// The reply's code, if there was a reply that was no consent.
    #[must_use]
    pub const fn code(self) -> Option<u16> {
        match self {
            Self::MailboxRefused { code } | Self::Refused { code } | Self::Deferred { code } => {
                Some(code)
            }
            Self::NotServed { code } => code,
            _ => None,
        }
    }

    /// Whether the mail is out of our hands.
    #[must_use]
    pub const fn is_delivered(self) -> bool {
        matches!(self, Self::Delivered | Self::Printed)
    }

    /// Whether it is of no use to try again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::MailboxRefused { .. } | Self::Refused { .. } | Self::Unsendable
        )
    }

    /// Whether the mail server fails everybody, and not this mail alone. It says 421 before it goes
    /// away.
    #[must_use]
    pub const fn is_of_the_server(self) -> bool {
        matches!(
            self,
            Self::Deferred { code: 421 }
                | Self::NotServed { .. }
                | Self::Tls
                | Self::PlainText
                | Self::Timeout
                | Self::Unreachable
        )
    }

    /// Whether somebody has to put the configuration right, here or at the mail server.
    #[must_use]
    pub const fn is_of_the_configuration(self) -> bool {
        matches!(self, Self::NotServed { .. } | Self::Tls | Self::PlainText)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAGES: [Stage; 5] = [
        Stage::Greeting,
        Stage::Login,
        Stage::Sender,
        Stage::Recipient,
        Stage::Content,
    ];

    #[test]
    fn replies_mean_what_their_stage_says() {
        for (stage, code, text, word) in [
            (Stage::Greeting, 554, "no service here", "not_served"),
            (Stage::Greeting, 421, "too busy", "deferred"),
            (Stage::Login, 535, "5.7.8 bad credentials", "not_served"),
            (Stage::Login, 454, "4.7.0 try later", "deferred"),
            (Stage::Sender, 550, "5.7.1 not your address", "not_served"),
            (Stage::Sender, 550, "5.1.8 no such domain", "not_served"),
            (Stage::Sender, 530, "5.7.0 log in first", "not_served"),
            (Stage::Recipient, 550, "no such user", "mailbox_refused"),
            (
                Stage::Recipient,
                550,
                "5.1.1 no such user",
                "mailbox_refused",
            ),
            (Stage::Recipient, 550, "5.0.0 no", "mailbox_refused"),
            (Stage::Recipient, 550, "5.2.1 disabled", "mailbox_refused"),
            (Stage::Recipient, 551, "gone elsewhere", "mailbox_refused"),
            (Stage::Recipient, 553, "not allowed", "mailbox_refused"),
            (Stage::Recipient, 550, "5.7.1 no relaying", "refused"),
            (Stage::Recipient, 552, "5.2.2 full", "refused"),
            (Stage::Recipient, 554, "no", "refused"),
            (Stage::Recipient, 530, "log in first", "not_served"),
            (Stage::Recipient, 450, "4.2.0 greylisted", "deferred"),
            (Stage::Content, 554, "5.7.1 spam", "refused"),
            (Stage::Content, 550, "looks like spam", "refused"),
            (Stage::Content, 550, "5.1.1 no such user", "mailbox_refused"),
            (Stage::Content, 451, "later", "deferred"),
        ] {
            let outcome = Outcome::of_reply(stage, Reply::read(code, text));
            assert_eq!(outcome.word(), word, "{stage:?} {code} {text}");
            assert_eq!(outcome.code(), Some(code));
        }
    }

    #[test]
    fn an_enhanced_code_is_read_only_where_it_fits() {
        for (text, enhanced) in [
            ("5.1.1 no such user", Some((1, 1))),
            ("5.7.26", Some((7, 26))),
            ("4.1.1 of another class", None),
            ("5.1 no", None),
            ("5.1.x no", None),
            ("no such user 5.1.1", None),
            ("", None),
        ] {
            assert_eq!(Reply::read(550, text).enhanced, enhanced, "{text}");
        }
    }

    #[test]
    fn every_outcome_has_its_word() {
        let all = [
            Outcome::Delivered,
            Outcome::Printed,
            Outcome::MailboxRefused { code: 550 },
            Outcome::Refused { code: 554 },
            Outcome::Deferred { code: 450 },
            Outcome::NotServed { code: None },
            Outcome::Tls,
            Outcome::PlainText,
            Outcome::Timeout,
            Outcome::Unreachable,
            Outcome::Crowded,
            Outcome::Unsendable,
        ];
        assert_eq!(all.map(Outcome::word), Outcome::WORDS);
        for outcome in all {
            // Nothing is both over and to be tried again.
            assert!(!(outcome.is_delivered() && outcome.is_final()));
            assert!(!(outcome.is_of_the_configuration() && outcome.is_final()));
        }
    }

    proptest! {
        #[test]
        fn fours_are_tried_again_and_only_recipients_lose_their_mailbox(
            code in 400_u16..600,
            enhanced: Option<(u16, u16)>,
            stage in prop::sample::select(STAGES.to_vec()),
        ) {
            let outcome = Outcome::of_reply(stage, Reply { code, enhanced });
            prop_assert_eq!(outcome == Outcome::Deferred { code }, code < 500);
            if outcome.is_final() {
                prop_assert!(matches!(stage, Stage::Recipient | Stage::Content));
            }
        }

        #[test]
        fn any_text_reads(code in 400_u16..600, text: String) {
            prop_assert_eq!(Reply::read(code, &text).code, code);
        }
    }
}
