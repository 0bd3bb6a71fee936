//! `cairn-miner bench`: how fast each kernel is on this machine, and whether all find the same.

use std::{
    collections::BTreeMap,
    hint::black_box,
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use chain_core::{U256, block::header::Header, hash::BlockHash};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    Hit, Job, Kernel, MAX_VERSIONS, Miner, Threads, VERSION_MASK, Work,
    kernel::{self, kernels},
};

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Samples of each kernel, taken in turn so that all suffer the same noise.
    pub samples: usize,
    /// Instead of measuring, compare all kernels over this many hashes.
    pub verify: Option<u64>,
    /// JSON instead of text.
    pub json: bool,
}

/// Duration of a sample, about: shorter than what the system gives a program at a time.
const SAMPLE: Duration = Duration::from_micros(500);

/// Duration of a sample of threads.
const THREADS_SAMPLE: Duration = Duration::from_millis(300);

/// Changes of work whose delay is measured.
const CHANGES: usize = 200;

/// One thing to measure.
struct Case {
    kernel: &'static str,
    versions: usize,
    /// Computes about this many hashes; returns how many.
    run: Box<dyn Fn(u64) -> u64>,
    hashes: u64,
    /// Seconds a hash.
    samples: Vec<f64>,
}

/// Measures or compares, and prints the result.
///
/// # Errors
/// A description: the kernels do not agree, or the output cannot be written.
pub fn run(options: &Options, output: &mut dyn Write) -> Result<(), String> {
    if let Some(hashes) = options.verify {
        return verify(hashes, options.json, output);
    }
    let report = measure(options.samples.max(1))?;
    let text = if options.json { format!("{report}\n") } else { text(&report) };
    output.write_all(text.as_bytes()).map_err(unwritable)
}

fn unwritable(error: io::Error) -> String {
    format!("cannot write to standard output: {error}")
}

fn cases() -> Vec<Case> {
    let case = |kernel, versions, run| Case { kernel, versions, run, hashes: 1_000, samples: Vec::new() };
    let mut cases = vec![case("sha2 twice", 1, Box::new(digest_twice) as Box<dyn Fn(u64) -> u64>)];
    for kernel in kernels() {
        let kernel: Arc<dyn Kernel> = kernel.into();
        for versions in [1, MAX_VERSIONS] {
            let (kernel, job) = (kernel.clone(), kernel::sample(versions));
            let name = kernel.name();
            let run = move |hashes: u64| {
                let count = (hashes / versions as u64).clamp(1, 1 << 31);
                kernel.scan(black_box(&job), 0, count as u32, &mut Vec::new()); // in 31 bits
                count * versions as u64
            };
            cases.push(case(name, versions, Box::new(run)));
        }
    }
    cases
}

/// What every header's hash is made with elsewhere: the yardstick.
fn digest_twice(hashes: u64) -> u64 {
    let header =
        Header { version: 1, prev: BlockHash([1; 32]), merkle_root: [2; 32], time: 3, bits: 0x1d00_ffff, nonce: 0 };
    let mut bytes = header.to_bytes();
    let mut found = 0_u64;
    for nonce in 0..hashes as u32 {
        bytes[76..].copy_from_slice(&nonce.to_le_bytes());
        found += u64::from(Sha256::digest(Sha256::digest(black_box(&bytes))).ends_with(&[0; 8]));
    }
    black_box(found);
    hashes
}

/// Nanoseconds of one cycle: a chain of multiplications and additions takes four each on this kind of CPU.
fn cycle() -> f64 {
    const STEPS: u32 = 200_000;
    let mut x = black_box(3_u64);
    let start = Instant::now();
    for _ in 0..STEPS {
        x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 1;
    }
    black_box(x);
    start.elapsed().as_nanos() as f64 / f64::from(STEPS) / 4.0
}

