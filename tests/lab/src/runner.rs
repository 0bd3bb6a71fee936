//! One run of an instance in virtual time, decided by a seed. Counts messages and message delays.

use crate::{
    chart::{Chart, Row, What},
    instance::{Instance, Record, View},
    network::{Crash, DELTA, Model},
    process::{Id, Outputs, Process},
    queue::Queue,
    random::Random,
};
use std::collections::BTreeMap;

type MessageOf<I> = <<I as Instance>::Process as Process>::Message;
type TimerOf<I> = <<I as Instance>::Process as Process>::Timer;
type EventOf<I> = <<I as Instance>::Process as Process>::Event;

/// What a traitor sends instead of a message that its code wants sent: nothing, another, several.
pub type Strategy<M> = Box<dyn FnMut(Id, &M) -> Vec<M>>;

/// The circumstances of a run.
pub struct Setting<M> {
    /// What is promised of delays.
    pub model: Model,
    /// What else is left to chance is drawn from this.
    pub seed: u64,
    /// Who crashes.
    pub crashes: Vec<Crash>,
    /// Byzantine processes and what they do to their messages.
    pub traitors: BTreeMap<Id, Strategy<M>>,
    /// After how many ticks the run ends.
    pub until: u64,
    /// Whether messages between two processes arrive in the order in which they were sent.
    pub fifo: bool,
    /// Whether a chart is drawn.
    pub draws: bool,
}

impl<M> Setting<M> {
    /// Without faults.
    pub fn new(model: Model, seed: u64) -> Self {
        Self {
            model,
            seed,
            crashes: Vec::new(),
            traitors: BTreeMap::new(),
            until: 1_000 * DELTA,
            fifo: false,
            draws: false,
        }
    }

    /// With channels that are first in, first out.
    pub fn in_order(mut self) -> Self {
        self.fifo = true;
        self
    }

    /// With a chart.
    pub fn drawn(mut self) -> Self {
        self.draws = true;
        self
    }

    /// With some processes that crash at a random time.
    pub fn crash(mut self, count: usize, among: usize) -> Self {
        let mut random = Random::new(self.seed).fork(1);
        let mut all: Vec<Id> = crate::process::everyone(among).collect();
        random.shuffle(&mut all);
        let crash = |who| Crash { who, at: random.below(12 * DELTA), sends: random.index(among + 1) };
        self.crashes = all.into_iter().take(count).map(crash).collect();
        self
    }
}

/// Something that a process showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown<E> {
    /// Who.
    pub who: Id,
    /// When, in ticks.
    pub at: u64,
    /// The longest chain of messages that led to it: its message delays.
    pub delays: u32,
    /// What.
    pub event: E,
}

/// What happened in a run.
pub struct Run<I: Instance> {
    /// The processes at the end.
    pub processes: Vec<I::Process>,
    /// Which crashed, as bits.
    pub crashed: u32,
    /// Messages between different processes.
    pub messages: u64,
    /// All events in order.
    pub shown: Vec<Shown<EventOf<I>>>,
    /// When the instance was done, if it ever was.
    pub done: Option<u64>,
    /// What was wrong.
    pub violation: Option<String>,
    /// The run.
    pub chart: Chart,
}

impl<I: Instance> Run<I> {
    /// Whether the run ended well.
    pub fn is_good(&self) -> bool {
        self.violation.is_none() && self.done.is_some()
    }

    /// The most message delays of any event.
    pub fn delays(&self) -> u32 {
        self.shown.iter().map(|shown| shown.delays).max().unwrap_or(0)
    }
}

enum Due<I: Instance> {
    Start(Id),
    Message { from: Id, to: Id, message: MessageOf<I>, delays: u32, row: usize },
    Timer { who: Id, timer: TimerOf<I>, number: u64 },
}

struct World<'a, I: Instance> {
    instance: &'a I,
    setting: Setting<MessageOf<I>>,
    random: Random,
    queue: Queue<Due<I>>,
    history: I::History,
    delays: Vec<u32>,
    timers: BTreeMap<(Id, TimerOf<I>), u64>,
    planned: u64,
    /// When the last message between two processes arrives.
    latest: BTreeMap<(Id, Id), u64>,
    run: Run<I>,
}

