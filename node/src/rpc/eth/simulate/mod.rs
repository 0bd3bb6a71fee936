//! `eth_simulateV1`: calls in a chain of blocks that are made for them.

mod block;
mod chain;
mod error;
mod payload;
mod plan;
mod watch;

use serde_json::Value;

use super::call::SECONDS;
use crate::rpc::base::{Args, BlockTag, Context, Method, RpcResult, Simulation};
use chain::Chain;
use payload::Payload;

pub const METHODS: &[Method] = &[Method::new("eth_simulateV1", &["payload", "block"], simulate).code().within(SECONDS)];

fn simulate(context: &Context, mut args: Args) -> RpcResult<Value> {
    let payload = Payload::read(context, &mut args)?;
    let tag: Option<BlockTag> = args.optional()?;
    // The pending block is the one that is simulated.
    let tag = tag.filter(|tag| *tag != BlockTag::Pending);
    let simulation = Simulation::at(context, tag, args.call())?;
    let (number, time) = (simulation.environment.number, simulation.environment.time);
    let blocks = plan::in_order(payload.blocks, number, time)?;
    let mut chain = Chain::new(context, simulation, payload.trace_transfers, payload.validation)?;
    let mut results = Vec::with_capacity(blocks.len());
    for block in blocks {
        results.push(chain.run(block)?.render(payload.full)?);
    }
    Ok(results.into())
}