fn measure(samples: usize) -> Result<Value, String> {
    let cores = Threads::available_cores().unwrap_or_default();
    // The last core: interrupts tend to go to the first.
    let core = cores.last().copied();
    let pinned = core.is_some_and(|core| Threads::bind(&[core]).is_ok());
    let mut cases = cases();
    for case in &mut cases {
        let start = Instant::now();
        let done = (case.run)(case.hashes);
        let rate = done as f64 / start.elapsed().as_secs_f64().max(1e-9);
        case.hashes = (rate * SAMPLE.as_secs_f64()) as u64;
    }
    let mut cycles = Vec::new();
    for _ in 0..samples {
        cycles.push(cycle());
        for case in &mut cases {
            let start = Instant::now();
            let done = (case.run)(case.hashes);
            case.samples.push(start.elapsed().as_secs_f64() / done.max(1) as f64);
        }
    }
    let cycle = median(&mut cycles);
    let chosen = kernel::fastest().name();
    let rows: Vec<_> = cases.iter().map(|case| row(case, &cases[0].samples, cycle)).collect();
    // The threads below are not to share this one's core.
    if pinned {
        Threads::bind(&cores).map_err(|error| format!("cannot leave core {core:?}: {error}"))?;
    }
    Ok(json!({
        "cpu": cpu(), "core": core.filter(|_| pinned), "ghz": 1.0 / cycle, "samples": samples, "kernels": rows,
        "chosen": chosen, "threads": threads(&cores)?, "newWorkMicros": new_work(cores.len())?,
    }))
}

