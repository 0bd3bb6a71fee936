//! Compact forms of blocks that are not whole here yet: what each peer sent, until the block shows which form is its own.
//!
//! A block has exactly one compact form, and a node forwards a form only when it has the whole block and the form is that
//! one. So a peer that sends any other form made it up, and no other peer is to blame.

use chain_core::hash::{BlockHash, sha256};
use std::collections::{BTreeMap, VecDeque};

use crate::{
    engine::{GossipId, Payer, PeerId, Time},
    wire::{CompactBlock, Message},
};

/// Forms that are remembered of all peers and of one owner. A peer must solve a header for each block that it has forms of, but
/// old headers serve for ever: so one with many forms makes room for others, and those who left make room first.
pub(in crate::engine::relay) const FORMS: usize = 512;
const FORMS_OF_OWNER: usize = 8;

/// Bytes of messages that wait for a verdict: the network keeps each, up to 1 MiB, for as long.
pub(super) const BYTES: usize = 32 << 20;

/// Forms of one block that are worth a rebuild, of those that one owner sends. An honest peer sends one. An attacker may send a
/// false form and then the honest one, which gossip hands over once only: so the second is looked at too. A third would buy
/// another walk over the pool: it waits until the block comes otherwise.
const REBUILDS: usize = 2;

/// Milliseconds that a verdict may wait for the block. The network forgets a message after 30 s, and could not forward it.
const VERDICT: u64 = 20_000;

/// Milliseconds that a form is remembered, so that a peer pays for a false one though the block comes late.
const MEMORY: u64 = 600_000;

/// One form of one peer.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) hash: BlockHash,
    pub(super) peer: PeerId,
    pub(super) owner: Payer,
    /// Whether the peer has left.
    pub(super) left: bool,
    pub(super) digest: [u8; 32],
    pub(super) since: Time,
    /// The message that waits for a verdict, and its bytes.
    pub(super) message: Option<(GossipId, usize)>,
}

