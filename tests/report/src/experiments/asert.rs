//! Difficulty under hash rates that change: growth, steps, peaks, noise.

use cairn_sim::{Plan, Random, Rules, World};

use super::play;
use crate::{
    estimate::{Confidence, Estimate},
    jobs::Setting,
    models::{blocks_after_step, rate_under_growth},
    page::Page,
    plot::{Plot, Series},
};

/// The numbers of the public chain: seconds between blocks, blocks of a half-life.
const INTERVAL: u32 = 30;
const HALF_LIFE: u32 = 288;

/// 128 hashes at first, so that the hash rate may fall to a fiftieth.
const BITS: u32 = 0x2001_ffff;

/// Standard deviation of the logarithm of a noisy hash rate, and intervals for which it stays.
const NOISE: f64 = 0.5;
const NOISE_STEP: f64 = 20.0;

/// Peaks: how high, how long, how often, in intervals.
const PEAK: (f64, f64, f64) = (10.0, 20.0, 720.0);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Course {
    Constant,
    /// Doubles in so many intervals.
    Growth(f64),
    Step(f64),
    Peaks,
    Noise,
}

impl Course {
    const ALL: [Self; 7] = [
        Self::Constant,
        Self::Growth(2_880.0),
        Self::Growth(720.0),
        Self::Step(10.0),
        Self::Step(0.1),
        Self::Peaks,
        Self::Noise,
    ];

    fn name(self) -> String {
        match self {
            Self::Constant => "constant".into(),
            Self::Growth(doubling) => format!("doubles every {:.0} h", doubling * f64::from(INTERVAL) / 3_600.0),
            Self::Step(times) if times > 1.0 => format!("jumps to {times:.0} times"),
            Self::Step(times) => format!("falls to 1/{:.0}", 1.0 / times),
            Self::Peaks => format!("{:.0} times for {:.0} of {:.0} intervals", PEAK.0, PEAK.1, PEAK.2),
            Self::Noise => format!("log-normal, sigma {NOISE}, every {NOISE_STEP:.0} intervals"),
        }
    }

    /// Durations in intervals, and the hash rate against the start.
    fn segments(self, length: f64, random: &mut Random) -> Vec<(f64, f64)> {
        match self {
            Self::Constant => vec![(length, 1.0)],
            Self::Step(times) => vec![(length, times)],
            Self::Growth(doubling) => {
                let steps = (length / NOISE_STEP) as u32;
                (0..steps)
                    .map(|step| (NOISE_STEP, 2_f64.powf((f64::from(step) + 0.5) * NOISE_STEP / doubling)))
                    .collect()
            }
            Self::Peaks => {
                let cycles = (length / PEAK.2) as u32;
                (0..cycles).flat_map(|_| [(PEAK.1, PEAK.0), (PEAK.2 - PEAK.1, 1.0)]).collect()
            }
            Self::Noise => {
                let steps = (length / NOISE_STEP) as u32;
                // The mean is 1.
                let mut draw = || (random.normal() * NOISE - NOISE * NOISE / 2.0).exp();
                (0..steps).map(|_| (NOISE_STEP, draw())).collect()
            }
        }
    }
}

/// How many blocks there are after so many intervals.
type Curve = Vec<(f64, f64)>;

#[derive(Clone, Copy, Debug)]
struct Cell {
    course: Course,
    length: f64,
    seed: u64,
}

fn segments(cell: &Cell) -> Vec<(f64, f64)> {
    cell.course.segments(cell.length, &mut Random::new(cell.seed).fork(1))
}

/// Samples every 12 intervals, and at the end of each segment.
const SAMPLE: f64 = 12.0;

fn measure(cell: &Cell) -> Result<Curve, String> {
    let rules = Rules { interval: INTERVAL, half_life: Some(HALF_LIFE), bits: BITS, ..Rules::default() };
    let mut world = World::new(Plan::quiet(cell.seed, rules, vec![1.0, 0.0], 0), false);
    let (mut at, mut curve) = (0.0, vec![(0.0, 0.0)]);
    // The miner starts, and the nodes connect.
    play(&mut world, 1)?;
    for (duration, rate) in segments(cell) {
        world.set_hash_rate(rate);
        let mut left = duration;
        while left > 0.0 {
            let step = f64::min(left, SAMPLE);
            play(&mut world, (step * f64::from(INTERVAL) * 1_000.0) as u64)?;
            (at, left) = (at + step, left - step);
            let engine = world.engine(1).ok_or("a node has ended")?;
            curve.push((at, f64::from(engine.store().tip().height)));
        }
    }
    Ok(curve)
}

