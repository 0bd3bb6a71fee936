//! Relay and sync: all that the engine exchanges with peers.
//!
//! Headers come first ([`headers`]), then bodies from many peers at once; new blocks come compactly ([`blocks`]), transactions
//! by name ([`transactions`]). All that is kept of a peer is bounded; `docs/network.md` lists the bounds. Each part owns its
//! state and its rules; here events find the part that they are for.

mod blocks;
mod bounds;
mod config;
mod context;
mod finality;
mod headers;
mod peers;
mod random;
mod serve;
#[cfg(test)]
mod tests;
mod transactions;
mod usage;

#[cfg(test)]
pub(crate) use blocks::compact;
pub use config::RelayConfig;
pub use peers::PeerWork;
pub use usage::PeerUsage;

use chain_core::{
    block::Block,
    execute::ExecutedBlock,
    hash::{BlockHash, TxId},
    units::Height,
};

use self::{
    blocks::Blocks,
    context::Context,
    finality::{FinalityRelay, Told},
    headers::Headers,
    peers::{Peer, Peers, Question},
    transactions::Transactions,
};
use super::{
    Chain, Failure, Fatal, InboundId, Offence, Outbox, Payer, PeerAction, PeerEvent, PeerId, RequestId, Side, Time,
    chain::Stored, pool::Pool,
};
use crate::wire::{Request, Response, Status};

/// All about peers.
#[derive(Debug)]
pub(super) struct Relay {
    peers: Peers,
    headers: Headers,
    blocks: Blocks,
    transactions: Transactions,
    finality: FinalityRelay,
}

impl Relay {
    /// Nobody is connected yet.
    pub(super) fn new(config: RelayConfig) -> Self {
        Self {
            headers: Headers::new(&config),
            blocks: Blocks::default(),
            finality: FinalityRelay::default(),
            transactions: Transactions::new(config.seed),
            peers: Peers::new(config.agent),
        }
    }

    /// When [`super::Event::Tick`] is due at the latest, if it is; a second later it does no harm.
    pub(super) fn wake_at(&self, now: Time) -> Option<Time> {
        let blocks = self.blocks.wake_at(&self.peers, now);
        let (headers, finality) = (self.headers.wake_at(now), self.finality.wake_at());
        let parts = [self.peers.wake_at(now), headers, blocks, self.transactions.wake_at(), finality];
        parts.into_iter().flatten().min()
    }

    /// Handles what a peer did.
    pub(super) fn on_peer(
        &mut self,
        peer: PeerId,
        event: PeerEvent,
        chain: &mut Chain,
        pool: &mut Pool,
        out: &mut Outbox,
    ) -> Result<(), Fatal> {
        match event {
            PeerEvent::Connected(side, payer) => self.on_connected(peer, side, payer, chain, out),
            PeerEvent::Disconnected => self.on_disconnected(peer, chain, out),
            PeerEvent::Request(id, request) => {
                if let Some(request) = self.peers.admit(peer, id, request, out) {
                    return self.serve(peer, id, request, chain, pool, out);
                }
            }
            PeerEvent::Response(id, Ok(response)) => return self.on_response(peer, id, response, chain, pool, out),
            PeerEvent::Response(id, Err(failure)) => self.on_failure(peer, id, failure, chain, out),
            PeerEvent::Gossip(id, compact) => {
                let Self { peers, headers, blocks, .. } = self;
                return blocks.on_gossip(peer, id, compact, headers, &mut Context { chain, pool, peers, out });
            }
            PeerEvent::Missed(missed) => {
                let Self { peers, headers, blocks, .. } = self;
                return blocks.on_missed(peer, &missed, headers, &mut Context { chain, pool, peers, out });
            }
            PeerEvent::Malformed(error) => out.penalize(peer, Offence::Malformed(error)),
        }
        Ok(())
    }

    fn on_connected(&mut self, peer: PeerId, side: Side, payer: Payer, chain: &Chain, out: &mut Outbox) {
        self.peers.connect(peer, side, payer, out.steady());
        self.headers.connect(peer);
        self.blocks.connect(peer);
        self.transactions.connect(peer);
        if side != Side::Inbound {
            self.peers.ask_status(peer, chain, out);
        }
    }

