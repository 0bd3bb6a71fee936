//! What follows for the chain `main`: its interval and the depths of `safe` and `finalized`.

use chain_core::spec::ChainSpec;

use super::stale::Rate;
use crate::{
    models::{confirmations, effective, rosenfeld},
    page::Page,
    plot::{Plot, Series},
};

/// Parts of the hash rate that attackers have.
const SHARES: [f64; 6] = [0.10, 0.20, 0.25, 0.30, 0.35, 0.40];

/// Seconds that a block takes to the mean node, in the comparison of intervals.
const SPREAD: f64 = 1.0;

/// Part of all found blocks that is stale, where there are so many forks for each on the chain.
fn stale(forks: f64) -> f64 {
    forks / (1.0 + forks)
}

/// The page, from measured stale rates.
///
/// # Errors
/// What cannot be drawn.
pub fn run(rates: &[Rate]) -> Result<Page, String> {
    let spec = ChainSpec::main();
    let mut page = Page::new("depth", "Why 30 seconds, and how deep is safe");
    page.text(format!(
        "The chain `main` has a block every {} s; the tag `safe` is {} blocks deep, `finalized` {} blocks. This page computes what that \
         means against an attacker, by Rosenfeld's formula (which [the double spends](double-spend.md) confirm) and the \
         [measured stale rates](stale-blocks.md). Honest miners lose stale blocks, an attacker who mines alone loses none: \
         with part q of the hash rate it counts as q / (q + (1 - q)(1 - stale)).",
        spec.target_interval, spec.safe_depth, spec.finalized_depth
    ));
    depths(&mut page, rates, &spec);
    intervals(&mut page)?;
    Ok(page)
}

fn depths(page: &mut Page, rates: &[Rate], spec: &ChainSpec) {
    page.heading("Probability that a payment of this depth is reverted");
    let own = rates.iter().filter(|rate| rate.interval == spec.target_interval);
    let mut rows = Vec::new();
    for rate in own {
        for q in SHARES {
            let counts = effective(q, rate.stale.high.min(1.0));
            let chance = |depth| format!("{:.1e}", rosenfeld(counts, depth));
            let least = |p| confirmations(rosenfeld, counts, p).map_or("-".into(), |depth| depth.to_string());
            rows.push(vec![
                format!("{:.2} s, {:.1} %", rate.spread, 100.0 * rate.stale.high),
                format!("{q:.2}"),
                format!("{counts:.3}"),
                chance(6),
                chance(spec.safe_depth),
                least(1e-3),
                chance(spec.finalized_depth),
                least(1e-6),
            ]);
        }
    }
    let (safe, finalized) =
        (format!("`safe` ({})", spec.safe_depth), format!("`finalized` ({})", spec.finalized_depth));
    page.table(
        &[
            "spread, stale (upper end)",
            "q",
            "counts as",
            "6 deep",
            &safe,
            "depth for 0.1 %",
            &finalized,
            "depth for 1e-6",
        ],
        &rows,
    );
    page.text("The deepest reorganisation of any history without an attacker is in the table of stale blocks.");
    let counts = |q| {
        let worst = rates.iter().filter(|rate| rate.interval == spec.target_interval && rate.spread < 1.0);
        let stale = worst.map(|rate| rate.stale.high).fold(0.0, f64::max);
        effective(q, stale)
    };
    let safe = [0.10, 0.20, 0.25, 0.30]
        .map(|q| format!("{:.0e} for {:.0} %", rosenfeld(counts(q), spec.safe_depth), 100.0 * q));
    let last = [0.30, 0.35, 0.40]
        .map(|q| format!("{:.0e} for {:.0} %", rosenfeld(counts(q), spec.finalized_depth), 100.0 * q));
    page.text(format!(
        "**Safe.** At the largest stale rate measured with a spread below 1 s (upper ends), {} deep ({:.0} minutes) is reverted with probability {}.",
        spec.safe_depth,
        f64::from(spec.safe_depth * spec.target_interval) / 60.0,
        safe.join(", ")
    ));
    page.text(format!(
        "**Finalized.** {} deep (an hour): {}. Against a majority no depth helps; that takes certificates, where a chain has them.",
        spec.finalized_depth,
        last.join(", ")
    ));
    let worst = rosenfeld(counts(0.2), spec.safe_depth);
    page.check(format!("safe: below 0.01 % for a fifth of the hash rate, {worst:.1e}"), worst < 1e-4);
    let worst = rosenfeld(counts(0.3), spec.finalized_depth);
    page.check(format!("finalized: below 1e-8 for 30 % of the hash rate, {worst:.1e}"), worst < 1e-8);
}

fn intervals(page: &mut Page) -> Result<(), String> {
    page.heading("The interval");
    page.text(format!(
        "What other intervals would give, where a block reaches the mean node in {SPREAD} s: the stale rate by Decker and Wattenhofer, the part of \
         the hash rate that is a majority, and minutes until the probability that a payment is reverted is below 0.1 %.",
    ));
    let mut rows = Vec::new();
    let mut series: Vec<Series> =
        [0.1, 0.25, 0.35].map(|q| Series { name: format!("q = {q}"), curve: Vec::new(), points: Vec::new() }).into();
    for interval in [2_u32, 5, 10, 15, 20, 30, 45, 60, 120, 300, 600] {
        let lost = stale(crate::models::decker_wattenhofer(SPREAD / f64::from(interval)));
        let mut row = vec![
            interval.to_string(),
            format!("{:.1}", 100.0 * lost),
            format!("{:.1}", 100.0 * (1.0 - lost) / (2.0 - lost)),
        ];
        for (q, series) in [0.1, 0.25, 0.35].into_iter().zip(&mut series) {
            let depth = confirmations(rosenfeld, effective(q, lost), 1e-3);
            let minutes = depth.map(|depth| f64::from(depth * interval) / 60.0 / (1.0 - lost));
            row.push(minutes.map_or("-".into(), |minutes| format!("{minutes:.1}")));
            series.curve.extend(minutes.map(|minutes| (f64::from(interval), minutes)));
        }
        row.push(format!("{:.0}", 80.0 * 31_557_600.0 / f64::from(interval) / 1e6));
        rows.push(row);
    }
    page.table(
        &[
            "interval, s",
            "stale, %",
            "majority, %",
            "q = 0.10: minutes",
            "q = 0.25: minutes",
            "q = 0.35: minutes",
            "headers, MB a year",
        ],
        &rows,
    );
    let plot = Plot {
        x: "interval in seconds",
        y: "minutes until below 0.1 %",
        over: 2.0..600.0,
        range: 0.5..1_500.0,
        log: (true, true),
        series,
    };
    page.picture("depth", "Minutes until a payment is safe, by the interval", plot.draw()?);
    page.text(
        "**Why 30 s.** Waiting shrinks with the interval as long as few blocks are stale. From 30 s to 10 s the wait falls further, but \
         three times as much honest work is lost, which favours large miners and those who withhold; below 5 s the attacker's advantage \
         eats the gain for strong attackers. Above 30 s the stale rate is small already and only the wait grows. 30 s keep the loss at about 3 % \
         if blocks take a second to the mean node (Cairn's own relay takes a third of that to all of 20 nodes, see docs/performance.md), and headers \
         cost a light client 84 MB a year. With a spread of 12.6 s, as Bitcoin had in 2013, 30 s would be too short: by the formula of the stale rate a third of all blocks would be lost.",
    );
    Ok(())
}
