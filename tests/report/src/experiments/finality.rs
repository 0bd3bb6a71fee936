//! How long certificates take, with members that are down: whole engines beside the message delays of the protocol.

use cairn_node::engine::Engine;
use cairn_sim::{Fault, Histogram, Latency, Plan, Random, Rules, Topology, World};

use super::{
    close,
    finality_model::{Lags, cycle},
    play,
};
use crate::{
    estimate::{Confidence, Estimate},
    jobs::Setting,
    page::Page,
    plot::{Plot, Series},
};

/// Members, of which two may be faulty, and the nodes beside them, which mine.
pub(super) const MEMBERS: usize = 7;
const MINERS: usize = 3;
pub(super) const NODES: usize = MEMBERS + MINERS;

/// Seconds between blocks; blocks between checkpoints, and how deep one must be.
const INTERVAL: u32 = 30;
const EVERY: u32 = cairn_sim::CHECKPOINTS.0;
const DEPTH: u32 = cairn_sim::CHECKPOINTS.1;

/// Milliseconds between two looks at tips and final blocks.
const LOOK: u64 = 1_000;

/// Milliseconds after which a certificate has waited for a dead leader, where it takes less without one.
const WAITED: u64 = 3_000;

/// Delay at which certificates take as long as that anyway.
const SLOW: u64 = 500;

/// Who is down for the whole run. Member c mod 7 leads checkpoint c first, and the next members its further views.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Dead {
    Nobody,
    One,
    /// Leaders of checkpoints that do not follow each other.
    Apart,
    /// The second leads after the first.
    Neighbours,
}

const DEAD: [Dead; 4] = [Dead::Nobody, Dead::One, Dead::Apart, Dead::Neighbours];