/// The same by the differential equation.
fn model(cell: &Cell) -> Curve {
    let k = std::f64::consts::LN_2 / f64::from(HALF_LIFE);
    let (mut at, mut blocks, mut rate, mut pace) = (0.0, 0.0, 1.0, 1.0);
    let mut curve = vec![(0.0, 0.0)];
    for (duration, next) in segments(cell) {
        pace *= next / rate;
        rate = next;
        let mut left = duration;
        while left > 0.0 {
            let step = f64::min(left, SAMPLE);
            blocks += blocks_after_step(pace, f64::from(HALF_LIFE), step);
            pace = 1.0 / (1.0 + (1.0 / pace - 1.0) * (-k * step).exp());
            (at, left) = (at + step, left - step);
            curve.push((at, blocks));
        }
    }
    curve
}

fn value(curve: &Curve, at: f64) -> f64 {
    curve.iter().find(|(time, _)| *time >= at - 1e-6).or(curve.last()).map_or(0.0, |(_, blocks)| *blocks)
}

/// Something that is compared.
struct Row {
    what: String,
    model: f64,
    values: Vec<f64>,
    digits: usize,
}

/// Runs it.
///
/// # Errors
/// An invariant that broke.
pub fn run(setting: &Setting) -> Result<Page, String> {
    let histories = setting.pick(12, 6);
    let length = |course| match course {
        Course::Peaks => setting.pick(2_160.0, 720.0),
        _ => setting.pick(1_728.0, 432.0),
    };
    let courses =
        if setting.quick { vec![Course::Constant, Course::Step(10.0), Course::Peaks] } else { Course::ALL.to_vec() };
    let cells: Vec<Cell> = courses
        .iter()
        .enumerate()
        .flat_map(|(row, course)| (0..histories).map(move |history| (row, *course, history)))
        .map(|(row, course, history)| Cell { course, length: length(course), seed: setting.seed(5, row, history) })
        .collect();
    let measured = setting.run("difficulty", &cells, measure)?;
    let mut page = Page::new("asert", "Difficulty (ASERT) under a changing hash rate");
    introduce(&mut page, histories);
    let (mut table, mut series) = (Vec::new(), Vec::new());
    for (cells, curves) in cells.chunks(histories).zip(measured.chunks(histories)) {
        for row in rows(cells, curves) {
            let shown = Estimate::of_mean(&row.values, Confidence::Shown);
            let checked = Estimate::of_mean(&row.values, Confidence::Checked);
            let name = cells[0].course.name();
            page.check(format!("{name}, {}: {shown} holds {:.3}", row.what, row.model), checked.holds(row.model));
            table.push(vec![
                name,
                row.what,
                format!("{:.*}", row.digits, row.model),
                shown.show(row.digits),
                if shown.holds(row.model) { "" } else { "outside" }.into(),
            ]);
        }
        series.push(curve(&cells[0], curves));
    }
    page.heading("Measured");
    page.table(&["hash rate", "what", "model", "measured [95 %]", ""], &table);
    let plot = Plot {
        x: "intervals; lines: model, dots: measured with 95 % intervals",
        y: "blocks ahead of schedule",
        over: 0.0..2_160.0,
        range: -1_000.0..1_700.0,
        log: (false, false),
        series: series.into_iter().filter(|series: &Series| !series.curve.is_empty()).collect(),
    };
    page.picture("asert", "Blocks ahead of schedule over time", plot.draw()?);
    explain(&mut page);
    Ok(page)
}

/// From where on the past is forgotten but for an eighth.
fn late(cell: &Cell) -> f64 {
    f64::min(3.0 * f64::from(HALF_LIFE), cell.length / 2.0)
}

/// The mean square of blocks ahead of schedule, measured late.
fn square(cell: &Cell, curve: &Curve) -> f64 {
    let late = late(cell);
    let samples: Vec<f64> =
        curve.iter().filter(|(at, _)| *at >= late).map(|(at, blocks)| (blocks - at).powi(2)).collect();
    samples.iter().sum::<f64>() / samples.len() as f64
}

/// The same of an Ornstein-Uhlenbeck process that begins on schedule, with so much more noise than chance makes.
fn wander(cell: &Cell, expected: &Curve, extra: f64) -> f64 {
    let (late, half_life, ln_2) = (late(cell), f64::from(HALF_LIFE), std::f64::consts::LN_2);
    let forget = |at: f64| 1.0 - (-2.0 * ln_2 * at / half_life).exp();
    let times: Vec<f64> = expected.iter().map(|(at, _)| *at).filter(|at| *at >= late).collect();
    let grown = times.iter().map(|at| forget(*at)).sum::<f64>() / times.len() as f64;
    (half_life / (2.0 * ln_2) * (1.0 + extra)) * grown
}

