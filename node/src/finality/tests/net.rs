//! Members and the votes between them, in virtual time, without chains: which block a member may vote for is said.

use chain_core::{
    finality::{Certificate, FinalityError, Statement, Vote, verify_each},
    hash::BlockHash,
    spec::{ChainSpec, Finality as Rules},
};

use crate::{
    engine::Time,
    finality::{Finality, Heard, MemberKey, News, Promise, Stored},
};

pub(super) const GENESIS: BlockHash = BlockHash([1; 32]);
pub(super) const A: BlockHash = BlockHash([0xaa; 32]);
pub(super) const B: BlockHash = BlockHash([0xbb; 32]);

/// Milliseconds between two looks at everything.
const STEP: u64 = 500;

pub(super) fn key(member: u8) -> MemberKey {
    MemberKey::from_bytes([member + 1; 32]).unwrap()
}

pub(super) fn spec(count: u8) -> ChainSpec {
    let rules =
        Rules { members: (0..count).map(|member| key(member).public()).collect(), interval: 10, depth: 2, window: 50 };
    ChainSpec { name: "final".into(), finality: Some(rules), ..ChainSpec::local() }
}

/// One member.
pub(super) struct Member {
    pub(super) finality: Finality,
    /// The block that it may vote for.
    pub(super) eligible: Option<BlockHash>,
    pub(super) up: bool,
    /// What its disk holds.
    pub(super) stored: Option<Promise>,
    /// All that it said.
    pub(super) said: Vec<Vote>,
    /// Certificates that it came to, by height.
    pub(super) certificates: Vec<Certificate>,
}

/// Whether a vote of a member reaches another.
type Reaches = fn(u8, u8, &Statement) -> bool;

/// All members.
pub(super) struct Net {
    pub(super) members: Vec<Member>,
    pub(super) now: Time,
    pub(super) reaches: Reaches,
}

fn open(member: u8, count: u8, promise: Option<Promise>, newest: Option<Certificate>) -> Finality {
    let stored = Stored { newest, promise, ..Stored::default() };
    Finality::new(&spec(count), GENESIS, Some(key(member)), stored).unwrap()
}

impl Net {
    pub(super) fn new(count: u8) -> Self {
        let member = |member| Member {
            finality: open(member, count, None, None),
            eligible: Some(A),
            up: true,
            stored: None,
            said: Vec::new(),
            certificates: Vec::new(),
        };
        Self { members: (0..count).map(member).collect(), now: Time(1_000_000), reaches: |_, _, _| true }
    }

    /// A process ends without warning and starts again on what its disk holds.
    pub(super) fn restart(&mut self, member: u8) {
        let count = u8::try_from(self.members.len()).unwrap();
        let state = &mut self.members[usize::from(member)];
        state.finality = open(member, count, state.stored.clone(), state.certificates.last().cloned());
    }

    /// Lets a member vote; what it says is on its disk, but not sent if it is cut off here.
    pub(super) fn step(&mut self, member: usize, sends: bool) {
        let state = &mut self.members[member];
        let Some((promise, said)) = state.finality.step(state.eligible, self.now) else { return };
        state.stored = Some(promise.clone());
        state.said.extend(said.iter().cloned());
        if sends {
            state.finality.say(promise, said);
        }
    }

    /// Lets some time pass.
    pub(super) fn run(&mut self, milliseconds: u64) {
        let end = self.now.after(milliseconds);
        while self.now < end {
            self.now = self.now.after(STEP);
            while self.exchange() {}
        }
    }

    /// Everybody votes, and what is new reaches those whom it may reach; whether anything was new.
    fn exchange(&mut self) -> bool {
        let mut moved = false;
        for from in 0..self.members.len() {
            if !self.members[from].up {
                continue;
            }
            self.step(from, true);
            self.members[from].finality.take_news();
            let votes: Vec<Vote> = self.members[from].finality.round().votes().cloned().collect();
            for to in (0..self.members.len()).filter(|to| *to != from) {
                moved |= self.deliver(from, to, &votes);
            }
        }
        for member in self.members.iter_mut().filter(|member| member.up) {
            if let Some(certificate) = member.finality.take_decided() {
                member.certificates.push(certificate.clone());
                member.finality.follow(certificate, None, self.now);
                member.eligible = None;
                moved = true;
            }
        }
        moved | self.pass_on_certificates()
    }

    /// Who has a certificate tells those whom its votes reach.
    fn pass_on_certificates(&mut self) -> bool {
        let Some(from) = (0..self.members.len()).max_by_key(|member| self.members[*member].certificates.len()) else {
            return false;
        };
        let known = self.members[from].certificates.clone();
        let mut moved = false;
        for to in 0..self.members.len() {
            let state = &mut self.members[to];
            let Some(next) = known.get(state.certificates.len()).filter(|_| state.up) else { continue };
            let ids = (u8::try_from(from).unwrap(), u8::try_from(to).unwrap());
            if (self.reaches)(ids.0, ids.1, &Statement::Finalize { hash: next.hash }) {
                state.certificates.push(next.clone());
                state.finality.follow(next.clone(), None, self.now);
                state.eligible = None;
                moved = true;
            }
        }
        moved
    }

    fn deliver(&mut self, from: usize, to: usize, votes: &[Vote]) -> bool {
        let (state, reaches) = (&mut self.members[to], self.reaches);
        if !state.up {
            return false;
        }
        let ids = (u8::try_from(from).unwrap(), u8::try_from(to).unwrap());
        let votes = votes.iter().filter(|vote| reaches(ids.0, ids.1, &vote.statement));
        votes.fold(false, |moved, vote| {
            let heard = state.finality.hear_vote(vote, &mut verify_each, None, self.now).unwrap();
            moved | matches!(heard, Heard::New | Heard::Contradicts(_))
        })
    }

    /// The block that is final at all members that run, if they agree; nothing if it is not yet.
    pub(super) fn agreed(&self) -> Option<BlockHash> {
        let mut hashes =
            self.members.iter().filter(|member| member.up).map(|member| Some(member.certificates.first()?.hash));
        let first = hashes.next().flatten()?;
        hashes.all(|hash| hash == Some(first)).then_some(first)
    }

    /// Hands a vote to one member, as a faulty one may do.
    pub(super) fn tell(&mut self, to: u8, vote: &Vote) -> Heard {
        self.try_tell(to, vote).unwrap()
    }

    /// The same of a vote that may be none.
    pub(super) fn try_tell(&mut self, to: u8, vote: &Vote) -> Result<Heard, FinalityError> {
        self.members[usize::from(to)].finality.hear_vote(vote, &mut verify_each, None, self.now)
    }

    /// A vote that a member signs whatever it signed before.
    pub(super) fn forge(&self, member: u8, statement: Statement) -> Vote {
        let finality = &self.members[usize::from(member)].finality;
        Vote::sign(finality.electorate(), finality.round().height(), statement, member, key(member).pair())
    }

    /// That no member whose own code spoke signed two blocks in one place.
    pub(super) fn assert_nobody_contradicts_itself(&self) {
        for member in &self.members {
            for (at, first) in member.said.iter().enumerate() {
                let evidence =
                    member.said[at..].iter().find_map(|second| chain_core::finality::Evidence::of(first, second));
                assert_eq!(evidence, None);
            }
        }
    }

    /// Evidence that a member told others of.
    pub(super) fn news(&mut self, member: usize) -> Vec<News> {
        self.members[member].finality.take_news().into_iter().map(|(_, news)| news).collect()
    }
}
