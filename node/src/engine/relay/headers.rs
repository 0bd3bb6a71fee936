//! Headers first: a peer's chain of headers is checked by rules and work before anything of it is kept.
//!
//! A chain that is worth about as much as ours is stored as it comes. Of any other, only the hash of each answer's last
//! header is remembered ([`Presync`], pass one) until its work is enough; then it is fetched again and stored, each answer
//! against the hash that was remembered, to which all its headers commit (pass two). So a peer costs 32 bytes for every
//! 2,000 headers, and nothing of too little work is stored, while an honest branch of any length is followed.

use chain_core::{
    U256,
    block::header::Header,
    hash::BlockHash,
    headers::{HeaderContext, HeaderError, Status},
    units::Height,
    work::pow,
};
use std::collections::BTreeMap;

use super::{
    config::RelayConfig,
    context::Context,
    peers::{Claim, Peers, Question},
};
use crate::{
    engine::{Chain, Fatal, Offence, Outbox, PeerId, Time},
    finality::Finality,
    wire::{HEADERS, Request},
};

/// Most responses of a chain that has too little work to be stored yet: eight million headers, 128 KiB.
pub(super) const MOST_CHECKPOINTS: usize = 4_096;

/// Milliseconds without better headers after which one more peer is asked at the same time.
const SLOW: u64 = 5_000;

/// Milliseconds in which a peer whose headers did not help is not asked again, and how often they double.
const USELESS: u64 = 1_000;
const DOUBLINGS: u32 = 5;

/// Milliseconds between two lines about blocks that are ahead of the clock.
const WARN_AGAIN: u64 = 600_000;

/// A chain that ends so few blocks above our best header is asked for even while other peers are asked.
const NEAR: Height = 64;

/// A chain of headers on its way to be worth storing.
#[derive(Debug)]
struct Presync {
    /// The known block that it forks from.
    start: BlockHash,
    /// The last header of each response.
    checkpoints: Vec<BlockHash>,
    /// Responses that were fetched again and stored; `None` in pass one.
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
    /// Whether a block is among the new ones.
    fn shows(&self, block: Option<BlockHash>) -> bool {
        block.is_some_and(|block| self.new.iter().any(|(_, context)| context.hash == block))
    }

    fn last(&self) -> &HeaderContext {
        self.new.last().map_or(&self.start, |(_, context)| context)
    }
}

/// What is known of one peer's headers.
#[derive(Debug, Default)]
struct Source {
    /// Whether a request for headers is in flight.
    asked: bool,
    /// What it claimed when it was last asked: the response to that need not show what it claimed since.
    claim: Option<Claim>,
    /// The block whose descendants it was asked for last, if that went on from an earlier response.
    from: Option<BlockHash>,
    /// It is not asked before this time.
    after: Time,
    /// Times in a row that its headers did not help, up to [`DOUBLINGS`].
    useless: u32,
    /// The headers that it sends are not worth storing yet.
    presync: Option<Presync>,
    /// When it last showed less work than it claimed, and the height of the newest certificate then.
    excused: Option<(Time, Height)>,
}

impl Source {
    /// Does not ask it for a while.
    fn rest(&mut self, now: Time) {
        self.presync = None;
        self.after = now.after(USELESS << self.useless);
        self.useless = (self.useless + 1).min(DOUBLINGS);
    }
}

/// Headers on their way here.
#[derive(Debug)]
pub(super) struct Headers {
    pub(super) minimum_work: U256,
    pub(super) margin: u64,
    pub(super) beside: usize,
    sources: BTreeMap<PeerId, Source>,
    /// When headers last improved, or were asked for first.
    improved: Time,
    /// When the log last said that a block is ahead of the clock.
    pub(super) warned_of_future: Option<Time>,
}

impl Headers {
    pub(super) fn new(config: &RelayConfig) -> Self {
        let RelayConfig { minimum_work, margin, beside, .. } = *config;
        Self { minimum_work, margin, beside, sources: BTreeMap::new(), improved: Time(0), warned_of_future: None }
    }

    pub(super) fn connect(&mut self, id: PeerId) {
        self.sources.insert(id, Source::default());
    }

    pub(super) fn disconnect(&mut self, id: PeerId) {
        self.sources.remove(&id);
    }

    /// Hashes of header chains that are not worth storing.
    pub(super) fn checkpoints(&self) -> usize {
        let presyncs = self.sources.values().filter_map(|source| source.presync.as_ref());
        presyncs.map(|presync| presync.checkpoints.len()).sum()
    }

