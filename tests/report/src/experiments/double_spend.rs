//! Double spends against a merchant who waits: Nakamoto's section 11 and Rosenfeld's table.

use cairn_sim::{Plan, Rules, World};
use std::{cell::RefCell, rc::Rc};

use super::{close, percent, play};
use crate::{
    estimate::{Confidence, Estimate},
    jobs::Setting,
    models::{confirmations, nakamoto, rosenfeld, with_hope},
    page::Page,
    payer::{MERCHANT, Payer, Tally},
    plot::{Plot, Series},
};

/// Seconds between blocks: long against the milliseconds that messages take.
const INTERVAL: u32 = 60;

/// A miner may give up once its chance is below this.
const HOPELESS: f64 = 0.001;

/// One value of the table.
#[derive(Clone, Copy, Debug)]
struct Cell {
    q: f64,
    z: u32,
    hope: u32,
    attempts: u64,
    seed: u64,
}

/// Blocks behind at which an attacker gives up.
fn hope(q: f64) -> u32 {
    let ratio: f64 = q / (1.0 - q);
    (0..).find(|behind| ratio.powi(behind + 1) < HOPELESS).map_or(0, i32::unsigned_abs)
}

/// Confirmations that are tried for each part of the hash rate: as far as the attacker succeeds often enough to be seen.
fn grid(setting: &Setting) -> Vec<(f64, Vec<u32>)> {
    if setting.quick {
        return vec![(0.1, vec![1, 2]), (0.3, vec![1, 3])];
    }
    vec![
        (0.10, vec![1, 2, 3, 4, 5]),
        (0.15, vec![1, 2, 4, 6]),
        (0.20, vec![1, 2, 4, 6]),
        (0.25, vec![1, 2, 4, 6, 8]),
        (0.30, vec![1, 2, 3, 4, 5, 6, 8, 10]),
        (0.35, vec![2, 4, 6, 10]),
        (0.40, vec![2, 4, 6, 10]),
        (0.45, vec![2, 6, 10]),
    ]
}

/// More attempts where few succeed, fewer where each takes long.
fn attempts(setting: &Setting, q: f64, z: u32) -> u64 {
    if setting.quick {
        return 150;
    }
    let wanted = 40.0 / rosenfeld(q, z);
    let most = if q < 0.4 { 4_000.0 } else { 400.0 };
    wanted.clamp(400.0, most) as u64
}

fn cells(setting: &Setting) -> Vec<Cell> {
    let all = grid(setting).into_iter().flat_map(|(q, depths)| depths.into_iter().map(move |z| (q, z)));
    let cell = |(index, (q, z))| Cell {
        q,
        z,
        hope: hope(q),
        attempts: attempts(setting, q, z),
        seed: setting.seed(1, index, 0),
    };
    all.enumerate().map(cell).collect()
}

/// Attempts until there are enough; answers how many succeeded of how many.
fn measure(cell: &Cell) -> Result<(u64, u64), String> {
    let plan = Plan::quiet(cell.seed, Rules::fixed(INTERVAL), vec![1.0 - cell.q, cell.q], 1);
    let tally = Rc::new(RefCell::new(Tally::default()));
    let payer = Payer::new(cell.z, cell.hope, tally.clone());
    let mut world = World::new(plan, false).with(MERCHANT + 1, Box::new(payer));
    while tally.borrow().tried < cell.attempts {
        let before = world.now();
        play(&mut world, 1_000 * u64::from(INTERVAL))?;
        if tally.borrow().faults > 0 || world.now() == before {
            return Err(format!("the double spender of {cell:?} does not attack"));
        }
    }
    // What was published last arrives.
    play(&mut world, 1_000)?;
    let reorgs = close(world)?.stats.reorgs.count();
    let tally = tally.borrow();
    if reorgs != tally.done {
        return Err(format!("{} payments were reverted in {reorgs} reorgs of the merchant", tally.done));
    }
    Ok((tally.done, tally.tried))
}

