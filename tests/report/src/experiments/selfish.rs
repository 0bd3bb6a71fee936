//! Selfish mining: Eyal and Sirer's revenue and thresholds.

use cairn_sim::{Kind, Plan, Rules, World};
use chain_core::hash::BlockHash;
use std::collections::{HashMap, HashSet};

use super::{close, play};
use crate::{
    estimate::{Confidence, Estimate},
    jobs::Setting,
    models::{eyal_sirer, threshold},
    page::Page,
    plot::{Plot, Series},
    small_miner::SmallMiners,
};

/// Seconds between blocks: long against the 20 milliseconds by which one block comes before another.
const INTERVAL: u32 = 60;

/// Parts of honest miners that choose the attacker's block.
const GAMMAS: [f64; 3] = [0.0, 0.5, 1.0];

/// One history.
#[derive(Clone, Copy, Debug)]
struct Cell {
    alpha: f64,
    gamma: f64,
    blocks: u64,
    seed: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
struct Measured {
    revenue: f64,
    /// Honest blocks found on the attacker's of two blocks of one height, and on either.
    races: (u64, u64),
}

fn alphas(setting: &Setting) -> Vec<f64> {
    let all = [0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45];
    if setting.quick { vec![0.20, 0.40] } else { all.to_vec() }
}

/// A node that publishes what small miners find, one for those who hear of the attacker first, one for the rest, the attacker.
fn world(cell: &Cell) -> World {
    let honest = 1.0 - cell.alpha;
    let mut shares = vec![0.0];
    shares.extend([cell.gamma, 1.0 - cell.gamma].map(|part| part * honest).into_iter().filter(|share| *share > 0.0));
    let miners = shares.len();
    shares.push(cell.alpha);
    let mut plan = Plan::quiet(cell.seed, Rules::fixed(INTERVAL), shares, 1);
    plan.attackers = vec![Kind::SelfishMiner];
    plan.gamma = Some(cell.gamma);
    let world = World::new(plan, false);
    (1..miners).fold(world, |world, node| world.with(node, Box::new(SmallMiners { outlet: 0 })))
}

fn measure(cell: &Cell) -> Result<Measured, String> {
    let mut world = world(cell);
    play(&mut world, cell.blocks * u64::from(INTERVAL) * 1_000)?;
    let finds = world.finds();
    // The last node: where all honest miners hear the same, one node stands for them.
    let attacker = if matches!(cell.gamma, 0.0 | 1.0) { 2 } else { 3 };
    let by: HashMap<BlockHash, usize> = finds.iter().map(|(hash, find)| (*hash, find.miner)).collect();
    let mut children: HashMap<BlockHash, HashSet<bool>> = HashMap::new();
    for (_, find) in &finds {
        children.entry(find.parent).or_default().insert(find.miner == attacker);
    }
    let parents: HashMap<BlockHash, BlockHash> = finds.iter().map(|(hash, find)| (*hash, find.parent)).collect();
    let mut races = (0, 0);
    for (_, find) in finds.iter().filter(|(_, find)| find.miner != attacker) {
        let rivals = parents.get(&find.parent).and_then(|parent| children.get(parent));
        if rivals.is_some_and(|rivals| rivals.len() == 2) {
            races.0 += u64::from(by.get(&find.parent) == Some(&attacker));
            races.1 += 1;
        }
    }
    let outcome = close(world)?;
    let revenue = outcome.stats.revenue.get(Kind::SelfishMiner.name()).ok_or("nobody was selfish")?;
    Ok(Measured { revenue: revenue.part(), races })
}

/// Runs it.
///
/// # Errors
/// An invariant that broke.
pub fn run(setting: &Setting) -> Result<Page, String> {
    let (histories, blocks) = (setting.pick(8, 6), setting.pick(800, 150));
    let alphas = alphas(setting);
    let mut cells = Vec::new();
    for (row, alpha) in alphas.iter().enumerate() {
        for (column, gamma) in GAMMAS.iter().enumerate() {
            cells.extend((0..histories).map(|history| Cell {
                alpha: *alpha,
                gamma: *gamma,
                blocks,
                seed: setting.seed(2, row * 8 + column, history),
            }));
        }
    }
    let measured = setting.run("selfish mining", &cells, measure)?;
    let mut page = Page::new("selfish-mining", "Selfish mining: Eyal and Sirer's revenue");
    introduce(&mut page, histories, blocks);
    let mut rows = Vec::new();
    let mut found: Vec<(f64, f64, Vec<f64>)> = Vec::new();
    for (cells, results) in cells.chunks(histories).zip(measured.chunks(histories)) {
        let (alpha, gamma) = (cells[0].alpha, cells[0].gamma);
        let values: Vec<f64> = results.iter().map(|result| result.revenue).collect();
        let races = results.iter().fold((0, 0), |sum, result| (sum.0 + result.races.0, sum.1 + result.races.1));
        let (shown, model) = (Estimate::of_mean(&values, Confidence::Shown), eyal_sirer(alpha, gamma));
        let checked = Estimate::of_mean(&values, Confidence::Checked);
        page.check(
            format!("selfish mining, alpha {alpha} gamma {gamma}: {shown} holds {model:.4}"),
            checked.holds(model),
        );
        rows.push(vec![
            format!("{alpha:.2}"),
            format!("{gamma:.1}"),
            format!("{:.3} ({} races)", races.0 as f64 / f64::max(races.1 as f64, 1.0), races.1),
            format!("{model:.4}"),
            shown.show(4),
            if shown.low > alpha {
                "yes"
            } else if shown.high < alpha {
                "no"
            } else {
                "open"
            }
            .into(),
            if shown.holds(model) { "" } else { "outside" }.into(),
        ]);
        found.push((alpha, gamma, values));
    }
    page.heading("Revenue");
    page.table(&["alpha", "gamma", "gamma measured", "Eyal and Sirer", "measured [95 %]", "pays", ""], &rows);
    page.picture("selfish-mining", "Revenue of a selfish miner by its part of the hash rate", plot(&found)?);
    thresholds(&mut page, &found, setting);
    explain(&mut page);
    Ok(page)
}

fn introduce(page: &mut Page, histories: usize, blocks: u64) {
    page.text(
        "A miner with part alpha of the hash rate keeps its blocks back and publishes them so that honest work is wasted. Of honest miners, \
         part gamma chooses the attacker's block where two of the same height race. Its revenue is its part of the blocks on the chain.",
    );
    page.text(format!(
        "**What runs.** The strategy of Eyal and Sirer's figure 1 (`tests/sim/src/attack/selfish.rs`) with an engine of its own that is \
         connected with nobody; two nodes that stand for small miners, of which one hears of the attacker's blocks 20 ms before those of others \
         and one 20 ms after; a node where those miners publish. Engines choose by the rule of the production code: the block \
         heard of first stays. Difficulty is fixed, blocks are 60 s apart. Each row: {histories} histories of about {blocks} blocks; \
         intervals are Student's over histories.",
    ));
}

fn plot(found: &[(f64, f64, Vec<f64>)]) -> Result<String, String> {
    let mut series = vec![Series { name: "honest".into(), curve: vec![(0.0, 0.0), (0.5, 0.5)], points: Vec::new() }];
    for gamma in GAMMAS {
        let curve =
            (0..=49).map(|step| (f64::from(step) / 100.0, eyal_sirer(f64::from(step) / 100.0, gamma))).collect();
        let own = found.iter().filter(|(_, own, _)| *own == gamma);
        let points = own.map(|(alpha, _, values)| (*alpha, Estimate::of_mean(values, Confidence::Shown))).collect();
        series.push(Series { name: format!("gamma = {gamma}"), curve, points });
    }
    let plot = Plot {
        x: "part of the hash rate; lines: Eyal and Sirer, dots: measured with 95 % intervals",
        y: "part of the blocks",
        over: 0.0..0.5,
        range: 0.0..1.0,
        log: (false, false),
        series,
    };
    plot.draw()
}

/// Where measured revenue passes the hash rate: between two neighbours on the grid, along a straight line.
fn crossing(points: &[(f64, f64)]) -> Option<f64> {
    let gain = |(alpha, revenue): (f64, f64)| revenue - alpha;
    // The last change from loss to gain.
    let pair = points.windows(2).rev().find(|pair| gain(pair[0]) <= 0.0 && gain(pair[1]) > 0.0);
    pair.map(|pair| {
        let (before, after) = (gain(pair[0]), gain(pair[1]));
        pair[0].0 + (pair[1].0 - pair[0].0) * before / (before - after)
    })
}

/// Thresholds, with intervals by drawing histories again (bootstrap).
fn thresholds(page: &mut Page, found: &[(f64, f64, Vec<f64>)], setting: &Setting) {
    let mut random = cairn_sim::Random::new(setting.seed(2, 1 << 20, 0));
    let mut rows = Vec::new();
    for gamma in GAMMAS {
        let own: Vec<_> = found.iter().filter(|(_, other, _)| *other == gamma).collect();
        let mut crossings: Vec<f64> = (0..1_000)
            .map(|_| {
                let points = own.iter().map(|(alpha, _, values)| {
                    let sum: f64 = (0..values.len()).map(|_| *random.pick(values)).sum();
                    (*alpha, sum / values.len() as f64)
                });
                let points: Vec<(f64, f64)> = points.collect();
                crossing(&points).unwrap_or(0.0)
            })
            .collect();
        crossings.sort_by(f64::total_cmp);
        let means: Vec<(f64, f64)> =
            own.iter().map(|(alpha, _, values)| (*alpha, values.iter().sum::<f64>() / values.len() as f64)).collect();
        let measured = match crossing(&means) {
            Some(value) => format!("{value:.3} [{:.3}, {:.3}]", crossings[25], crossings[974]),
            None => format!("below {:.2}: it pays at every alpha tried", means[0].0),
        };
        rows.push(vec![format!("{gamma:.1}"), format!("{:.3}", threshold(gamma)), measured]);
    }
    page.heading("Thresholds");
    page.text("The least part of the hash rate for which revenue exceeds it: published (1 - gamma) / (3 - 2 gamma), measured by \
               interpolation between rows; intervals by bootstrap over histories.");
    page.table(&["gamma", "published", "measured [95 %]"], &rows);
}

fn explain(page: &mut Page) {
    page.text(
        "**Where they differ.** The formula holds for honest miners that are each negligible and for messages that take no time. Here a \
         node stands for all miners that hear the same, and blocks take 1 to 20 ms of 60 s, so a natural fork comes about once in \
         3,000 blocks. In a network of few miners gamma stays below 1, since the finder of an honest block never leaves it for \
         one of the same height: with n equal miners at most 1 - 1/n.",
    );
}