    /// When another peer may be asked, or one that rests again.
    pub(super) fn wake_at(&self, now: Time) -> Option<Time> {
        let asked = self.sources.values().any(|source| source.asked);
        let next = asked.then(|| self.improved.after((now.since(self.improved) / SLOW + 1) * SLOW));
        let resting = self.sources.values().map(|source| source.after).filter(|at| *at > now).min();
        next.into_iter().chain(resting).min()
    }

    /// Asks for headers the peers that claim better ones. On a chain with finality, those that have told their certificate.
    pub(super) fn sync(
        &mut self,
        peers: &mut Peers,
        has_told: impl Fn(PeerId) -> bool,
        chain: &Chain,
        out: &mut Outbox,
    ) {
        peers.find_claims(chain);
        let now = out.steady();
        let mut asked = self.sources.values().filter(|source| source.asked).count();
        if asked == 0 {
            self.improved = now;
        }
        let slow = now.since(self.improved) / SLOW;
        let most = usize::try_from(slow).unwrap_or(usize::MAX).saturating_add(1);
        // Bodies of the best header's branch may be withheld: headers of any that is better than ours are wanted.
        let work = chain.work_of(&chain.tree().candidate());
        let height = chain.height_of(&chain.tree().best_header());
        // FIN-1: the branch of a finalized block is wanted whatever its work.
        let (finality, wanted) = (chain.finality().is_some(), wanted(chain).is_some());
        // Those that this node chose come first: anybody can claim any work.
        let mut eligible: Vec<(bool, U256, PeerId, Height)> = Vec::new();
        for (id, peer) in peers.iter() {
            if let Some(claim) = peer.claim().filter(|claim| wanted || (claim.work > work && !claim.found))
                && (!finality || has_told(id))
                && self.sources.get(&id).is_some_and(|source| !source.asked && source.after <= now)
            {
                eligible.push((peer.chosen(), claim.work, id, claim.height));
            }
        }
        eligible.sort_unstable_by(|a, b| b.cmp(a));
        for (_, _, id, claimed) in eligible {
            if asked < most || claimed <= height.saturating_add(NEAR) {
                asked += 1;
                self.ask(id, None, peers, chain, out);
            }
        }
    }

    /// Asks a peer that gossiped an orphan for the headers below it, unless it is paused.
    pub(super) fn ask_about_orphan(&mut self, id: PeerId, peers: &mut Peers, chain: &Chain, out: &mut Outbox) {
        let ready = |source: &Source| !source.asked && source.after <= out.steady() && source.presync.is_none();
        if peers.is_met(id) && self.sources.get(&id).is_some_and(ready) {
            self.ask(id, None, peers, chain, out);
        }
    }

    /// Asks a peer for the headers that follow a block on its chain, or the fork with our best header.
    fn ask(&mut self, id: PeerId, after: Option<BlockHash>, peers: &mut Peers, chain: &Chain, out: &mut Outbox) {
        let (from, after) = (after, after.unwrap_or_else(|| chain.tree().best_header()));
        let Some(source) = self.sources.get_mut(&id).filter(|source| !source.asked) else { return };
        source.asked = true;
        source.claim = peers.get(id).and_then(|peer| peer.claim());
        source.from = from;
        let locator = match &source.presync {
            Some(presync) => vec![presync.last.hash],
            None => chain.tree().locator(&after),
        };
        // HEADERS is far below 65,536.
        peers.ask(id, Question::Headers, Request::Headers { locator, most: HEADERS as u16 }, out);
    }

