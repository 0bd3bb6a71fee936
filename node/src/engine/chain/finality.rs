//! Finality on the chain: which block may be voted for, and which certificate is followed.

use chain_core::{
    finality::{Certificate, Evidence, FinalityError, Vote},
    hash::BlockHash,
    headers::{HeaderTree, Status},
    spec::ChainSpec,
    units::Height,
};

use super::Chain;
use crate::{
    engine::{AcceptError, Fatal, FinalityInfo, OpenError, Outbox, PeerId, Time, error::Judged},
    finality::{Alarm, Finality, Heard, MemberKey, Promise, Stored},
    store::{Store, StoreError},
};

/// How often a member says something in one event: each time it waits for the disk.
const AT_ONCE: u32 = 16;

impl Chain {
    /// What is stored of a chain's finality, if it has any; the tree goes through the newest certificate.
    pub(super) fn open_finality(
        store: &Store,
        spec: &ChainSpec,
        tree: &mut HeaderTree,
        key: Option<MemberKey>,
    ) -> Result<Option<Finality>, OpenError> {
        if spec.finality.is_none() {
            return Ok(None);
        }
        let newest = finalize_stored(store, tree)?;
        let stored = Stored { newest, evidence: store.evidence()?, promise: store.promise()? };
        Ok(Finality::new(spec, tree.genesis(), key, stored))
    }

    /// Votes, certificates and evidence, on a chain that has them.
    pub fn finality(&self) -> Option<&Finality> {
        self.finality.as_ref()
    }

    pub(crate) fn finality_mut(&mut self) -> Option<&mut Finality> {
        self.finality.as_mut()
    }

    /// A certificate came. What it breaks is its sender's fault; that it is not followed is not.
    pub(crate) fn on_certificate(
        &mut self,
        certificate: Certificate,
        from: Option<PeerId>,
        out: &Outbox,
    ) -> Judged<(), FinalityError> {
        let Self { finality: Some(finality), verifier, .. } = self else { return Ok(Ok(())) };
        let newest = finality.newest();
        if newest.is_some_and(|newest| (newest.height, newest.hash) == (certificate.height, certificate.hash)) {
            return Ok(Ok(()));
        }
        if let Err(error) = certificate.check(finality.electorate(), &mut |checks| verifier.verify(checks)) {
            return Ok(Err(error));
        }
        if certificate.height <= finality.height() {
            self.compare(&certificate)?;
            return Ok(Ok(()));
        }
        self.consider(certificate, from, out.steady())?;
        Ok(Ok(()))
    }

    /// A peer's vote came.
    ///
    /// # Errors
    /// [`FinalityError`] if it is invalid, which is the peer's fault.
    pub(crate) fn on_vote(&mut self, vote: &Vote, from: PeerId, now: Time) -> Result<Heard, FinalityError> {
        let Self { finality: Some(finality), verifier, .. } = self else { return Ok(Heard::Old) };
        finality.hear_vote(vote, &mut |checks| verifier.verify(checks), Some(from), now)
    }

    /// Evidence came, against a member whom none is known against.
    ///
    /// # Errors
    /// [`FinalityError`] if it is invalid, which is the peer's fault.
    pub(crate) fn on_evidence(&mut self, evidence: Evidence, from: PeerId) -> Result<(), FinalityError> {
        let Self { finality: Some(finality), verifier, .. } = self else { return Ok(()) };
        evidence.check(finality.electorate(), &mut |checks| verifier.verify(checks))?;
        finality.note_evidence(evidence, Some(from));
        Ok(())
    }

    /// A checked certificate for the height of what is final or below: it contradicts that, or says nothing new. A node that
    /// was not there has no certificate of that height, but the newest one speaks for all blocks below its own.
    fn compare(&mut self, certificate: &Certificate) -> Result<(), Fatal> {
        let known = self.store.certificate_at(certificate.height)?;
        let Some(finality) = &mut self.finality else { return Ok(()) };
        let Some(newest) = finality.newest().cloned() else { return Ok(()) };
        // FIN-4
        match (known, self.tree.ancestor(&newest.hash, certificate.height)) {
            (Some(known), _) if known.hash != certificate.hash => finality.contradict(certificate, &known),
            (None, Some(below)) if below != certificate.hash => finality.raise(Alarm::conflict(certificate, &newest)),
            _ => {}
        }
        Ok(())
    }

    /// Follows a checked certificate that is newer than what is final, unless that would break a rule.
    fn consider(&mut self, certificate: Certificate, from: Option<PeerId>, now: Time) -> Result<(), Fatal> {
        let Some(finality) = &mut self.finality else { return Ok(()) };
        let (height, hash) = (certificate.height, certificate.hash);
        let Some(info) = self.tree.get(&hash) else {
            finality.want(certificate);
            return Ok(());
        };
        // A certificate names a block by its hash; the height must be that of the block.
        if info.height != height || info.status == Status::Invalid {
            finality.raise(Alarm::Invalid { height, hash });
            return Ok(());
        }
        if let Some(newest) = finality.newest().filter(|newest| !self.tree.is_ancestor(&newest.hash, &hash)) {
            let alarm = Alarm::conflict(&certificate, newest);
            finality.raise(alarm);
            return Ok(());
        }
        let window = finality.electorate().rules.window;
        let depth = self.disconnects(&hash);
        if depth > window {
            self.refuse(certificate, Alarm::TooDeep { height, hash, depth, window });
            return Ok(());
        }
        self.follow(certificate, from, now)
    }

