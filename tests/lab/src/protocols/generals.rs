//! The Byzantine generals (Lamport, Shostak and Pease, 1982): oral messages, OM(f), and signed ones, SM(f).
//!
//! General 0 commands: attack (1) or retreat (0). All loyal generals are to obey the same order (agreement), and if the
//! commander is loyal, its order (validity). The network is synchronous: a round's messages arrive before its end.
//!
//! **OM(f)**, with oral messages, which say only who sent them last:
//! 1. The commander sends its order to all lieutenants.
//! 2. In each of f more rounds, a lieutenant sends on what it received in the round before, with the names of those that
//!    handed it on, to all that are not among them.
//! 3. At the end, what a general was told over a path of names is the majority of what it was told over the paths that go
//!    one name further. Without a majority, or without a message, it retreats.
//!
//! It needs 3f+1 generals: of three, a loyal lieutenant that is told "attack" by one and "he said retreat" by the other
//! cannot know which of them lies.
//!
//! **SM(f)**, with signatures, which a traitor cannot forge:
//! 1. The commander signs its order and sends it to all lieutenants.
//! 2. Upon receiving in round r an order that it did not have, with r different signatures, the first the commander's, a
//!    lieutenant adds its own and sends it on to all that have not signed, until round f+1.
//! 3. At the end it obeys if it has one order; otherwise it retreats.
//!
//! Any number of traitors are found out, since the commander cannot sign two orders without both coming to all. It takes
//! f+1 rounds: in the last of fewer, traitors show an order to some alone.

use crate::{
    instance::{Instance, View},
    process::{Id, Outputs, Process},
};
use std::collections::{BTreeMap, BTreeSet};

/// An order: 1 is attack.
pub type Order = u8;

/// An order and those that handed it on, the commander first. With signatures they are the signers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    /// The order.
    pub order: Order,
    /// The names.
    pub path: Vec<Id>,
}

/// The end of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Round;

/// A general that follows the protocol. Traitors are made of it by changing what it sends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct General {
    me: Id,
    rules: Generals,
    round: u8,
    /// The commander's own order, and what others said by path.
    told: BTreeMap<Vec<Id>, Order>,
    /// The orders that were signed, and with which signatures each came first.
    orders: BTreeMap<Order, Vec<Id>>,
    obeys: Option<Order>,
}

impl General {
    fn hand_on(&self, order: Order, mut path: Vec<Id>, out: &mut Outputs<Self>) {
        path.push(self.me);
        let to = (0..self.rules.generals).filter(|id| !path.contains(id)).collect::<Vec<_>>();
        out.send_all(to, &Message { order, path });
    }

    /// Step 3 of OM: what came over a path is the majority of what came over the longer ones.
    fn value(&self, path: &[Id]) -> Order {
        let own = self.told.get(path).copied().unwrap_or(0);
        if path.len() > usize::from(self.rules.traitors) {
            return own;
        }
        let further = (0..self.rules.generals).filter(|id| *id != self.me && !path.contains(id));
        let votes: Vec<Order> = further.map(|id| self.value(&[path, &[id]].concat())).chain([own]).collect();
        let attack = votes.iter().filter(|&&vote| vote == 1).count();
        Order::from(attack * 2 > votes.len())
    }
}

impl Process for General {
    type Message = Message;
    type Timer = Round;
    type Event = Order;

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        out.set_timer(Round, 1);
        if self.me == 0 {
            self.obeys = Some(self.rules.order);
            self.hand_on(self.rules.order, Vec::new(), out);
        }
    }

    fn on_message(&mut self, from: Id, Message { order, path }: Message, _out: &mut Outputs<Self>) {
        let is_in_time = path.len() == usize::from(self.round) && path.len() <= usize::from(self.rules.rounds);
        let names: BTreeSet<Id> = path.iter().copied().collect();
        let is_genuine = path.first() == Some(&0) && path.last() == Some(&from) && names.len() == path.len();
        if self.me == 0 || !is_in_time || !is_genuine || names.contains(&self.me) {
            return;
        }
        if self.rules.signed {
            self.orders.entry(order).or_insert(path);
        } else {
            self.told.entry(path).or_insert(order);
        }
    }

    fn on_timer(&mut self, Round: Round, out: &mut Outputs<Self>) {
        if self.round == self.rules.rounds {
            let signed = if self.orders.len() == 1 { self.orders.keys().next().copied() } else { None };
            let order = if self.rules.signed { signed.unwrap_or(0) } else { self.value(&[0]) };
            let order = *self.obeys.get_or_insert(order);
            return out.emit(order);
        }
        let told = self.told.iter().map(|(path, &order)| (order, path));
        let received = told.chain(self.orders.iter().map(|(&order, path)| (order, path)));
        for (order, path) in received.filter(|(_, path)| path.len() == usize::from(self.round)) {
            self.hand_on(order, path.clone(), out);
        }
        self.round += 1;
        out.set_timer(Round, 1);
    }
}

/// Generals, some of whom are traitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Generals {
    /// How many, the commander included.
    pub generals: u8,
    /// f: how many traitors the protocol is run for.
    pub traitors: u8,
    /// How many rounds: f+1, or the protocol is broken.
    pub rounds: u8,
    /// Whether messages are signed.
    pub signed: bool,
    /// The commander's order.
    pub order: Order,
    /// Who is a traitor, as bits.
    pub disloyal: u32,
}

impl Instance for Generals {
    type Process = General;
    type History = ();

    fn processes(&self) -> Vec<General> {
        let general = |me| {
            let (told, orders) = (BTreeMap::new(), BTreeMap::new());
            General { me, rules: *self, round: 1, told, orders, obeys: None }
        };
        (0..self.generals).map(general).collect()
    }

    fn violation(&self, view: &View<'_, General>) -> Option<String> {
        let loyal = |id: &Id| self.disloyal >> id & 1 == 0;
        let obeyed = (0..).zip(&view.processes).filter(|(id, _)| loyal(id)).filter_map(|(_, general)| general.obeys);
        let mut obeyed = obeyed.collect::<Vec<_>>();
        obeyed.dedup();
        match obeyed[..] {
            [first, second, ..] => Some(format!("agreement: loyal generals obey {first} and {second}")),
            _ => None,
        }
    }

    fn done(&self, view: &View<'_, General>) -> bool {
        view.processes.iter().all(|general| general.obeys.is_some())
    }

    fn name(&self, id: Id) -> String {
        let name = if id == 0 { "general".to_owned() } else { format!("l{id}") };
        if self.disloyal >> id & 1 == 1 { name + "!" } else { name }
    }
}
