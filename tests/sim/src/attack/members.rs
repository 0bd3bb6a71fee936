//! Members of finality that break its rules.

use cairn_node::{
    engine::{PeerAction, PeerEvent, PeerId},
    wire::{Request, Response},
};
use chain_core::{
    finality::{Certificate, Electorate, Evidence, Statement, Vote},
    hash::BlockHash,
    units::Height,
};
use std::collections::BTreeSet;

use super::Strategy;
use crate::world::Context;

/// Remembered answers; more are forgotten.
const MOST: usize = 4_096;

/// Votes for whatever anybody else votes for, on both sides of a fork, and calls it final at once.
#[derive(Default)]
pub(super) struct TwoFaced {
    answered: BTreeSet<(PeerId, Height, u64, BlockHash)>,
}

impl TwoFaced {
    /// Says yes to a peer's vote.
    fn agree(&mut self, context: &mut Context<'_>, peer: PeerId, vote: &Vote) {
        let (height, view) = (vote.height, vote.statement.view());
        let Some(hash) = vote.statement.hash() else { return };
        if self.answered.len() > MOST {
            self.answered.clear();
        }
        if !self.answered.insert((peer, height, view, hash)) {
            return;
        }
        let (chain, Some(member)) = (context.chain(), context.member()) else { return };
        let Some(rules) = chain.spec.finality.clone() else { return };
        let electorate = Electorate { genesis: chain.hash, rules };
        let key = &chain.members[usize::from(member)];
        let says = [Statement::Prepare { view, hash }, Statement::Commit { view, hash }, Statement::Finalize { hash }];
        let votes = says.map(|statement| Vote::sign(&electorate, height, statement, member, key.pair())).to_vec();
        context.ask(peer, Request::Finality { newest: 0, certificate: None, votes, evidence: Vec::new() });
    }
}

impl Strategy for TwoFaced {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        if let PeerEvent::Request(_, Request::Finality { votes, .. }) = &event {
            let own = context.member();
            votes
                .iter()
                .filter(|vote| Some(vote.signed.member) != own)
                .for_each(|vote| self.agree(context, peer, vote));
        }
        Some(event)
    }
}

/// Votes, but tells nobody.
pub(super) struct Secretive;

impl Strategy for Secretive {
    fn act(&mut self, _: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        Some(match action {
            PeerAction::Request(peer, id, Request::Finality { newest, .. }) => {
                let nothing = Request::Finality { newest, certificate: None, votes: Vec::new(), evidence: Vec::new() };
                PeerAction::Request(peer, id, nothing)
            }
            other => other,
        })
    }
}

/// Milliseconds between two lies, at least and at most.
const LIES: (u64, u64) = (2_000, 30_000);

/// Signs in others' names: accuses honest members of two votes that they never gave, and says that made-up blocks of later
/// checkpoints are final. Whoever is told hangs up, for the signatures are wrong; it comes again.
pub(super) struct FalseWitness;

impl FalseWitness {
    fn lie(context: &mut Context<'_>) -> Option<Request> {
        let (chain, own) = (context.chain(), context.member()?);
        let rules = chain.spec.finality.clone()?;
        let members = u8::try_from(rules.members.len()).ok()?;
        let (interval, quorum) = (rules.interval, usize::from(members) - rules.members.len() / 3);
        let tip = context.engine()?.store().tip().height;
        let electorate = Electorate { genesis: chain.hash, rules };
        let random = context.random();
        let height = (tip / interval + 1 + random.below(4) as Height) * interval;
        let (hash, other) = (BlockHash(random.bytes()), BlockHash(random.bytes()));
        let accused = (own + 1 + random.below(u64::from(members) - 1) as u8) % members;
        let key = chain.members[usize::from(own)].pair();
        let forge = |member, hash| Vote::sign(&electorate, height, Statement::Finalize { hash }, member, key);
        if random.chance(0.5) {
            let evidence = Evidence::of(&forge(accused, hash), &forge(accused, other)).into_iter().collect();
            return Some(Request::Finality { newest: 0, certificate: None, votes: Vec::new(), evidence });
        }
        let signatures = (0..members).take(quorum).map(|member| forge(member, hash).signed).collect();
        let certificate = Some(Certificate { height, hash, signatures });
        Some(Request::Finality { newest: height, certificate, votes: Vec::new(), evidence: Vec::new() })
    }
}

impl Strategy for FalseWitness {
    fn timer(&mut self, context: &mut Context<'_>) {
        let peers = context.peers();
        if let Some(lie) = Self::lie(context).filter(|_| !peers.is_empty()) {
            let peer = *context.random().pick(&peers);
            context.log(|| format!("lies to peer {peer:?} about finality"));
            context.ask(peer, lie);
        }
        let pause = context.random().between(LIES.0, LIES.1);
        context.wake_after(pause);
    }
}

/// Keeps certificates and votes from the own engine, which then follows work alone.
#[derive(Default)]
pub(super) struct Deaf {
    /// The highest block that others were heard to call final.
    newest: (Height, BlockHash),
}

impl Deaf {
    /// Swallows what says that a block is final, and remembers it.
    pub(super) fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        match event {
            PeerEvent::Request(id, Request::Finality { certificate, .. }) => {
                certificate.iter().for_each(|certificate| self.hear(certificate));
                context.respond(peer, id, Response::Ack);
                None
            }
            PeerEvent::Response(id, Ok(Response::Certificate(certificate))) => {
                self.hear(&certificate);
                Some(PeerEvent::Response(id, Ok(Response::Ack)))
            }
            other => Some(other),
        }
    }

    fn hear(&mut self, certificate: &Certificate) {
        if certificate.height > self.newest.0 {
            self.newest = (certificate.height, certificate.hash);
        }
    }

    /// The highest block that others were heard to call final, if there is one.
    pub(super) fn newest(&self) -> Option<(Height, BlockHash)> {
        Some(self.newest).filter(|(height, _)| *height > 0)
    }
}

/// Has most of the hash rate, follows no certificate, and mines on its own chain alone, for everybody to see.
#[derive(Default)]
pub(super) struct Majority(Deaf);

impl Strategy for Majority {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        self.0.receive(context, peer, event)
    }
}
