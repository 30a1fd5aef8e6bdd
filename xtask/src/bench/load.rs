//! The load generator: one task per kept-alive connection, on as many threads as `pgbench` gets.
//!
//! Guarantees: each connection has one request under way; what is counted began after the warm-up
//! and was answered before the end; a sample of the answers is checked for its content.
//! Must not: talk to anything but 127.0.0.1.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::histogram::Histogram;
use crate::http::{Answers, Request};

/// Threads of the generator, each with its share of the connections.
const THREADS: usize = 2;
/// One answer in this many is checked for its content.
const SAMPLE: u64 = 32;
/// How long after the end an answer may be missing before its connection counts as stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long connections have to be opened before each customer is asked about once.
const OPENING: Duration = Duration::from_millis(500);
/// Failures after which one connection gives up.
const MOST_FAILURES: u64 = 20;

/// What is asked of whom.
#[derive(Clone)]
pub struct Target {
    /// Port on 127.0.0.1
    pub port: u16,
    /// The request, varied by customer number
    pub request: Request,
    /// Text that each right answer contains
    pub expected: &'static str,
}

/// Which customers are asked about, and when counting begins and ends.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Connections at the same time
    pub connections: usize,
    /// Customers that exist, numbered from zero
    pub customers: u64,
    /// Until when, and about whom
    pub extent: Extent,
}

/// When a load ends.
#[derive(Clone, Copy)]
pub enum Extent {
    /// Customers at random, for a time
    Time {
        /// Not counted
        warm_up: Duration,
        /// Counted
        measured: Duration,
    },
    /// Each customer once, all of it counted, from when all connections should be open
    EachOnce,
}

/// What was counted.
pub struct Outcome {
    /// Latencies of the good answers
    pub latencies: Histogram,
    /// Answers whose status was not 2xx
    pub refused: u64,
    /// Answers of the sample that did not contain what they should
    pub wrong: u64,
    /// Connections that failed, were closed or got stuck
    pub errors: u64,
    /// The first thing that went wrong
    pub first_failure: Option<String>,
    /// How long was counted
    pub took: Duration,
}

impl Outcome {
    /// Good answers per second.
    pub fn per_second(&self) -> f64 {
        self.latencies.total() as f64 / self.took.as_secs_f64()
    }

    /// Everything that should not have happened.
    pub fn failures(&self) -> u64 {
        self.refused + self.wrong + self.errors
    }
}

/// Runs a load to its end. `counting` is called at the moment when counting begins.
pub fn run(target: &Target, plan: Plan, counting: impl FnOnce()) -> Result<Outcome> {
    let start = Instant::now();
    let parts = THREADS.min(plan.connections).max(1);
    let (count, took) = std::thread::scope(|scope| {
        let others: Vec<_> = (1..parts)
            .map(|index| Part {
                index,
                parts,
                start,
            })
            .map(|part| scope.spawn(move || part.run(target, plan, || ())))
            .collect();
        let first = Part {
            index: 0,
            parts,
            start,
        };
        let (mut count, mut took) = first.run(target, plan, counting)?;
        for other in others {
            let joined = other
                .join()
                .map_err(|_| anyhow!("a thread of the load panicked"))?;
            let (other, longer) = joined?;
            count.merge(other);
            took = took.max(longer);
        }
        anyhow::Ok((count, took))
    })?;
    Ok(count.outcome(took))
}

/// One thread's share of a load.
#[derive(Clone, Copy)]
struct Part {
    index: usize,
    parts: usize,
    start: Instant,
}

impl Part {
    fn connections(self, all: usize) -> usize {
        all / self.parts + usize::from(self.index < all % self.parts)
    }

    fn run(
        self,
        target: &Target,
        plan: Plan,
        counting: impl FnOnce(),
    ) -> Result<(Count, Duration)> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        LocalSet::new().block_on(&runtime, drive(target, plan, self, counting))
    }
}

async fn drive(
    target: &Target,
    plan: Plan,
    part: Part,
    counting: impl FnOnce(),
) -> Result<(Count, Duration)> {
    let (begin, end) = match plan.extent {
        Extent::Time { warm_up, measured } => {
            let begin = part.start + warm_up;
            (begin, Some(begin + measured))
        }
        Extent::EachOnce => (part.start + OPENING, None),
    };
    let shared = Rc::new(Shared {
        numbers: RefCell::new(Numbers::new(plan, part)),
        count: RefCell::new(Count::new()),
        begin,
        end,
    });
    let tasks: Vec<_> = (0..part.connections(plan.connections))
        .map(|_| {
            let connection = Connection::new(target.clone(), Rc::clone(&shared));
            tokio::task::spawn_local(connection.run())
        })
        .collect();
    tokio::time::sleep_until(begin.into()).await;
    counting();
    for task in tasks {
        let ended = match end {
            Some(end) => tokio::time::timeout_at((end + PATIENCE).into(), task).await,
            None => Ok(task.await),
        };
        match ended {
            Ok(joined) => joined.context("a connection's task failed")?,
            Err(_) => shared.fail(&anyhow!("an answer never came")),
        }
    }
    let took = end.unwrap_or_else(Instant::now) - begin;
    Ok((shared.count.replace(Count::new()), took))
}

/// What all connections of one load share.
struct Shared {
    numbers: RefCell<Numbers>,
    count: RefCell<Count>,
    begin: Instant,
    end: Option<Instant>,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    fn fail(&self, error: &anyhow::Error) {
        let mut count = self.count.borrow_mut();
        count.errors += 1;
        count
            .first_failure
            .get_or_insert_with(|| format!("{error:#}"));
    }
}

struct Count {
    latencies: Histogram,
    answers: u64,
    refused: u64,
    wrong: u64,
    errors: u64,
    first_failure: Option<String>,
}