/// Runs an instance.
pub fn run<I: Instance>(instance: &I, setting: Setting<MessageOf<I>>) -> Run<I> {
    let processes = instance.processes();
    let count = processes.len();
    let names = crate::process::everyone(count).map(|id| instance.name(id)).collect();
    let chart = Chart { names, rows: Vec::new() };
    let (shown, messages, crashed, done, violation) = (Vec::new(), 0, 0, None, None);
    let mut world = World {
        instance,
        random: Random::new(setting.seed),
        setting,
        queue: Queue::default(),
        history: I::History::default(),
        delays: vec![0; count],
        timers: BTreeMap::new(),
        planned: 0,
        latest: BTreeMap::new(),
        run: Run { processes, crashed, messages, shown, done, violation, chart },
    };
    for id in crate::process::everyone(count) {
        world.queue.plan(0, Due::Start(id));
    }
    while let Some((now, due)) = world.queue.take() {
        if now > world.setting.until || world.run.violation.is_some() {
            break;
        }
        world.happen(now, due);
    }
    world.run
}

impl<I: Instance> World<'_, I> {
    fn happen(&mut self, now: u64, due: Due<I>) {
        let who = match &due {
            Due::Start(who) | Due::Timer { who, .. } => *who,
            Due::Message { to, .. } => *to,
        };
        if self.run.crashed >> who & 1 == 1 {
            return;
        }
        let mut out = Outputs::default();
        match due {
            Due::Start(_) => self.run.processes[usize::from(who)].on_start(&mut out),
            Due::Message { from, to, message, delays, row } => {
                let deepest = &mut self.delays[usize::from(to)];
                *deepest = (*deepest).max(delays);
                let what = What::Arrives { from, to, sent: Some(row).filter(|&row| row != usize::MAX) };
                self.note(now, what, || format!("{message:?}"));
                self.run.processes[usize::from(to)].on_message(from, message, &mut out);
            }
            Due::Timer { timer, number, .. } => {
                if self.timers.get(&(who, timer)) != Some(&number) {
                    return;
                }
                self.timers.remove(&(who, timer));
                self.note(now, What::Timer(who), || format!("timer {timer:?}"));
                self.run.processes[usize::from(who)].on_timer(timer, &mut out);
            }
        }
        let shows = !out.events.is_empty();
        let crash = self.setting.crashes.iter().find(|crash| crash.who == who && crash.at <= now).copied();
        self.carry_out(who, now, out, crash);
        self.judge(now, shows);
    }

    fn carry_out(&mut self, who: Id, now: u64, mut out: Outputs<I::Process>, crash: Option<Crash>) {
        for event in out.events {
            self.history.record(who, &event);
            self.note(now, What::Event(who), || format!("{event:?}"));
            self.run.shown.push(Shown { who, at: now, delays: self.delays[usize::from(who)], event });
        }
        if let Some(crash) = crash {
            out.sends.truncate(crash.sends);
            self.run.crashed |= 1 << who;
            self.note(now, What::Crash(who), || "crash".to_owned());
        }
        for (to, message) in out.sends {
            let messages = match self.setting.traitors.get_mut(&who) {
                Some(strategy) => strategy(to, &message),
                None => vec![message],
            };
            messages.into_iter().for_each(|message| self.send(who, to, message, now));
        }
        for (timer, delay) in out.timers {
            self.planned += 1;
            self.timers.remove(&(who, timer));
            if let Some(delay) = delay {
                // Just after what was sent at the same time has arrived.
                self.timers.insert((who, timer), self.planned);
                self.queue.plan(now + delay * (DELTA + 1), Due::Timer { who, timer, number: self.planned });
            }
        }
    }

    /// A message to oneself takes no time and counts for nothing.
    fn send(&mut self, from: Id, to: Id, message: MessageOf<I>, now: u64) {
        let (at, step) = if from == to { (now, 0) } else { (self.setting.model.arrival(now, &mut self.random), 1) };
        let latest = self.latest.entry((from, to)).or_default();
        let at = if self.setting.fifo { at.max(*latest) } else { at };
        *latest = at;
        self.run.messages += u64::from(step);
        let delays = self.delays[usize::from(from)] + step;
        let row = self.run.chart.rows.len().wrapping_sub(1);
        self.queue.plan(at, Due::Message { from, to, message, delays, row });
    }

    fn judge(&mut self, now: u64, shows: bool) {
        let view = View { processes: self.run.processes.iter().collect(), crashed: self.run.crashed };
        let of_history = || if shows { self.instance.violation_of(&self.history) } else { None };
        let violation = self.instance.violation(&view).or_else(of_history);
        if self.run.done.is_none() && self.instance.done(&view) {
            self.run.done = Some(now);
        }
        if let Some(what) = violation {
            self.note(now, What::Verdict, || what.clone());
            self.run.violation = Some(what);
        }
    }

    fn note(&mut self, at: u64, what: What, label: impl FnOnce() -> String) {
        if self.setting.draws {
            self.run.chart.rows.push(Row { at, what, label: label() });
        }
    }
}