    fn on_disconnected(&mut self, peer: PeerId, chain: &Chain, out: &mut Outbox) {
        let Some(unanswered) = self.peers.disconnect(peer, out.steady()) else { return };
        self.headers.disconnect(peer);
        self.blocks.disconnect(peer);
        self.finality.disconnect(peer);
        let wanted = self.transactions.disconnect(peer);
        for question in unanswered {
            self.on_unanswered(peer, question, chain, out);
        }
        self.transactions.forget(peer, &wanted);
        self.blocks.forget(peer);
    }

    /// Ends a connection; the engine is done with the peer at once.
    fn disconnect(&mut self, peer: PeerId, reason: &str, chain: &Chain, out: &mut Outbox) {
        out.tell(PeerAction::Disconnect(peer, reason.to_owned()));
        self.on_disconnected(peer, chain, out);
    }

    /// A peer says where it stands.
    fn on_status(&mut self, peer: PeerId, status: &Status, chain: &Chain, out: &mut Outbox) {
        match self.peers.on_status(peer, status, chain.genesis(), out.steady()) {
            Ok(()) if chain.finality().is_some() => self.finality.meet(peer),
            Ok(()) => {}
            Err(reason) => self.disconnect(peer, reason, chain, out),
        }
    }

    /// A response came. A late one is dropped.
    fn on_response(
        &mut self,
        peer: PeerId,
        id: RequestId,
        response: Response,
        chain: &mut Chain,
        pool: &mut Pool,
        out: &mut Outbox,
    ) -> Result<(), Fatal> {
        let Some((question, since)) = self.peers.answered(peer, id, out.steady()) else { return Ok(()) };
        let Self { peers, headers, blocks, transactions, finality } = self;
        let cx = &mut Context { chain, pool, peers, out };
        match (question, response) {
            (Question::Status, Response::Status(status)) => self.on_status(peer, &status, chain, out),
            (Question::Headers, Response::Headers(came)) => return headers.on_response(peer, &came, cx),
            (Question::Blocks(asked), Response::Blocks(came)) => {
                return blocks.on_blocks(peer, &asked, came, since, cx);
            }
            (Question::Blocks(asked), Response::Unknown) => {
                blocks.on_no_blocks(peer, &asked, true, cx.peers, cx.chain, cx.out.steady());
            }
            (Question::Announce, Response::Ack) => transactions.announcer.acknowledged(peer),
            (Question::BlockTransactions(block), Response::Transactions(came)) => {
                return blocks.on_block_transactions(peer, block, &came, cx);
            }
            (Question::Transactions(names), Response::Transactions(came)) => {
                return transactions.on_response(peer, &names, &came, cx);
            }
            (Question::Pool { .. }, Response::ShortIds(ids)) => {
                transactions.reconciler.on_pool(peer, ids, cx.pool.mempool(), cx.peers, cx.out);
            }
            (Question::ShortTransactions { salt, ids }, Response::Transactions(came)) => {
                return transactions.on_short_response(peer, salt, ids, &came, cx);
            }
            (Question::Finality, Response::Ack) => finality.answered(peer),
            (Question::Finality, Response::Certificate(certificate)) => {
                finality.answered(peer);
                if let Err(error) = cx.chain.on_certificate(certificate, Some(peer), cx.out)? {
                    cx.out.penalize(peer, Offence::InvalidCertificate(error));
                }
            }
            (Question::Pool { .. }, Response::Unknown) => transactions.reconciler.postpone(peer),
            (question, Response::Unknown) => self.on_unanswered(peer, question, chain, out),
            (question, _) => {
                out.penalize(peer, Offence::WrongAnswer(question.name()));
                self.on_unanswered(peer, question, chain, out);
            }
        }
        Ok(())
    }