/// Blocks per hash of those who come for the peaks, against those who stay.
fn gain(cell: &Cell, curve: &Curve) -> f64 {
    let cycles = (cell.length / PEAK.2) as u32;
    let starts = (0..cycles).map(|cycle| f64::from(cycle) * PEAK.2);
    let in_peaks: f64 = starts.map(|start| value(curve, start + PEAK.1) - value(curve, start)).sum();
    let visitors = in_peaks * (1.0 - 1.0 / PEAK.0);
    let hashes = f64::from(cycles) * PEAK.1 * (PEAK.0 - 1.0);
    visitors / hashes * cell.length / (value(curve, cell.length) - visitors)
}

fn rows(cells: &[Cell], curves: &[Curve]) -> Vec<Row> {
    let (cell, half_life, seconds) = (&cells[0], f64::from(HALF_LIFE), f64::from(INTERVAL));
    let (expected, late) = (model(cell), late(cell));
    // Both the model and what was measured are curves.
    let row = |what: String, digits: usize, get: &dyn Fn(&Curve) -> f64| Row {
        what,
        model: get(&expected),
        values: curves.iter().map(get).collect(),
        digits,
    };
    let squares = |extra: f64| Row {
        model: wander(cell, &expected, extra),
        ..row("mean square of blocks ahead".into(), 0, &|curve| square(cell, curve))
    };
    let interval =
        |from: f64, curve: &Curve| seconds * (cell.length - from) / (value(curve, cell.length) - value(curve, from));
    match cell.course {
        Course::Constant => {
            vec![row("mean interval, s".into(), 2, &|curve| interval(0.0, curve)), squares(0.0)]
        }
        Course::Noise => vec![squares(((NOISE * NOISE).exp() - 1.0) * NOISE_STEP)],
        Course::Growth(doubling) => {
            let limit = seconds / rate_under_growth(half_life, doubling);
            vec![row(format!("mean interval late, s (limit {limit:.2})"), 2, &|curve| interval(late, curve))]
        }
        Course::Step(_) => [0.25, 1.0, 3.0, 6.0]
            .into_iter()
            .map(|count| count * half_life)
            .filter(|at| *at <= cell.length)
            .map(|at| row(format!("blocks in {:.1} h", at * seconds / 3_600.0), 0, &|curve| value(curve, at)))
            .collect(),
        Course::Peaks => vec![
            row("blocks ahead at the end".into(), 1, &|curve| value(curve, cell.length) - cell.length),
            row("blocks per hash of visitors, against those who stay".into(), 3, &|curve| gain(cell, curve)),
        ],
    }
}

fn curve(cell: &Cell, curves: &[Curve]) -> Series {
    if matches!(cell.course, Course::Noise | Course::Constant) {
        return Series::default();
    }
    let thin = model(cell).into_iter().step_by(3).map(|(at, blocks)| (at, blocks - at)).collect();
    let times = (1..=10).map(|step| cell.length * f64::from(step) / 10.0);
    let points = times.map(|at| {
        let values: Vec<f64> = curves.iter().map(|curve| value(curve, at) - at).collect();
        (at, Estimate::of_mean(&values, Confidence::Shown))
    });
    Series { name: cell.course.name(), curve: thin, points: points.collect() }
}

fn introduce(page: &mut Page, histories: usize) {
    page.text(format!(
        "The target doubles with each half-life ({HALF_LIFE} blocks) that the chain is behind its schedule of one \
         block every {INTERVAL} s. As a differential equation, blocks come at a pace y (1: on schedule) with y' = (ln \
         2 / half-life) y (1 - y): logistic growth, solved in closed form for a hash rate that is constant for a \
         while.",
    ));
    page.text(format!(
        "**What runs.** A miner's engine and another node, the numbers of the chain `main` but for a first block of \
         128 hashes; header times are whole seconds. Each row: {histories} histories; intervals are Student's over \
         histories.",
    ));
}

fn explain(page: &mut Page) {
    page.text(
        "**What is seen.** Growth leaves the chain ahead for good: with a doubling every d intervals the pace is 1 + \
         half-life / d. A step costs log2 of its size in half-lives of blocks, and pace is back within a tenth after \
         some 3.3 half-lives (8 hours) for a factor of 10. Miners who come for short peaks alone get no more \
         blocks for each hash than those who stay, since difficulty rises from the first block of a peak: no gain \
         from hopping, unlike under a moving average, which answers late. The chain wanders around its schedule as an \
         Ornstein-Uhlenbeck process: by chance alone with a standard deviation of sqrt(half-life / (2 ln 2)) = 14.4 \
         blocks, that is 3.5 % of difficulty.",
    );
    page.text(
        "**Where they differ.** The equation is the limit of many blocks. Its noise is added as linear, so for large \
         noise (sigma 0.5) it is an approximation.",
    );
}
