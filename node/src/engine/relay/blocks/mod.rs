//! Blocks between peers: gossip and compact forms of new ones, download of those that are missing.
//!
//! Only what is whole is forwarded: a form is judged once the whole block is here, from whichever peer (see [`forms`]).

mod budget;
mod compact;
mod download;
mod forms;
mod goal;
mod gossip;
mod keepers;
mod repair;
mod source;

pub(super) use compact::PARTIALS;
pub(crate) use compact::compact;
pub(super) use download::WINDOW;
pub(super) use forms::FORMS;
pub(super) use gossip::HELD;
pub(super) use source::PER_PEER;

use chain_core::{
    Bytes,
    block::{Block, check::HashedBlock, header::Header},
    codec,
    error::RuleError,
    hash::BlockHash,
    headers::{HeaderContext, Status},
    units::Height,
};

use self::{
    compact::{Partials, Rebuilt, bytes, check_form, rebuild},
    download::Download,
    forms::{Form, Forms, Noted, digest},
    gossip::{Gossip, HeldForm, PATIENCE, Seen, look_at},
    keepers::Keepers,
    repair::Repair,
    source::PAUSE,
};
use super::{context::Context, headers::Headers, peers::Peers, usage::PeerUsage};
use crate::{
    engine::{Chain, Fatal, GossipId, Offence, Outbox, PeerAction, PeerId, Time, Verdict, chain::Stored},
    wire::{Body, CompactBlock},
};

/// Blocks that the best header may be ahead before the node counts as syncing.
const BEHIND: Height = 8;

/// Milliseconds without a block after which the node no longer counts as syncing.
const IDLE: u64 = 10_000;

/// All about peers' blocks.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    gossip: Gossip,
    forms: Forms,
    partials: Partials,
    pub(super) download: Download,
    repair: Repair,
    keepers: Keepers,
}

impl Blocks {
    pub(super) fn connect(&mut self, id: PeerId) {
        self.download.connect(id);
    }

    /// A peer is gone; [`Self::forget`] follows once its requests are closed.
    pub(super) fn disconnect(&mut self, id: PeerId) {
        self.download.disconnect(id);
    }

    /// Forgets what waits of a peer that is gone.
    pub(super) fn forget(&mut self, id: PeerId) {
        self.gossip.forget_peer(id);
        self.forms.leave(id);
    }

    /// When something is due.
    pub(super) fn wake_at(&self, peers: &Peers, now: Time) -> Option<Time> {
        let download = self.download.wake_at(peers, now);
        [download, self.gossip.wake_at(), self.forms.wake_at(), self.keepers.lapses_at()].into_iter().flatten().min()
    }

    /// A block was gossiped.
    pub(super) fn on_gossip(
        &mut self,
        peer: PeerId,
        id: GossipId,
        compact: CompactBlock,
        headers: &mut Headers,
        cx: &mut Context,
    ) -> Result<(), Fatal> {
        let verdict = match cx.peers.get(peer) {
            Some(_) => self.judge(peer, Some(id), compact, headers, cx)?,
            // It was disconnected meanwhile: what is held of it would be forgotten by nobody.
            None => {
                self.on_missed(peer, &[compact.header], headers, cx)?;
                Some(Verdict::Ignore)
            }
        };
        if let Some(verdict) = verdict {
            cx.out.judge(peer, id, verdict);
        }
        Ok(())
    }

    /// Blocks were gossiped for which there was no room: they are downloaded, from the peer if it is there still. An attacker could
    /// fill its room, send a block first, and so have every other peer's copy dropped as a duplicate.
    pub(super) fn on_missed(
        &mut self,
        peer: PeerId,
        missed: &[Header],
        headers: &mut Headers,
        cx: &mut Context,
    ) -> Result<(), Fatal> {
        for header in missed {
            let hash = header.hash();
            match look_at(hash, header, headers, cx.chain, cx.out.wall()) {
                Seen::Bad(offence) => cx.out.penalize(peer, offence),
                Seen::Orphan if cx.chain.is_syncing() => {}
                Seen::Orphan => headers.ask_about_orphan(peer, cx.peers, cx.chain, cx.out),
                Seen::Future(time) => headers.warn_of_future(time, cx.chain, cx.out),
                Seen::Stale => {}
                Seen::Old | Seen::Bodiless => cx.peers.consider_best(peer, hash, cx.chain),
                Seen::New(context) => {
                    cx.chain.insert_headers(&[(*header, context)])?;
                    cx.peers.consider_best(peer, hash, cx.chain);
                }
            }
        }
        Ok(())
    }