    /// A peer did not answer.
    pub(super) fn on_unanswered(&mut self, id: PeerId, now: Time) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.asked = false;
            source.rest(now);
        }
    }

    /// A peer's headers came, or it has none.
    pub(super) fn on_response(&mut self, id: PeerId, headers: &[Header], cx: &mut Context) -> Result<(), Fatal> {
        let Some(source) = self.sources.get_mut(&id) else { return Ok(()) };
        source.asked = false;
        let presync = source.presync.take();
        let start = match (&presync, headers.first()) {
            (_, None) => {
                self.end(id, presync.map(|presync| presync.last.work), false, cx);
                return Ok(());
            }
            (Some(presync), Some(first)) if first.prev == presync.last.hash => presync.last.clone(),
            (Some(_), Some(_)) => {
                // Its chain changed below us: once more from the start, later.
                source.rest(cx.out.steady());
                return Ok(());
            }
            (None, Some(first)) => match cx.chain.tree().context(&first.prev) {
                Some(context) => context,
                None => {
                    cx.out.penalize(id, unlinked());
                    source.rest(cx.out.steady());
                    return Ok(());
                }
            },
        };
        match check_run(start, headers, cx.chain, cx.out.wall()) {
            Ok(run) => self.take_run(id, presync, run, headers.len() == HEADERS, cx),
            Err(offence) => {
                cx.out.penalize(id, offence);
                source.rest(cx.out.steady());
                Ok(())
            }
        }
    }

    /// Stores a run, or remembers its end, or is done with the peer's chain.
    fn take_run(
        &mut self,
        id: PeerId,
        presync: Option<Presync>,
        run: Run,
        full: bool,
        cx: &mut Context,
    ) -> Result<(), Fatal> {
        let more = full && run.cut.is_none();
        run.cut.inspect(|time| self.warn_of_future(*time, cx.chain, cx.out));
        let last = run.last().clone();
        match presync {
            Some(Presync { start, checkpoints, stored: Some(stored), .. }) => {
                if checkpoints.get(stored) != Some(&last.hash) {
                    self.rest(id, cx.out.steady());
                    return Ok(());
                }
                self.store_run(id, &run, cx)?;
                let left = stored + 1 < checkpoints.len();
                let next = Presync { start, checkpoints, stored: Some(stored + 1), last };
                self.set_presync(id, left.then_some(next));
            }
            // The rest is to come in its time, and makes it worth storing or not.
            None if run.cut.is_some() && last.work <= cx.chain.work_of(&cx.chain.tree().candidate()) => {
                self.rest(id, cx.out.steady());
                return Ok(());
            }
            None if run.shows(wanted(cx.chain)) => self.store_run(id, &run, cx)?,
            None if !more && self.falls_short(id, &run, cx.chain) => {
                self.end(id, Some(last.work), false, cx);
                return Ok(());
            }
            None if last.work >= self.least_work(cx.chain) => self.store_run(id, &run, cx)?,
            first => {
                let start = first.as_ref().map_or(run.from, |presync| presync.start);
                let mut checkpoints = first.map(|presync| presync.checkpoints).unwrap_or_default();
                checkpoints.push(last.hash);
                if last.work >= self.least_work(cx.chain) || run.shows(wanted(cx.chain)) {
                    let Some(context) = cx.chain.tree().context(&start) else { return Ok(()) };
                    self.set_presync(id, Some(Presync { start, checkpoints, stored: Some(0), last: context }));
                    self.ask(id, None, cx.peers, cx.chain, cx.out);
                    return Ok(());
                }
                if !more || checkpoints.len() >= MOST_CHECKPOINTS {
                    match run.cut {
                        // By this clock it is not all there yet: what is missing is not held against the peer.
                        Some(_) => self.rest(id, cx.out.steady()),
                        None => self.end(id, Some(last.work), false, cx),
                    }
                    return Ok(());
                }
                self.set_presync(id, Some(Presync { start, checkpoints, stored: None, last }));
            }
        }
        self.go_on(id, &run, more, cx);
        Ok(())
    }

    /// A run was taken: asks for the next, or is done with the peer's chain.
    fn go_on(&mut self, id: PeerId, run: &Run, more: bool, cx: &mut Context) {
        let Some(source) = self.sources.get_mut(&id) else { return };
        // Known headers are followed while they lead on; the same ones again and again would be asked for without end.
        let turns = run.new.is_empty() && source.from.is_some_and(|from| from != run.from);
        if more && turns {
            source.rest(cx.out.steady());
        } else if more || source.presync.is_some() {
            self.ask(id, Some(run.last().hash), cx.peers, cx.chain, cx.out);
        } else if run.cut.is_some() {
            source.rest(cx.out.steady());
        } else {
            let work = cx.chain.work_of(&run.last().hash);
            self.end(id, Some(work), !run.new.is_empty(), cx);
        }
    }

    /// Whether a run that ends a peer's chain has less work than the peer claimed: nothing of it is stored, so that a peer that
    /// only claims much cannot fill the tree of a young chain.
    fn falls_short(&self, id: PeerId, run: &Run, chain: &Chain) -> bool {
        let claim = self.sources.get(&id).and_then(|source| source.claim);
        claim.is_some_and(|claim| {
            let shown =
                chain.tree().contains(&claim.hash) || run.new.iter().any(|(_, context)| context.hash == claim.hash);
            run.cut.is_none() && !shown && run.last().work < claim.work
        })
    }

    fn set_presync(&mut self, id: PeerId, presync: Option<Presync>) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.presync = presync;
        }
    }

    /// A peer has no more headers; its chain has this work. If that did not help, the peer is not asked for a while.
    fn end(&mut self, id: PeerId, work: Option<U256>, useful: bool, cx: &mut Context) {
        let claimed = self.sources.get(&id).and_then(|source| source.claim);
        let Some(claim) = claimed.filter(|claim| !cx.chain.tree().contains(&claim.hash)) else {
            // It showed what it claims, but perhaps not what an orphan of it stands on.
            if !useful {
                self.rest(id, cx.out.steady());
            }
            return;
        };
        let shown = work.unwrap_or_else(|| cx.chain.work_of(&cx.chain.tree().best_header()));
        if shown < claim.work {
            self.judge_less_work(id, &claim, cx);
        }
        self.rest(id, cx.out.steady());
    }

    /// A peer showed less work than it claimed. A certificate takes a node to a chain of less work, but once: the peer is asked where
    /// it stands now, and what it claims after that is a lie unless there is a newer certificate.
    fn judge_less_work(&mut self, id: PeerId, claim: &Claim, cx: &mut Context) {
        let newest = |finality: &Finality| finality.wanted().map_or(finality.height(), |wanted| wanted.height);
        let (newest, source) = (cx.chain.finality().map(newest), self.sources.get_mut(&id));
        let (Some(newest), Some(source)) = (newest, source) else {
            return cx.out.penalize(id, Offence::LessWork);
        };
        if source.excused.is_some_and(|(at, _)| claim.at <= at) {
            return;
        }
        let is_excused = source.excused.is_none_or(|(_, height)| height < newest);
        source.excused = Some((cx.out.steady(), newest));
        match is_excused {
            true => cx.peers.ask_status(id, cx.chain, cx.out),
            false => cx.out.penalize(id, Offence::LessWork),
        }
    }

    /// Says that a block is refused for now because it is ahead of the clock, which may be what is wrong. Peers can provoke
    /// the line, so it is written once in [`WARN_AGAIN`].
    pub(super) fn warn_of_future(&mut self, time: u32, chain: &Chain, out: &Outbox) {
        let now = out.steady();
        if self.warned_of_future.is_some_and(|at| now.since(at) < WARN_AGAIN) {
            return;
        }
        self.warned_of_future = Some(now);
        let ahead = u64::from(time).saturating_sub(out.wall().seconds());
        let most = chain.spec().max_future;
        tracing::warn!(
            "a peer's block is {ahead} s ahead of this machine's clock, and blocks more than {most} s ahead must wait: \
             check the date and time of this machine"
        );
    }

    /// Does not ask a peer for a while.
    fn rest(&mut self, id: PeerId, now: Time) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.rest(now);
        }
    }

    /// Puts checked headers into the tree and the store.
    fn store_run(&mut self, id: PeerId, run: &Run, cx: &mut Context) -> Result<(), Fatal> {
        let before = cx.chain.tree().best_header();
        cx.chain.insert_headers(&run.new)?;
        if cx.chain.tree().best_header() != before {
            self.improved = cx.out.steady();
            if let Some(source) = self.sources.get_mut(&id) {
                source.useless = 0;
            }
        }
        cx.peers.consider_best(id, run.last().hash, cx.chain);
        Ok(())
    }

    /// Work from which on headers are worth storing: compared with our tip, since of a better branch the bodies may never come;
    /// but once much lies beside the best headers, with those, so that a node that knows no chain yet keeps a bounded number.
    pub(super) fn least_work(&self, chain: &Chain) -> U256 {
        let tree = chain.tree();
        let best = tree.best_header();
        let height = tree.get(&best).map_or(0, |info| info.height as usize);
        let many = tree.len().saturating_sub(height) > self.beside;
        let tip = tree.get(&if many { best } else { chain.store().tip().hash });
        let enough = tip.map_or(U256::ZERO, |tip| {
            let one = pow::target(tip.header.bits).map(pow::work).unwrap_or_default();
            tip.work.saturating_sub(one.saturating_mul(U256::from(self.margin)))
        });
        enough.max(self.minimum_work)
    }
}

/// Checks consecutive headers against the rules; stores nothing.
fn check_run(start: HeaderContext, headers: &[Header], chain: &Chain, now: Time) -> Result<Run, Offence> {
    let tree = chain.tree();
    let mut run = Run { from: start.hash, start, new: Vec::new(), cut: None };
    let mut headers = headers.iter().peekable();
    while let Some(header) = headers.next_if(|header| tree.contains(&header.hash())) {
        let hash = header.hash();
        if tree.get(&hash).is_some_and(|info| info.status == Status::Invalid) {
            return Err(Offence::OnInvalid(hash));
        }
        run.start = tree.context(&hash).filter(|_| header.prev == run.start.hash).ok_or_else(unlinked)?;
    }
    if tree.get(&run.start.hash).is_some_and(|info| info.status == Status::Invalid) {
        return Err(Offence::OnInvalid(run.start.hash));
    }
    for header in headers {
        match run.last().child(chain.spec(), header, now.seconds()) {
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

/// The block of a certificate that is not known yet.
fn wanted(chain: &Chain) -> Option<BlockHash> {
    chain.finality()?.wanted().map(|certificate| certificate.hash)
}

fn unlinked() -> Offence {
    Offence::WrongAnswer("headers")
}
