//! An instance as a model of stateright. It shares no code with the explorer: a state is kept as it is, not as numbers,
//! and stateright does the search. So equal counts say that neither loses a state or takes two for one.

use cairn_lab::{
    explorer::{Limits, Order, Timing},
    instance::{Instance, Record, View},
    process::{Id, Outputs, Process},
};
use stateright::{Model, Property};
use std::collections::{BTreeMap, BTreeSet};

/// An instance with its limits, but for torn crashes and progress, which stateright is not asked for.
pub struct Checked<I> {
    pub instance: I,
    pub limits: Limits,
}

/// All processes and the network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State<P: Process, H> {
    processes: Vec<P>,
    timers: Vec<BTreeSet<P::Timer>>,
    /// Messages by receiver and sender: in order of sending, or sorted where they arrive in any order.
    flight: BTreeMap<(Id, Id), Vec<P::Message>>,
    history: H,
    crashed: u32,
    losses: u8,
    duplicates: u8,
    crashes: u8,
}

/// What happens next. Messages are told by receiver, sender and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<T> {
    Deliver(Id, Id, usize),
    Repeat(Id, Id, usize),
    Lose(Id, Id, usize),
    Fire(Id, T),
    Round,
    Crash(Id),
}

type StateOf<I> = State<<I as Instance>::Process, <I as Instance>::History>;
type TimerOf<I> = <<I as Instance>::Process as Process>::Timer;

impl<P: Process, H> State<P, H> {
    fn view(&self) -> View<'_, P> {
        View { processes: self.processes.iter().collect(), crashed: self.crashed }
    }

    fn alive(&self) -> impl Iterator<Item = Id> + use<P, H> {
        let (crashed, count) = (self.crashed, self.processes.len() as Id);
        (0..count).filter(move |id| crashed >> id & 1 == 0)
    }

    fn take(&mut self, to: Id, from: Id, place: usize) -> P::Message {
        let channel = self.flight.get_mut(&(to, from)).expect("a message was sent");
        let message = channel.remove(place);
        if channel.is_empty() {
            self.flight.remove(&(to, from));
        }
        message
    }
}

impl<I: Instance> Checked<I> {
    /// Lets one process act, and carries out its outputs. Returns whether it sent or showed anything.
    fn act(
        &self,
        state: &mut StateOf<I>,
        who: Id,
        handler: impl FnOnce(&mut I::Process, &mut Outputs<I::Process>),
    ) -> bool {
        let mut out = Outputs::default();
        handler(&mut state.processes[usize::from(who)], &mut out);
        let acted = !out.sends.is_empty() || !out.events.is_empty();
        out.events.iter().for_each(|event| state.history.record(who, event));
        for (timer, delay) in out.timers {
            let timers = &mut state.timers[usize::from(who)];
            _ = if delay.is_some() { timers.insert(timer) } else { timers.remove(&timer) };
        }
        for (to, message) in out.sends.into_iter().filter(|&(to, _)| state.crashed >> to & 1 == 0) {
            let channel = state.flight.entry((to, who)).or_default();
            if self.limits.endless_duplicates && channel.contains(&message) {
                continue;
            }
            channel.push(message);
            if self.limits.order == Order::Any {
                channel.sort_unstable();
            }
        }
        acted
    }

    /// Hands over a message. Returns whether that changed anything.
    fn deliver(&self, state: &mut StateOf<I>, to: Id, from: Id, message: &<I::Process as Process>::Message) -> bool {
        let local =
            |state: &StateOf<I>| (state.processes[usize::from(to)].clone(), state.timers[usize::from(to)].clone());
        let before = local(state);
        let acted = self.act(state, to, |process, out| process.on_message(from, message.clone(), out));
        acted || before != local(state)
    }
}

impl<I: Instance> Model for Checked<I> {
    type State = StateOf<I>;
    type Action = Action<TimerOf<I>>;

    fn init_states(&self) -> Vec<Self::State> {
        let processes = self.instance.processes();
        let count = processes.len();
        let Limits { losses, duplicates, crashes, .. } = self.limits;
        let (timers, flight) = (vec![BTreeSet::new(); count], BTreeMap::new());
        let history = I::History::default();
        let mut state = State { processes, timers, flight, history, crashed: 0, losses, duplicates, crashes };
        state.alive().for_each(|id| _ = self.act(&mut state, id, |process, out| process.on_start(out)));
        vec![state]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
        for (&(to, from), channel) in &state.flight {
            let places = if self.limits.order == Order::Fifo { 1 } else { channel.len() };
            // Of equal messages one is enough.
            for place in (0..places).filter(|&place| place == 0 || channel[place] != channel[place - 1]) {
                if !self.limits.endless_duplicates {
                    actions.push(Action::Deliver(to, from, place));
                }
                if self.limits.endless_duplicates || state.duplicates > 0 {
                    actions.push(Action::Repeat(to, from, place));
                }
                if state.losses > 0 {
                    actions.push(Action::Lose(to, from, place));
                }
            }
        }
        match self.limits.timing {
            Timing::Synchronous if state.flight.is_empty() => actions.push(Action::Round),
            Timing::Synchronous => {}
            Timing::Asynchronous => {
                let timers = |id| state.timers[usize::from(id)].iter().map(move |&timer| Action::Fire(id, timer));
                actions.extend(state.alive().flat_map(timers));
            }
        }
        if state.crashes > 0 {
            let may_crash = |id: &Id| {
                self.limits.may_crash >> id & 1 == 1 && self.instance.may_crash(&state.processes[usize::from(*id)])
            };
            actions.extend(state.alive().filter(may_crash).map(Action::Crash));
        }
    }

    fn next_state(&self, last: &Self::State, action: Self::Action) -> Option<Self::State> {
        let mut state = last.clone();
        match action {
            Action::Deliver(to, from, place) => {
                let message = state.take(to, from, place);
                let changes = self.deliver(&mut state, to, from, &message);
                // In order, or where messages hold up a round, one that changes nothing is out of the way.
                let counts = self.limits.order == Order::Fifo || self.limits.timing == Timing::Synchronous;
                (changes || counts).then_some(state)
            }
            Action::Repeat(to, from, place) => {
                let message = last.flight[&(to, from)][place].clone();
                state.duplicates -= u8::from(!self.limits.endless_duplicates);
                self.deliver(&mut state, to, from, &message).then_some(state)
            }
            Action::Lose(to, from, place) => {
                state.take(to, from, place);
                state.losses -= 1;
                Some(state)
            }
            Action::Fire(who, timer) => {
                state.timers[usize::from(who)].remove(&timer);
                self.act(&mut state, who, |process, out| process.on_timer(timer, out));
                (state != *last).then_some(state)
            }
            Action::Round => {
                for who in last.alive() {
                    if let Some(timer) = state.timers[usize::from(who)].pop_first() {
                        self.act(&mut state, who, |process, out| process.on_timer(timer, out));
                    }
                }
                (state != *last).then_some(state)
            }
            Action::Crash(who) => {
                state.crashed |= 1 << who;
                state.crashes -= 1;
                state.flight.retain(|&(to, _), _| to != who);
                Some(state)
            }
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("claims", |checked: &Self, state: &Self::State| {
            let of_history = checked.instance.violation_of(&state.history);
            of_history.is_none() && checked.instance.violation(&state.view()).is_none()
        })]
    }
}