    /// Judges a block; no verdict if that waits for the whole block.
    fn judge(
        &mut self,
        peer: PeerId,
        id: Option<GossipId>,
        compact: CompactBlock,
        headers: &mut Headers,
        cx: &mut Context,
    ) -> Result<Option<Verdict>, Fatal> {
        let hash = compact.header.hash();
        match look_at(hash, &compact.header, headers, cx.chain, cx.out.wall()) {
            Seen::Old => {
                cx.peers.consider_best(peer, hash, cx.chain);
                check_form(peer, &compact, cx);
            }
            Seen::Stale => {}
            Seen::Bad(offence) => {
                cx.out.penalize(peer, offence);
                return Ok(Some(Verdict::Reject));
            }
            Seen::Orphan => {
                let until = cx.out.steady().after(PATIENCE);
                self.gossip.hold(HeldForm { peer, compact, until });
            }
            Seen::Future(time) => {
                headers.warn_of_future(time, cx.chain, cx.out);
                let due = u64::from(time).saturating_sub(u64::from(cx.chain.spec().max_future)).saturating_mul(1_000);
                let wait = due.saturating_sub(cx.out.wall().0).max(1);
                if wait <= PATIENCE {
                    let until = cx.out.steady().after(wait);
                    self.gossip.hold(HeldForm { peer, compact, until });
                }
            }
            Seen::Bodiless => return self.take_form(peer, id, hash, compact, cx),
            Seen::New(context) => {
                let new: (Header, HeaderContext) = (compact.header, context);
                cx.chain.insert_headers(&[new])?;
                return self.take_form(peer, id, hash, compact, cx);
            }
        }
        Ok(Some(Verdict::Ignore))
    }

    /// Takes the form of a block whose header is in the tree and whose body is not here. The verdict waits until the block is
    /// whole, from whichever peer: see [`Forms`].
    fn take_form(
        &mut self,
        peer: PeerId,
        id: Option<GossipId>,
        hash: BlockHash,
        compact: CompactBlock,
        cx: &mut Context,
    ) -> Result<Option<Verdict>, Fatal> {
        cx.peers.consider_best(peer, hash, cx.chain);
        // Far ahead it is fetched in its turn.
        if cx.chain.height_of(&hash) > cx.chain.store().tip().height.saturating_add(BEHIND) {
            return Ok(Some(Verdict::Ignore));
        }
        let Some(owner) = cx.peers.get(peer).map(|peer| peer.payer()) else { return Ok(Some(Verdict::Ignore)) };
        let (digest, now) = (digest(&compact), cx.out.steady());
        let message = id.map(|id| (id, bytes(&compact)));
        let form = Form { hash, peer, owner, left: false, digest, since: now, message };
        let mut dropped = Vec::new();
        let noted = self.forms.note(form, &mut dropped);
        for (peer, id) in dropped {
            cx.out.judge(peer, id, Verdict::Ignore);
        }
        match noted {
            Noted::Refused => return Ok(Some(Verdict::Ignore)),
            // The block comes as any other does, and shows what the form is worth.
            Noted::Kept => return Ok(None),
            Noted::Rebuild if !cx.peers.may_cost(peer, now) => return Ok(None),
            Noted::Rebuild => {}
        }
        match rebuild(peer, compact, cx.pool.mempool(), cx.peers, now) {
            Rebuilt::Whole(block) => {
                self.take_rebuilt(*block, cx)?;
                // Unless the block was refused, its messages have their verdicts.
                let refused = self.forms.take_message(&hash, peer, &digest);
                return Ok(refused.map(|_| Verdict::Ignore));
            }
            Rebuilt::Part(partial) => {
                self.partials.complete(hash, *partial, &mut self.download, cx.peers, cx.chain, cx.out);
            }
            // Its message has no use; what it was is remembered, so that its sender pays once the block is whole. Should ids
            // have collided, so that the form is honest, the block's own is published by the next node.
            Rebuilt::Wrong => {
                let message = self.forms.take_message(&hash, peer, &digest);
                return Ok(message.map(|_| Verdict::Ignore));
            }
        }
        Ok(None)
    }

    /// Takes a block that was put together. Who sent it is not to blame for it: blocks are forwarded before they are
    /// connected.
    fn take_rebuilt(&mut self, block: HashedBlock, cx: &mut Context) -> Result<(), Fatal> {
        let bytes = Bytes::from(codec::encode(block.block()));
        self.take(vec![(block, bytes)], cx)?;
        Ok(())
    }

