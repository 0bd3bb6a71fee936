//! The search itself.

use super::{
    intern::digest,
    limits::Limits,
    seen::{Level, Seen},
    state::{Action, HISTORY},
    step::Stepper,
    symmetry::{Canon, Symmetry},
    trace::chart,
};
use crate::{chart::Chart, instance::Instance};
use std::time::Instant;

/// What a search found.
#[derive(Clone, Debug)]
pub struct Explored {
    /// How many different states there are.
    pub states: usize,
    /// How many steps lead from one to another.
    pub steps: u64,
    /// After how many steps the last new state was found.
    pub depth: u32,
    /// How long it took on its core.
    pub seconds: f64,
    /// The result.
    pub verdict: Verdict,
}

/// The result of a search.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Every state was seen and none is wrong.
    Holds,
    /// A claim is violated; the chart is a shortest way there.
    Violated {
        /// What is wrong.
        what: String,
        /// A shortest way there.
        chart: Chart,
    },
    /// A state was found from which the instance cannot get done any more.
    Blocked {
        /// A shortest way there.
        chart: Chart,
    },
    /// The bound on states or steps was reached before the end; what was seen is right.
    Bounded,
}

impl Explored {
    /// Whether every state was seen and none is wrong.
    pub fn holds(&self) -> bool {
        matches!(self.verdict, Verdict::Holds)
    }

    /// What is wrong and a shortest way there, if something is.
    pub fn counter_example(&self) -> Option<(&str, &Chart)> {
        match &self.verdict {
            Verdict::Violated { what, chart } => Some((what, chart)),
            Verdict::Blocked { chart } => Some(("blocked: no way leads on to the end", chart)),
            Verdict::Holds | Verdict::Bounded => None,
        }
    }
}

/// Time on the core where the system tells it, so that other programs do not slow the search; else of the wall.
struct Clock(Instant, Option<f64>);

impl Clock {
    fn start() -> Self {
        Self(Instant::now(), on_core())
    }

    fn seconds(&self) -> f64 {
        self.1.zip(on_core()).map_or_else(|| self.0.elapsed().as_secs_f64(), |(start, end)| end - start)
    }
}

/// The first number is nanoseconds.
fn on_core() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

/// Searches all that can happen.
pub fn explore<I: Instance>(instance: &I, limits: Limits) -> Explored {
    search(instance, limits, None)
}

/// As [`explore`], but states that a symmetry maps onto each other are one. A counter-example is searched again without,
/// so that its chart has the processes' own names.
pub fn explore_symmetric<I: Instance<History = ()>>(
    instance: &I,
    limits: Limits,
    symmetry: &Symmetry<I::Process>,
) -> Explored {
    let found = search(instance, limits, Some(symmetry));
    match &found.verdict {
        Verdict::Holds | Verdict::Bounded => found,
        Verdict::Violated { .. } | Verdict::Blocked { .. } => {
            let verdict = search(instance, limits, None).verdict;
            Explored { verdict, ..found }
        }
    }
}

fn search<I: Instance>(instance: &I, limits: Limits, symmetry: Option<&Symmetry<I::Process>>) -> Explored {
    let started = Clock::start();
    let mut stepper = Stepper::new(instance, limits);
    let mut seen = Seen::new(limits.progress);
    let first = stepper.initial();
    let mut canon = symmetry.map(|symmetry| Canon::new(symmetry, stepper.count));
    let mut checked = Vec::new();
    let (mut level, mut following, mut steps, mut depth) = (Level::default(), Level::default(), 0, 0);
    seen.add(digest(&first), 0, Action::Crash(0));
    seen.edges.clear();
    level.push(&first);
    let mut found = judge(&stepper, &first, &mut checked, &mut seen).map(|what| (0, what));
    let (mut next, mut begin) = (Vec::new(), 0_u32);
    while found.is_none() && !level.ends.is_empty() && depth < limits.depth && seen.len() < limits.states {
        following.clear();
        for index in 0..level.ends.len() {
            let from = begin + index as u32;
            stepper.successors(level.get(index), &mut next, |stepper, action, state| {
                steps += 1;
                let state = canon.as_mut().map_or(state, |canon| canon.least(stepper, state));
                if found.is_none() && seen.add(digest(state), from, action) {
                    following.push(state);
                    found = judge(stepper, state, &mut checked, &mut seen).map(|what| (seen.len() as u32 - 1, what));
                }
            });
            if found.is_some() || seen.len() >= limits.states {
                break;
            }
        }
        begin += level.ends.len() as u32;
        std::mem::swap(&mut level, &mut following);
        depth += u32::from(!level.ends.is_empty());
    }
    let bounded = !level.ends.is_empty();
    let renamed = symmetry.is_some();
    let verdict = match found {
        Some((state, what)) => {
            let chart = chart(&mut stepper, &seen.path(state), &what, renamed);
            Verdict::Violated { what, chart }
        }
        None if bounded => Verdict::Bounded,
        None if limits.progress => seen.blocked().map_or(Verdict::Holds, |state| {
            let chart = chart(&mut stepper, &seen.path(state), "no way leads on to the end", renamed);
            Verdict::Blocked { chart }
        }),
        None => Verdict::Holds,
    };
    Explored { states: seen.len(), steps, depth, seconds: started.seconds(), verdict }
}

/// What is wrong with the newest state, if anything.
fn judge<I: Instance>(
    stepper: &Stepper<'_, I>,
    state: &[u32],
    checked: &mut Vec<bool>,
    seen: &mut Seen,
) -> Option<String> {
    let view = stepper.view(state);
    if seen.numbers.is_some() && stepper.instance.done(&view) {
        seen.done.push(seen.origins.len() as u32 - 1);
    }
    let history = state[HISTORY] as usize;
    if checked.len() <= history {
        checked.resize(history + 1, false);
    }
    if !std::mem::replace(&mut checked[history], true)
        && let Some(what) = stepper.instance.violation_of(stepper.histories.value(state[HISTORY]))
    {
        return Some(what);
    }
    stepper.instance.violation(&view)
}
