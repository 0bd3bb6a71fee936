//! One run of an instance in virtual time, decided by a seed. Counts messages and message delays.

use crate::{
    chart::{Chart, Row, What},
    instance::{Instance, Record, View},
    network::Partition,
    process::{Id, Outputs, Process},
    queue::Queue,
    random::Random,
    setting::{Crash, DELTA, Setting},
};
use std::collections::BTreeMap;

type MessageOf<I> = <<I as Instance>::Process as Process>::Message;
type TimerOf<I> = <<I as Instance>::Process as Process>::Timer;
type EventOf<I> = <<I as Instance>::Process as Process>::Event;

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
        if from == to {
            return self.plan(from, to, message, now, 0);
        }
        self.run.messages += 1;
        for copy in 0..2 {
            if copy == 0 || self.random.chance(self.setting.faults.duplication) {
                self.pass(from, to, message.clone(), now);
            }
        }
    }

    /// A message or its duplicate arrives as the network's model has it, or not at all.
    fn pass(&mut self, from: Id, to: Id, message: MessageOf<I>, now: u64) {
        let network = self.setting.network;
        let latency = network.latency.draw(1.0, &mut self.random);
        let fate = self.setting.faults.fate(&mut self.random);
        let apart = |(partition, heals): &(Partition, u64)| {
            now < *heals && !partition.joins(usize::from(from), usize::from(to))
        };
        if fate.lost || self.setting.partition.as_ref().is_some_and(apart) {
            return self.note(now, What::Lost { from, to }, || format!("{message:?}"));
        }
        let mut at = now + network.model.delay(now, latency, fate.held);
        let latest = self.latest.entry((from, to)).or_default();
        if !fate.overtakes {
            at = at.max(*latest);
        }
        *latest = at.max(*latest);
        self.plan(from, to, message, at, 1);
    }

    fn plan(&mut self, from: Id, to: Id, message: MessageOf<I>, at: u64, step: u32) {
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