    /// Takes blocks whose headers are in the tree; returns those that break a rule.
    fn take(
        &mut self,
        blocks: Vec<(HashedBlock, Bytes)>,
        cx: &mut Context,
    ) -> Result<Vec<(BlockHash, RuleError)>, Fatal> {
        let accepted = cx.chain.accept(blocks, cx.out)?;
        self.on_stored(accepted.stored, cx.chain, cx.out);
        Ok(accepted.refused)
    }

    /// Blocks are whole and stored: they are missing no more, and show which of their forms are honest.
    pub(super) fn on_stored(&mut self, stored: Stored, chain: &mut Chain, out: &mut Outbox) {
        for (height, block) in &stored {
            let hash = block.hash();
            self.download.arrived(&(*height, hash));
            self.partials.arrived(&hash);
            if self.forms.has(&hash) {
                self.settle_forms(&hash, block.block(), out);
            }
        }
        chain.keep_ready(stored);
    }

    /// A block's own form is forwarded; peers that sent false ones are penalized.
    fn settle_forms(&mut self, hash: &BlockHash, block: &Block, out: &mut Outbox) {
        let settled = self.forms.settle(hash, compact(block).as_ref().map(digest));
        if !settled.honest.is_empty() {
            self.gossip.pass_on(*hash);
        }
        for (peer, id) in settled.honest {
            out.judge(peer, id, Verdict::Accept);
        }
        for (peer, id) in settled.dropped {
            out.judge(peer, id, Verdict::Ignore);
        }
        for peer in settled.liars {
            out.penalize(peer, Offence::BadCompact);
        }
    }

    /// Publishes a block that is whole and did not come by gossip. Of many that are fetched only the last is: peers that were on
    /// the same branch as this node learn from it that there is a better one.
    pub(super) fn pass_on(&mut self, hash: BlockHash, block: &Block, peers: &Peers, chain: &Chain, out: &mut Outbox) {
        let fetched = !chain.is_syncing() || chain.tree().best_header() == hash;
        let wanted = !peers.is_empty() && fetched;
        if wanted
            && chain.tree().candidate() == hash
            && self.gossip.pass_on(hash)
            && let Some(compact) = compact(block)
        {
            out.tell(PeerAction::Gossip(compact));
        }
    }

    /// Time passed or headers came: looks at what was held again.
    pub(super) fn retry_held(&mut self, headers: &mut Headers, cx: &mut Context) -> Result<(), Fatal> {
        let now = cx.out.steady();
        for HeldForm { peer, compact, until } in self.gossip.due(cx.chain, now) {
            match look_at(compact.header.hash(), &compact.header, headers, cx.chain, cx.out.wall()) {
                // It has waited long enough.
                Seen::Orphan => {}
                Seen::Future(_) if until > now => self.gossip.hold(HeldForm { peer, compact, until }),
                // Once it is whole, its own form is published.
                _ => _ = self.judge(peer, None, compact, headers, cx)?,
            }
        }
        Ok(())
    }

    /// Peers that gossiped blocks whose parent is unknown.
    pub(super) fn senders_of_orphans(&self, chain: &Chain) -> Vec<PeerId> {
        self.gossip.senders_of_orphans(chain)
    }

    /// Missing transactions of a block came.
    pub(super) fn on_block_transactions(
        &mut self,
        id: PeerId,
        hash: BlockHash,
        came: &[Bytes],
        cx: &mut Context,
    ) -> Result<(), Fatal> {
        let Some(mut partial) = self.partials.take(hash, id) else { return Ok(()) };
        if let Err(offence) = partial.fill(came) {
            cx.out.penalize(id, offence);
        } else if let Some(block) = partial.whole().filter(HashedBlock::matches_merkle_root) {
            let whole = block.block().clone();
            self.take_rebuilt(block, cx)?;
            if cx.chain.tree().get(&hash).is_some_and(|info| info.status == Status::BodyStored) {
                // If the form was false, the block's own is published in its place.
                self.pass_on(hash, &whole, cx.peers, cx.chain, cx.out);
                return Ok(());
            }
        }
        self.partials.give_up(hash, id, &mut self.download, cx.chain, cx.out.steady());
        Ok(())
    }

    /// What was missing of a block does not come: others come before this peer when the block is asked for.
    pub(super) fn on_no_block_transactions(&mut self, id: PeerId, hash: BlockHash, chain: &Chain, now: Time) {
        if self.partials.take(hash, id).is_some() && self.partials.give_up(hash, id, &mut self.download, chain, now) {
            self.download.pause(id, 0, now);
        }
    }

