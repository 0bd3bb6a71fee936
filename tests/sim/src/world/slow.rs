//! A slow processor: each event takes time by the work that it causes. What the engine wants done is late by that time, and the
//! next event waits.

use cairn_node::engine::{Action, Event, NodeEvent, PeerEvent};

use super::{Happening, World};
use crate::plan::Slow;

/// Units of a transaction that is verified.
const TRANSACTION: u64 = 6;

/// Blocks that are executed between two events at most: a node stops after as much gas as a full one has.
const AT_ONCE: u64 = 2;

impl World {
    fn slow(&self, node: usize) -> Option<Slow> {
        self.plan.slow.filter(|slow| slow.node == node)
    }

    /// Whether a node's processor has something else to do now.
    pub(super) fn is_busy(&self, node: usize) -> bool {
        let backlog = &self.nodes[node].backlog;
        self.slow(node).is_some() && (backlog.until > self.now || !backlog.events.is_empty())
    }

    /// An event waits until the processor has done what came before.
    pub(super) fn postpone(&mut self, node: usize, event: Event) {
        let backlog = &mut self.nodes[node].backlog;
        let again = |event: &Event| matches!(event, Event::Tick | Event::Continue);
        let waits = |other: &Event| std::mem::discriminant(other) == std::mem::discriminant(&event);
        if again(&event) && backlog.events.iter().any(waits) {
            return;
        }
        backlog.events.push_back(event);
        self.stats.most.backlog = self.stats.most.backlog.max(backlog.events.len());
        self.plan_work(node);
    }

    fn plan_work(&mut self, node: usize) {
        let (now, start) = (self.now, self.nodes[node].starts);
        let backlog = &mut self.nodes[node].backlog;
        if !backlog.events.is_empty() && !std::mem::replace(&mut backlog.planned, true) {
            self.queue.plan(backlog.until.max(now + 1), Happening::Work { node, start });
        }
    }

    /// A slow processor comes to the next event.
    pub(super) fn work(&mut self, node: usize, start: u64) {
        if self.nodes[node].starts != start {
            return;
        }
        let backlog = &mut self.nodes[node].backlog;
        backlog.planned = false;
        let Some(event) = backlog.events.pop_front() else { return };
        self.handle_at_once(node, event);
        self.plan_work(node);
    }

    /// Peers that are gone, which a slow processor has not noticed yet.
    pub(super) fn unnoticed(&self, node: usize) -> usize {
        let is_gone = |event: &&Event| matches!(event, Event::Peer(_, PeerEvent::Disconnected));
        self.nodes[node].backlog.events.iter().filter(is_gone).count()
    }

    /// Units of work that peers caused until now, where the time that it takes matters.
    pub(super) fn units(&self, node: usize) -> u64 {
        let engine = self.slow(node).and(self.nodes[node].engine.as_ref());
        engine.map_or(0, |engine| engine.peer_work().map(|(_, work)| work.units()).sum())
    }

    /// An event was handled: it took so long.
    pub(super) fn spend(&mut self, node: usize, before: u64, actions: &[Action]) {
        let Some(slow) = self.slow(node) else { return };
        let (mut blocks, mut units) = (0, self.units(node).saturating_sub(before));
        for action in actions {
            match action {
                Action::Publish(NodeEvent::NewTip { disconnected, connected, .. }) => {
                    blocks += (disconnected.len() + connected.len()) as u64;
                }
                Action::Publish(NodeEvent::TransactionAdded(_)) => units += TRANSACTION,
                _ => {}
            }
        }
        let milliseconds = units * slow.unit / 1_000 + blocks.min(AT_ONCE) * slow.block;
        let backlog = &mut self.nodes[node].backlog;
        backlog.until = backlog.until.max(self.now) + milliseconds;
    }
}