    /// No response will come.
    fn on_failure(&mut self, peer: PeerId, id: RequestId, failure: Failure, chain: &Chain, out: &mut Outbox) {
        let Some(question) = self.peers.failed(peer, id) else { return };
        match failure {
            Failure::Timeout => return self.on_silence(peer, question, chain, out),
            Failure::Refused => {}
            Failure::Malformed(error) => out.penalize(peer, Offence::Malformed(error)),
        }
        self.on_unanswered(peer, question, chain, out);
    }

    /// No response came in time: another peer is asked, and one that is silent too often is disconnected. Silence proves
    /// nothing against a peer, since messages get lost or late: not an offence.
    fn on_silence(&mut self, peer: PeerId, question: Question, chain: &Chain, out: &mut Outbox) {
        self.on_unanswered(peer, question, chain, out);
        if self.peers.is_silent(peer) {
            self.disconnect(peer, "leaves requests unanswered", chain, out);
        }
    }

    /// A request has no response, for whatever reason: another peer is asked, or this one later.
    fn on_unanswered(&mut self, peer: PeerId, question: Question, chain: &Chain, out: &Outbox) {
        let now = out.steady();
        match question {
            Question::Headers => self.headers.on_unanswered(peer, now),
            Question::Blocks(asked) => self.blocks.on_no_blocks(peer, &asked, false, &mut self.peers, chain, now),
            Question::BlockTransactions(block) => self.blocks.on_no_block_transactions(peer, block, chain, now),
            Question::Transactions(asked) => self.transactions.wants.request_ended(peer, asked.iter(), false),
            Question::Pool { .. } | Question::ShortTransactions { .. } => self.transactions.reconciler.end(peer),
            Question::Announce => self.transactions.announcer.acknowledged(peer),
            Question::Finality => self.finality.unanswered(peer),
            Question::Status => {}
        }
    }

    /// Serves a request of a peer.
    fn serve(
        &mut self,
        peer: PeerId,
        id: InboundId,
        request: Request,
        chain: &mut Chain,
        pool: &Pool,
        out: &mut Outbox,
    ) -> Result<(), Fatal> {
        let (now, pool) = (out.steady(), pool.mempool());
        let mut work = PeerWork { base: serve::base(&request), ..PeerWork::default() };
        let response = match request {
            Request::Status(status) => {
                self.peers.charge(peer, &work, now);
                out.respond(peer, id, Response::Status(self.peers.status(chain, out.wall())));
                self.on_status(peer, &status, chain, out);
                return Ok(());
            }
            Request::Announce(names) => {
                self.peers.charge(peer, &work, now);
                self.transactions.on_announce(peer, id, &names, chain.is_syncing(), pool, out);
                return Ok(());
            }
            Request::Finality { newest, certificate, votes, evidence } => {
                FinalityRelay::serve(peer, Told { newest, certificate, votes, evidence }, chain, &mut work, out)?
            }
            Request::Headers { locator, most } => serve::headers(&locator, most, chain),
            Request::Blocks(hashes) => serve::blocks(&hashes, chain, &mut work),
            Request::BlockTransactions { block, positions } => {
                serve::block_transactions(block, &positions, chain, &mut work)
            }
            Request::Transactions(txids) => serve::encoded(txids.iter(), pool),
            Request::Pool { salt } => {
                self.transactions.reconciler.serve_pool(peer, salt, &mut self.peers, pool, &mut work, out)
            }
            Request::ShortTransactions { salt, ids } => {
                let names = self.transactions.reconciler.told_names(peer, salt, &ids, now);
                names.map_or(Response::Unknown, |names| serve::encoded(names.iter(), pool))
            }
        };
        work.copied += serve::copied(&response);
        self.peers.charge(peer, &work, now);
        out.respond(peer, id, response);
        Ok(())
    }

    /// Time passed.
    pub(super) fn tick(&mut self, chain: &mut Chain, pool: &Pool, out: &mut Outbox) -> Result<(), Fatal> {
        while let Some((peer, question)) = self.peers.overdue(out.steady()) {
            self.on_silence(peer, question, chain, out);
        }
        self.peers.turn_away_late(out);
        while let Some((peer, id, request)) = self.peers.next_waiting(out.steady()) {
            self.serve(peer, id, request, chain, pool, out)?;
        }
        self.blocks.tick(&mut self.peers, chain, out);
        self.blocks.repair(&mut self.peers, chain, out);
        for peer in self.peers.due(out.steady()) {
            if self.peers.tick(peer, chain, out) {
                self.disconnect(peer, "no handshake", chain, out);
            }
        }
        Ok(())
    }