    /// Blocks came that were asked for at a time.
    pub(super) fn on_blocks(
        &mut self,
        id: PeerId,
        asked: &[BlockHash],
        came: Vec<Body>,
        since: Time,
        cx: &mut Context,
    ) -> Result<(), Fatal> {
        let now = cx.out.steady();
        self.download.request_ended(id, now);
        if came.is_empty() || came.len() > asked.len() {
            cx.out.penalize(id, Offence::WrongAnswer("blocks"));
            self.download.release(id, asked, cx.chain);
            self.download.pause(id, PAUSE, now);
            return Ok(());
        }
        let blocks = decode(id, asked, came, cx.out);
        let good = blocks.len();
        self.download.release(id, &asked[good..], cx.chain);
        if good == 0 {
            self.download.pause(id, PAUSE, now);
        }
        cx.chain.note_origins(blocks.iter().map(|(block, _)| block.hash()), id);
        let sizes: Vec<usize> = blocks.iter().map(|(_, bytes)| bytes.len()).collect();
        let refused = self.take(blocks, cx)?;
        // What a block says of its sender counts only now: a body under an honest header may be anybody's.
        if refused.len() < good {
            self.download.note_delivery(id, &sizes, since, cx.peers, now);
            cx.peers.note_delivery(id);
        }
        self.download.release(id, &asked[..good], cx.chain);
        if !refused.is_empty() {
            self.download.pause(id, PAUSE, now);
        }
        for (hash, rule) in refused {
            cx.chain.forget_origin(&hash);
            cx.out.penalize(id, Offence::InvalidBlock(rule));
        }
        Ok(())
    }

    /// Blocks did not come: the peer `lacks` them, or did not answer in time.
    pub(super) fn on_no_blocks(
        &mut self,
        id: PeerId,
        asked: &[BlockHash],
        lacks: bool,
        peers: &mut Peers,
        chain: &Chain,
        now: Time,
    ) {
        self.download.request_ended(id, now);
        match self.repair.is_of(asked) {
            // That it lacks a block which cannot be read here says nothing about the blocks that it stands on.
            true => self.repair.failed(asked),
            false => self.download.on_no_blocks(id, asked, lacks, peers, chain, now),
        }
    }

    /// Whether many blocks are being fetched.
    pub(super) fn is_syncing(&self, chain: &Chain, now: Time) -> bool {
        let best = chain.height_of(&chain.tree().best_header());
        let came = now.since(self.download.came()) < IDLE;
        best > chain.store().tip().height.saturating_add(BEHIND) && (came || self.keepers.are_missing())
    }

    /// Time passed: messages whose block does not become whole are dropped, and late blocks asked of others.
    pub(super) fn tick(&mut self, peers: &mut Peers, chain: &Chain, out: &mut Outbox) {
        for (peer, id) in self.forms.overdue(out.steady()) {
            out.judge(peer, id, Verdict::Ignore);
        }
        self.download.tick(peers, chain, out);
    }

    /// Time passed: asks for blocks that the disk does not give back, and looks who keeps those that are missing.
    pub(super) fn repair(&mut self, peers: &mut Peers, chain: &Chain, out: &mut Outbox) {
        self.repair.request(&mut self.download, peers, chain, out);
        self.keepers.look(&self.download, peers, chain, out.steady());
    }

    /// Counts what is kept because of peers.
    pub(super) fn count(&self, usage: &mut PeerUsage) {
        usage.held = self.gossip.held();
        usage.forms = self.forms.len();
        usage.partials = self.partials.len();
        usage.bodies = self.download.len();
    }
}

/// Decodes blocks up to the first that is not the one that was asked for.
fn decode(id: PeerId, asked: &[BlockHash], came: Vec<Body>, out: &mut Outbox) -> Vec<(HashedBlock, Bytes)> {
    let mut blocks = Vec::with_capacity(came.len());
    for (body, hash) in came.into_iter().zip(asked) {
        match body.into_decoded() {
            Ok((block, bytes)) if block.hash() == *hash => blocks.push((block, bytes)),
            Ok(_) => break,
            Err(error) => {
                out.penalize(id, Offence::Malformed(error));
                break;
            }
        }
    }
    if blocks.is_empty() {
        out.penalize(id, Offence::WrongAnswer("blocks"));
    }
    blocks
}

#[cfg(test)]
impl Blocks {
    pub(super) fn holds_of(&self, id: PeerId) -> bool {
        self.gossip.holds_of(id)
    }

    /// The lowest missing block, how many peers on the best chain lack it, and the lowest that they keep.
    pub(super) fn next_is_pruned(&self, peers: &Peers, chain: &Chain) -> Option<Option<(Height, usize, Height)>> {
        let pruned = keepers::next_is_pruned(&self.download, peers, chain)?;
        Some(pruned.map(|pruned| (pruned.lowest, pruned.peers, pruned.oldest)))
    }
}