impl Count {
    fn new() -> Self {
        Self {
            latencies: Histogram::new(),
            answers: 0,
            refused: 0,
            wrong: 0,
            errors: 0,
            first_failure: None,
        }
    }

    fn add(&mut self, status: u16, latency: Duration, answers: &Answers, expected: &str) {
        self.answers += 1;
        let is_good = (200..300).contains(&status);
        let is_checked = self.answers.is_multiple_of(SAMPLE);
        if !is_good {
            self.refused += 1;
        } else if is_checked && !answers.body_contains(expected) {
            self.wrong += 1;
        } else {
            self.latencies.record(latency);
            return;
        }
        let said = || format!("status {status}: {}", answers.body());
        self.first_failure.get_or_insert_with(said);
    }

    fn merge(&mut self, other: Self) {
        self.latencies.merge(&other.latencies);
        self.answers += other.answers;
        self.refused += other.refused;
        self.wrong += other.wrong;
        self.errors += other.errors;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    fn outcome(self, took: Duration) -> Outcome {
        Outcome {
            latencies: self.latencies,
            refused: self.refused,
            wrong: self.wrong,
            errors: self.errors,
            first_failure: self.first_failure,
            took,
        }
    }
}

/// The customers to ask about, in order or at random.
struct Numbers {
    customers: u64,
    state: u64,
    /// In order: the distance between two numbers of one part.
    step: Option<u64>,
}

impl Numbers {
    fn new(plan: Plan, part: Part) -> Self {
        let (index, parts) = (part.index as u64, part.parts as u64);
        let customers = plan.customers.max(1);
        match plan.extent {
            Extent::EachOnce => Self {
                customers,
                state: index,
                step: Some(parts),
            },
            Extent::Time { .. } => Self {
                customers,
                state: seed(),
                step: None,
            },
        }
    }

    fn next(&mut self) -> Option<u64> {
        if let Some(step) = self.step {
            let number = self.state;
            self.state += step;
            return (number < self.customers).then_some(number);
        }
        // Marsaglia's xorshift: varied is enough here, it need not be unpredictable.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        Some((self.state >> 16) % self.customers)
    }
}

/// Another beginning for each sequence of random numbers: who is drawn as a stranger in one
/// measurement is not met again, in the same order, in the next.
fn seed() -> u64 {
    static DRAWN: AtomicU64 = AtomicU64::new(1);
    // Odd, so that every count gives another seed, none of them zero.
    0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(DRAWN.fetch_add(1, Ordering::Relaxed))
}

/// One connection, opened again when it fails.
struct Connection {
    target: Target,
    shared: Rc<Shared>,
    answers: Answers,
}

impl Connection {
    fn new(target: Target, shared: Rc<Shared>) -> Self {
        Self {
            target,
            shared,
            answers: Answers::new(),
        }
    }

    async fn run(mut self) {
        for _ in 0..MOST_FAILURES {
            match self.converse().await {
                Ok(()) => return,
                Err(error) => self.shared.fail(&error),
            }
            if self.shared.is_over() {
                return;
            }
        }
    }

    /// Asks one question after the other until the load is over.
    async fn converse(&mut self) -> Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.target.port)).await?;
        stream.set_nodelay(true)?;
        if self.shared.end.is_none() {
            tokio::time::sleep_until(self.shared.begin.into()).await;
        }
        while !self.shared.is_over() {
            let Some(number) = self.shared.numbers.borrow_mut().next() else {
                return Ok(());
            };
            let asked = Instant::now();
            stream.write_all(self.target.request.about(number)).await?;
            let status = self.answers.next(&mut stream).await?;
            self.count(status, asked);
        }
        Ok(())
    }

    fn count(&self, status: u16, asked: Instant) {
        let answered = Instant::now();
        let is_late = self.shared.end.is_some_and(|end| answered > end);
        if asked >= self.shared.begin && !is_late {
            let mut count = self.shared.count.borrow_mut();
            count.add(
                status,
                answered - asked,
                &self.answers,
                self.target.expected,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn plan(customers: u64, extent: Extent) -> Plan {
        Plan {
            connections: 5,
            customers,
            extent,
        }
    }

    fn part(index: usize) -> Part {
        Part {
            index,
            parts: 2,
            start: Instant::now(),
        }
    }

    #[test]
    fn the_parts_ask_about_each_customer_once() {
        let mut asked = Vec::new();
        for index in [0, 1] {
            let mut numbers = Numbers::new(plan(7, Extent::EachOnce), part(index));
            asked.extend(std::iter::from_fn(|| numbers.next()));
        }
        asked.sort_unstable();
        assert_eq!(asked, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn random_numbers_reach_all_customers() {
        let extent = Extent::Time {
            warm_up: Duration::ZERO,
            measured: Duration::ZERO,
        };
        let mut numbers = Numbers::new(plan(50, extent), part(1));
        let seen: BTreeSet<_> = (0..2_000).filter_map(|_| numbers.next()).collect();
        assert_eq!(seen, (0..50).collect());
    }

    #[test]
    fn no_two_sequences_are_alike() {
        let extent = Extent::Time {
            warm_up: Duration::ZERO,
            measured: Duration::ZERO,
        };
        let drawn = [0, 0].map(|index| {
            let mut numbers = Numbers::new(plan(1_000_000, extent), part(index));
            let some: BTreeSet<_> = (0..100).filter_map(|_| numbers.next()).collect();
            some
        });
        assert!(drawn[0].intersection(&drawn[1]).count() < 5);
    }

    #[test]
    fn connections_are_shared_out_completely() {
        let shares = [0, 1].map(|index| part(index).connections(5));
        assert_eq!(shares, [3, 2]);
    }
}
