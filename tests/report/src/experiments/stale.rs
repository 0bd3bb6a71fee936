//! Blocks that are found in vain, by interval and delay: Decker and Wattenhofer's model.

use cairn_sim::{Forks, Latency, Plan, Rules, Topology, World};

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

/// Nodes of a ring.
const RING: usize = 16;

/// Where U is larger, what the formula leaves out is more than what chance does.
const RARE: f64 = 0.1;

/// Milliseconds until all are connected.
const WARM_UP: u64 = 120_000;

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
    /// Each with two neighbours, and some with a third that they dialled before their neighbour; more nodes.
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
    forks: Forks,
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
    // Slow as the Bitcoin network of 2013: without chords it would take 12.6 s to the mean node.
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
    // Until all are connected, each node mines alone.
    play(&mut world, WARM_UP)?;
    let before = world.forks();
    play(&mut world, cell.blocks * u64::from(interval) * 1_000)?;
    let forks = world.forks().since(&before);
    let stats = close(world)?.stats;
    let deepest = stats.reorgs.iter().map(|(depth, _)| depth).max().unwrap_or(0);
    Ok(Measured { forks, deepest })
}

/// What the histories of a network say together.
struct Row {
    network: Network,
    /// Part of the hash rate that had not heard of a block, integrated over time, in intervals.
    uninformed: f64,
    /// Part of the heights that have several blocks: expected, and measured.
    forking: f64,
    forked: Estimate,
    checked_forked: Estimate,
    /// Stale blocks for each height: expected, and measured.
    losing: f64,
    stale: Estimate,
    checked_stale: Estimate,
    stale_of_found: Estimate,
    deepest: u64,
}

impl Row {
    fn of(network: Network, results: &[Measured]) -> Self {
        let forks = results.iter().fold(Forks::default(), |sum, it| sum.plus(&it.forks));
        let (heights, stale) = (forks.heights as f64, forks.found - forks.heights);
        let intervals = |milliseconds: f64| milliseconds / (1_000.0 * f64::from(network.interval));
        let [forked, checked_forked] = [Confidence::Shown, Confidence::Checked]
            .map(|confidence| Estimate::of_trials(forks.forked, forks.heights, confidence));
        let [stale_blocks, checked_stale] = [Confidence::Shown, Confidence::Checked]
            .map(|confidence| Estimate::of_count(stale, confidence).times(1.0 / heights));
        Self {
            network,
            uninformed: intervals(forks.unheard) / forks.found as f64,
            forking: intervals(forks.exposed_to_second) / heights,
            forked,
            checked_forked,
            losing: intervals(forks.exposed) / heights,
            stale: stale_blocks,
            checked_stale,
            stale_of_found: Estimate::of_trials(stale, forks.found, Confidence::Shown),
            deepest: results.iter().map(|it| it.deepest).max().unwrap_or(0),
        }
    }

    fn model(&self) -> f64 {
        decker_wattenhofer(self.uninformed)
    }

    /// Seconds.
    fn spread(&self) -> f64 {
        self.uninformed * f64::from(self.network.interval)
    }

    fn checks(&self) -> Vec<(String, bool)> {
        let Self { network, forked, forking, stale, losing, .. } = self;
        let model = self.model();
        let mut checks = vec![
            (
                format!("heights with several blocks, {network:?}: {forked} holds {forking:.4}"),
                self.checked_forked.holds(*forking),
            ),
            (format!("stale blocks, {network:?}: {stale} holds {losing:.4}"), self.checked_stale.holds(*losing)),
        ];
        if self.uninformed < RARE {
            checks.push((
                format!("heights with several blocks, {network:?}: {forked} holds the formula's {model:.4}"),
                self.checked_forked.holds(model),
            ));
        }
        checks
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.network.interval.to_string(),
            format!("{:.2}", self.network.delay as f64 / 1e3),
            self.network.kind.name(),
            format!("{:.2}", self.spread()),
            percent(self.model()),
            percent(self.forking),
            self.forked.times(100.0).show(2),
            percent(self.losing),
            self.stale.times(100.0).show(2),
            self.deepest.to_string(),
            if self.forked.holds(self.model()) { "" } else { "outside" }.into(),
        ]
    }
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
        let row = Row::of(*network, results);
        for (claim, holds) in row.checks() {
            page.check(claim, holds);
        }
        rows.push(row.cells());
        points.push((row.uninformed, row.forked));
        rates.push(Rate { stale: row.stale_of_found, spread: row.spread(), interval: network.interval });
    }
    page.heading("Blocks of one height, in per cent of all heights");
    page.table(
        &[
            "interval, s",
            "delay, s",
            "nodes",
            "spread, s",
            "Decker-Wattenhofer",
            "several blocks: expected",
            "measured [95 %]",
            "stale blocks: expected",
            "measured [95 %]",
            "deepest reorg",
            "formula",
        ],
        &rows,
    );
    page.picture("stale-blocks", "Heights with several blocks by the spread in intervals", plot(points)?);
    explain(&mut page);
    Ok((page, rates))
}