    /// After each event: sends the requests and announcements that are due.
    pub(super) fn act(&mut self, chain: &mut Chain, pool: &mut Pool, out: &mut Outbox) -> Result<(), Fatal> {
        let Self { peers, headers, blocks, transactions, finality } = self;
        if !peers.is_empty() {
            blocks.retry_held(headers, &mut Context { chain, pool, peers, out })?;
            finality.act(peers, chain, out);
            headers.sync(peers, |peer| finality.has_told(peer), chain, out);
            if !chain.is_syncing() {
                for peer in blocks.senders_of_orphans(chain) {
                    headers.ask_about_orphan(peer, peers, chain, out);
                }
            }
            blocks.download.fetch(peers, chain, out);
            let best = chain.tree().best_header();
            let synced = best == chain.store().tip().hash || blocks.download.is_withheld(&best, chain, out.steady());
            transactions.act(synced, &mut Context { chain, pool, peers, out });
        }
        if chain.note_syncing(blocks.is_syncing(chain, out.steady())) {
            transactions.reconciler.compare_again();
        }
        Ok(())
    }

    /// Blocks are whole and stored.
    pub(super) fn on_stored(&mut self, stored: Stored, chain: &mut Chain, out: &mut Outbox) {
        self.blocks.on_stored(stored, chain, out);
    }

    /// A block was connected.
    pub(super) fn block_connected(&mut self, executed: &ExecutedBlock, chain: &Chain, out: &mut Outbox) {
        let block = executed.block();
        self.blocks.pass_on(block.hash(), block.block(), &self.peers, chain, out);
        self.transactions.block_connected(executed);
    }

    /// A block was disconnected.
    pub(super) fn block_disconnected(&mut self, block: &Block) {
        self.transactions.block_disconnected(block);
    }

    /// Submits transactions that waited for what blocks brought, once the pool has followed the chain.
    pub(super) fn retry_orphans(&mut self, chain: &mut Chain, pool: &mut Pool, out: &mut Outbox) -> Result<(), Fatal> {
        let Self { peers, transactions, .. } = self;
        transactions.retry_orphans(&mut Context { chain, pool, peers, out })
    }

    /// The pool took a transaction.
    pub(super) fn announce(&mut self, txid: TxId) {
        self.transactions.announcer.add(txid);
    }

    /// Transactions came back from a block.
    pub(super) fn tell_again(&mut self, txids: &[TxId]) {
        txids.iter().for_each(|txid| self.transactions.known.remove(txid));
    }

    #[cfg(test)]
    pub(super) fn status(&self, chain: &Chain, now: Time) -> crate::wire::Status {
        self.peers.status(chain, now)
    }

    /// How much is kept because of peers.
    pub(super) fn usage(&self, chain: &Chain) -> PeerUsage {
        let (origins, checkpoints) = (chain.origins(), self.headers.checkpoints());
        let mut usage = PeerUsage { origins, checkpoints, ..PeerUsage::default() };
        self.peers.count(&mut usage);
        self.blocks.count(&mut usage);
        self.transactions.count(&mut usage);
        usage
    }

    /// The tip of each peer, with its height, as far as is known.
    pub(super) fn tips(&self, chain: &Chain) -> impl Iterator<Item = (PeerId, (Height, BlockHash))> {
        self.peers.tips(chain)
    }

    /// What each peer has cost since it connected.
    pub(super) fn work(&self) -> impl Iterator<Item = (PeerId, PeerWork)> {
        self.peers.work()
    }

    /// What a peer has cost since it connected, in units.
    pub(super) fn units(&self, peer: PeerId) -> u64 {
        self.peers.get(peer).map_or(0, Peer::units)
    }
}
