//! Blocks that are found in vain, by interval and delay: Decker and Wattenhofer's model.

use cairn_sim::{Latency, Plan, Rules, Topology, World};

use super::{close, percent, play};
use crate::{
    estimate::{Confidence, Estimate},
    jobs::Setting,
    models::decker_wattenhofer,
    page::Page,
    plot::{Plot, Series},
};

/// Nodes, each with the same part of the hash rate.
const NODES: usize = 10;

/// Nodes of a ring: 4.27 hops to another on average.
const RING: usize = 16;

/// A network.
#[derive(Clone, Copy, Debug)]
struct Network {
    interval: u32,
    /// Milliseconds that a message takes on average.
    delay: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Each with each, delays within a half of the mean.
    Complete,
    /// Each with three that it dialled, log-normal delays.
    Sparse,
    /// Each with two neighbours; more nodes.
    Ring,
}

impl Kind {
    fn nodes(self) -> usize {
        if self == Self::Ring { RING } else { NODES }
    }

    fn name(self) -> String {
        let links = match self {
            Self::Complete => "all with all",
            Self::Sparse => "3 each",
            Self::Ring => "a ring",
        };
        format!("{}, {links}", self.nodes())
    }
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    network: Network,
    blocks: u64,
    seed: u64,
}

/// One history.
#[derive(Clone, Copy, Debug)]
struct Measured {
    found: u64,
    chain: u64,
    /// Part of the hash rate that had not heard of a block, integrated over time, in intervals.
    uninformed: f64,
    deepest: u64,
}

/// What was measured of a network.
#[derive(Clone, Debug)]
pub struct Rate {
    /// Part of all blocks that are not on the chain.
    pub stale: Estimate,
    /// Seconds until a block has reached a node, on average.
    pub spread: f64,
    /// Seconds between blocks.
    pub interval: u32,
}

fn networks(setting: &Setting) -> Vec<Network> {
    let complete = |interval, delay| Network { interval, delay, kind: Kind::Complete };
    let sparse = |interval, delay| Network { interval, delay, kind: Kind::Sparse };
    // Nearly as slow as the Bitcoin network of 2013: 12.6 s to the mean node.
    let ring = |interval| Network { interval, delay: 2_950, kind: Kind::Ring };
    if setting.quick {
        return vec![complete(30, 2_000), sparse(30, 300)];
    }
    let mut all: Vec<Network> = [250, 500, 1_000, 2_000, 3_000].map(|delay| complete(30, delay)).to_vec();
    all.extend([5, 10, 15, 60, 120].map(|interval| complete(interval, 2_000)));
    all.extend([sparse(30, 100), sparse(30, 300), sparse(30, 1_000), ring(600), ring(30)]);
    all
}

fn measure(cell: &Cell) -> Result<Measured, String> {
    let Network { interval, delay, kind } = cell.network;
    let nodes = kind.nodes();
    let mut plan = Plan::quiet(cell.seed, Rules::fixed(interval), vec![1.0 / nodes as f64; nodes], 0);
    (plan.topology, plan.latency) = match kind {
        Kind::Complete => (Topology::Complete, Latency::Constant(delay)),
        Kind::Ring => (Topology::Ring, Latency::Constant(delay)),
        Kind::Sparse => (Topology::Random(3), Latency::LogNormal { median: delay, sigma: 0.6 }),
    };
    let mut world = World::new(plan, false);
    play(&mut world, cell.blocks * u64::from(interval) * 1_000)?;
    let stats = close(world)?.stats;
    // The finder has its block at once.
    let mean = stats.propagation.mean() * (nodes - 1) as f64 / nodes as f64;
    let uninformed = mean / (1_000.0 * f64::from(interval));
    let deepest = stats.reorgs.iter().map(|(depth, _)| depth).max().unwrap_or(0);
    Ok(Measured { found: stats.found, chain: stats.chain, uninformed, deepest })
}