impl Dead {
    fn members(self) -> &'static [usize] {
        match self {
            Self::Nobody => &[],
            Self::One => &[2],
            Self::Apart => &[2, 5],
            Self::Neighbours => &[2, 3],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nobody => "0",
            Self::One => "1",
            Self::Apart => "2, apart",
            Self::Neighbours => "2, neighbours",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Network {
    /// Mean milliseconds of a message.
    delay: u64,
    topology: Topology,
}

impl Network {
    fn name(&self) -> String {
        let links = if self.topology == Topology::Complete { "all with all" } else { "3 each" };
        format!("{} ms, {links}", self.delay)
    }
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    network: Network,
    dead: Dead,
    checkpoints: u64,
    seed: u64,
}

/// One history.
struct Measured {
    /// Milliseconds until a node has a certificate.
    lag: Histogram,
    /// Blocks between a tip and the final block of its node.
    behind: Histogram,
}

fn measure(cell: &Cell) -> Result<Measured, String> {
    let shares = (0..NODES).map(|node| if node < MINERS { 1.0 / MINERS as f64 } else { 0.0 }).collect();
    let mut plan = Plan::quiet(cell.seed, Rules::fixed(INTERVAL), shares, 0);
    plan.members = MEMBERS as u8;
    (plan.latency, plan.topology) = (Latency::Constant(cell.network.delay), cell.network.topology);
    let gone = cell.dead.members().iter().map(|member| (0, Fault::Gone { node: MINERS + member }));
    plan.faults = gone.collect();
    let mut world = World::new(plan, false);
    let mut behind = Histogram::default();
    // Whole turns of the leaders, however long they take.
    let last = cell.checkpoints as u32 * EVERY;
    let expected = u64::from(last + DEPTH) * u64::from(INTERVAL) * 1_000;
    loop {
        play(&mut world, LOOK)?;
        let looks: Vec<(u32, u32)> = (0..NODES).filter_map(|node| world.engine(node)).map(look).collect();
        let begun = looks.iter().filter(|(_, newest)| *newest > 0);
        begun.for_each(|(tip, newest)| behind.add(u64::from(tip.saturating_sub(*newest))));
        if looks.iter().all(|(_, newest)| *newest >= last) {
            break;
        }
        if world.now() > 3 * expected {
            return Err(format!("no {} checkpoints in {} s", cell.checkpoints, world.now() / 1_000));
        }
    }
    Ok(Measured { lag: close(world)?.stats.finality, behind })
}

/// Heights of a node's tip and of its final block.
fn look(engine: &Engine) -> (u32, u32) {
    (engine.chain_info().height, engine.chain().finality().map_or(0, |finality| finality.height()))
}

fn networks(setting: &Setting) -> Vec<Network> {
    let complete = |delay| Network { delay, topology: Topology::Complete };
    let all = vec![complete(100), complete(20), complete(SLOW), Network { delay: 100, topology: Topology::Random(3) }];
    if setting.quick { all[..1].to_vec() } else { all }
}

/// Runs it.
///
/// # Errors
/// An invariant that broke.
pub fn run(setting: &Setting) -> Result<Page, String> {
    let (histories, checkpoints) = (setting.pick(8, 3), setting.pick(42, 14));
    let rows: Vec<(Network, Dead)> =
        networks(setting).into_iter().flat_map(|network| DEAD.map(|dead| (network, dead))).collect();
    let cells: Vec<Cell> = rows
        .iter()
        .enumerate()
        .flat_map(|(row, &(network, dead))| {
            (0..histories).map(move |history| Cell { network, dead, checkpoints, seed: setting.seed(6, row, history) })
        })
        .collect();
    let measured = setting.run("finality", &cells, measure)?;
    let mut page = Page::new("finality", "Finality: lag with dead members");
    introduce(&mut page, histories, checkpoints);
    let mut table = Table::default();
    let mut random = Random::new(setting.seed(6, rows.len(), 0));
    for (&(network, dead), results) in rows.iter().zip(measured.chunks(histories)) {
        let model = cycle(network.delay, network.topology == Topology::Complete, dead.members(), &mut random);
        table.add(&mut page, network, dead, &model, results);
    }
    table.show(&mut page)?;
    explain(&mut page);
    Ok(page)
}

/// What the page shows.
#[derive(Default)]
struct Table {
    lags: Vec<Vec<String>>,
    waits: Vec<Vec<String>>,
    blocks: Vec<Vec<String>>,
    series: Vec<Series>,
}

impl Table {
    fn add(&mut self, page: &mut Page, network: Network, dead: Dead, model: &Lags, results: &[Measured]) {
        let lags: Vec<&Histogram> = results.iter().map(|result| &result.lag).collect();
        let quantile = |part| {
            let values: Vec<f64> = lags.iter().map(|lag| lag.quantile(part) as f64 / 1e3).collect();
            Estimate::of_mean(&values, Confidence::Shown)
        };
        let all = merged(&lags);
        let mut row = vec![network.name(), dead.name().to_owned()];
        for part in [0.5, 0.95] {
            row.push(format!("{:.2}", model.quantile(part) / 1e3));
            row.push(quantile(part).show(2));
        }
        row.push(format!("{:.2}", all.quantile(1.0) as f64 / 1e3));
        self.lags.push(row);
        self.add_waits(page, network, dead, model, results);
        self.add_blocks(page, network, dead, &all, results);
        let fewest = model.quantile(0.5);
        let got = all.quantile(0.5) as f64;
        page.check(
            format!("{}, {} dead: the median {got} ms is 1 to 2.5 times {fewest:.0} ms", network.name(), dead.name()),
            (fewest..=2.5 * fewest).contains(&got),
        );
        if network.delay == 100 && network.topology == Topology::Complete {
            let curve = (1..200).map(|part| f64::from(part) / 200.0);
            let curve = curve.map(|part| (part, model.quantile(part) / 1e3)).collect();
            let points = [0.05, 0.25, 0.5, 0.75, 0.95].map(|part| (part, quantile(part))).to_vec();
            self.series.push(Series { name: format!("{} dead", dead.name()), curve, points });
        }
    }

    /// How many certificates wait for a timeout.
    fn add_waits(&mut self, page: &mut Page, network: Network, dead: Dead, model: &Lags, results: &[Measured]) {
        let late: Vec<f64> = results.iter().map(|result| part_from(&result.lag, WAITED)).collect();
        let [shown, checked] =
            [Confidence::Shown, Confidence::Checked].map(|confidence| Estimate::of_mean(&late, confidence));
        let mean: Vec<f64> = results.iter().map(|result| result.lag.mean() / 1e3).collect();
        let mean = Estimate::of_mean(&mean, Confidence::Shown);
        let dead_first = dead.members().len() as f64 / MEMBERS as f64;
        let mut waits = "-".to_owned();
        if network.delay < SLOW {
            // Whole turns of the leaders have no spread.
            let holds = checked.holds(dead_first) || (shown.value - dead_first).abs() < 1e-9;
            page.check(format!("{}, {} dead: {shown} wait, {dead_first:.3}", network.name(), dead.name()), holds);
            waits = shown.times(100.0).show(1);
        }
        self.waits.push(vec![
            network.name(),
            dead.name().to_owned(),
            format!("{:.1}", 100.0 * dead_first),
            waits,
            format!("{:.2}", model.mean() / 1e3),
            mean.show(2),
        ]);
    }

    fn add_blocks(&mut self, page: &mut Page, network: Network, dead: Dead, lag: &Histogram, results: &[Measured]) {
        let means: Vec<f64> = results.iter().map(|result| result.behind.mean()).collect();
        let [shown, checked] =
            [Confidence::Shown, Confidence::Checked].map(|confidence| Estimate::of_mean(&means, confidence));
        let behind = merged(&results.iter().map(|result| &result.behind).collect::<Vec<_>>());
        let model = f64::from(DEPTH) + f64::from(EVERY - 1) / 2.0 + lag.mean() / 1e3 / f64::from(INTERVAL);
        let holds = checked.holds(model);
        page.check(format!("{}, {} dead: {shown} blocks, {model:.2}", network.name(), dead.name()), holds);
        self.blocks.push(vec![
            network.name(),
            dead.name().to_owned(),
            format!("{model:.2}"),
            shown.show(2),
            behind.quantile(0.5).to_string(),
            behind.quantile(0.95).to_string(),
            behind.quantile(1.0).to_string(),
        ]);
    }

    fn show(self, page: &mut Page) -> Result<(), String> {
        page.heading("Seconds from a checkpoint's being deep enough until a node has its certificate");
        page.table(
            &["delay", "dead", "p50: model", "measured [95 %]", "p95: model", "measured [95 %]", "longest"],
            &self.lags,
        );
        let plot = Plot {
            x: "part of certificates (delay 100 ms, all with all); lines: model, dots: measured",
            y: "seconds until a node has it",
            over: 0.0..1.0,
            range: 0.1..30.0,
            log: (false, true),
            series: self.series,
        };
        page.picture("finality", "Lag of certificates by dead members", plot.draw()?);
        page.heading("Certificates that wait for a timeout, in per cent, and mean seconds");
        page.table(&["delay", "dead", "k/7", "waited 3 s [95 %]", "mean: model", "mean [95 %]"], &self.waits);
        page.heading("Blocks between a node's tip and its final block");
        page.table(&["delay", "dead", "mean: by the lag", "mean [95 %]", "p50", "p95", "most"], &self.blocks);
        Ok(())
    }
}

fn merged(histograms: &[&Histogram]) -> Histogram {
    let mut all = Histogram::default();
    histograms.iter().for_each(|histogram| all.merge(histogram));
    all
}

/// Part of the values that are not below a bound.
fn part_from(histogram: &Histogram, least: u64) -> f64 {
    let above: u64 = histogram.iter().filter(|(value, _)| *value >= least).map(|(_, count)| count).sum();
    above as f64 / histogram.count().max(1) as f64
}

fn introduce(page: &mut Page, histories: usize, checkpoints: u64) {
    page.text(format!(
        "On a chain with members of finality, 2f + 1 of 3f + 1 sign each checkpoint: PBFT (Castro and Liskov 1999) with one more round, \
         whose signatures are the certificate. Of {MEMBERS} members two may be down. Then the leader's proposal, prepare, commit and finalize take a message delay \
         each, after the block itself has come. Member (c + v) mod {MEMBERS} leads view v of checkpoint c; if it is down, members wait 3 s, then \
         twice as long for the next view, and one delay more for the change of view. So of k dead members one is the first leader of k/{MEMBERS} of all \
         checkpoints."
    ));
    page.text(format!(
        "**What runs.** {MEMBERS} members and {MINERS} miners, whole engines, blocks {INTERVAL} s apart, a checkpoint every {EVERY} blocks, which must be \
         {DEPTH} deep. The dead are down for the whole run. Each row: {histories} histories of {checkpoints} checkpoints; intervals are Student's over \
         histories. The lag begins when the first node has a block {DEPTH} above the checkpoint (FIN-3), and ends for each node with the certificate. *Delay* is the \
         mean of a message between two nodes, half of it to one and a half by the pair."
    ));
    page.text(format!(
        "*Model*: no engines, but message delays on networks drawn in the same way. A message takes the shortest path, as nodes forward \
         votes; a member goes on with the {}th vote that reaches it, and processing takes no time. Networks with 3 links each are modelled \
         as those that the simulator draws: a ring, and links that each node dials.",
        2 * (MEMBERS - 1) / 3 + 1
    ));
}

fn explain(page: &mut Page) {
    page.text(
        "**Where they differ.** A node has one message of finality open with each peer at a time: a vote may wait for the response to the \
         message before, up to a round trip in each round. So a certificate takes longer than its message delays, \
         and the medians are expected to be 1 to 2.5 times the model's. Dead members cost little while another one leads: a quorum is then closer to all who are left, so that slower ones count. Where a message takes half a \
         second, a certificate takes more than the 3 s of the first wait without any dead member: whether it waited cannot be told from its lag, views end \
         before they can succeed, and members become patient by what that costs. The waits of dead leaders come on top, doubled.",
    );
    page.text(
        "**Neighbours.** If two dead members lead one after the other, the first one's checkpoint waits 3 s and 6 s. The members have \
         learned patience from that (the first wait doubles for each view that the checkpoint before needed, and halves with each checkpoint that \
         needed none): so the next checkpoint, whose leader is dead as well, waits 12 s in its first view. Of the 21 pairs \
         of members 7 are neighbours.",
    );
    page.text(
        "**Blocks.** The lag is short beside the 30 s between blocks: between tip and final block are the blocks of the depth, and half of those \
         between two checkpoints.",
    );
}
