//! One running call: when it has to end.
//!
//! Nobody pays for a call of the RPC, so its client or its deadline ends it: the VM asks at every jump, scans of the store
//! ask at every row.

use chain_core::vm::Inspector;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::error::{RpcError, RpcResult, cannot, over_limit};
use crate::rpc::{access::Scope, lanes::Who};

/// When a call ends: its client has gone, or it has taken too long. Clones share the client.
#[derive(Clone, Debug)]
pub struct Call {
    gone: Arc<AtomicBool>,
    started: Instant,
    most: Duration,
    who: Who,
    scope: Scope,
}

impl Call {
    /// A call that starts now and may take this long.
    pub fn start(most: Duration) -> Self {
        Self { gone: Arc::default(), started: Instant::now(), most, who: Who::default(), scope: Scope::default() }
    }

    /// The same call, made by this caller, who may do so much.
    pub fn by(self, who: Who, scope: Scope) -> Self {
        Self { who, scope, ..self }
    }

    /// The same call, which starts now: it has waited for a thread.
    pub fn begin(self) -> Self {
        Self { started: Instant::now(), ..self }
    }

    /// Whether its caller is a program of this machine or has the node's cookie.
    pub fn is_local(&self) -> bool {
        matches!(self.scope, Scope::Local | Scope::Full)
    }

    /// Whose call it is.
    pub fn who(&self) -> Who {
        self.who
    }

    /// The same call with another limit.
    pub fn within(&self, most: Duration) -> Self {
        Self { most, ..self.clone() }
    }

    /// Ends the call when the answer is dropped: when its connection closes.
    pub fn end_on_drop(&self) -> EndOnDrop {
        EndOnDrop(self.gone.clone())
    }

    /// Whether it has to end.
    pub fn is_over(&self) -> bool {
        self.gone.load(Ordering::Relaxed) || self.started.elapsed() >= self.most
    }

    /// # Errors
    /// -32005 if the call has to end.
    pub fn check(&self) -> RpcResult<()> {
        if self.is_over() { Err(self.over()) } else { Ok(()) }
    }

    fn over(&self) -> RpcError {
        if self.gone.load(Ordering::Relaxed) {
            return cannot("the client has closed the connection");
        }
        over_limit(format!("the call took longer than {} ms: ask for less, or give it less gas", self.most.as_millis()))
    }
}

/// See [`Call::end_on_drop`].
pub struct EndOnDrop(Arc<AtomicBool>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Jumps between two looks at the clock, which would cost more than they do.
const LOOK_EVERY: u32 = 256;

/// Has the VM end with its call, and watches nothing else.
pub struct Guard<'a> {
    call: &'a Call,
    asked: u32,
}

impl<'a> Guard<'a> {
    /// For a run of this call.
    pub fn new(call: &'a Call) -> Self {
        Self { call, asked: 0 }
    }
}

impl Inspector for Guard<'_> {
    const ACTIVE: bool = false;
    const STOPPABLE: bool = true;

    fn stopped(&mut self) -> bool {
        self.asked = self.asked.wrapping_add(1);
        self.asked % LOOK_EVERY == 1 && self.call.is_over()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_at_its_deadline_or_with_its_client() {
        let call = Call::start(Duration::from_secs(3600));
        assert_eq!(call.check(), Ok(()));
        let late = call.within(Duration::ZERO).check().unwrap_err();
        assert_eq!(
            (late.code(), late.message()),
            (-32005, "the call took longer than 0 ms: ask for less, or give it less gas")
        );
        drop(call.end_on_drop());
        assert_eq!(call.check().unwrap_err().message(), "the client has closed the connection");
    }
}
