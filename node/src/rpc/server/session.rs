//! One connection: what it has in flight, what it has not read, and when it was last heard.
//!
//! A client that asks and never reads would have its answers pile up in memory, and one that sends without waiting its
//! requests. Both are counted here; the socket itself is wrapped, so that closing works whatever serves it.

use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    io::{self, ErrorKind},
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::rpc::lanes::network;

/// Requests of one connection at a time: as many as libraries send without waiting, and some.
const MOST_IN_FLIGHT: usize = 1_024;
/// Their bytes at a time: a few requests of the largest size.
const MOST_ASKED: usize = 20_000_000;
/// Bytes of requests of all connections together: hundreds of connections, each with a few requests of the largest size, would
/// hold gigabytes. A request by HTTP counts twice, as its body and as the call that was read from it: both are in memory.
const MOST_ASKED_OF_ALL: usize = 512 << 20;
/// Of these, how many are for this machine alone, as places are.
const KEPT: usize = MOST_ASKED_OF_ALL / 8;
/// Smaller ones are not counted, so that nobody is kept out by those who send large ones.
const SMALL: usize = 64 << 10;
/// Answers of one connection that wait to be read, as a multiple of the largest one.
const UNREAD_ANSWERS: usize = 2;
/// Answers that wait, in number: small ones cost memory too.
const MOST_UNREAD: usize = 1_024;
/// Bytes of answers that wait, of all connections together.
const MOST_UNREAD_OF_ALL: usize = 256 << 20;
/// A client that reads its answers is looked at so often, and has read them all or so many bytes since, or it is closed: a
/// connection that takes a few bytes now and then would hold its place and its answers for hours.
const STALLED: Duration = Duration::from_secs(30);
const LEAST_READ: usize = 256 << 10;

/// What is known of a connection.
pub struct Session {
    /// Who it is.
    pub ip: IpAddr,
    /// What of that counts as one address.
    pub network: IpAddr,
    /// Which of all connections it is.
    pub number: u64,
    most_unread: usize,
    /// Of all connections.
    totals: Arc<Totals>,
    state: Mutex<State>,
}

struct State {
    in_flight: usize,
    asked: usize,
    /// Lengths of answers that the socket has not taken, oldest first.
    unread: VecDeque<usize>,
    unread_bytes: usize,
    heard: Instant,
    closed: bool,
    /// Who waits for the socket, to be told that it is closed: a task reads and a task writes, and one began it.
    wakers: [Option<Waker>; 3],
    at_end: Option<Box<dyn FnOnce() + Send>>,
}

/// A request of a connection that is being answered.
pub struct InFlightRequest {
    session: Arc<Session>,
    bytes: usize,
    _of_all: Asked,
}

impl Session {
    /// A new connection of a server whose answers have at most so many bytes.
    pub fn new(ip: IpAddr, max_response: u32, totals: &Arc<Totals>) -> Arc<Self> {
        Arc::new(Self {
            ip: ip.to_canonical(),
            network: network(ip),
            number: totals.next.fetch_add(1, Ordering::Relaxed),
            totals: totals.clone(),
            most_unread: UNREAD_ANSWERS * max_response as usize,
            state: Mutex::new(State {
                in_flight: 0,
                asked: 0,
                unread: VecDeque::new(),
                unread_bytes: 0,
                heard: Instant::now(),
                closed: false,
                wakers: [None, None, None],
                at_end: None,
            }),
        })
    }

    /// Counts the bytes of a request in, of which there are none yet.
    pub fn nothing_asked(&self) -> Asked {
        let most = if self.ip.is_loopback() { MOST_ASKED_OF_ALL } else { MOST_ASKED_OF_ALL - KEPT };
        Asked { totals: self.totals.clone(), bytes: 0, most }
    }

    /// Counts a request in, until what it answers is dropped; `None` if there are too many.
    pub fn begin(self: &Arc<Self>, bytes: usize) -> Option<InFlightRequest> {
        let mut of_all = self.nothing_asked();
        if !of_all.raise(bytes) {
            return None;
        }
        let mut state = self.state.lock();
        if state.in_flight >= MOST_IN_FLIGHT || state.asked + bytes > MOST_ASKED && state.in_flight > 0 {
            return None;
        }
        state.in_flight += 1;
        state.asked += bytes;
        Some(InFlightRequest { session: self.clone(), bytes, _of_all: of_all })
    }

    /// Notes that an answer waits to be sent; closes the connection if it does not read them.
    pub fn answered(self: &Arc<Self>, bytes: usize) {
        let unread_bytes = {
            let mut state = self.state.lock();
            // Who reads notifications is not idle.
            state.heard = Instant::now();
            state.unread.push_back(bytes);
            state.unread_bytes += bytes;
            if state.unread_bytes > self.most_unread || state.unread.len() > MOST_UNREAD {
                state.close();
            }
            state.unread_bytes
        };
        if let Some(largest) = self.totals.note(self, unread_bytes) {
            largest.close();
        }
    }

    /// How long it has been idle; `None` while a request is being answered, or its answer read.
    pub fn idle(&self) -> Option<Duration> {
        let state = self.state.lock();
        (state.in_flight == 0 && state.unread.is_empty()).then(|| state.heard.elapsed())
    }