/// One line of the table. The ratio is the median of those to the yardstick's sample of the same round. That of the
/// fastest tenths leaves out what others on the same physical core slow down, which is not the same for all kernels.
fn row(case: &Case, naive: &[f64], cycle: f64) -> Value {
    let mut ratios: Vec<_> = case.samples.iter().zip(naive).map(|(sample, naive)| naive / sample).collect();
    let (mut samples, mut naive) = (case.samples.clone(), naive.to_vec());
    let (seconds, _) = (median(&mut samples), median(&mut naive));
    let tenth = |samples: &[f64]| samples[samples.len() / 10];
    let spread = (samples[samples.len() * 9 / 10] - tenth(&samples)) / seconds;
    json!({
        "kernel": case.kernel, "versions": case.versions, "hashrate": 1.0 / seconds, "cycles": seconds * 1e9 / cycle,
        "ratio": median(&mut ratios), "quietRatio": tenth(&naive) / tenth(&samples), "spread": spread,
    })
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// The model of the CPU, as Linux names it.
fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Work that nobody finishes, told apart by the last bytes of its header.
fn work(number: u32) -> Work {
    let header = Header {
        version: 0x2000_0000,
        prev: BlockHash([1; 32]),
        merkle_root: [2; 32],
        time: number,
        bits: 0x1d00_ffff,
        nonce: 0,
    };
    Work {
        id: number.to_string(),
        height: 0,
        header,
        target: U256::ZERO,
        coinbase: Vec::new(),
        extranonce: 0..0,
        merkle_branch: Vec::new(),
        version_mask: VERSION_MASK,
        time_slack: 0,
        max_solutions: 1,
    }
}

/// Hash rates of one thread and of one for each core, in turn.
fn threads(cores: &[usize]) -> Result<Value, String> {
    let rate = |count: usize| {
        let settings = Threads { cores: cores.to_vec(), low_priority: false, ..Threads::new(count) };
        let miner = Miner::start(settings, kernel::fastest(), |_| ()).map_err(|error| error.to_string())?;
        miner.set_work(work(0));
        thread::sleep(THREADS_SAMPLE / 4);
        let (start, before) = (Instant::now(), miner.hashes());
        thread::sleep(THREADS_SAMPLE);
        Ok::<_, String>((miner.hashes() - before) as f64 / start.elapsed().as_secs_f64())
    };
    let (mut one, mut all, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..9 {
        let rates = (rate(1)?, rate(cores.len().max(1))?);
        one.push(rates.0);
        all.push(rates.1);
        ratios.push(rates.1 / rates.0);
    }
    let best = ratios.iter().copied().fold(0.0, f64::max);
    Ok(json!({
        "count": cores.len(), "one": median(&mut one), "all": median(&mut all), "ratio": median(&mut ratios), "best": best,
    }))
}

/// When each thread first searched a job, by the job's number.
type Seen = BTreeMap<u32, Vec<(ThreadId, Instant)>>;

/// Notes when each thread first searches a job.
struct Probe {
    kernel: Box<dyn Kernel>,
    seen: Arc<Mutex<Seen>>,
    newest: Arc<AtomicU64>,
}

impl Kernel for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn scan(&self, job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
        let number = job.header(Hit { version: 0, nonce: 0 }).time;
        if self.newest.load(Ordering::Relaxed) == u64::from(number) {
            let (now, own) = (Instant::now(), thread::current().id());
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let threads = seen.entry(number).or_default();
            if threads.iter().all(|(thread, _)| *thread != own) {
                threads.push((own, now));
            }
        }
        self.kernel.scan(job, first, count, hits);
    }
}

/// Microseconds from new work to the last thread that searches it: median, and of nine in ten changes.
fn new_work(count: usize) -> Result<Value, String> {
    let (seen, newest) = (Arc::new(Mutex::new(BTreeMap::new())), Arc::new(AtomicU64::new(0)));
    let probe = Probe { kernel: kernel::fastest(), seen: seen.clone(), newest: newest.clone() };
    let settings = Threads { low_priority: false, ..Threads::new(count.max(1)) };
    let miner = Miner::start(settings, Box::new(probe), |_| ()).map_err(|error| error.to_string())?;
    miner.set_work(work(0));
    thread::sleep(Duration::from_millis(50));
    let mut delays = Vec::new();
    for number in (1_u32..).take(CHANGES) {
        newest.store(number.into(), Ordering::Relaxed);
        let start = Instant::now();
        miner.set_work(work(number));
        thread::sleep(Duration::from_millis(10));
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = seen.get(&number).filter(|threads| threads.len() == count.max(1)) {
            let last = threads.iter().map(|(_, at)| at.duration_since(start)).max().unwrap_or_default();
            delays.push(last.as_secs_f64() * 1e6);
        }
    }
    let missed = CHANGES - delays.len();
    if delays.is_empty() {
        return Err(format!("no thread of {count} took new work within 10 ms"));
    }
    let middle = median(&mut delays);
    Ok(json!({ "median": middle, "nineInTen": delays[delays.len() * 9 / 10], "beyond10ms": missed }))
}

fn text(report: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let mut lines = vec![
        format!(
            "{}, one core at {:.2} GHz, medians of {} samples in turn",
            report["cpu"].as_str().unwrap_or("unknown CPU"),
            number(&report["ghz"]),
            report["samples"]
        ),
        format!(
            "{:10} {:>8} {:>12} {:>8} {:>7} {:>7}  spread",
            "kernel", "versions", "rate", "cycles", "ratio", "quiet"
        ),
    ];
    for row in report["kernels"].as_array().into_iter().flatten() {
        lines.push(format!(
            "{:10} {:>8} {:>7.2} MH/s {:>8.1} {:>7.2} {:>7.2}  {:.0} %",
            row["kernel"].as_str().unwrap_or_default(),
            row["versions"],
            number(&row["hashrate"]) / 1e6,
            number(&row["cycles"]),
            number(&row["ratio"]),
            number(&row["quietRatio"]),
            number(&row["spread"]) * 100.0,
        ));
    }
    let (threads, delay) = (&report["threads"], &report["newWorkMicros"]);
    lines.push(format!("chosen: {}", report["chosen"].as_str().unwrap_or_default()));
    lines.push(format!(
        "{} threads: {:.2} MH/s, {:.2} x one (at most {:.2})",
        threads["count"],
        number(&threads["all"]) / 1e6,
        number(&threads["ratio"]),
        number(&threads["best"]),
    ));
    lines.push(format!(
        "new work to the last thread: median {:.0} us, nine in ten {:.0} us, {} of {CHANGES} beyond 10 ms",
        number(&delay["median"]),
        number(&delay["nineInTen"]),
        delay["beyond10ms"],
    ));
    lines.join("\n") + "\n"
}

/// Nonces of one comparison: with 64 versions a million hashes.
const STRIDE: u32 = 1 << 14;

/// Compares what all kernels find, over this many hashes of each, half of them with one version and half with 64.
fn verify(hashes: u64, json: bool, output: &mut dyn Write) -> Result<(), String> {
    let kernels = kernels();
    let start = Instant::now();
    let (mut done, mut found, mut number) = (0_u64, 0_u64, 0_u32);
    while done < hashes {
        // All bytes of the header differ from time to time, as if by chance.
        let mut bytes = [0; Header::SIZE];
        for (at, chunk) in bytes.chunks_mut(32).enumerate() {
            let digest = Sha256::digest([number.to_le_bytes(), (at as u32).to_le_bytes()].concat());
            chunk.copy_from_slice(&digest[..chunk.len()]);
        }
        let header = Header::from_bytes(&bytes);
        let versions = if number.is_multiple_of(2) { MAX_VERSIONS } else { 1 };
        let all = (0..).map(|bits| header.version ^ bits << 5).take(versions).collect();
        // A hit in each 2^12: enough to see any difference.
        let job = Job::new(&header, all, &(U256::MAX >> 12));
        let count = STRIDE * (MAX_VERSIONS / versions) as u32;
        let first = header.nonce.min(u32::MAX - count);
        let mut expected: Option<Vec<Hit>> = None;
        for kernel in &kernels {
            let mut hits = Vec::new();
            kernel.scan(&job, first, count, &mut hits);
            hits.sort_unstable();
            match &expected {
                None => expected = Some(hits),
                Some(expected) if *expected == hits => {}
                Some(expected) => {
                    let (got, wanted, name) = (hits.len(), expected.len(), kernel.name());
                    return Err(format!("{name} finds {got} hashes, portable {wanted}, header {}", hex::encode(bytes)));
                }
            }
        }
        found += expected.map_or(0, |hits| hits.len() as u64);
        done += u64::from(count) * versions as u64;
        number += 1;
    }
    let names: Vec<_> = kernels.iter().map(|kernel| kernel.name()).collect();
    let seconds = start.elapsed().as_secs();
    let line = if json {
        json!({ "kernels": names, "hashes": done, "hits": found, "seconds": seconds }).to_string()
    } else {
        format!("{} agree over {done} hashes, {found} hits, in {seconds} s", names.join(", "))
    };
    writeln!(output, "{line}").map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(options: &Options) -> String {
        let mut output = Vec::new();
        run(options, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn compares_all_kernels() {
        let options = Options { samples: 1, verify: Some(3_000_000), json: true };
        let report: Value = serde_json::from_str(&printed(&options)).unwrap();
        assert_eq!((&report["hashes"], &report["kernels"][0]), (&json!(3 << 20), &json!("portable")));
        assert!(report["hits"].as_u64().unwrap() > 600);
        let text = printed(&Options { json: false, ..options });
        assert!(text.starts_with("portable, ") && text.contains(" agree over 3145728 hashes, "), "{text}");
    }

    #[test]
    fn a_line_has_medians_and_the_ratio_of_each_round() {
        let case = Case { kernel: "k", versions: 1, run: Box::new(|_| 1), hashes: 1, samples: vec![1e-7, 2e-7, 4e-7] };
        let line = row(&case, &[4e-7, 4e-7, 4e-7], 0.5);
        assert_eq!((&line["ratio"], &line["hashrate"]), (&json!(2.0), &json!(5e6)));
        assert_eq!(line["quietRatio"].as_f64().map(f64::round), Some(4.0));
        assert_eq!(line["cycles"].as_f64().map(f64::round), Some(400.0));
    }
}
