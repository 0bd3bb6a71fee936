//! One session with a server: its part of the search space, its jobs, and shares that wait for a response.

use std::{
    collections::VecDeque,
    io,
    ops::Range,
    time::{Duration, Instant},
};

use chain_core::{U256, block::header::Header, hash::BlockHash, units::Height, work::pow};
use serde_json::{Value, json};

use super::{
    message::{self, AGENT, Extranonce, Job, Message, Refusal},
    server::Connection,
};
use crate::{Solution, VERSION_MASK, Work};

/// Jobs whose shares are sent: a server that sends another one every second keeps the last seconds' work.
const MAX_JOBS: usize = 16;
/// Shares that wait for a response. More are dropped, unless they are blocks: the difficulty is too low for this connection.
const MAX_OPEN: usize = 256;
/// A server that has not answered a share for so long counts none.
pub const ANSWER: Duration = Duration::from_secs(60);
/// Bytes of the extranonce2 that count the works of a job; at most eight behind them are rolled in the search.
const COUNTED: usize = 2;
const ROLLED: usize = 8;

/// Bytes of an extranonce2 from which on each share may end a work: there are enough others.
const AMPLE: usize = 4;
/// Shares of one work where there are few works.
const MAX_SHARES: u32 = 4_096;

const CONFIGURE: u64 = 1;
const SUBSCRIBE: u64 = 2;
const AUTHORIZE: u64 = 3;
const EXTRANONCE: u64 = 4;

/// Who mines.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The name at the server, often a payout address and `.worker`.
    pub user: String,
    /// Most servers ignore it.
    pub password: String,
}

/// What the caller does next.
#[derive(Debug)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Search this from now on.
    Search(Box<Work>),
    /// A share got its response.
    Judged(Share, Result<(), Refusal>),
    /// Show a text.
    Show(String),
    /// The server wants a new connection after so many seconds, to itself or to another host and port.
    Reconnect(Option<String>, Option<u16>, u64),
    /// The session is useless.
    End(Reason),
}

/// Why a session ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The server does not want this worker.
    Refused(String),
    /// The connection broke, or the server sends nonsense.
    Broken(String),
}

/// A share that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Hash of its header.
    pub hash: BlockHash,
    /// Height of its block, if the coinbase has one.
    pub height: Height,
    /// It is a block.
    pub is_block: bool,
}

/// A job that is searched, or was.
struct Active {
    /// Id of its works.
    key: String,
    job: Job,
    coinbase: Vec<u8>,
    two: Range<usize>,
    mask: u32,
    target: U256,
    /// Works that were made of it.
    works: u32,
    /// Shares of the last of them.
    shares: u32,
}

/// A session.
pub struct Session {
    connection: Connection,
    worker: Worker,
    extranonce: Option<Extranonce>,
    mask: u32,
    target: Option<U256>,
    authorized: bool,
    jobs: VecDeque<Active>,
    /// Its number: ids of works have it, so that a share of an earlier session is not sent in this one.
    number: u64,
    next_key: u64,
    next_id: u64,
    /// Shares that wait for a response, the oldest first.
    open: VecDeque<Open>,
}

/// A share that waits for a response.
struct Open {
    id: u64,
    since: Instant,
    share: Share,
}

impl Session {
    /// Begins the conversation: configure, subscribe and authorize at once.
    ///
    /// # Errors
    /// If the connection is broken.
    pub fn begin(number: u64, connection: Connection, worker: &Worker) -> io::Result<Self> {
        let mask = format!("{VERSION_MASK:08x}");
        let settings = json!({ "version-rolling.mask": mask, "version-rolling.min-bit-count": 2 });
        let requests = [
            (CONFIGURE, "mining.configure", json!([["version-rolling"], settings])),
            (SUBSCRIBE, "mining.subscribe", json!([AGENT])),
            (AUTHORIZE, "mining.authorize", json!([worker.user, worker.password])),
        ];
        // At once, so that a server that does not like the first one can say why before the others meet a closed connection.
        let lines = requests.map(|(id, method, params)| message::request(id, method, &params));
        connection.send(&lines.concat())?;
        Ok(Self {
            connection,
            worker: worker.clone(),
            extranonce: None,
            mask: 0,
            target: None,
            authorized: false,
            jobs: VecDeque::new(),
            number,
            next_key: 0,
            next_id: EXTRANONCE + 1,
            open: VecDeque::new(),
        })
    }

    /// Lets the connection read its next message.
    pub fn handled(&self) {
        self.connection.handled();
    }

    /// Whether the server has taken the worker and sent a job.
    pub fn works(&self) -> bool {
        self.authorized && !self.jobs.is_empty()
    }

    /// Whether a share waits for its response for too long.
    pub fn is_unanswered(&self, now: Instant) -> bool {
        self.open.front().is_some_and(|oldest| now.saturating_duration_since(oldest.since) >= ANSWER)
    }

