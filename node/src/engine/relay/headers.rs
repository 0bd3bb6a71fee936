//! Headers first: a peer's chain of headers is checked by rules and work before anything of it is kept.
//!
//! A chain that is worth about as much as ours is stored as it comes. Of any other, only the hash of each answer's last
//! header is remembered ([`Presync`], pass one) until its work is enough; then it is fetched again and stored, each answer
//! against the hash that was remembered, to which all its headers commit (pass two). So a peer costs 32 bytes for every
//! 2,000 headers, and nothing is stored that is not worth it, while an honest branch of any length is followed.

use chain_core::{
    U256,
    block::header::Header,
    hash::BlockHash,
    headers::{HeaderContext, HeaderError, Status},
    units::Height,
    work::pow,
};

use super::{peers::Peer, requests::Question};
use crate::{
    engine::{Engine, Offence, PeerId, Time, error::Fatal},
    store::HeaderRecord,
    wire::{HEADERS, Request},
};

/// Most answers of a chain that is not worth storing yet: eight million headers, 128 KiB.
pub(super) const MOST_CHECKPOINTS: usize = 4_096;

/// Milliseconds without better headers after which one more peer is asked at the same time.
const SLOW: u64 = 5_000;

/// Milliseconds in which a peer whose headers were of no use is not asked again: at first, and at most after many times.
pub(super) const USELESS: u64 = 1_000;
const MOST_USELESS: u64 = 32_000;

/// Milliseconds between two lines about blocks that are ahead of the clock.
const WARN_AGAIN: u64 = 600_000;

/// A chain that ends so few blocks above our best header is asked for whoever else is asked.
const NEAR: Height = 64;

/// A chain of headers on its way to be worth storing.
#[derive(Debug)]
pub(super) struct Presync {
    /// The known block that it forks from.
    start: BlockHash,
    /// The last header of each answer.
    checkpoints: Vec<BlockHash>,
    /// Answers that were fetched again and stored; `None` in pass one.
    stored: Option<usize>,
    /// The last header seen in this pass.
    last: HeaderContext,
}

/// What a run of headers turned out to be.
struct Run {
    /// The block that the first of them names as its parent.
    from: BlockHash,
    start: HeaderContext,
    /// Those that are new, with what they amount to.
    new: Vec<(Header, HeaderContext)>,
    /// Cut short by a header of the future, which has this time.
    cut: Option<u32>,
}

impl Run {
    fn last(&self) -> &HeaderContext {
        self.new.last().map_or(&self.start, |(_, context)| context)
    }
}

impl Engine {
    /// Asks for headers whoever says to have better ones.
    pub(super) fn sync_headers(&mut self) {
        self.find_claims();
        if self.relay.peers.values().all(|peer| !peer.asked_headers) {
            self.relay.headers_improved = self.steady;
        }
        let slow = self.steady.since(self.relay.headers_improved) / SLOW;
        let most = usize::try_from(slow).unwrap_or(usize::MAX).saturating_add(1);
        let mut asked = self.relay.peers.values().filter(|peer| peer.asked_headers).count();
        // Bodies of the best header's branch may be withheld: headers of any that is better than ours are of use.
        let work = self.work_of(&self.tree.candidate());
        let height = self.tree.get(&self.tree.best_header()).map_or(0, |info| info.height);
        let mut eligible: Vec<(U256, bool, PeerId, Height)> = Vec::new();
        for (id, peer) in &self.relay.peers {
            if let Some(claim) = peer.claim
                && claim.work > work
                && !peer.asked_headers
                && peer.headers_after <= self.steady
                && !claim.found
            {
                eligible.push((claim.work, peer.chosen(), *id, claim.height));
            }
        }
        eligible.sort_unstable_by(|a, b| b.cmp(a));
        for (_, _, id, claimed) in eligible {
            if asked < most || claimed <= height.saturating_add(NEAR) {
                asked += 1;
                self.ask_headers(id, None);
            }
        }
        self.ask_about_orphans();
    }

    /// Asks a peer for the headers that follow a block on its chain, or the fork with our best header.
    pub(super) fn ask_headers(&mut self, id: PeerId, after: Option<BlockHash>) {
        let (from, after) = (after, after.unwrap_or_else(|| self.tree.best_header()));
        let Some(peer) = self.relay.peers.get_mut(&id).filter(|peer| !peer.asked_headers) else { return };
        peer.asked_headers = true;
        peer.claim_then = peer.claim;
        peer.headers_from = from;
        let locator = match &peer.presync {
            Some(presync) => vec![presync.last.hash],
            None => self.tree.locator(&after),
        };
        // HEADERS is far below 65,536.
        self.ask_peer(id, Question::Headers, Request::Headers { locator, most: HEADERS as u16 });
    }