/// What becomes of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// It is worth a rebuild.
    Rebuild,
    /// Its message waits until the block is whole.
    Kept,
    /// It is known, or its owner has too many; it is not noted.
    Refused,
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
    /// Notes a form of a peer. Messages of forms that made room for it are added to `dropped`.
    pub(super) fn note(&mut self, new: Form, dropped: &mut Vec<Sent>) -> Noted {
        let same = self.0.iter().filter(|form| form.hash == new.hash && form.owner == new.owner);
        let (mut count, mut known) = (0, false);
        for form in same {
            count += 1;
            known |= form.peer == new.peer && form.digest == new.digest;
        }
        if known || !self.make_room(new.owner, new.message.map_or(0, |(_, bytes)| bytes), dropped) {
            return Noted::Refused;
        }
        self.0.push_back(new);
        if count < REBUILDS { Noted::Rebuild } else { Noted::Kept }
    }

    /// Makes room for one more form of this owner, with a message of so many bytes.
    fn make_room(&mut self, owner: Payer, bytes: usize, dropped: &mut Vec<Sent>) -> bool {
        let own = |form: &Form| form.owner == owner;
        if self.0.iter().filter(|form| own(form)).count() >= FORMS_OF_OWNER {
            // What waits is not pushed out by more of the same owner: the honest form may be among it.
            let Some(at) = self.0.iter().position(|form| own(form) && form.message.is_none()) else { return false };
            self.0.remove(at);
        }
        while self.0.len() >= FORMS || self.waiting() + bytes > BYTES {
            let Some(at) = self.first_to_go(owner) else { return false };
            let gone = self.0.remove(at);
            dropped.extend(gone.and_then(|form| Some((form.peer, form.message?.0))));
        }
        true
    }

    /// The oldest form of those who left; else of the owner with the most, if that has more than the one who needs room.
    fn first_to_go(&self, owner: Payer) -> Option<usize> {
        if let Some(at) = self.0.iter().position(|form| form.left) {
            return Some(at);
        }
        let mut counts: BTreeMap<Payer, usize> = BTreeMap::new();
        self.0.iter().for_each(|form| *counts.entry(form.owner).or_default() += 1);
        let own = counts.get(&owner).copied().unwrap_or_default();
        let (greedy, _) = counts.into_iter().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > own)?;
        self.0.iter().position(|form| form.owner == greedy)
    }

    /// Bytes of the messages that wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.iter().filter_map(|form| form.message).map(|(_, bytes)| bytes).sum()
    }

    /// Takes the message of a form whose verdict is known otherwise.
    pub(super) fn take_message(&mut self, hash: &BlockHash, peer: PeerId, digest: &[u8; 32]) -> Option<GossipId> {
        let fits = |form: &&mut Form| form.hash == *hash && form.peer == peer && form.digest == *digest;
        self.0.iter_mut().find(fits)?.message.take().map(|(id, _)| id)
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
            messages.extend(form.message.map(|(id, _)| (form.peer, id)));
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
        late.filter_map(|form| Some((form.peer, form.message.take()?.0))).collect()
    }

    /// When the next message has waited too long.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.0.iter().find(|form| form.message.is_some()).map(|form| form.since.after(VERDICT))
    }

    /// A peer has left: its messages may still be forwarded, and it pays for false ones, as long as nobody needs the room.
    pub(super) fn leave(&mut self, peer: PeerId) {
        for form in self.0.iter_mut().filter(|form| form.peer == peer) {
            form.left = true;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A form of a peer that is its own owner.
    fn form(block: u64, peer: u64, number: u64) -> Form {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        let hash = BlockHash([u8::try_from(block).unwrap(); 32]);
        let message = Some((GossipId(number), 100));
        Form { hash, peer: PeerId(peer), owner: Payer(peer), left: false, digest, since: Time(0), message }
    }

    #[test]
    fn a_crowd_that_fills_the_table_of_forms_keeps_no_honest_form_out() {
        let (mut forms, mut dropped) = (Forms::default(), Vec::new());
        for number in 0..512 {
            assert_eq!(forms.note(form(number % 4, number / 8, number), &mut dropped), Noted::Rebuild);
        }
        assert_eq!((forms.len(), dropped.len()), (512, 0));
        for honest in 900..930 {
            assert_eq!(forms.note(form(9, honest, honest), &mut dropped), Noted::Rebuild);
        }
        assert_eq!((forms.len(), dropped.len()), (512, 30));
        assert!(dropped.iter().all(|(peer, _)| peer.0 < 64), "{dropped:?}");
        dropped.clear();
        forms.leave(PeerId(50));
        for honest in 930..935 {
            assert_eq!(forms.note(form(9, honest, honest), &mut dropped), Noted::Rebuild);
        }
        assert!(dropped.iter().all(|(peer, _)| peer.0 == 50), "those who left come first: {dropped:?}");
    }

    #[test]
    fn a_peer_that_reconnects_has_no_more_forms_than_before() {
        let (mut forms, mut dropped) = (Forms::default(), Vec::new());
        for number in 0..200 {
            let again = Form { owner: Payer(1), ..form(number % 4, 100 + number, number) };
            forms.note(again, &mut dropped);
            forms.leave(PeerId(100 + number));
        }
        assert_eq!((forms.len(), dropped.len()), (8, 0));
    }

    #[test]
    fn messages_that_wait_for_a_block_are_bounded_by_their_bytes() {
        let (mut forms, mut dropped) = (Forms::default(), Vec::new());
        for number in 0..400 {
            let large = Form { message: Some((GossipId(number), 1 << 20)), ..form(number % 4, number / 8, number) };
            forms.note(large, &mut dropped);
            assert!(forms.waiting() <= BYTES);
        }
        let honest = Form { message: Some((GossipId(900), 1 << 20)), ..form(9, 900, 900) };
        assert_eq!(forms.note(honest, &mut dropped), Noted::Rebuild);
        assert!(forms.waiting() <= BYTES);
    }
}