    /// Takes a message.
    pub fn take(&mut self, message: Message) -> Step {
        let taken = match message {
            Message::Response(id, outcome) => self.response(id, outcome),
            Message::Job(job) => self.job(*job),
            Message::Target(target) => Ok(self.retarget(target)),
            Message::Extranonce(extranonce) => {
                // For the jobs to come.
                self.extranonce = Some(extranonce);
                Ok(Step::Nothing)
            }
            Message::VersionMask(mask) => {
                self.mask = mask & VERSION_MASK;
                Ok(Step::Nothing)
            }
            Message::Reconnect(host, port, wait) => Ok(Step::Reconnect(host, port, wait)),
            Message::Show(text) => Ok(Step::Show(text)),
            Message::GetVersion(id) => self.reply(&id, &AGENT.into()),
            Message::Ping(id) => self.reply(&id, &"pong".into()),
            Message::Other(None) => Ok(Step::Nothing),
            Message::Other(Some(id)) => {
                self.send(&message::reply(&id, &Value::Null, &json!([20, "unknown method", null])))
            }
        };
        taken.unwrap_or_else(Step::End)
    }

    fn send(&mut self, line: &str) -> Result<Step, Reason> {
        self.connection.send(line).map(|()| Step::Nothing).map_err(|error| Reason::Broken(error.to_string()))
    }

    fn reply(&mut self, id: &Value, result: &Value) -> Result<Step, Reason> {
        self.send(&message::reply(id, result, &Value::Null))
    }

    fn response(&mut self, id: u64, outcome: Result<Value, Refusal>) -> Result<Step, Reason> {
        let broken = |text: String| Reason::Broken(format!("it sends {text}"));
        match (id, outcome) {
            // Servers that know no version rolling say so by an error or by false.
            (CONFIGURE, Ok(result)) if result["version-rolling"] == true => {
                self.mask =
                    message::word("version mask", &result["version-rolling.mask"]).map_err(broken)? & VERSION_MASK;
                Ok(Step::Nothing)
            }
            (SUBSCRIBE, Ok(result)) => {
                let at = |index: usize| result.get(index).unwrap_or(&Value::Null);
                self.extranonce = Some(message::extranonce(at(1), at(2)).map_err(broken)?);
                self.send(&message::request(EXTRANONCE, "mining.extranonce.subscribe", &json!([])))
            }
            (SUBSCRIBE, Err(refusal)) => Err(Reason::Refused(format!("it refuses to subscribe: {}", refusal.text))),
            (AUTHORIZE, Ok(Value::Bool(true))) => {
                self.authorized = true;
                Ok(self.search())
            }
            (AUTHORIZE, outcome) => {
                let text = outcome.err().map(|refusal| refusal.text).unwrap_or_default();
                let text = if text.is_empty() { "it gives no reason" } else { &text };
                Err(Reason::Refused(format!("it refuses the worker {}: {text}", self.worker.user)))
            }
            (CONFIGURE | EXTRANONCE, _) => Ok(Step::Nothing),
            (id, outcome) => Ok(self.judged(id, outcome)),
        }
    }