/// Runs it.
///
/// # Errors
/// An invariant that broke.
pub fn run(setting: &Setting) -> Result<Page, String> {
    let cells = cells(setting);
    let measured = setting.run("double spends", &cells, measure)?;
    let mut page = Page::new("double-spend", "Double spends: Nakamoto's section 11, Rosenfeld's table");
    page.text(
        "A merchant waits for z confirmations. An attacker with part q of the hash rate mines a branch in secret on which the payment's \
         coin goes back to itself, and publishes it once the merchant is satisfied and the branch has more work.",
    );
    page.text(
        "**What runs.** The merchant's node, which has the honest hash rate; the attacker's node; the attacker's engine that is connected \
         with nobody. Payments are real coin transactions, blocks carry them, and a success is a reorganisation of the \
         merchant's engine after which its ledger has no such payment. Difficulty is fixed, blocks are 60 s apart on average, messages \
         take a millisecond. As in Rosenfeld's analysis the attacker has one block in advance when it pays. It gives up when its \
         chance is below 0.1 %.",
    );
    let mut rows = Vec::new();
    for (cell, (done, tried)) in cells.iter().zip(&measured) {
        let shown = Estimate::of_trials(*done, *tried, Confidence::Shown);
        let model = with_hope(cell.q, cell.z, cell.hope);
        let checked = Estimate::of_trials(*done, *tried, Confidence::Checked);
        page.check(format!("double spend, q {} z {}: {shown} holds {model:.4}", cell.q, cell.z), checked.holds(model));
        rows.push(vec![
            format!("{:.2}", cell.q),
            cell.z.to_string(),
            percent(nakamoto(cell.q, cell.z)),
            percent(rosenfeld(cell.q, cell.z)),
            percent(model),
            shown.times(100.0).show(2),
            format!("{done} of {tried}"),
            if shown.holds(model) { "" } else { "outside" }.into(),
        ]);
    }
    page.heading("Probability of success, in per cent");
    page.table(&["q", "z", "Nakamoto", "Rosenfeld", "model: gives up", "measured [95 %]", "trials", ""], &rows);
    explain(&mut page, &cells, &measured);
    page.picture("double-spend", "Probability of a double spend by confirmations", plot(&cells, &measured)?);
    least(&mut page);
    Ok(page)
}

fn explain(page: &mut Page, cells: &[Cell], measured: &[(u64, u64)]) {
    let outside = cells.iter().zip(measured).filter(|(cell, (done, tried))| {
        !Estimate::of_trials(*done, *tried, Confidence::Shown).holds(with_hope(cell.q, cell.z, cell.hope))
    });
    let sum: u64 = measured.iter().map(|(_, tried)| tried).sum();
    page.text(format!(
        "Intervals are Wilson's. {sum} attempts were made; {} of {} intervals of 95 % do not contain the model's value, where {:.1} are expected.",
        outside.count(),
        cells.len(),
        cells.len() as f64 * 0.05
    ));
    page.text(
        "**Where they differ.** Nakamoto takes the blocks that the attacker finds while the merchant waits for Poisson distributed. They \
         are negative binomial: honest blocks do not come evenly. So his values are a little above Rosenfeld's after one confirmation and too low after many, by more the rarer success is; the measured ones follow Rosenfeld. Giving up takes off what the fifth column shows. Values too small to be seen in the \
         trials (q = 0.1 with z > 5, q = 0.3 with z > 10) are not measured here.",
    );
}

fn plot(cells: &[Cell], measured: &[(u64, u64)]) -> Result<String, String> {
    let mut series: Vec<Series> = Vec::new();
    for (cell, (done, tried)) in cells.iter().zip(measured) {
        let name = format!("q = {:.2}", cell.q);
        if series.last().is_none_or(|series| series.name != name) {
            let curve = (0..=10).map(|z| (f64::from(z), rosenfeld(cell.q, z))).collect();
            series.push(Series { name, curve, points: Vec::new() });
        }
        if let Some(last) = series.last_mut() {
            last.points.push((f64::from(cell.z), Estimate::of_trials(*done, *tried, Confidence::Shown)));
        }
    }
    let plot = Plot {
        x: "confirmations; lines: Rosenfeld, dots: measured with 95 % intervals",
        y: "probability of success",
        over: 0.0..11.0,
        range: 0.0002..1.5,
        log: (false, true),
        series,
    };
    plot.draw()
}

/// Nakamoto's last table, beside that by Rosenfeld's formula.
fn least(page: &mut Page) {
    page.heading("Confirmations for less than 0.1 %");
    let published = [5, 8, 11, 15, 24, 41, 89, 340];
    let mut rows = Vec::new();
    for (step, published) in (2..).zip(published) {
        let q = 0.05 * f64::from(step);
        let number = |formula| confirmations(formula, q, 0.001).map_or("-".into(), |z| z.to_string());
        page.check(format!("Nakamoto's z for q {q:.2}"), confirmations(nakamoto, q, 0.001) == Some(published));
        rows.push(vec![format!("{q:.2}"), published.to_string(), number(nakamoto), number(rosenfeld)]);
    }
    page.text("By formula alone: such values would take millions of attempts.");
    page.table(&["q", "published by Nakamoto", "his formula, here", "Rosenfeld's formula"], &rows);
}
