//! Votes, certificates and evidence on their way: what is new is told to all peers, what is lost is told again.
//!
//! One message is open with each peer at a time; meanwhile news wait, bounded by what the members can say. What is lost is made up
//! for: every so often one peer, in turn, hears all votes of the round again, and is asked for its newest certificate.

use chain_core::{finality::Vote, units::Height};
use std::collections::BTreeMap;

use super::peers::{PeerWork, Peers, Question};
use crate::{
    engine::{Chain, Fatal, Offence, Outbox, PeerId, Time},
    finality::{Heard, News},
    wire::{Request, Response, VOTES},
};

/// Milliseconds after which the next peer hears all votes again.
const AGAIN: u64 = 5_000;

/// Votes that wait for one peer. More than a round has; the oldest are dropped, since later they are told again.
const WAITING: usize = 1_024;

/// Signatures in the votes of a message: a proof of each of a hundred members would not fit into one.
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
    /// Whether it is asked for a newer certificate though there is nothing to tell.
    asks: bool,
    certificate: bool,
    evidence: bool,
    votes: Vec<Vote>,
}

/// All peers.
#[derive(Debug, Default)]
pub(super) struct FinalityRelay {
    links: BTreeMap<PeerId, Link>,
    again: Time,
    /// Who heard all votes last.
    last: Option<PeerId>,
}

impl FinalityRelay {
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

    /// A peer tells what is new. Returns the response, and what that cost.
    pub(super) fn serve(
        &self,
        peer: PeerId,
        request: Request,
        chain: &mut Chain,
        out: &mut Outbox,
    ) -> Result<(Response, PeerWork), Fatal> {
        let mut work = PeerWork::default();
        let Request::Finality { newest, certificate, votes, evidence } = request else {
            return Ok((Response::Unknown, work));
        };
        if chain.finality().is_none() {
            out.penalize(peer, Offence::NoFinality);
            return Ok((Response::Unknown, work));
        }
        if let Some(certificate) = certificate {
            work.base += VERIFIED * certificate.signatures.len() as u64;
            if let Err(error) = chain.on_certificate(certificate, Some(peer), out)? {
                out.penalize(peer, Offence::InvalidCertificate(error));
                return Ok((Response::Unknown, work));
            }
        }
        let now = out.steady();
        let Some(finality) = chain.finality_mut() else { return Ok((Response::Unknown, work)) };
        for vote in votes {
            match finality.hear_vote(&vote, Some(peer), now) {
                Ok(Heard::Old | Heard::Busy) => {}
                Ok(Heard::New | Heard::Contradicts(_)) => work.base += VERIFIED * vote.cost() as u64,
                Err(error) => {
                    out.penalize(peer, Offence::InvalidVote(error));
                    return Ok((Response::Unknown, work));
                }
            }
        }
        for evidence in evidence {
            if finality.is_accused(evidence.member()) {
                continue;
            }
            work.base += 2 * VERIFIED;
            if let Err(error) = evidence.check(finality.electorate()) {
                out.penalize(peer, Offence::InvalidEvidence(error));
                return Ok((Response::Unknown, work));
            }
            finality.note_evidence(evidence, Some(peer));
        }
        let newer = finality.newest().filter(|own| own.height > newest);
        Ok((newer.map_or(Response::Ack, |newer| Response::Certificate(newer.clone())), work))
    }

    /// A peer answered, or did not.
    pub(super) fn answered(&mut self, peer: PeerId) {
        if let Some(link) = self.links.get_mut(&peer) {
            (link.open, link.told) = (false, true);
        }
    }

    /// After each event: tells what is new, and to peers that were just met what there is.
    pub(super) fn act(&mut self, peers: &mut Peers, chain: &mut Chain, out: &mut Outbox) {
        let Some(finality) = chain.finality_mut() else { return };
        for (from, news) in finality.take_news() {
            let others = self.links.iter_mut().filter(|(peer, link)| Some(**peer) != from && link.met);
            others.for_each(|(_, link)| link.add(&news));
        }
        let met: Vec<PeerId> = peers.iter().filter(|(_, peer)| peer.claim().is_some()).map(|(peer, _)| peer).collect();
        let votes = || finality.round().votes().cloned();
        for peer in &met {
            let link = self.links.entry(*peer).or_default();
            if !link.met {
                (link.met, link.evidence) = (true, finality.evidence().next().is_some());
                link.votes = votes().collect();
                link.certificate = true;
            }
        }
        if out.steady().since(self.again) >= AGAIN {
            self.again = out.steady();
            self.last = met.iter().find(|peer| Some(**peer) > self.last).or(met.first()).copied();
            let link = self.last.and_then(|last| self.links.get_mut(&last));
            link.into_iter().for_each(|link| (link.asks, link.votes) = (true, votes().collect()));
        }
        let newest = chain.finality().map_or(0, |finality| finality.height());
        for (peer, link) in &mut self.links {
            if let Some(request) = link.next(newest, chain) {
                peers.ask(*peer, Question::Finality, request, out);
            }
        }
    }
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
        let evidence = match std::mem::take(&mut self.evidence) {
            true => finality.evidence().cloned().collect(),
            false => Vec::new(),
        };
        Some(Request::Finality { newest, certificate, votes: self.votes.drain(..fits).collect(), evidence })
    }
}