    /// Whether the client has messages to read.
    pub fn is_unread(&self) -> bool {
        !self.state.lock().unread.is_empty()
    }

    /// Closes the connection.
    pub fn close(&self) {
        self.state.lock().close();
    }

    /// Has this done when nobody uses the connection any more, in place of what was to be done before.
    pub fn at_end(&self, act: impl FnOnce() + Send + 'static) {
        self.state.lock().at_end = Some(Box::new(act));
    }

    /// Notes that the socket took bytes; returns how many of answers are left.
    fn taken(&self, mut bytes: usize) -> usize {
        let mut state = self.state.lock();
        while let Some(first) = state.unread.front_mut() {
            let part = bytes.min(*first);
            *first -= part;
            let done = *first == 0;
            bytes -= part;
            state.unread_bytes -= part;
            if !done {
                break;
            }
            state.unread.pop_front();
        }
        if state.unread.is_empty() {
            // Thousands of connections have nothing to read most of the time.
            state.unread = VecDeque::new();
        }
        let unread_bytes = state.unread_bytes;
        drop(state);
        self.totals.taken(self.number, unread_bytes);
        unread_bytes
    }

    /// Notes that this task uses the socket no more. A waker keeps the memory of its task.
    pub fn leave(&self, context: &Context<'_>) {
        for waker in &mut self.state.lock().wakers {
            waker.take_if(|waker| waker.will_wake(context.waker()));
        }
    }

    /// Whether it is closed; if not, this task is woken when it is.
    fn poll_closed(&self, context: &Context<'_>) -> bool {
        let mut state = self.state.lock();
        if !state.closed && !state.wakers.iter().flatten().any(|waker| waker.will_wake(context.waker())) {
            // Older ones are gone.
            state.wakers.rotate_left(1);
            state.wakers[2] = Some(context.waker().clone());
        }
        state.closed
    }
}

impl State {
    fn close(&mut self) {
        self.closed = true;
        self.wakers.iter_mut().filter_map(Option::take).for_each(Waker::wake);
    }
}

/// What all connections hold: requests, and answers that wait to be read. Each may leave [`UNREAD_ANSWERS`] unread, and a
/// hundred of them together would hold gigabytes. The one that holds most is closed.
#[derive(Default)]
pub struct Totals {
    next: AtomicU64,
    asked: AtomicUsize,
    of: Mutex<HashMap<u64, (Weak<Session>, usize)>>,
}

/// Bytes of a request that count until this is dropped.
pub struct Asked {
    totals: Arc<Totals>,
    bytes: usize,
    /// Of all connections.
    most: usize,
}

