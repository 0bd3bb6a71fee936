//! Accepting blocks, checks from cheap to expensive: known? parent? work? valid without context? Then they are stored, and
//! the chain may connect them.

use chain_core::{
    Bytes,
    block::{
        Block,
        check::{HashedBlock, check_block, check_hashed_block},
    },
    codec,
    error::RuleError,
    hash::BlockHash,
    headers::{HeaderError, Status},
    work::pow::{check_pow, target},
};

use super::{Chain, Stored, Undecided};
use crate::{
    engine::{BlockOutcome, Fatal, Offence, Outbox, Reply, SubmitBlockError, Ticket, error::Judged},
    metrics::{Stage, timed},
    store::{BlockRef, HeaderRecord, Verdict},
};

/// The state of a block that was not refused.
enum Taken {
    /// Stored: the chain will follow it, or not.
    Stored,
    /// Decided already.
    Done(BlockOutcome),
}

/// The result of storing blocks.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    /// Those that are stored now, the held ones included that waited for them.
    pub(crate) stored: Stored,
    /// Those that break a rule.
    pub(crate) refused: Vec<(BlockHash, RuleError)>,
}

impl Chain {
    /// Accepts a submitted block, and the held ones that waited for it.
    pub(crate) fn submit(&mut self, ticket: Ticket, block: Block, out: &mut Outbox) -> Result<Stored, Fatal> {
        let (hash, mut stored) = (block.hash(), Stored::new());
        let taken = self.accept_block(block, &mut stored, out).inspect_err(|Fatal(message)| {
            let error = SubmitBlockError::Local(message.clone());
            out.reply(ticket, Reply::Block(Err(error)));
        });
        match taken? {
            Ok(Taken::Stored) => {
                self.undecided.push(Undecided { ticket, hash, fault: None });
                self.accept_children(hash, &mut stored, out)?;
            }
            Ok(Taken::Done(outcome)) => out.reply(ticket, Reply::Block(Ok(outcome))),
            Err(error) => out.reply(ticket, Reply::Block(Err(error))),
        }
        Ok(stored)
    }

    /// Checks blocks alone, with their bytes, and stores them, and the held ones that waited for them. Their headers are in
    /// the tree.
    pub(crate) fn accept(&mut self, blocks: Vec<(HashedBlock, Bytes)>, out: &mut Outbox) -> Result<Accepted, Fatal> {
        let hashes: Vec<BlockHash> = blocks.iter().map(|(block, _)| block.hash()).collect();
        let mut accepted = self.store_bodies(blocks, out)?;
        hashes.into_iter().try_for_each(|hash| self.accept_children(hash, &mut accepted.stored, out))?;
        Ok(accepted)
    }

    /// Keeps blocks that were stored in memory until they are connected, as far as there is room.
    pub(crate) fn keep_ready(&mut self, stored: Stored) {
        for (height, block) in stored {
            self.ready.insert(height, block);
        }
    }

    /// Accepts the held blocks that waited for one, and those that waited for them.
    fn accept_children(&mut self, parent: BlockHash, stored: &mut Stored, out: &mut Outbox) -> Result<(), Fatal> {
        let mut parents = vec![parent];
        while let Some(parent) = parents.pop() {
            for held in self.held.children_of(&parent) {
                let hash = held.hash();
                if let Ok(Taken::Stored) = self.accept_block(held, stored, out)? {
                    parents.push(hash);
                }
            }
        }
        Ok(())
    }

    /// Tries again the blocks whose time has come.
    pub(crate) fn retry_future_blocks(&mut self, out: &mut Outbox) -> Result<Stored, Fatal> {
        let mut stored = Stored::new();
        let limit = out.wall().seconds().saturating_add(u64::from(self.spec.max_future));
        for held in self.held.due(u32::try_from(limit).unwrap_or(u32::MAX)) {
            let hash = held.hash();
            if let Ok(Taken::Stored) = self.accept_block(held, &mut stored, out)? {
                self.accept_children(hash, &mut stored, out)?;
            }
        }
        Ok(stored)
    }