    /// Does not follow a certificate that would disconnect too much.
    fn refuse(&mut self, certificate: Certificate, alarm: Alarm) {
        let Some(finality) = &mut self.finality else { return };
        let rival =
            finality.refused().filter(|refused| are_apart(&self.tree, &refused.hash, &certificate.hash)).cloned();
        // FIN-4
        finality.refuse(certificate.clone(), alarm);
        if let Some(rival) = rival {
            finality.contradict(&certificate, &rival);
        }
    }

    /// Has the chain go through the block of a certificate, which is stored first.
    fn follow(&mut self, certificate: Certificate, from: Option<PeerId>, now: Time) -> Result<(), Fatal> {
        self.store.put_certificate(&certificate)?;
        self.tree.finalize(&certificate.hash);
        tracing::info!(height = certificate.height, hash = %certificate.hash, "finalized");
        let Some(finality) = &mut self.finality else { return Ok(()) };
        // One above this certificate's block stays refused.
        let is_above = |refused: &Certificate| {
            refused.hash != certificate.hash && self.tree.is_ancestor(&certificate.hash, &refused.hash)
        };
        let refused = finality.refused().is_some_and(|refused| !is_above(refused)).then(|| finality.take_refused());
        finality.follow(certificate.clone(), from, now);
        let rival = refused.flatten().filter(|refused| are_apart(&self.tree, &refused.hash, &certificate.hash));
        // FIN-4
        if let Some(rival) = rival {
            finality.contradict(&rival, &certificate);
        }
        Ok(())
    }

    /// The operator has a certificate followed that was refused for its depth. Returns its height.
    pub(crate) fn accept_refused(&mut self, block: BlockHash, now: Time) -> Judged<Height, AcceptError> {
        let finality = self.finality.as_ref();
        // A newer one speaks for the block that the operator was told of, too.
        let speaks = |refused: &&Certificate| {
            self.tree.is_ancestor(&block, &refused.hash) && !self.tree.is_ancestor(&block, &self.told)
        };
        let refused = finality.and_then(Finality::refused).filter(speaks).cloned();
        let is_rival = |alarm: &Alarm| matches!(alarm, Alarm::Conflict { hash, .. } if *hash == block);
        let (Some(certificate), Some(finality)) = (refused, finality) else {
            return Ok(Err(match finality.and_then(Finality::alarm).is_some_and(is_rival) {
                true => AcceptError::Contradicts(block),
                false => AcceptError::NotRefused(block),
            }));
        };
        let (height, hash) = (certificate.height, certificate.hash);
        let is_valid = self.tree.get(&hash).is_some_and(|info| info.status != Status::Invalid);
        if !is_valid || finality.newest().is_some_and(|newest| !self.tree.is_ancestor(&newest.hash, &hash)) {
            return Ok(Err(AcceptError::Contradicts(hash)));
        }
        let (fork, pruned) = (self.fork_with(&hash), self.store.pruned());
        if fork < pruned {
            return Ok(Err(AcceptError::Pruned { fork, pruned }));
        }
        tracing::warn!(height, %hash, "the operator accepts a certificate that was refused");
        self.follow(certificate, None, now)?;
        Ok(Ok(height))
    }

    /// Blocks of the announced chain that a block would disconnect, were it final too: none if it is one of them, and none if the
    /// chain is on its way to what is final already, below which the block does not fork off.
    fn disconnects(&self, finalized: &BlockHash) -> Height {
        let tip = self.told_tip();
        let newest = self.finality.as_ref().and_then(Finality::newest);
        if self.tree.is_ancestor(finalized, &tip)
            || newest.is_some_and(|newest| !self.tree.is_ancestor(&newest.hash, &tip))
        {
            return 0;
        }
        self.height_of(&tip).saturating_sub(self.fork_with(finalized))
    }

    /// Height at which a block's branch leaves the announced chain.
    fn fork_with(&self, block: &BlockHash) -> Height {
        self.tree.fork_point(&self.told_tip(), block).map_or(0, |fork| self.height_of(&fork))
    }

