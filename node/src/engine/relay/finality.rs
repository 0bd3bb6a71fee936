//! Votes, certificates and evidence on their way: what is new is told to all peers, what is lost is told again.
//!
//! One message is open with each peer at a time; meanwhile news wait, bounded by what the members can say. What is lost is made up
//! for: every so often one peer, in turn, hears all votes of the round again, and is asked for its newest certificate.

use chain_core::{
    finality::{Certificate, Evidence, Vote},
    units::Height,
};
use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use super::peers::{PeerWork, Peers, Question};
use crate::{
    engine::{Chain, Fatal, Offence, Outbox, PeerId, Time},
    finality::{Heard, News},
    wire::{Request, Response, VOTES},
};

/// Milliseconds after which the next peer hears all votes again.
const AGAIN: u64 = 5_000;

/// Votes that wait for one peer: more than a hundred members have in the two rounds that are kept. What comes when so many wait, as
/// a faulty member could bring about by one view after the other, is not added: it is told with the next repetition.
const WAITING: usize = 1_024;

/// Signatures in the votes of a message: a proof of each of a hundred members would not fit into one. What a peer sends beyond is not
/// looked at, since a message keeps the engine's thread until all of it is verified.
const SIGNATURES: usize = 2_000;

/// What the verification of a signature costs, in units.
const VERIFIED: u64 = 8;

/// What is told to one peer.
#[derive(Debug, Default)]
struct Link {
    /// Whether it was met: it has heard the votes of the round once.
    met: bool,
    /// Whether it has answered once, or did not in time: its certificate is known, if it tells it.
    told: bool,
    open: bool,
    /// Whether a message to it was lost: all is told again with the next repetition.
    lost: bool,
    /// Whether it is asked for a newer certificate though there is nothing to tell.
    asks: bool,
    certificate: bool,
    evidence: bool,
    votes: Vec<Vote>,
}

/// What a peer tells.
pub(super) struct Told {
    /// Height of its newest certificate.
    pub(super) newest: Height,
    pub(super) certificate: Option<Certificate>,
    pub(super) votes: Vec<Vote>,
    pub(super) evidence: Vec<Evidence>,
}

/// All peers that were met.
#[derive(Debug, Default)]
pub(super) struct FinalityRelay {
    links: BTreeMap<PeerId, Link>,
    again: Time,
    /// Who heard all votes last.
    last: Option<PeerId>,
    /// Whether something may be to be told to somebody: that is not looked for after each event.
    stirred: bool,
}

impl FinalityRelay {
    /// A peer was met, on a chain with finality; or says again where it stands.
    pub(super) fn meet(&mut self, peer: PeerId) {
        self.links.entry(peer).or_insert_with(|| {
            self.stirred = true;
            Link::default()
        });
    }

    pub(super) fn disconnect(&mut self, peer: PeerId) {
        self.links.remove(&peer);
    }

    /// Whether a peer has told its newest certificate, or had the time to. What it says of its chain counts only then: a longer
    /// chain that contradicts a certificate must not be followed first.
    pub(super) fn has_told(&self, peer: PeerId) -> bool {
        self.links.get(&peer).is_some_and(|link| link.told)
    }

    /// When votes are told again.
    pub(super) fn wake_at(&self) -> Option<Time> {
        (!self.links.is_empty()).then(|| self.again.after(AGAIN))
    }

    /// A peer tells what is new. Returns the response. All that is verified for the peer is added to its work, also what turns out
    /// to be forged: a stranger must not have signatures verified for nothing.
    pub(super) fn serve(
        peer: PeerId,
        told: Told,
        chain: &mut Chain,
        work: &mut PeerWork,
        out: &mut Outbox,
    ) -> Result<Response, Fatal> {
        let newest = told.newest;
        if chain.finality().is_none() {
            out.penalize(peer, Offence::NoFinality);
            return Ok(Response::Unknown);
        }
        if let Err(offence) = take(peer, told, chain, work, out)? {
            out.penalize(peer, offence);
            return Ok(Response::Unknown);
        }
        let newer = chain.finality().and_then(|finality| finality.newest()).filter(|own| own.height > newest);
        Ok(newer.map_or(Response::Ack, |newer| Response::Certificate(newer.clone())))
    }

    /// A peer answered.
    pub(super) fn answered(&mut self, peer: PeerId) {
        if let Some(link) = self.links.get_mut(&peer) {
            (link.open, link.told) = (false, true);
            self.stirred = true;
        }
    }

    /// A peer did not answer: what it was told may be lost.
    pub(super) fn unanswered(&mut self, peer: PeerId) {
        self.answered(peer);
        if let Some(link) = self.links.get_mut(&peer) {
            link.lost = true;
        }
    }

