//! The parameters of `eth_simulateV1`.

use serde_json::Value;

use super::error::{client_limit, too_many_blocks};
use crate::rpc::base::{Any, Args, CallRequest, Context, Object, Options, Overrides, RpcResult, invalid};

/// Most blocks, those included that fill gaps between numbers.
pub const MAX_BLOCKS: usize = 256;
/// Most calls. Each costs 21,000 gas, so that the gas of a simulation has no room for more.
const MAX_CALLS: usize = 2_500;

/// What to simulate.
pub struct Payload {
    /// The blocks.
    pub blocks: Vec<BlockCalls>,
    /// Whether transfers of wei are listed as logs.
    pub trace_transfers: bool,
    /// Whether nonces and base fees count.
    pub validation: bool,
    /// Whether blocks have whole transactions.
    pub full: bool,
}

/// A block: what is otherwise before it, and its calls.
#[derive(Default)]
pub struct BlockCalls {
    /// What is otherwise.
    pub overrides: Overrides,
    /// The calls.
    pub calls: Vec<CallRequest>,
}

impl Payload {
    /// Reads the next argument.
    pub fn read(context: &Context, args: &mut Args) -> RpcResult<Self> {
        let options = Options::lenient("payload", args.required::<Object>()?);
        let mut left = MAX_CALLS;
        let mut blocks = Vec::new();
        for (name, value) in array(&options, "payload", "blockStateCalls")? {
            if blocks.len() == MAX_BLOCKS {
                return Err(too_many_blocks());
            }
            blocks.push(BlockCalls::parse(context, &name, value, &mut left)?);
        }
        if blocks.is_empty() {
            return Err(invalid("payload.blockStateCalls: empty input: expected at least one block"));
        }
        Ok(Self {
            blocks,
            trace_transfers: options.flag("traceTransfers")?,
            validation: options.flag("validation")?,
            full: options.flag("returnFullTransactions")?,
        })
    }
}

impl BlockCalls {
    fn parse(context: &Context, name: &str, value: Value, left: &mut usize) -> RpcResult<Self> {
        let options = Options::nested(name, value)?;
        let overrides = Overrides::of(&options, name)?;
        let mut calls = Vec::new();
        for (name, value) in array(&options, name, "calls")? {
            *left = left.checked_sub(1).ok_or_else(|| client_limit(format!("more than {MAX_CALLS} calls")))?;
            let options = Options::nested(name.as_str(), value)?;
            calls.push(CallRequest::of(context, &name, &options)?);
        }
        Ok(Self { overrides, calls })
    }
}

/// The entries of an array in an object, each with its name. None if there is no array.
fn array(options: &Options, name: &str, key: &str) -> RpcResult<Vec<(String, Value)>> {
    let Some(Any(value)) = options.get::<Any>(key)? else { return Ok(Vec::new()) };
    let Value::Array(entries) = value else { return Err(invalid(format!("{name}.{key}: expected an array"))) };
    let named = |(index, entry)| (format!("{name}.{key}[{index}]"), entry);
    Ok(entries.into_iter().enumerate().map(named).collect())
}