/// Runs it; answers what it says of networks whose blocks are 30 s apart, too.
///
/// # Errors
/// An invariant that broke.
pub fn run(setting: &Setting) -> Result<(Page, Vec<Rate>), String> {
    let (histories, blocks) = (setting.pick(8, 6), setting.pick(600, 120));
    let networks = networks(setting);
    let cells: Vec<Cell> = networks
        .iter()
        .enumerate()
        .flat_map(|(row, network)| {
            (0..histories).map(move |history| Cell { network: *network, blocks, seed: setting.seed(3, row, history) })
        })
        .collect();
    let measured = setting.run("stale blocks", &cells, measure)?;
    let mut page = Page::new("stale-blocks", "Stale blocks by interval and delay");
    introduce(&mut page, histories, blocks);
    let (mut rows, mut points, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for (network, results) in networks.iter().zip(measured.chunks(histories)) {
        let forks: Vec<f64> = results.iter().map(|it| (it.found - it.chain) as f64 / it.chain as f64).collect();
        let stale: Vec<f64> = results.iter().map(|it| (it.found - it.chain) as f64 / it.found as f64).collect();
        let uninformed = results.iter().map(|it| it.uninformed).sum::<f64>() / histories as f64;
        let model = decker_wattenhofer(uninformed);
        let (shown, checked) =
            (Estimate::of_mean(&forks, Confidence::Shown), Estimate::of_mean(&forks, Confidence::Checked));
        let stale = Estimate::of_mean(&stale, Confidence::Shown);
        // Where forks are common, a third branch and blocks on losing branches are, too.
        if uninformed < 0.1 {
            page.check(format!("forks, {network:?}: {shown} holds {model:.4}"), checked.holds(model));
        }
        let spread = uninformed * f64::from(network.interval);
        let deepest = results.iter().map(|it| it.deepest).max().unwrap_or(0);
        rows.push(vec![
            network.interval.to_string(),
            format!("{:.2}", network.delay as f64 / 1e3),
            network.kind.name(),
            format!("{spread:.2}"),
            percent(model),
            shown.times(100.0).show(2),
            stale.times(100.0).show(2),
            deepest.to_string(),
            if shown.holds(model) { "" } else { "outside" }.into(),
        ]);
        points.push((uninformed, shown));
        rates.push(Rate { stale, spread, interval: network.interval });
    }
    page.heading("Forks for each block on the chain, in per cent");
    page.table(
        &[
            "interval, s",
            "delay, s",
            "nodes",
            "spread, s",
            "Decker-Wattenhofer",
            "measured forks [95 %]",
            "stale, of all found [95 %]",
            "deepest reorg",
            "",
        ],
        &rows,
    );
    page.picture("stale-blocks", "Forks by the delay in intervals", plot(points)?);
    explain(&mut page);
    Ok((page, rates))
}

fn introduce(page: &mut Page, histories: usize, blocks: u64) {
    page.text(
        "A block that is found before its finder has heard of another of the same height is a fork, and one of both is stale. Decker and \
         Wattenhofer: the probability is 1 - exp(-U), where U is the part of the hash rate that has not heard of a block, integrated \
         over time, in intervals between blocks.",
    );
    page.text(format!(
        "**What runs.** {NODES} or {RING} nodes with the same hash rate and fixed difficulty, nobody attacks. Blocks spread as compact blocks, engine \
         by engine. Each row: {histories} histories of about {blocks} blocks; intervals are Student's over histories. *Delay* is the mean \
         of a message between two nodes (half of it to one and a half, by the pair; the median where links are few), *spread* the \
         measured U in seconds, from which the formula's value comes.",
    ));
}

fn plot(points: Vec<(f64, Estimate)>) -> Result<String, String> {
    let curve = (0..=60).map(|step| 10_f64.powf(-2.6 + 0.05 * f64::from(step)));
    let curve = curve.filter(|at| *at <= 1.0).map(|at| (at, decker_wattenhofer(at))).collect();
    let plot = Plot {
        x: "uninformed part of the hash rate over time, in intervals; line: formula, dots: measured",
        y: "forks per block",
        over: 0.002..1.0,
        range: 0.0005..2.0,
        log: (true, true),
        series: vec![Series { name: "Decker-Wattenhofer".into(), curve, points }],
    };
    plot.draw()
}

fn explain(page: &mut Page) {
    page.text(
        "**Where they differ.** Decker and Wattenhofer observed 1.69 % at 600 s and a mean delay of 12.6 s. Their mean is over nodes, while \
         forks are made by miners, who are connected better than most nodes: with all miners at that mean the formula gives more. The ring \
         with blocks 600 s apart comes near to that network; its spread is smaller. (A delay of 12.6 s for each message is no such network: engines wait 10 s for the answer to their handshake, and never connect.) Where U is beyond a tenth the formula counts a fork once, although a third block may be \
         found and blocks may be found on either branch: so more are measured. The spread is taken from nodes that connected a block when \
         they heard of it: those that had another of that height are left out, which makes it a little too small.",
    );
}