    /// After each event: tells what is new, and to peers that were just met what there is.
    pub(super) fn act(&mut self, peers: &mut Peers, chain: &mut Chain, out: &mut Outbox) {
        let Some(finality) = chain.finality_mut() else { return };
        for (from, news) in finality.take_news() {
            let others = self.links.iter_mut().filter(|(peer, link)| Some(**peer) != from && link.met);
            others.for_each(|(_, link)| link.add(&news));
            self.stirred = true;
        }
        if out.steady().since(self.again) >= AGAIN {
            self.again = out.steady();
            self.last = self.after_last();
            let link = self.last.and_then(|last| self.links.get_mut(&last));
            link.into_iter().for_each(|link| (link.asks, link.votes) = (true, finality.votes().cloned().collect()));
            for link in self.links.values_mut() {
                link.met &= !std::mem::take(&mut link.lost);
            }
            self.stirred = true;
        }
        if !std::mem::take(&mut self.stirred) {
            return;
        }
        for link in self.links.values_mut().filter(|link| !link.met) {
            (link.met, link.certificate) = (true, true);
            link.evidence = finality.evidence().next().is_some();
            link.votes = finality.votes().cloned().collect();
        }
        let newest = finality.height();
        for (peer, link) in &mut self.links {
            if let Some(request) = link.next(newest, chain) {
                peers.ask(*peer, Question::Finality, request, out);
            }
        }
    }

    /// The peer after the one that heard all votes last.
    fn after_last(&self) -> Option<PeerId> {
        let from = self.last.map_or(Unbounded, Excluded);
        let next = self.links.range((from, Unbounded)).next();
        next.or_else(|| self.links.first_key_value()).map(|(peer, _)| *peer)
    }
}

/// Takes what a peer tells; what it did wrong, if it did.
fn take(
    peer: PeerId,
    told: Told,
    chain: &mut Chain,
    work: &mut PeerWork,
    out: &Outbox,
) -> Result<Result<(), Offence>, Fatal> {
    if let Some(certificate) = told.certificate {
        work.base += VERIFIED * certificate.signatures.len() as u64;
        if let Err(error) = chain.on_certificate(certificate, Some(peer), out)? {
            return Ok(Err(Offence::InvalidCertificate(error)));
        }
    }
    let mut signatures = 0;
    for vote in told.votes {
        signatures += vote.cost();
        if signatures > SIGNATURES {
            return Ok(Err(Offence::TooMany("signatures")));
        }
        let heard = chain.on_vote(&vote, peer, out.steady());
        // What is new costs the member that signed it, which bounds it. Who brings it first must not pay for a faulty member.
        if matches!(heard, Ok(Heard::Contradicts(_)) | Err(_)) {
            work.base += VERIFIED * vote.cost() as u64;
        }
        if let Err(error) = heard {
            return Ok(Err(Offence::InvalidVote(error)));
        }
    }
    for evidence in told.evidence {
        if chain.finality().is_some_and(|finality| finality.is_accused(evidence.member())) {
            continue;
        }
        work.base += 2 * VERIFIED;
        if let Err(error) = chain.on_evidence(evidence, peer) {
            return Ok(Err(Offence::InvalidEvidence(error)));
        }
    }
    Ok(Ok(()))
}

impl Link {
    fn add(&mut self, news: &News) {
        match news {
            News::Vote(vote) if self.votes.len() < WAITING => self.votes.push(vote.clone()),
            News::Vote(_) => {}
            News::Evidence(_) => self.evidence = true,
            News::Certificate(certificate) => {
                self.certificate = true;
                self.votes.retain(|vote| vote.height > certificate.height);
            }
        }
    }

    /// The next message, if there is something to say and none is open.
    fn next(&mut self, newest: Height, chain: &Chain) -> Option<Request> {
        let finality = chain.finality()?;
        let is_news = self.asks || self.certificate || self.evidence || !self.votes.is_empty();
        if self.open || !self.met || !is_news {
            return None;
        }
        let (mut signatures, mut fits) = (0, 0);
        while let Some(vote) = self.votes.get(fits).filter(|_| fits < VOTES) {
            signatures += vote.cost();
            if signatures > SIGNATURES {
                break;
            }
            fits += 1;
        }
        (self.open, self.asks) = (true, false);
        let certificate = std::mem::take(&mut self.certificate).then(|| finality.newest().cloned()).flatten();
        let evidence =
            if std::mem::take(&mut self.evidence) { finality.evidence().cloned().collect() } else { Vec::new() };
        Some(Request::Finality { newest, certificate, votes: self.votes.drain(..fits).collect(), evidence })
    }
}