    fn judged(&mut self, id: u64, outcome: Result<Value, Refusal>) -> Step {
        let Some(place) = self.open.iter().position(|open| open.id == id) else { return Step::Nothing };
        let Some(Open { share, .. }) = self.open.remove(place) else { return Step::Nothing };
        let outcome = match outcome {
            Ok(Value::Bool(false)) => Err(Refusal { code: None, text: "rejected".into() }),
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal),
        };
        Step::Judged(share, outcome)
    }

    fn job(&mut self, job: Job) -> Result<Step, Reason> {
        let Some(extranonce) = &self.extranonce else {
            return Err(Reason::Broken("it sends a job before the response to mining.subscribe".into()));
        };
        if job.clean {
            self.jobs.clear();
        }
        let start = job.coinbase1.len() + extranonce.one.len();
        let two = start..start + extranonce.two_size;
        let coinbase = [&job.coinbase1[..], &extranonce.one, &vec![0; extranonce.two_size], &job.coinbase2].concat();
        self.next_key += 1;
        let (key, mask) = (format!("{}.{}", self.number, self.next_key), self.mask);
        let target = self.target.unwrap_or(U256::from(0xffff_u32) << 208);
        self.jobs.push_back(Active { key, job, coinbase, two, mask, target, works: 0, shares: 0 });
        if self.jobs.len() > MAX_JOBS {
            self.jobs.pop_front();
        }
        Ok(self.search())
    }

    /// A higher difficulty holds at once. A lower one holds from the next job on, for the server may count the shares of the
    /// job that is searched by the former.
    fn retarget(&mut self, target: U256) -> Step {
        self.target = Some(target);
        match self.jobs.back_mut() {
            Some(active) if target < active.target => {
                active.target = target;
                self.search()
            }
            _ => Step::Nothing,
        }
    }

    /// The next work of the newest job.
    fn search(&mut self) -> Step {
        let Some(active) = self.jobs.back_mut().filter(|_| self.authorized) else { return Step::Nothing };
        active.next_work().map_or(Step::Nothing, |work| Step::Search(Box::new(work)))
    }

    /// The next work, after this one came to its end. `None` if there is newer work, or no more of this job.
    pub fn after(&mut self, work: &Work) -> Option<Work> {
        let newest = self.jobs.back_mut().filter(|active| active.key == work.id)?;
        newest.next_work()
    }

    /// Whether the search of a work ends with the share that was found.
    pub fn ends(&mut self, work: &Work) -> bool {
        let Some(newest) = self.jobs.back_mut().filter(|active| active.key == work.id) else { return false };
        newest.shares += 1;
        newest.shares >= work.max_solutions
    }

    /// Whether a work is of the newest job.
    pub fn searches(&self, work: &Work) -> bool {
        self.jobs.back().is_some_and(|active| active.key == work.id)
    }

    /// Sends a share, unless its job is over.
    pub fn submit(&mut self, solution: &Solution, now: Instant) -> Step {
        let Some(active) = self.jobs.iter().find(|active| active.key == solution.work.id) else { return Step::Nothing };
        let header = solution.header;
        let hash = header.hash();
        let number = U256::from_le_bytes(hash.0);
        let Some(two) = solution.coinbase.get(active.two.clone()) else { return Step::Nothing };
        let is_block = pow::target(active.job.bits).is_ok_and(|target| number <= target);
        // The difficulty may have risen since.
        if !is_block && (self.open.len() >= MAX_OPEN || number > active.target) {
            return Step::Nothing;
        }
        let mut params = json!([
            self.worker.user,
            active.job.id,
            hex::encode(two),
            format!("{:08x}", header.time),
            format!("{:08x}", header.nonce),
        ]);
        if let (Value::Array(params), true) = (&mut params, active.mask != 0) {
            params.push(format!("{:08x}", header.version.cast_unsigned() & active.mask).into());
        }
        let id = self.next_id;
        self.next_id += 1;
        let share = Share { hash, height: solution.work.height, is_block };
        self.open.push_back(Open { id, since: now, share });
        self.send(&message::request(id, "mining.submit", &params)).unwrap_or_else(Step::End)
    }
}

impl Active {
    /// Work that no earlier one of this job overlaps; `None` after the last.
    fn next_work(&mut self) -> Option<Work> {
        let counted = self.two.len().min(COUNTED);
        let number = self.works;
        self.shares = 0;
        self.works = number.checked_add(1).filter(|works| *works <= 1 << (8 * counted))?;
        let two = self.coinbase.get_mut(self.two.clone())?;
        two[..counted].copy_from_slice(&number.to_be_bytes()[4 - counted..]);
        let rolled = self.two.start + counted;
        let job = &self.job;
        let mut work = Work {
            id: self.key.clone(),
            height: height(&self.coinbase).unwrap_or_default(),
            header: Header {
                version: job.version.cast_signed(),
                prev: BlockHash(job.prev),
                merkle_root: [0; 32],
                time: job.time,
                bits: job.bits,
                nonce: 0,
            },
            target: self.target,
            coinbase: self.coinbase.clone(),
            extranonce: rolled..(rolled + ROLLED).min(self.two.end),
            merkle_branch: job.branch.clone(),
            version_mask: self.mask,
            time_slack: 0,
            // Shares are as many as the caller can send: it asks for the next work after each, if there are enough.
            max_solutions: if self.two.len() >= AMPLE { 1 } else { MAX_SHARES },
        };
        work.header.merkle_root = work.merkle_root(&work.coinbase);
        Some(work)
    }
}