    /// A peer's headers came, or did not.
    pub(super) fn on_headers_answer(&mut self, id: PeerId, headers: &[Header]) -> Result<(), Fatal> {
        let Some(peer) = self.relay.peers.get_mut(&id) else { return Ok(()) };
        peer.asked_headers = false;
        let presync = peer.presync.take();
        let start = match (&presync, headers.first()) {
            (_, None) => return self.end_of_headers(id, presync.map(|presync| presync.last.work), false),
            (Some(presync), Some(first)) if first.prev == presync.last.hash => presync.last.clone(),
            (Some(_), Some(_)) => {
                // Its chain changed below us: once more from the start, later.
                self.rest_headers(id);
                return Ok(());
            }
            (None, Some(first)) => match self.tree.context(&first.prev) {
                Some(context) => context,
                None => {
                    self.penalize(id, Offence::WrongAnswer("headers"));
                    self.rest_headers(id);
                    return Ok(());
                }
            },
        };
        match self.check_run(start, headers) {
            Ok(run) => self.take_run(id, presync, run, headers.len() == HEADERS),
            Err(offence) => {
                self.penalize(id, offence);
                self.rest_headers(id);
                Ok(())
            }
        }
    }

    /// Checks headers in a row against the rules; keeps nothing.
    fn check_run(&self, start: HeaderContext, headers: &[Header]) -> Result<Run, Offence> {
        let mut run = Run { from: start.hash, start, new: Vec::new(), cut: None };
        let mut headers = headers.iter().peekable();
        while let Some(header) = headers.next_if(|header| self.tree.contains(&header.hash())) {
            let hash = header.hash();
            if self.tree.get(&hash).is_some_and(|info| info.status == Status::Invalid) {
                return Err(Offence::OnInvalid(hash));
            }
            run.start = self.tree.context(&hash).filter(|_| header.prev == run.start.hash).ok_or_else(unlinked)?;
        }
        if self.tree.get(&run.start.hash).is_some_and(|info| info.status == Status::Invalid) {
            return Err(Offence::OnInvalid(run.start.hash));
        }
        for header in headers {
            match run.last().child(&self.spec, header, self.now.seconds()) {
                Ok(context) => run.new.push((*header, context)),
                Err(HeaderError::Rule(rule)) => return Err(Offence::InvalidHeader(rule)),
                Err(HeaderError::TooFarInFuture { got, .. }) => {
                    run.cut = Some(got);
                    break;
                }
                Err(HeaderError::UnknownParent(_) | HeaderError::Duplicate(_) | HeaderError::InvalidParent(_)) => {
                    return Err(unlinked());
                }
            }
        }
        Ok(run)
    }

    /// Stores a run, or remembers its end, or is done with the peer's chain.
    fn take_run(&mut self, id: PeerId, presync: Option<Presync>, run: Run, full: bool) -> Result<(), Fatal> {
        let more = full && run.cut.is_none();
        run.cut.inspect(|time| self.warn_of_future(*time));
        let last = run.last().clone();
        match presync {
            Some(Presync { start, checkpoints, stored: Some(stored), .. }) => {
                if checkpoints.get(stored) != Some(&last.hash) {
                    self.rest_headers(id);
                    return Ok(());
                }
                self.store_run(id, &run)?;
                let left = stored + 1 < checkpoints.len();
                let next = Presync { start, checkpoints, stored: Some(stored + 1), last };
                self.set_presync(id, left.then_some(next));
            }
            // The rest is to come in its time, and makes it worth storing or not.
            None if run.cut.is_some() && last.work <= self.work_of(&self.tree.candidate()) => {
                self.rest_headers(id);
                return Ok(());
            }
            None if !more && self.falls_short(id, &run) => return self.end_of_headers(id, Some(last.work), false),
            None if last.work >= self.least_work() => self.store_run(id, &run)?,
            first => {
                let start = first.as_ref().map_or(run.from, |presync| presync.start);
                let mut checkpoints = first.map(|presync| presync.checkpoints).unwrap_or_default();
                checkpoints.push(last.hash);
                if last.work >= self.least_work() {
                    let Some(context) = self.tree.context(&start) else { return Ok(()) };
                    self.set_presync(id, Some(Presync { start, checkpoints, stored: Some(0), last: context }));
                    self.ask_headers(id, None);
                    return Ok(());
                }
                if !more || checkpoints.len() >= MOST_CHECKPOINTS {
                    return self.end_of_headers(id, Some(last.work), false);
                }
                self.set_presync(id, Some(Presync { start, checkpoints, stored: None, last }));
            }
        }
        let peer = self.relay.peers.get(&id);
        // Known headers are followed while they lead on; the same ones again and again would be asked for without end.
        let turns =
            run.new.is_empty() && peer.is_some_and(|peer| peer.headers_from.is_some_and(|from| from != run.from));
        if more && turns {
            self.rest_headers(id);
            return Ok(());
        }
        if more || peer.is_some_and(|peer| peer.presync.is_some()) {
            self.ask_headers(id, Some(run.last().hash));
            return Ok(());
        }
        let work = self.work_of(&run.last().hash);
        if run.cut.is_some() {
            self.rest_headers(id);
            return Ok(());
        }
        self.end_of_headers(id, Some(work), !run.new.is_empty())
    }