    fn accept_block(&mut self, block: Block, stored: &mut Stored, out: &mut Outbox) -> Judged<Taken, SubmitBlockError> {
        let hash = block.hash();
        match self.tree.get(&hash).map(|info| info.status) {
            Some(Status::Invalid) => return Ok(Err(SubmitBlockError::KnownInvalid(hash))),
            Some(Status::BodyStored | Status::Valid) => return Ok(Ok(Taken::Done(BlockOutcome::Known))),
            Some(Status::HeaderOnly) => {}
            None => {
                if self.held.contains(&hash, block.header.time) {
                    return Ok(Ok(Taken::Done(BlockOutcome::Known)));
                }
                match self.insert_header_of(hash, &block, out.wall().seconds()) {
                    Ok(None) => {}
                    Ok(Some(outcome)) => return Ok(self.hold(outcome, hash, block)),
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
        self.store_body(block, stored, out)
    }

    /// Puts a block's header into the tree; returns the outcome if the block is to be held instead.
    fn insert_header_of(
        &mut self,
        hash: BlockHash,
        block: &Block,
        now: u64,
    ) -> Result<Option<BlockOutcome>, SubmitBlockError> {
        let header = &block.header;
        match self.tree.insert(header, now) {
            Ok(_) | Err(HeaderError::Duplicate(_)) => Ok(None),
            Err(HeaderError::UnknownParent(_)) => {
                // Only its own proof of work can be checked; without it anybody could fill the memory.
                check_pow(&hash, header.bits, target(self.spec.pow_limit_bits)?)?;
                Ok(Some(BlockOutcome::Orphan))
            }
            Err(HeaderError::TooFarInFuture { .. }) => Ok(Some(BlockOutcome::Future)),
            Err(HeaderError::InvalidParent(parent)) => Err(SubmitBlockError::KnownInvalid(parent)),
            Err(HeaderError::Rule(rule)) => Err(rule.into()),
        }
    }

    fn hold(&mut self, outcome: BlockOutcome, hash: BlockHash, block: Block) -> Result<Taken, SubmitBlockError> {
        // BLK-3: a wrong body under this header must not keep the right one out. Whatever else shows without the parent, too.
        let checked = check_block(&self.spec, block).map_err(|(_, rule)| rule)?;
        let (bytes, block) = (checked.size(), checked.into_block());
        let parent = block.header.prev;
        let held = match outcome {
            BlockOutcome::Future => self.held.hold_future(hash, block, bytes),
            _ => self.held.hold_orphan(hash, block, bytes),
        };
        if held { Ok(Taken::Done(outcome)) } else { Err(SubmitBlockError::UnknownParent(parent)) }
    }

    /// Checks a block alone and stores it. Its header is in the tree.
    fn store_body(&mut self, block: Block, stored: &mut Stored, out: &mut Outbox) -> Judged<Taken, SubmitBlockError> {
        let bytes = codec::encode(&block).into();
        let mut accepted = self.store_bodies(vec![(HashedBlock::new(block), bytes)], out)?;
        stored.append(&mut accepted.stored);
        Ok(accepted.refused.pop().map_or(Ok(Taken::Stored), |(_, rule)| Err(rule.into())))
    }

    fn store_bodies(&mut self, blocks: Vec<(HashedBlock, Bytes)>, out: &mut Outbox) -> Result<Accepted, Fatal> {
        let (mut sound, mut refused) = (Vec::with_capacity(blocks.len()), Vec::new());
        for (block, bytes) in blocks {
            let hash = block.hash();
            let Some(info) = self.tree.get(&hash) else { continue };
            if info.status != Status::HeaderOnly {
                let rule = self.restore_body(BlockRef { height: info.height, hash }, block, &bytes)?;
                refused.extend(rule.map(|rule| (hash, rule)));
                continue;
            }
            match timed(Stage::Check, || check_hashed_block(&self.spec, block).map_err(|(_, rule)| rule)) {
                Ok(checked) => sound.push((info.height, checked, bytes)),
                Err(rule) => {
                    // BLK-3: another body may be right for this header, which others may build on: it is stored, so that
                    // the tree on disk has no gap.
                    if rule.blames_body_only() {
                        self.store.put_headers(&[HeaderRecord::new(info.header, info.height)])?;
                    } else {
                        self.condemn(hash, &rule, out)?;
                    }
                    refused.push((hash, rule));
                }
            }
        }
        self.store.put_bodies(sound.iter().map(|(height, block, bytes)| (*height, block, &bytes[..])))?;
        sound.iter().for_each(|(_, block, _)| self.tree.mark_body(&block.hash()));
        let stored = sound.into_iter().map(|(height, block, _)| (height, block)).collect();
        Ok(Accepted { stored, refused })
    }

    /// Stores a block again that the disk does not give back; returns the rule that it breaks. Others are left as they are.
    fn restore_body(&mut self, at: BlockRef, block: HashedBlock, bytes: &Bytes) -> Result<Option<RuleError>, Fatal> {
        if !self.store.is_unreadable(at) {
            return Ok(None);
        }
        // What was condemned meanwhile is no loss.
        if self.tree.get(&at.hash).is_none_or(|info| info.status == Status::Invalid) {
            self.store.forget_unreadable(at);
            return Ok(None);
        }
        let block = match check_hashed_block(&self.spec, block) {
            Ok(block) => block,
            // Its header was found valid, and so it is this body alone that is wrong.
            Err((_, rule)) => return Ok(Some(rule)),
        };
        self.store.put_bodies(std::iter::once((at.height, &block, &bytes[..])))?;
        self.store.forget_unreadable(at);
        tracing::info!(height = at.height, hash = %at.hash, "the block that could not be read is stored again");
        Ok(None)
    }

    /// Marks a block invalid, and with it all that descends from it.
    pub(super) fn condemn(&mut self, hash: BlockHash, rule: &RuleError, out: &mut Outbox) -> Result<(), Fatal> {
        tracing::warn!(%hash, %rule, "invalid block");
        let fallen = self.tree.mark_invalid(&hash);
        self.check_finalized()?;
        let records: Vec<HeaderRecord> = fallen.iter().filter_map(|hash| self.invalid_record(hash)).collect();
        self.store.put_headers(&records)?;
        for record in records {
            self.store.remove_body(record.at())?;
        }
        if let Some(peer) = self.origins.remove(&hash) {
            out.penalize(peer, Offence::InvalidBlock(rule.clone()));
        }
        for undecided in &mut self.undecided {
            if undecided.hash == hash {
                undecided.fault = Some(rule.clone());
            }
        }
        Ok(())
    }

    /// Marks every block as invalid that would have the chain leave this one, which is on it. Their bodies stay.
    pub(crate) fn condemn_all_but(&mut self, hash: BlockHash) -> Result<(), Fatal> {
        self.tree.prefer(&hash);
        while self.tree.candidate() != hash {
            let candidate = self.tree.candidate();
            let fork = self.tree.fork_point(&candidate, &hash).map_or(0, |fork| self.height_of(&fork));
            let Some(first) = self.tree.ancestor(&candidate, fork + 1) else { break };
            let fallen = self.tree.mark_invalid(&first);
            let records: Vec<HeaderRecord> = fallen.iter().filter_map(|hash| self.invalid_record(hash)).collect();
            self.store.put_headers(&records)?;
        }
        Ok(())
    }

    fn invalid_record(&self, hash: &BlockHash) -> Option<HeaderRecord> {
        let info = self.tree.get(hash)?;
        let record = HeaderRecord::new(info.header, info.height);
        Some(HeaderRecord { verdict: Verdict::Invalid, ..record })
    }
}