    /// After an event: follows what became known, and lets this node's member vote. Its vote is on disk before anybody hears it.
    pub(crate) fn vote_and_decide(&mut self, out: &Outbox) -> Result<(), Fatal> {
        let Some(finality) = &mut self.finality else { return Ok(()) };
        let now = out.steady();
        if let Some(wanted) = finality.wanted()
            && self.tree.contains(&wanted.hash)
            && let Some(wanted) = finality.take_wanted()
        {
            self.consider(wanted, None, now)?;
        }
        if let Some(finality) = &mut self.finality
            && finality.refused().is_some_and(|refused| self.tree.is_ancestor(&refused.hash, &self.told))
            && let Some(refused) = finality.take_refused()
        {
            self.consider(refused, None, now)?;
        }
        // A member that is alone needs no other event to come to its certificate. A backlog waits for the next event.
        for _ in 0..AT_ONCE {
            let Some((promise, said)) = self.step(now) else { break };
            // FIN-3: the promise is on disk before anybody hears of it.
            self.store.put_promise(&promise)?;
            if let Some(finality) = &mut self.finality {
                finality.say(promise, said);
            }
            self.decide_checkpoint(now)?;
        }
        self.decide_checkpoint(now)?;
        self.store_evidence()
    }

    fn step(&mut self, now: Time) -> Option<(Promise, Vec<Vote>)> {
        // Most nodes are no members, and need not look for what they could vote for.
        self.finality.as_ref()?.member()?;
        let eligible = self.eligible();
        self.finality.as_mut()?.step(eligible, now)
    }

    /// FIN-3: the block of the next checkpoint, if it is deep enough on the announced chain, which goes through the finalized
    /// block.
    fn eligible(&self) -> Option<BlockHash> {
        let (finality, rules) = (self.finality.as_ref()?, self.spec.finality.as_ref()?);
        let (told, height) = (self.told, finality.round().height());
        let is_deep = height > 0 && self.height_of(&told) >= height.saturating_add(rules.depth);
        let descends = |newest: &Certificate| self.tree.is_ancestor(&newest.hash, &told);
        // FIN-3
        let may_vote = is_deep && finality.newest().is_none_or(descends);
        let block = may_vote.then(|| self.tree.ancestor(&told, height)).flatten();
        // While a reorganisation disconnects it, it is no longer certain to be on the chain that is announced next.
        block.filter(|block| self.tree.is_ancestor(block, &self.store.tip().hash))
    }

    /// Follows the certificate that the votes amount to, if they do.
    fn decide_checkpoint(&mut self, now: Time) -> Result<(), Fatal> {
        let decided = self.finality.as_mut().and_then(Finality::take_decided);
        decided.map_or(Ok(()), |certificate| self.consider(certificate, None, now))
    }

    /// All that came with an event goes to the disk at once: a peer may send evidence against each member.
    fn store_evidence(&mut self) -> Result<(), Fatal> {
        let fresh = self.finality.as_mut().map(Finality::take_fresh).unwrap_or_default();
        if !fresh.is_empty() {
            self.store.put_evidence(&fresh)?;
        }
        Ok(())
    }

    /// Finality now, on a chain that has it.
    pub fn finality_info(&self) -> Option<FinalityInfo> {
        let finality = self.finality.as_ref()?;
        let (electorate, round, abstention) = (finality.electorate(), finality.round(), finality.abstention());
        let view = round.view(electorate.rules.quorum());
        Some(FinalityInfo {
            members: electorate.rules.members.clone(),
            newest: finality.newest().cloned(),
            time: self.tree.get(&self.tree.finalized()).map_or(0, |info| info.header.time),
            wanted: finality.wanted().cloned(),
            refused: finality.refused().cloned(),
            silent_below: abstention.map(|abstention| abstention.below),
            signed_ahead: abstention.map(|abstention| abstention.signed),
            alarm: finality.alarm().map(ToString::to_string),
            next: round.height(),
            view,
            leader: electorate.rules.leader(round.height(), view),
            votes: round.votes().cloned().collect(),
            evidence: finality.evidence().cloned().collect(),
            member: finality.member(),
        })
    }

    /// The finalized block turned out to be invalid: the one before it that is not holds. More than f members are faulty, or this
    /// node is.
    pub(super) fn check_finalized(&mut self) -> Result<(), Fatal> {
        let hash = self.tree.finalized();
        if self.finality.is_none() || self.tree.get(&hash).is_none_or(|info| info.status != Status::Invalid) {
            return Ok(());
        }
        let height = self.height_of(&hash);
        finalize_stored(&self.store, &mut self.tree)?;
        self.finality.iter_mut().for_each(|finality| finality.raise(Alarm::Invalid { height, hash }));
        Ok(())
    }
}

/// Whether neither of two blocks is on the branch of the other.
fn are_apart(tree: &HeaderTree, one: &BlockHash, other: &BlockHash) -> bool {
    !tree.is_ancestor(one, other) && !tree.is_ancestor(other, one)
}

/// Has the tree go through the newest stored certificate whose block is known and not invalid. Returns the newest of all.
fn finalize_stored(store: &Store, tree: &mut HeaderTree) -> Result<Option<Certificate>, StoreError> {
    let is_sound = |hash: &BlockHash| tree.get(hash).is_some_and(|info| info.status != Status::Invalid);
    let mut newest = None;
    let sound = store.newest_certificate(|certificate| {
        newest.get_or_insert_with(|| certificate.clone());
        Ok(is_sound(&certificate.hash))
    })?;
    let finalized = sound.map_or(tree.genesis(), |certificate| certificate.hash);
    tree.finalize(&finalized);
    Ok(newest)
}