/// The height at the beginning of a coinbase's script (BIP 34), for display.
fn height(coinbase: &[u8]) -> Option<Height> {
    let length = usize::from(*coinbase.get(42)?);
    let bytes = coinbase.get(43..43 + length).filter(|bytes| bytes.len() <= 4)?;
    let mut number = [0; 4];
    number[..length].copy_from_slice(bytes);
    Some(Height::from_le_bytes(number))
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        sync::Arc,
    };

    use chain_core::hash::sha256d;

    use super::{super::stream::Stream, *};

    fn active(two_size: usize) -> Active {
        let job = Job { branch: vec![[3; 32]], version: 0x2000_0000, ..Job::default() };
        let (coinbase, two) = (vec![0; 50 + two_size + 10], 50..50 + two_size);
        Active { key: "1".into(), job, coinbase, two, mask: 0, target: U256::MAX, works: 0, shares: 0 }
    }

    #[test]
    fn works_of_a_job_differ_in_the_bytes_that_are_counted() {
        let mut active = active(12);
        let [first, second] = [active.next_work().unwrap(), active.next_work().unwrap()];
        assert_eq!((&first.coinbase[50..62], first.extranonce), (&[0; 12][..], 52..60));
        assert_eq!(second.coinbase[50..54], [0, 1, 0, 0]);
        let root = sha256d(&[sha256d(&second.coinbase), [3; 32]].concat());
        assert_eq!(second.header.merkle_root, root);
    }

    fn session(number: u64) -> (Session, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = Stream::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap(), None).unwrap();
        let (connection, _) = Connection::new(Arc::new(stream));
        let worker = Worker { user: "me".into(), password: "x".into() };
        let mut session = Session::begin(number, connection, &worker).unwrap();
        session.take(Message::Response(SUBSCRIBE, Ok(json!([[], "00", 4]))));
        session.take(Message::Response(AUTHORIZE, Ok(true.into())));
        (session, listener.accept().unwrap().0)
    }

    #[test]
    fn a_share_of_an_earlier_session_is_not_sent() {
        let ((mut first, _one), (mut second, _two)) = (session(1), session(2));
        let job = || Message::Job(Box::new(Job { id: "1".into(), bits: 0x207f_ffff, ..Job::default() }));
        for session in [&mut first, &mut second] {
            session.take(Message::Target(U256::MAX));
        }
        let (Step::Search(work), Step::Search(_)) = (first.take(job()), second.take(job())) else { panic!("no work") };
        let solution = Solution { header: work.header, coinbase: work.coinbase.clone(), work: Arc::new(*work) };
        assert!(second.after(&solution.work).is_none());
        let now = Instant::now();
        second.submit(&solution, now);
        assert!(second.open.is_empty());
        first.submit(&solution, now);
        assert_eq!(first.open.len(), 1);
    }

    /// A session with a job, and a solution of it. At the easiest bits every hash is a block, at 0 none is.
    fn solved(bits: u32) -> (Session, TcpStream, Solution) {
        let (mut session, server) = session(1);
        session.take(Message::Target(U256::MAX));
        let job = Job { id: "1".into(), bits, ..Job::default() };
        let Step::Search(work) = session.take(Message::Job(Box::new(job))) else { panic!("no work") };
        let mut header = work.header;
        while U256::from_le_bytes(header.hash().0) > U256::MAX >> 1 {
            header.nonce += 1;
        }
        let solution = Solution { header, coinbase: work.coinbase.clone(), work: Arc::new(*work) };
        (session, server, solution)
    }

    #[test]
    fn a_server_that_answers_no_share_is_left() {
        let (mut session, _server, solution) = solved(0);
        let now = Instant::now();
        assert!(!session.is_unanswered(now + ANSWER), "there is none");
        session.submit(&solution, now);
        session.submit(&solution, now + ANSWER / 2);
        assert!(!session.is_unanswered(now + ANSWER - Duration::from_millis(1)));
        assert!(session.is_unanswered(now + ANSWER));
        session.take(Message::Response(EXTRANONCE + 1, Ok(true.into())));
        assert!(!session.is_unanswered(now + ANSWER), "the oldest was answered");
        assert!(session.is_unanswered(now + ANSWER * 2));
    }

    #[test]
    fn many_open_shares_hold_up_others_but_no_block() {
        for (bits, sent) in [(0, MAX_OPEN), (0x207f_ffff, MAX_OPEN + 5)] {
            let (mut session, _server, solution) = solved(bits);
            (0..MAX_OPEN + 5).for_each(|_| _ = session.submit(&solution, Instant::now()));
            assert_eq!(session.open.len(), sent);
        }
    }

    #[test]
    fn a_small_extranonce_ends_after_its_last_number_and_no_share_wastes_one() {
        let mut active = active(1);
        let works: Vec<_> = std::iter::from_fn(|| active.next_work()).collect();
        assert_eq!((works.len(), works[255].coinbase[50]), (256, 255));
        assert!(works.iter().all(|work| work.extranonce.is_empty() && work.max_solutions == MAX_SHARES));
        assert_eq!(self::active(AMPLE).next_work().unwrap().max_solutions, 1);
    }

    #[test]
    fn reads_the_height_of_a_coinbase() {
        let coinbase = |push: &[u8]| [&[0; 41], &[30][..], push].concat();
        assert_eq!(height(&coinbase(&[3, 0x56, 0x34, 0x12, 9])), Some(0x12_3456));
        assert_eq!(height(&coinbase(&[1, 7])), Some(7));
        for odd in [&[][..], &[3, 1], &[200; 300], &[5, 1, 1, 1, 1, 1]] {
            assert_eq!(height(&coinbase(odd)), None);
        }
    }
}
