//! Compact forms of blocks that are not whole here yet: what each peer sent, until the block shows which form is its own.
//!
//! A block has exactly one compact form, and a node forwards a form only when it has the whole block and the form is that
//! one. So a peer that sends any other form made it up, and nobody else is to blame.

use chain_core::{
    hash::{BlockHash, sha256},
    header::Header,
};
use std::collections::VecDeque;

use crate::{
    engine::{GossipId, PeerId, Time},
    wire::{CompactBlock, Message},
};

/// Forms that are remembered of all peers and of one. A peer must solve a header for each block that it has forms of.
pub(super) const FORMS: usize = 512;
const FORMS_OF_PEER: usize = 8;

/// Forms of one block that a peer may send. An honest one sends one. An attacker may send a false form and then the honest
/// one, which gossip hands over once only: so the second is looked at too. A third would buy another walk over the pool.
const FORMS_OF_BLOCK: usize = 2;

/// Milliseconds that a verdict may wait for the block. The network forgets a message after 30 s, and could not forward it.
const VERDICT: u64 = 20_000;

/// Milliseconds that a form is remembered, so that a peer pays for a false one though the block comes late.
const MEMORY: u64 = 600_000;

/// One form of one peer.
#[derive(Debug)]
struct Form {
    hash: BlockHash,
    peer: PeerId,
    digest: [u8; 32],
    since: Time,
    /// The message that waits for a verdict.
    message: Option<GossipId>,
}

/// What a form is, by its bytes.
pub(super) fn digest(compact: &CompactBlock) -> [u8; 32] {
    sha256(&compact.encode())
}

/// A peer's message.
pub(super) type Sent = (PeerId, GossipId);

/// What the whole block says about its forms.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Messages to forward.
    pub(super) honest: Vec<Sent>,
    /// Messages to drop.
    pub(super) dropped: Vec<Sent>,
    /// Who sent false forms.
    pub(super) liars: Vec<PeerId>,
}

/// All of them, by arrival.
#[derive(Debug, Default)]
pub(super) struct Forms(VecDeque<Form>);

impl Forms {
    /// Notes a form of a peer; answers whether it is worth a rebuild. If not, it is not noted either.
    pub(super) fn note(
        &mut self,
        header: &Header,
        peer: PeerId,
        digest: [u8; 32],
        message: Option<GossipId>,
        now: Time,
    ) -> bool {
        let hash = header.hash();
        let same = self.0.iter().filter(|form| form.hash == hash && form.peer == peer);
        let (mut count, mut known) = (0, false);
        for form in same {
            count += 1;
            known |= form.digest == digest;
        }
        if known || count >= FORMS_OF_BLOCK {
            return false;
        }
        let of_peer = self.0.iter().filter(|form| form.peer == peer).count();
        if of_peer >= FORMS_OF_PEER || self.0.len() >= FORMS {
            let judged = |form: &Form| form.message.is_none() && (of_peer < FORMS_OF_PEER || form.peer == peer);
            let Some(oldest) = self.0.iter().position(judged) else { return false };
            self.0.remove(oldest);
        }
        self.0.push_back(Form { hash, peer, digest, since: now, message });
        true
    }

    /// Takes back the message of a form whose verdict is known otherwise.
    pub(super) fn take_message(&mut self, hash: &BlockHash, peer: PeerId, digest: &[u8; 32]) -> Option<GossipId> {
        let fits = |form: &&mut Form| form.hash == *hash && form.peer == peer && form.digest == *digest;
        self.0.iter_mut().find(fits)?.message.take()
    }

    /// Whether there are forms of a block.
    pub(super) fn has(&self, hash: &BlockHash) -> bool {
        self.0.iter().any(|form| form.hash == *hash)
    }

    /// The block is whole, and this is the digest of its own form, if it has one that fits into a message.
    pub(super) fn settle(&mut self, hash: &BlockHash, own: Option<[u8; 32]>) -> Settled {
        let mut settled = Settled::default();
        self.0.retain(|form| {
            if form.hash != *hash {
                return true;
            }
            let honest = own.is_none_or(|own| own == form.digest);
            let messages = if honest && own.is_some() { &mut settled.honest } else { &mut settled.dropped };
            messages.extend(form.message.map(|id| (form.peer, id)));
            if !honest && !settled.liars.contains(&form.peer) {
                settled.liars.push(form.peer);
            }
            false
        });
        settled
    }

    /// Messages that waited too long for the block, which are to be dropped. Forgets what is old.
    pub(super) fn overdue(&mut self, now: Time) -> Vec<Sent> {
        self.0.retain(|form| form.message.is_some() || now.since(form.since) < MEMORY);
        let late = self.0.iter_mut().filter(|form| now.since(form.since) >= VERDICT);
        late.filter_map(|form| Some((form.peer, form.message.take()?))).collect()
    }

    /// When the next message has waited too long.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.0.iter().find(|form| form.message.is_some()).map(|form| form.since.after(VERDICT))
    }

    /// A peer is gone: its messages may still be forwarded.
    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        self.0.retain(|form| form.peer != peer || form.message.is_some());
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
