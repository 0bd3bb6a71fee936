//! What `debug`, `trace` and `ots` stand on: transactions run again under recorders, and what the recorders make of it.
//!
//! `block` runs the transactions of a block in order, once, and `call` one that nobody signed; `watch` passes what happens
//! to the recorders of one run, within one `limit`. `calls` records the tree of calls, `touched` what accounts and slots
//! were before and after, `steps` every instruction, `selectors` which functions are called. `flat` lists a tree of calls
//! as Parity does, `prestate` and `diff` show what was touched as geth and Parity do. No method of the RPC is here.

mod block;
mod call;
mod calls;
mod diff;
mod flat;
mod limit;
mod prestate;
mod selectors;
mod steps;
mod touched;
mod watch;
mod words;

pub use block::{TraceBlock, Tracing, run_again};
pub use call::run_call;
pub use calls::{CallConfig, Calls, Frame};
pub use diff::{StateDiff, state_diff};
pub use flat::{FlatConfig, Flattener, Place, Row, reward};
pub use limit::{Limit, MOST_BYTES, too_long};
pub use prestate::{PrestateConfig, prestate};
pub use selectors::Selectors;
pub use steps::{Steps, StepsConfig};
pub use touched::{Touched, TouchedConfig};
pub use watch::{Recorder, Watch};
