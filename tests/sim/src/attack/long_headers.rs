//! Serves chains of headers that take more than one response: of little work, with a broken rule behind the first 2,000, or
//! another one the second time.

use cairn_lab::random::Random;
use cairn_node::{
    engine::{PeerAction, PeerEvent, PeerId},
    wire::{HEADERS, Request, Response, Status},
};
use chain_core::{U256, block::header::Header, hash::BlockHash, headers::HeaderContext};
use std::collections::{BTreeMap, BTreeSet};

use super::Strategy;
use crate::{chain::Chain, past::LONG, world::Context};

/// Headers of a chain: more than one response holds, but so many fewer than the honest chain has that the first one may be as late
/// as makes difficulty fall to the least.
const LENGTH: (u64, u64) = (HEADERS as u64 + 10, LONG as u64 - 200);

/// Questions that one chain is good for.
const USES: u32 = 6;

/// What a chain is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// It keeps all rules and is worth little.
    #[default]
    Cheap,
    /// One of its last headers breaks a rule.
    Broken,
    /// Honest headers come first; when they are asked for again, cheap ones.
    Other,
}

/// An attacker with long chains of headers.
#[derive(Default)]
pub(super) struct LongHeaders {
    form: Form,
    headers: Vec<Header>,
    places: BTreeMap<BlockHash, usize>,
    uses: u32,
    /// Peers that got honest headers from the first block on.
    answered: BTreeSet<PeerId>,
}

/// A chain on the genesis block that costs little, of more headers than one response holds.
fn cheap_chain(chain: &Chain, now: u64, breaks: bool, random: &mut Random) -> Vec<Header> {
    let mut context = HeaderContext::genesis(&chain.spec, &chain.genesis.header);
    let length = random.between(LENGTH.0, LENGTH.1) as usize;
    let age = u32::try_from(now.saturating_sub(u64::from(context.time))).unwrap_or(u32::MAX);
    let pace = chain.rules.interval;
    let late = age.saturating_sub(pace * length as u32);
    let bad = breaks.then(|| random.between(HEADERS as u64, length as u64 - 1) as usize);
    let mut headers = Vec::with_capacity(length);
    while headers.len() < length {
        let wait = if headers.is_empty() { late } else { pace };
        let (time, bits) = (context.time + wait, context.next_bits(&chain.spec));
        let mut header = Header { version: 1, prev: context.hash, merkle_root: random.bytes(), time, bits, nonce: 0 };
        chain.solve_header(&mut header);
        if Some(headers.len()) == bad {
            break_rule(chain, &mut header, context.time, random);
            headers.push(header);
            break;
        }
        let Ok(child) = context.child(&chain.spec, &header, now) else { break };
        context = child;
        headers.push(header);
    }
    headers
}

/// Makes a header break a rule.
fn break_rule(chain: &Chain, header: &mut Header, parent: u32, random: &mut Random) {
    match random.below(3) {
        0 => header.time = parent - 5_000,
        1 => header.bits = chain.spec.genesis_bits - 1,
        _ => return chain.unsolve_header(header),
    }
    chain.solve_header(header);
}

impl LongHeaders {
    fn renew(&mut self, context: &mut Context<'_>) {
        if self.uses > 0 && !self.headers.is_empty() {
            return;
        }
        let (chain, now) = (context.chain(), context.clock().seconds());
        self.form = *context.random().pick(&[Form::Cheap, Form::Broken, Form::Other]);
        self.headers = cheap_chain(&chain, now, self.form == Form::Broken, context.random());
        context.note_headers(self.headers.len());
        self.places = self.headers.iter().enumerate().map(|(place, header)| (header.hash(), place)).collect();
        self.uses = USES;
        context.log(|| format!("has {} headers, {:?}", self.headers.len(), self.form));
    }

    /// Says that its chain is the best by far.
    fn boast(&mut self, context: &mut Context<'_>, status: Status) -> Status {
        self.renew(context);
        let best = self.headers.last().map_or(status.best, Header::hash);
        let work = status.work.saturating_mul(U256::from(2));
        Status { best, height: self.headers.len() as u32, work, ..status }
    }

    /// What follows a locator on its chain.
    fn after(&self, locator: &[BlockHash]) -> Vec<Header> {
        let start = locator.iter().find_map(|hash| self.places.get(hash)).map_or(0, |place| place + 1);
        self.headers[start..].iter().take(HEADERS).copied().collect()
    }
}

impl Strategy for LongHeaders {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        match event {
            PeerEvent::Request(id, Request::Status(status)) => {
                let boast = self.boast(context, status);
                context.respond(peer, id, Response::Status(boast));
                None
            }
            PeerEvent::Request(id, Request::Headers { locator, most }) => {
                self.renew(context);
                let goes_on = locator.iter().any(|hash| self.places.contains_key(hash));
                if self.form == Form::Other && !goes_on && self.answered.insert(peer) {
                    return Some(PeerEvent::Request(id, Request::Headers { locator, most }));
                }
                let headers = self.after(&locator);
                self.uses -= u32::from(!goes_on).min(self.uses);
                context.log(|| format!("answers peer {} with {} headers", peer.0, headers.len()));
                context.respond(peer, id, Response::Headers(headers));
                None
            }
            event => Some(event),
        }
    }

    fn act(&mut self, context: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        match action {
            PeerAction::Request(peer, id, Request::Status(status)) => {
                let boast = self.boast(context, status);
                Some(PeerAction::Request(peer, id, Request::Status(boast)))
            }
            action => Some(action),
        }
    }
}
