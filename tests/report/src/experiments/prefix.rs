//! The common prefix of honest nodes, before and after a partially synchronous network has become good.

use cairn_sim::{Fault, Model, Plan, Rules, World};

use super::play;
use crate::{
    estimate::{Confidence, Estimate},
    jobs::Setting,
    page::Page,
    plot::{Plot, Series},
};

/// Seconds between blocks, nodes, and the bound on delays once the network is good, in milliseconds.
const INTERVAL: u32 = 30;
const NODES: usize = 6;
const DELTA: u64 = 2_000;

/// Intervals until it is good, and that are looked at afterwards.
const BEFORE: u64 = 40;
const AFTER: u64 = 60;

/// Depths that are asked for.
const DEPTHS: [usize; 6] = [0, 1, 2, 3, 5, 10];

/// What the adversary does until then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Adversary {
    /// Holds this part of all messages, each for a random part of the time that is left.
    Holds(f64),
    /// Lets nothing pass between two halves.
    Splits,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    adversary: Adversary,
    seed: u64,
}

/// The most blocks apart at the end of each interval.
type Depths = Vec<usize>;

fn measure(cell: &Cell) -> Result<Depths, String> {
    let interval = u64::from(INTERVAL) * 1_000;
    let gst = BEFORE * interval;
    let mut plan = Plan::quiet(cell.seed, Rules::fixed(INTERVAL), vec![1.0 / NODES as f64; NODES], 0);
    plan.model = Model::PartiallySynchronous { gst, delta: DELTA };
    plan.latency = cairn_sim::Latency::Uniform(DELTA / 4, DELTA);
    match cell.adversary {
        Adversary::Holds(part) => plan.messages.held = part,
        Adversary::Splits => {
            let halves = (0..NODES).map(|node| u8::from(node % 2 == 1)).collect();
            plan.faults = vec![(10_000, Fault::Partition(halves)), (gst, Fault::Heal)];
        }
    }
    let mut world = World::new(plan, false);
    let mut depths = Vec::new();
    for _ in 0..BEFORE + AFTER {
        play(&mut world, interval)?;
        depths.push(world.apart());
    }
    Ok(depths)
}

/// Intervals after which what was held has arrived and a node that had been cut off has asked again.
const SETTLED: usize = 6;

/// Samples in which nodes are no block apart that is deeper than `depth`.
fn deeper(depths: &[usize], depth: usize) -> u64 {
    depths.iter().filter(|apart| **apart > depth).count() as u64
}

fn name(adversary: Adversary) -> String {
    match adversary {
        Adversary::Holds(0.0) => "none (synchronous)".into(),
        Adversary::Holds(part) => format!("holds {:.0} % of messages", 100.0 * part),
        Adversary::Splits => "splits the network in halves".into(),
    }
}

