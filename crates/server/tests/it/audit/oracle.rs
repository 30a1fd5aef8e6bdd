//! Our proofs in the eyes of a program that was written after the documented format alone, in another
//! language; and the example of the documentation in both.

use std::io::Write as _;
use std::process::{Command, Stdio};

use app::audit::Proven;
use bonafide::http::audit::ProofDocument;
use domain::audit::{
    Batch, Checkpoint, CheckpointKey, Head, LogHead, LogSpan, Outcome, Proof, PublicKey, Record,
    SignedText, Span, Stated, close, leaf_of_head, path, root,
};
use domain::seal::BlindIndex;
use jiff::Timestamp;
use test_support::oracle;
use uuid::Uuid;

const CHECK: &str = include_str!("check.py");
const DOCUMENTATION: &str = include_str!("../../../../../docs/audit-log.md");

/// What the other program says of each proof, under the key before it.
pub fn verdicts(cases: &[(PublicKey, String)]) -> Vec<String> {
    let mut process = Command::new(oracle::python().unwrap())
        .args(["-c", CHECK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = cases
        .iter()
        .map(|(key, document)| format!("{} {document}\n", key.to_hex()))
        .collect();
    let mut input = process.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_735_689_600 + second).unwrap()
}

fn key(fill: u8) -> CheckpointKey {
    CheckpointKey::from_seed(&[fill; 32]).unwrap()
}

fn record(number: i64) -> Record {
    Record {
        at: at(number),
        request_id: format!("01941f29-7c00-7d1f-9a3f-80376700000{number}").into(),
        company: "default".into(),
        credential: "key:4fzzzxjylrx1".into(),
        action: "customer.check".into(),
        subject: BlindIndex::from_bytes(&[0x5b; 16]),
        outcome: Outcome {
            code: "ok".into(),
            status: 200,
        },
        latency: 815,
        occurrences: 1,
        data_key: (number % 2 == 0)
            .then(|| Uuid::from_u128(0x0194_1f29_7c00_7000_8000_0000_0000_0001)),
        client: (number % 2 == 0).then(|| vec![0xc1; 24]),
        detail: None,
    }
}

/// A log of three batches with 1, 3 and 2 records.
fn batches() -> Vec<Batch> {
    let mut previous = Head::EMPTY;
    let mut batch = |numbers: &[i64], second| {
        let leaves = numbers
            .iter()
            .map(|number| record(*number).leaf())
            .collect();
        let batch = close(1, previous, leaves, at(second));
        previous = batch.as_head();
        batch
    };
    vec![batch(&[1], 2), batch(&[2, 3, 4], 5), batch(&[5, 6], 7)]
}

/// A checkpoint at the end of `batches`, whose span begins at the batch `first`.
fn checkpoint(
    previous: Option<&Checkpoint>,
    batches: &[Batch],
    first: usize,
    next_key: Option<u8>,
) -> Checkpoint {
    let heads = batches
        .iter()
        .skip(first - 1)
        .map(|batch| leaf_of_head(batch.head));
    let heads: Vec<_> = heads.collect();
    let number = previous.map_or(0, |previous| previous.number) + 1;
    Checkpoint {
        number,
        at: at(60 * number),
        previous: previous.map_or([0; 32], Checkpoint::digest),
        stated: Stated::V2 {
            next_key: next_key.map(|fill| key(fill).public()),
            logs: vec![LogSpan {
                end: LogHead {
                    log: 1,
                    head: batches.last().unwrap().as_head(),
                },
                span: Span {
                    first: i64::try_from(first).unwrap(),
                    root: root(&heads),
                },
            }],
        },
    }
}

fn signed(by: u8, checkpoint: &Checkpoint) -> SignedText {
    SignedText {
        statement: checkpoint.statement(),
        signature: key(by).sign(checkpoint),
    }
}

/// The example of the documentation: record 1.2.2, under a checkpoint signed by the second key.
fn example() -> Proven {
    let batches = batches();
    let one = checkpoint(None, &batches[..1], 1, Some(2));
    let two = checkpoint(Some(&one), &batches, 2, None);
    let leaves: Vec<_> = batches[1..]
        .iter()
        .map(|batch| leaf_of_head(batch.head))
        .collect();
    Proven {
        proof: Proof {
            record: record(4),
            position: 2,
            path: path(&batches[1].leaves, 2).unwrap(),
            batch: batches[1].fields(),
            span_path: path(&leaves, 0).unwrap(),
            checkpoint: signed(2, &two),
            key_changes: vec![signed(1, &one)],
        },
        public_key: key(2).public(),
    }
}

fn json(document: &ProofDocument) -> String {
    serde_json::to_string(document).unwrap()
}

#[test]
fn the_documented_example_is_ours_and_holds_in_another_language() {
    let example = ProofDocument::of(&example());
    let block = DOCUMENTATION.split("```json\n").nth(1).unwrap();
    let documented = block.split("```").next().unwrap();
    let shown = serde_json::to_string_pretty(&example).unwrap();
    assert_eq!(documented.trim_end(), shown, "\n{shown}\n");
    let read: ProofDocument = serde_json::from_str(documented).unwrap();
    assert_eq!(read, example);
    for by in [1, 2] {
        assert!(read.proof().unwrap().check(&key(by).public()).is_ok());
    }
    for number in [
        key(1).public().to_hex(),
        data_encoding::HEXLOWER.encode(&record(4).leaf()),
        data_encoding::HEXLOWER.encode(&batches()[1].root),
        data_encoding::HEXLOWER.encode(&batches()[1].head),
        data_encoding::HEXLOWER.encode(&leaf_of_head(batches()[1].head)),
    ] {
        assert!(DOCUMENTATION.contains(&number), "{number}");
    }
    let cases = [1, 2, 3].map(|by| (key(by).public(), json(&read)));
    assert_eq!(verdicts(&cases), ["holds", "holds", "signature"]);
}

#[test]
fn both_programs_refuse_the_same() {
    let good = example().proof;
    type Change = fn(&mut Proof);
    let changes: [Change; 8] = [
        |proof| proof.record.action.to_mut().push('s'),
        |proof| proof.record.client = None,
        |proof| proof.position = 1,
        |proof| proof.path[0][0] ^= 1,
        |proof| proof.span_path.clear(),
        |proof| proof.batch.size = 4,
        |proof| proof.batch.number = 1,
        |proof| proof.checkpoint.signature[63] ^= 1,
    ];
    let proofs = changes.map(|change| {
        let mut proof = good.clone();
        change(&mut proof);
        proof
    });
    let cases = proofs.clone().map(|proof| {
        let public_key = key(2).public();
        let proven = Proven { proof, public_key };
        (key(2).public(), json(&ProofDocument::of(&proven)))
    });
    for (proof, verdict) in proofs.iter().zip(verdicts(&cases)) {
        assert!(proof.check(&key(2).public()).is_err());
        assert_ne!(verdict, "holds");
    }
}
