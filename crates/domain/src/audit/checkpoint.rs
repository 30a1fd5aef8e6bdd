//! Signed statements of how far every log had come.
//!
//! Whoever keeps a checkpoint elsewhere can show later that a log was cut or
//! written anew. Signatures are Ed25519 (RFC 8032) over the text of
//! [`Checkpoint::statement`]. Statements of both versions stay as they are for
//! ever; new ones are of the second.

use std::fmt::Write as _;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::HEXLOWER;
use jiff::Timestamp;

use super::{Digest, Head, sha256};

const TITLE_V1: &str = "bonafide audit checkpoint v1";
const TITLE_V2: &str = "bonafide audit checkpoint v2";

/// The end of one log at the time of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// The log.
    pub log: i64,
    /// Its newest batch.
    pub head: Head,
}

/// The batches of a log from one checkpoint to the next, as leaves of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first batch that no checkpoint of the second version covered before;
    /// the one after the newest when there is nothing new.
    pub first: i64,
    /// The Merkle tree hash over the heads from there to the newest.
    pub root: Digest,
}

/// The end of one log, and what is new in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSpan {
    /// How far it had come.
    pub end: LogHead,
    /// What is new in it.
    pub span: Span,
}

/// What a checkpoint says of the logs, by the version of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stated {
    /// Heads alone. No record can be proven by it without the whole log.
    V1(Vec<LogHead>),
    /// Heads and spans.
    V2 {
        /// The key that signs from the next checkpoint on, if another one.
        next_key: Option<PublicKey>,
        /// All logs, by number.
        logs: Vec<LogSpan>,
    },
}

/// What a checkpoint states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Counted from 1, without gaps.
    pub number: i64,
    /// When it was made.
    pub at: Timestamp,
    /// The digest of the checkpoint before it; all zero for the first.
    pub previous: Digest,
    /// How far the logs had come.
    pub stated: Stated,
}

impl Checkpoint {
    /// The signed text: a title, then number, time and previous digest, the next
    /// key if there is one, and one line a log, each ended by a line feed.
    pub fn statement(&self) -> String {
        let mut text = String::new();
        let title = match self.stated {
            Stated::V1(_) => TITLE_V1,
            Stated::V2 { .. } => TITLE_V2,
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{title}\n{}\n{}\n{}",
            self.number,
            self.at,
            HEXLOWER.encode(&self.previous)
        );
        match &self.stated {
            Stated::V1(heads) => {
                for LogHead { log, head } in heads {
                    let _ = writeln!(text, "{log} {} {}", head.batch, HEXLOWER.encode(&head.hash));
                }
            }
            Stated::V2 { next_key, logs } => {
                if let Some(key) = next_key {
                    let _ = writeln!(text, "key {}", HEXLOWER.encode(&key.0));
                }
                for LogSpan { end, span } in logs {
                    let _ = writeln!(
                        text,
                        "{} {} {} {} {}",
                        end.log,
                        end.head.batch,
                        HEXLOWER.encode(&end.head.hash),
                        span.first,
                        HEXLOWER.encode(&span.root)
                    );
                }
            }
        }
        text
    }

    /// Reads a statement back; `None` when it is not, letter for letter, one that
    /// [`Self::statement`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let title = lines.next()?;
        let number = lines.next()?.parse().ok()?;
        let at = lines.next()?.parse().ok()?;
        let previous = digest(lines.next()?)?;
        let lines: Vec<&str> = lines.collect();
        let stated = match title {
            TITLE_V1 => Stated::V1(lines.into_iter().map(log_head).collect::<Option<_>>()?),
            TITLE_V2 => v2(&lines)?,
            _ => return None,
        };
        let checkpoint = Self {
            number,
            at,
            previous,
            stated,
        };
        (checkpoint.statement() == text).then_some(checkpoint)
    }

    /// What the next checkpoint names as its predecessor.
    pub fn digest(&self) -> Digest {
        sha256(self.statement().as_bytes())
    }

    /// The ends of all logs, by number.
    pub fn heads(&self) -> Vec<LogHead> {
        match &self.stated {
            Stated::V1(heads) => heads.clone(),
            Stated::V2 { logs, .. } => logs.iter().map(|log| log.end).collect(),
        }
    }

    /// The logs with their spans; none in the first version.
    pub fn spans(&self) -> &[LogSpan] {
        match &self.stated {
            Stated::V1(_) => &[],
            Stated::V2 { logs, .. } => logs,
        }
    }

    /// The key that signs from the next checkpoint on, if another one.
    pub fn next_key(&self) -> Option<&PublicKey> {
        match &self.stated {
            Stated::V1(_) => None,
            Stated::V2 { next_key, .. } => next_key.as_ref(),
        }
    }
}

fn v2(lines: &[&str]) -> Option<Stated> {
    let named = lines.first().and_then(|line| line.strip_prefix("key "));
    let next_key = match named {
        Some(key) => Some(PublicKey::from_hex(key)?),
        None => None,
    };
    let logs = lines.iter().skip(usize::from(named.is_some()));
    Some(Stated::V2 {
        next_key,
        logs: logs.map(|line| log_span(line)).collect::<Option<_>>()?,
    })
}

