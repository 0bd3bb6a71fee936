//! Attackers that say too much.

use cairn_lab::random::Random;
use cairn_node::{
    engine::{PeerAction, PeerEvent, PeerId},
    wire::{BLOCKS, CompactBlock, HEADERS, Request, Response, ShortId, Status},
};
use chain_core::{
    Bytes, U256,
    block::header::Header,
    hash::{BlockHash, TxId},
    headers::HeaderContext,
};

use super::Strategy;
use crate::{chain::Chain, world::Context};

/// Claims to have the best chain by far, answers with headers that cost next to nothing or with none, and gossips blocks on parents
/// that nobody knows.
pub(super) struct HeaderFlood;

impl HeaderFlood {
    fn boast(context: &mut Context<'_>, status: Status) -> Status {
        let best = BlockHash(context.random().bytes());
        let work = U256::from(1_u64) << (40 + context.random().index(200));
        Status { best, height: 1_000_000, work, ..status }
    }
}

/// Headers on the genesis block, as easy as the rules allow: so far apart in time that difficulty falls, up to now.
fn cheap_headers(chain: &Chain, now: u64, random: &mut Random) -> Vec<Header> {
    let mut context = HeaderContext::genesis(&chain.spec, &chain.genesis.header);
    let mut headers = Vec::new();
    let pace = random.between(15, 60) as u32;
    while let Some(time) = context.time.checked_add(pace).filter(|time| u64::from(*time) < now + 60) {
        let bits = context.next_bits(&chain.spec);
        let mut header = Header { version: 1, prev: context.hash, merkle_root: random.bytes(), time, bits, nonce: 0 };
        chain.solve_header(&mut header);
        let Ok(child) = context.child(&chain.spec, &header, now) else { break };
        context = child;
        headers.push(header);
    }
    headers
}

impl Strategy for HeaderFlood {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        match event {
            PeerEvent::Request(id, Request::Status(status)) => {
                let boast = Self::boast(context, status);
                context.respond(peer, id, Response::Status(boast));
                None
            }
            PeerEvent::Request(id, Request::Headers { .. }) => {
                let (chain, now) = (context.chain(), context.clock().seconds());
                // None at all, although it claims to have more: the question was for nothing.
                if context.random().chance(0.3) {
                    context.respond(peer, id, Response::Headers(Vec::new()));
                    return None;
                }
                let headers = cheap_headers(&chain, now, context.random());
                context.log(|| format!("answers with {} cheap headers", headers.len()));
                context.respond(peer, id, Response::Headers(headers));
                None
            }
            event => Some(event),
        }
    }

    fn act(&mut self, context: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        match action {
            PeerAction::Request(peer, id, Request::Status(status)) => {
                let boast = Self::boast(context, status);
                Some(PeerAction::Request(peer, id, Request::Status(boast)))
            }
            action => Some(action),
        }
    }

    fn timer(&mut self, context: &mut Context<'_>) {
        let chain = context.chain();
        let time = u32::try_from(context.clock().seconds()).unwrap_or(u32::MAX);
        for peer in context.peers() {
            let random = context.random();
            let prev = BlockHash(random.bytes());
            let bits = chain.spec.pow_limit_bits;
            let mut header = Header { version: 1, prev, merkle_root: random.bytes(), time, bits, nonce: 0 };
            chain.solve_header(&mut header);
            let ids =
                (0..random.below(50)).map(|_| random.bytes()).map(|bytes| ShortId(std::array::from_fn(|at| bytes[at])));
            let short_ids = ids.collect();
            context.gossip(peer, &CompactBlock { header, coinbase: Bytes::from_static(&[0; 70]), short_ids });
        }
        let pause = context.random().between(1_000, 10_000);
        context.wake_after(pause);
    }
}

/// Announces transactions that do not exist, and asks expensive questions, as often as it can.
pub(super) struct Announcer;

impl Strategy for Announcer {
    fn timer(&mut self, context: &mut Context<'_>) {
        for peer in context.peers() {
            let random = context.random();
            let count = if random.chance(0.05) { 1_024 } else { random.below(64) };
            let request = match random.below(8) {
                0 => Request::Pool { salt: random.word() },
                _ => Request::Announce((0..count).map(|_| TxId(random.bytes())).collect()),
            };
            context.ask(peer, request);
        }
        let pause = context.random().between(200, 4_000);
        context.wake_after(pause);
    }
}

/// Milliseconds for which an asker asks, and most in which it then lies low.
const ASKING: u64 = 15_000;
const RESTING: u64 = 200_000;

/// Asks questions whose answers touch much, about as fast as the budget of one peer recovers, for some seconds.
#[derive(Default)]
pub(super) struct Asker {
    until: u64,
}

/// Something that is expensive to answer, of what the asker's own node knows.
fn expensive(context: &mut Context<'_>) -> Option<Request> {
    let what = context.random().below(4);
    let salt = context.random().word();
    let engine = context.engine()?;
    let tip = engine.store().tip();
    let mut hashes = Vec::new();
    for height in (1..=tip.height).rev().take(BLOCKS) {
        hashes.extend(engine.store().at_height(height).ok()?.map(|at| at.hash));
    }
    Some(match what {
        // HEADERS is far below 65,536.
        0 => Request::Headers { locator: vec![context.chain().hash], most: HEADERS as u16 },
        1 => Request::Blocks(hashes),
        2 => Request::BlockTransactions { block: *hashes.first()?, positions: vec![0] },
        _ => Request::ShortTransactions { salt, ids: vec![ShortId([7; 6]); 200] },
    })
}

impl Strategy for Asker {
    fn timer(&mut self, context: &mut Context<'_>) {
        let now = context.now();
        if now >= self.until {
            let rest = context.random().between(1_000, RESTING);
            self.until = now + rest + ASKING;
            return context.wake_after(rest);
        }
        if let Some(request) = expensive(context) {
            context.peers().into_iter().for_each(|peer| context.ask(peer, request.clone()));
        }
        let pause = context.random().between(10, 30);
        context.wake_after(pause);
    }
}