fn introduce(page: &mut Page, histories: usize, blocks: u64) {
    page.text(
        "A block that is found before its finder has heard of another of the same height competes with that one, and all but one of a height \
         are stale. Decker and Wattenhofer: a height has several blocks with probability 1 - exp(-U), where U is the part of the hash \
         rate that has not heard of a block, integrated over time, in intervals between blocks.",
    );
    page.text(format!(
        "**What runs.** {NODES} or {RING} nodes with the same hash rate and fixed difficulty, nobody attacks. Blocks spread as compact blocks, engine \
         by engine. Each row: {histories} histories of about {blocks} blocks, from two minutes after the start, when all are connected; the deepest \
         reorganisation is that of whole histories. Intervals are Wilson's for heights, and for stale blocks those of an independent count; the last \
         column says where the formula is outside. *Delay* is the mean of a message between two nodes (half of it to one and a half, by the pair; the \
         median where each has 3). In the ring some nodes have a third neighbour, which they dialled before those of the ring.",
    ));
    page.text(
        "*Spread* is U in seconds, from which the formula's value comes: how long it takes until a miner has heard of a block, the mean over all \
         miners, the finder among them, and all blocks, also those that lost. *Expected* comes from the same histories, without the formula: the hash \
         rate that goes on to mine at a height which has a block, integrated over time until the height's second block is found, \
         and until nobody does any more.",
    );
}

fn plot(points: Vec<(f64, Estimate)>) -> Result<String, String> {
    let curve = (0..=60).map(|step| 10_f64.powf(-2.6 + 0.05 * f64::from(step)));
    let curve = curve.filter(|at| *at <= 1.0).map(|at| (at, decker_wattenhofer(at))).collect();
    let plot = Plot {
        x: "uninformed part of the hash rate over time, in intervals; line: formula, dots: measured",
        y: "part of the heights that have several blocks",
        over: 0.002..1.0,
        range: 0.0005..2.0,
        log: (true, true),
        series: vec![Series { name: "Decker-Wattenhofer".into(), curve, points }],
    };
    plot.draw()
}

fn explain(page: &mut Page) {
    page.text(
        "**Where they differ.** What is expected and what is measured differ as by chance: each interval should miss one value of 20. The formula gives more \
         than is expected the larger U is. It counts all who have not heard of a block; but some of these have not heard of its parent either, and what they \
         find has the parent's height. And it takes U for that of each block, while the blocks of a node far from the others spread more slowly: the mean \
         of exp(-U) is larger than exp of the mean. The stale blocks are more than the heights that have several blocks, since some have three \
         or more; fewer are expected than U, since those who have heard of the second block do not find a third.",
    );
    page.text(
        "Decker and Wattenhofer observed 1.69 % at 600 s and a mean delay of 12.6 s. Their mean is over nodes, while \
         forks are made by miners, who are connected better than most nodes: with all miners at that mean the formula gives more. The ring \
         with blocks 600 s apart comes near to that network; its chords make its spread smaller. (A delay of 12.6 s for each message is another network: \
         engines wait 10 s for the answer to their handshake, and never connect.)",
    );
}