fn log_head(line: &str) -> Option<LogHead> {
    let [log, batch, hash] = words(line)?;
    Some(LogHead {
        log: log.parse().ok()?,
        head: Head {
            batch: batch.parse().ok()?,
            hash: digest(hash)?,
        },
    })
}

fn log_span(line: &str) -> Option<LogSpan> {
    let [log, batch, hash, first, root] = words(line)?;
    Some(LogSpan {
        end: log_head(&[log, batch, hash].join(" "))?,
        span: Span {
            first: first.parse().ok()?,
            root: digest(root)?,
        },
    })
}

fn words<const COUNT: usize>(line: &str) -> Option<[&str; COUNT]> {
    let words: Vec<&str> = line.split(' ').collect();
    words.try_into().ok()
}

fn digest(hex: &str) -> Option<Digest> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

/// The key that signs checkpoints.
pub struct CheckpointKey(Ed25519KeyPair);

/// The key that checks them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(pub Vec<u8>);

impl CheckpointKey {
    /// From a 32-byte seed; `None` when the library refuses it.
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().to_vec())
    }

    /// Signs a checkpoint.
    pub fn sign(&self, checkpoint: &Checkpoint) -> Vec<u8> {
        self.0
            .sign(checkpoint.statement().as_bytes())
            .as_ref()
            .to_vec()
    }
}

impl PublicKey {
    /// How long a key is, in bytes.
    pub const LENGTH: usize = 32;

    /// Reads a key from hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        (bytes.len() == Self::LENGTH).then_some(Self(bytes))
    }

    /// The key in hexadecimal digits.
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Whether `signature` was made for this checkpoint by the private half.
    pub fn accepts(&self, checkpoint: &Checkpoint, signature: &[u8]) -> bool {
        self.accepts_text(&checkpoint.statement(), signature)
    }

    /// Whether `signature` was made for this text by the private half.
    pub fn accepts_text(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(text.as_bytes(), signature)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(log: i64, batch: i64, fill: u8) -> LogHead {
        LogHead {
            log,
            head: Head {
                batch,
                hash: [fill; 32],
            },
        }
    }

    fn of(stated: Stated) -> Checkpoint {
        Checkpoint {
            number: 2,
            at: Timestamp::from_microsecond(1_726_410_720_000_000).unwrap(),
            previous: [3; 32],
            stated,
        }
    }

    fn first_version() -> Checkpoint {
        of(Stated::V1(vec![end(1, 9, 1), end(2, 4, 2)]))
    }

    fn second_version(next_key: Option<PublicKey>) -> Checkpoint {
        let span = |first, fill| Span {
            first,
            root: [fill; 32],
        };
        let logs = vec![
            LogSpan {
                end: end(1, 9, 1),
                span: span(4, 7),
            },
            LogSpan {
                end: end(2, 4, 2),
                span: span(5, 8),
            },
        ];
        of(Stated::V2 { next_key, logs })
    }

    #[test]
    fn the_statements_never_change() {
        let (head, other) = ("01".repeat(32), "02".repeat(32));
        let begin = |version: &str| {
            let previous = "03".repeat(32);
            format!("bonafide audit checkpoint {version}\n2\n2024-09-15T14:32:00Z\n{previous}\n")
        };
        assert_eq!(
            first_version().statement(),
            begin("v1") + &format!("1 9 {head}\n2 4 {other}\n")
        );
        let lines = format!(
            "1 9 {head} 4 {}\n2 4 {other} 5 {}\n",
            "07".repeat(32),
            "08".repeat(32)
        );
        assert_eq!(
            second_version(None).statement(),
            begin("v2") + &lines,
            "without a key"
        );
        let key = PublicKey(vec![9; 32]);
        assert_eq!(
            second_version(Some(key)).statement(),
            format!("{}key {}\n{lines}", begin("v2"), "09".repeat(32))
        );
    }

    #[test]
    fn a_statement_is_read_back_and_nothing_like_it_is() {
        let key = PublicKey(vec![9; 32]);
        for checkpoint in [
            first_version(),
            second_version(None),
            second_version(Some(key)),
            of(Stated::V1(Vec::new())),
        ] {
            let text = checkpoint.statement();
            assert_eq!(Checkpoint::parse(&text), Some(checkpoint));
            for other in [
                text.trim_end().to_owned(),
                text.clone() + "\n",
                text.replace("\n2\n", "\n+2\n"),
                text.replace("\n2\n", "\n02\n"),
                text.replace("Z\n", "+00:00\n"),
                text.replace("03", "0C"),
                text.replace("checkpoint v", "checkpoint  v"),
                text.replace('\n', "\r\n"),
            ] {
                assert_eq!(Checkpoint::parse(&other), None, "{other}");
            }
        }
    }

    #[test]
    fn a_signature_holds_for_one_statement_and_one_key() {
        let key = CheckpointKey::from_seed(&[5; 32]).unwrap();
        let signature = key.sign(&second_version(None));
        assert!(key.public().accepts(&second_version(None), &signature));
        assert!(!key.public().accepts(&first_version(), &signature));
        let other = CheckpointKey::from_seed(&[6; 32]).unwrap();
        assert!(!other.public().accepts(&second_version(None), &signature));
        let announced = second_version(Some(other.public()));
        assert!(!key.public().accepts(&announced, &signature));
    }
}