    /// Whether a run that ends a peer's chain is worth less than the peer claimed: nothing of it is stored, so that whoever
    /// only claims much cannot fill a chain that is young.
    fn falls_short(&self, id: PeerId, run: &Run) -> bool {
        let claim = self.relay.peers.get(&id).and_then(|peer| peer.claim_then);
        claim.is_some_and(|claim| {
            let shown =
                self.tree.contains(&claim.hash) || run.new.iter().any(|(_, context)| context.hash == claim.hash);
            run.cut.is_none() && !shown && run.last().work < claim.work
        })
    }

    fn set_presync(&mut self, id: PeerId, presync: Option<Presync>) {
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            peer.presync = presync;
        }
    }

    /// A peer has no more headers; its chain amounts to this work. If that was of no use, the peer is left alone for a while.
    fn end_of_headers(&mut self, id: PeerId, work: Option<U256>, useful: bool) -> Result<(), Fatal> {
        let claimed = self.relay.peers.get(&id).and_then(|peer| peer.claim_then);
        let Some(claim) = claimed.filter(|claim| !self.tree.contains(&claim.hash)) else {
            // It showed what it claims, but perhaps not what an orphan of it stands on.
            if !useful {
                self.rest_headers(id);
            }
            return Ok(());
        };
        let shown = work.unwrap_or_else(|| self.work_of(&self.tree.best_header()));
        if shown < claim.work {
            self.penalize(id, Offence::LessWork);
        }
        self.rest_headers(id);
        Ok(())
    }

    /// Says that a block is refused for now because it is ahead of the clock, which may be what is wrong. Peers can provoke
    /// the line, so it is written once in [`WARN_AGAIN`].
    pub(super) fn warn_of_future(&mut self, time: u32) {
        if self.relay.warned_of_future.is_some_and(|at| self.now.since(at) < WARN_AGAIN) {
            return;
        }
        self.relay.warned_of_future = Some(self.now);
        let ahead = u64::from(time).saturating_sub(self.now.seconds());
        let most = self.spec.max_future;
        tracing::warn!(
            "a peer's block is {ahead} s ahead of this machine's clock, and blocks more than {most} s ahead must wait: \
             check the date and time of this machine"
        );
    }

    /// Leaves a peer's headers alone for a while.
    pub(super) fn rest_headers(&mut self, id: PeerId) {
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            peer.presync = None;
            peer.headers_after = self.steady.after(peer.useless);
            peer.useless = (peer.useless * 2).min(MOST_USELESS);
        }
    }

    /// Puts checked headers into the tree and the store.
    fn store_run(&mut self, id: PeerId, run: &Run) -> Result<(), Fatal> {
        let before = self.tree.best_header();
        let mut records = Vec::with_capacity(run.new.len());
        for (header, context) in &run.new {
            if self.tree.insert_checked(header, context).is_some() {
                records.push(HeaderRecord::with_hash(*header, context.hash, context.height));
            }
        }
        self.store.put_headers(&records)?;
        if self.tree.best_header() != before {
            self.relay.headers_improved = self.steady;
            if let Some(peer) = self.relay.peers.get_mut(&id) {
                peer.useless = USELESS;
            }
        }
        self.consider_best(id, run.last().hash);
        Ok(())
    }

    /// Work from which on headers are worth storing: compared with our tip, since of a better branch the bodies may never come;
    /// but once much lies beside the best headers, with those, so that a node that knows no chain yet keeps a bounded number.
    pub(super) fn least_work(&self) -> U256 {
        let best = self.tree.best_header();
        let height = self.tree.get(&best).map_or(0, |info| info.height as usize);
        let many = self.tree.len().saturating_sub(height) > self.relay.config.beside;
        let tip = self.tree.get(&if many { best } else { self.store.tip().hash });
        let enough = tip.map_or(U256::ZERO, |tip| {
            let one = pow::target(tip.header.bits).map(pow::work).unwrap_or_default();
            tip.work.saturating_sub(one.saturating_mul(U256::from(self.relay.config.margin)))
        });
        enough.max(self.relay.config.minimum_work)
    }
}

impl Peer {
    /// Hashes that are remembered of its headers while they are not worth storing.
    pub(super) fn checkpoints(&self) -> usize {
        self.presync.as_ref().map_or(0, |presync| presync.checkpoints.len())
    }
}

fn unlinked() -> Offence {
    Offence::WrongAnswer("headers")
}

/// When another peer may be asked for headers although one is at it.
pub(super) fn next_attempt(improved: Time, now: Time) -> Time {
    improved.after((now.since(improved) / SLOW + 1) * SLOW)
}