impl Asked {
    /// There are so many bytes now; returns `false` if all connections sent too many.
    pub fn raise(&mut self, bytes: usize) -> bool {
        let more = if bytes > SMALL { bytes.saturating_sub(self.bytes) } else { 0 };
        let before = self.totals.asked.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        more == 0 || before + more <= self.most
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.totals.asked.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Totals {
    /// Notes what a connection has not read; returns the one to close if that is too much for all.
    fn note(&self, session: &Arc<Session>, bytes: usize) -> Option<Arc<Session>> {
        let mut of = self.of.lock();
        of.insert(session.number, (Arc::downgrade(session), bytes));
        if of.values().map(|(_, bytes)| bytes).sum::<usize>() <= MOST_UNREAD_OF_ALL {
            return None;
        }
        let largest = of.iter().max_by_key(|(_, (_, bytes))| *bytes).map(|(number, _)| *number)?;
        of.remove(&largest).and_then(|(session, _)| session.upgrade())
    }

    /// A connection read; one that was closed is not counted any more.
    fn taken(&self, number: u64, left: usize) {
        let mut of = self.of.lock();
        match of.get_mut(&number) {
            Some((_, bytes)) if left > 0 => *bytes = left,
            _ => drop(of.remove(&number)),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.totals.taken(self.number, 0);
        if let Some(act) = self.state.get_mut().at_end.take() {
            act();
        }
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        let mut state = self.session.state.lock();
        state.in_flight -= 1;
        state.asked -= self.bytes;
        state.heard = Instant::now();
    }
}

/// The socket of a session: ends when the session is closed, or when its client stops reading.
pub struct Socket {
    stream: TcpStream,
    session: Arc<Session>,
    /// While the client has not taken all that was written for it: when it is looked at next, and what it took until then.
    reading: Option<(Pin<Box<Sleep>>, usize)>,
}

impl Socket {
    /// Wraps a socket.
    pub fn new(stream: TcpStream, session: Arc<Session>) -> Self {
        Self { stream, session, reading: None }
    }

    /// Whether the client reads too slowly; if not, this task is woken when that is to be judged again.
    fn is_stalled(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            let (look, read) = self.reading.get_or_insert_with(|| (Box::pin(sleep(STALLED)), 0));
            if look.as_mut().poll(context).is_pending() {
                return false;
            }
            if *read < LEAST_READ {
                return true;
            }
            self.reading = None;
        }
    }

    fn check(&self, context: &Context<'_>) -> io::Result<()> {
        match self.session.poll_closed(context) {
            true => Err(io::Error::new(ErrorKind::ConnectionAborted, "closed by the node")),
            false => Ok(()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        if let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(context, bytes) {
            let written = written?;
            match (self.session.taken(written), &mut self.reading) {
                (0, reading) => *reading = None,
                (_, Some((_, read))) => *read += written,
                _ => {}
            }
            return Poll::Ready(Ok(written));
        }
        match self.is_stalled(context) {
            true => Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client does not read its answers"))),
            false => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::Ipv4Addr, task::Wake};

    fn session() -> Arc<Session> {
        Session::new(Ipv4Addr::LOCALHOST.into(), 100, &Arc::default())
    }

    #[test]
    fn requests_in_flight_are_bounded_in_number_and_in_bytes() {
        let session = session();
        let most: Vec<_> = (0..MOST_IN_FLIGHT).map(|_| session.begin(1).unwrap()).collect();
        assert!(session.begin(1).is_none());
        assert_eq!(session.idle(), None);
        drop(most);
        assert!(session.idle().is_some());
        let _large = session.begin(MOST_ASKED + 1).expect("one request of any size");
        assert!(session.begin(1).is_none());
    }

    #[test]
    fn large_requests_of_all_connections_are_bounded_together_and_small_ones_always_begin() {
        let totals = Arc::default();
        let connect = || Session::new(Ipv4Addr::LOCALHOST.into(), 100, &totals);
        let sessions: Vec<_> = (0..MOST_ASKED_OF_ALL / MOST_ASKED).map(|_| connect()).collect();
        let mut large: Vec<_> = sessions.iter().map(|session| session.begin(MOST_ASKED).unwrap()).collect();
        assert!(connect().begin(MOST_ASKED).is_none());
        assert!(connect().begin(SMALL).is_some());
        large.pop();
        assert!(connect().begin(MOST_ASKED).is_some());
    }

    #[test]
    fn strangers_with_large_requests_leave_room_to_this_machine() {
        let totals = Arc::default();
        let connect = |host: u8| Session::new(Ipv4Addr::new(192, 0, 2, host).into(), 100, &totals);
        let sessions: Vec<_> = (0..u8::MAX).map(connect).collect();
        let large: Vec<_> = sessions.iter().map_while(|session| session.begin(MOST_ASKED)).collect();
        assert_eq!(large.len(), (MOST_ASKED_OF_ALL - KEPT) / MOST_ASKED);
        let here = || Session::new(Ipv4Addr::LOCALHOST.into(), 100, &totals);
        let own: Vec<_> = (0..KEPT / MOST_ASKED).map(|_| here().begin(MOST_ASKED).unwrap()).collect();
        drop((large, own));
        assert_eq!(totals.asked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_session_that_reads_stays_and_one_that_does_not_is_closed() {
        let session = session();
        for _ in 0..1_000 {
            session.answered(150);
            session.taken(160);
        }
        assert!(!session.state.lock().closed);
        session.answered(150);
        assert!(!session.state.lock().closed);
        session.answered(51);
        assert!(session.state.lock().closed);
    }

    #[test]
    fn answers_of_no_bytes_are_bounded_too() {
        let session = session();
        (0..=MOST_UNREAD).for_each(|_| session.answered(0));
        assert!(session.state.lock().closed);
    }

    #[test]
    fn a_task_that_left_is_not_kept_and_the_others_are_woken() {
        struct Woken(AtomicUsize);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (session, tasks) = (session(), [(); 2].map(|()| Arc::new(Woken(AtomicUsize::new(0)))));
        let wakers = tasks.clone().map(Waker::from);
        wakers.iter().for_each(|waker| assert!(!session.poll_closed(&Context::from_waker(waker))));
        session.leave(&Context::from_waker(&wakers[0]));
        drop(wakers);
        assert_eq!(Arc::strong_count(&tasks[0]), 1, "nothing keeps it");
        session.close();
        assert_eq!(tasks.map(|task| task.0.load(Ordering::Relaxed)), [0, 1]);
    }

    #[test]
    fn what_all_connections_leave_unread_is_bounded_and_the_largest_is_closed() {
        let (unread, answer) = (Arc::default(), 32 << 20);
        let connect = || Session::new(Ipv4Addr::LOCALHOST.into(), answer, &unread);
        let sessions: Vec<_> = (0..7).map(|_| connect()).collect();
        let closed = |session: &Arc<Session>| session.state.lock().closed;
        sessions.iter().for_each(|session| session.answered(answer as usize));
        sessions[3].answered(1_000_000);
        let small = connect();
        small.answered(30 << 20);
        assert!(!closed(&small) && !sessions.iter().any(closed), "up to the bound");
        small.answered(2 << 20);
        assert!(closed(&sessions[3]) && !closed(&small), "the one that holds most");
        assert_eq!(sessions.iter().filter(|session| closed(session)).count(), 1);
        // What was read or has gone makes room.
        drop(sessions);
        small.taken(32 << 20);
        assert!(unread.of.lock().is_empty());
    }
}
