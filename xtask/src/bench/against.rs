//! Two programs under the same load at the same moment, so that a noisy machine is noisy for both.
//!
//! Guarantees: each program has databases of its own, and every round loads both at once; what is
//! told is a ratio of CPU per answer within each round, which needs no quiet machine.
//! Must not: say how fast anything is; two servers that share a machine are both slow.

use std::path::Path;

use anyhow::{Result, anyhow};

use super::Pace;
use super::measurement::{Sample, median};
use super::scenarios::Scenario;
use super::stage::Stage;

/// How often both are loaded at the least: a ratio of one round says little.
const ROUNDS: usize = 5;

/// Loads `new` and `old` at once with each scenario, and prints what an answer of the one costs for
/// each microsecond that it costs the other.
pub fn run(scenarios: &[Scenario], pace: Pace, new: &Path, old: &Path) -> Result<()> {
    let mut stages = [Stage::set(scenarios, new)?, Stage::set(scenarios, old)?];
    println!("| scenario | CPU µs, new | CPU µs, old | new ÷ old | by round |");
    println!("|---|---:|---:|---:|---|");
    for scenario in scenarios {
        let rounds: Vec<_> = (0..pace.rounds.max(ROUNDS))
            .map(|_| round(&mut stages, scenario, pace))
            .collect::<Result<_>>()?;
        println!("{}", line(scenario.name(), &rounds));
    }
    Ok(())
}

/// Loads both for as long.
fn round(stages: &mut [Stage; 2], scenario: &Scenario, pace: Pace) -> Result<[Sample; 2]> {
    let [new, old] = stages;
    new.resume_only(scenario.subject())?;
    old.resume_only(scenario.subject())?;
    std::thread::scope(|scope| {
        let new = scope.spawn(move || scenario.measure(new, pace));
        let old = scenario.measure(old, pace)?;
        let new = new.join().map_err(|_| anyhow!("a load panicked"))??;
        Ok([new, old])
    })
}

fn line(name: &str, rounds: &[[Sample; 2]]) -> String {
    let middle = |figure: &dyn Fn(&[Sample; 2]) -> f64| {
        median(rounds.iter().map(figure).collect()).unwrap_or(f64::NAN)
    };
    let ratio = |[new, old]: &[Sample; 2]| new.cpu / old.cpu;
    let by_round: Vec<_> = rounds
        .iter()
        .map(|round| format!("{:.2}", ratio(round)))
        .collect();
    format!(
        "| {name} | {:.1} | {:.1} | {:.2} | {} |",
        middle(&|[new, _]| new.cpu),
        middle(&|[_, old]| old.cpu),
        middle(&ratio),
        by_round.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_middle_of_the_ratios_of_each_round() {
        let round = |new, old| [new, old].map(|cpu| Sample::of_rate(1.0, cpu));
        let rounds = [round(9.0, 10.0), round(30.0, 20.0), round(16.0, 20.0)];
        assert_eq!(
            line("check", &rounds),
            "| check | 16.0 | 20.0 | 0.90 | 0.90, 1.50, 0.80 |"
        );
    }
}