/// Runs it.
///
/// # Errors
/// An invariant that broke.
pub fn run(setting: &Setting) -> Result<Page, String> {
    let histories = setting.pick(40, 6);
    let adversaries = [Adversary::Holds(0.0), Adversary::Holds(0.1), Adversary::Holds(0.5), Adversary::Splits];
    let cells: Vec<Cell> = adversaries
        .iter()
        .enumerate()
        .flat_map(|(row, adversary)| {
            (0..histories).map(move |history| Cell { adversary: *adversary, seed: setting.seed(4, row, history) })
        })
        .collect();
    let measured = setting.run("common prefix", &cells, measure)?;
    let mut page = Page::new("common-prefix", "Common prefix before and after stabilisation");
    introduce(&mut page, histories);
    let (mut before, mut after, mut series) = (Vec::new(), Vec::new(), Vec::new());
    let settled = BEFORE as usize + SETTLED;
    for (adversary, results) in adversaries.iter().zip(measured.chunks(histories)) {
        before.push(row(*adversary, results, 0..BEFORE as usize));
        after.push(row(*adversary, results, settled..results[0].len()));
        let deepest = results.iter().flat_map(|depths| &depths[settled..]).max().copied().unwrap_or(0);
        page.check(
            format!("{}: at most 6 blocks apart after stabilisation, {deepest}", name(*adversary)),
            deepest <= 6,
        );
        let mean = |at: usize| results.iter().map(|depths| depths[at] as f64).sum::<f64>() / histories as f64;
        let curve = (0..results[0].len()).map(|at| (at as f64 - BEFORE as f64 + 1.0, mean(at))).collect();
        series.push(Series { name: name(*adversary), curve, points: Vec::new() });
    }
    let mut heads = vec!["adversary".to_owned()];
    heads.extend(DEPTHS.iter().map(|depth| format!("> {depth}")));
    heads.push("deepest".into());
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    page.heading("Before: part of moments at which two honest nodes were so many blocks apart, in per cent [95 %]");
    page.table(&heads, &before);
    page.heading("After");
    page.table(&heads, &after);
    let bound: Vec<String> = std::iter::once("bound for the synchronous network".into())
        .chain(DEPTHS.iter().map(|depth| format!("{:.3}", 100.0 * bound(*depth))))
        .collect();
    page.table(&heads[..=DEPTHS.len()], &[bound]);
    let plot = Plot {
        x: "intervals since stabilisation",
        y: "blocks apart, mean of histories",
        over: -(BEFORE as f64)..AFTER as f64,
        range: 0.0..24.0,
        log: (false, false),
        series,
    };
    page.picture("common-prefix", "Blocks by which honest nodes are apart over time", plot.draw()?);
    explain(&mut page);
    Ok(page)
}

fn row(adversary: Adversary, results: &[Depths], span: std::ops::Range<usize>) -> Vec<String> {
    let mut row = vec![name(adversary)];
    for depth in DEPTHS {
        let parts: Vec<f64> =
            results.iter().map(|depths| deeper(&depths[span.clone()], depth) as f64 / span.len() as f64).collect();
        let estimate = Estimate::of_mean(&parts, Confidence::Shown).times(100.0);
        row.push(Estimate { low: estimate.low.max(0.0), ..estimate }.show(1));
    }
    let deepest = results.iter().flat_map(|depths| &depths[span.clone()]).max().copied().unwrap_or(0);
    row.push(deepest.to_string());
    row
}

/// Two branches go on while no block is alone: none found within the bound before or after it by another miner.
fn bound(depth: usize) -> f64 {
    let rate = DELTA as f64 / (1_000.0 * f64::from(INTERVAL));
    let others = (NODES - 1) as f64 / NODES as f64;
    (1.0 - (-2.0 * rate * others).exp()).powi(depth as i32 + 1)
}

fn introduce(page: &mut Page, histories: usize) {
    page.text(
        "Of Dwork, Lynch and Stockmeyer's partially synchronous network: until a moment that nobody knows an adversary holds messages as it \
         likes, afterwards each arrives within a bound. Garay, Kiayias and Leonardos: in a synchronous network honest chains differ in their \
         last k blocks with a probability that falls exponentially in k; without synchrony nothing bounds it.",
    );
    page.text(format!(
        "**What runs.** {NODES} nodes with the same hash rate, blocks {INTERVAL} s apart, the network good after {BEFORE} intervals; then \
         messages take half a second to {} s. At the end of each interval the honest nodes that are furthest apart are compared. Each row: \
         {histories} histories; intervals are Student's over histories. *After* begins {SETTLED} intervals later.",
        DELTA / 1_000
    ));
}

fn explain(page: &mut Page) {
    page.text(
        "**What is seen.** Before stabilisation nodes are apart by as many blocks as the adversary has time for: both halves of a split \
         network go on, and the depth grows linearly. Within a few intervals after it the longer branch is everywhere, and the depths \
         are those of a network that always was good. The bound is that of counting blocks that are alone for the longest delay on either \
         side (Ren 2019): it takes the longest delay for every message and so lies above. A moment more than 0 blocks apart includes \
         those at which a block is on its way, without a fork.",
    );
}
