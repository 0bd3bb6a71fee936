//! Keeps the blocks that it finds until they are many, then gossips all at once: each with a transaction that nobody else has
//! and that it does not hand out.

use cairn_node::{
    engine::{PeerAction, PeerEvent, PeerId},
    wire::Request,
};
use chain_core::{
    block::Block,
    transaction::{Transaction, coin::Output},
    units::{Amount, Height},
};

use super::{Strategy, forger::compact};
use crate::{
    chain::{CHEATING, COIN, COINS},
    traffic::{first_coin, pay_coin},
    world::Context,
};

/// Blocks that it gossips at once: more than a node completes at one time.
const MANY: usize = 10;

/// Blocks that the chain grows until the oldest is not worth storing any more, and some to spare.
const OLD: Height = 16;

/// A hoarder.
#[derive(Default)]
pub(super) struct Hoarder {
    blocks: Vec<(Height, Block)>,
}

impl Strategy for Hoarder {
    fn found(&mut self, context: &mut Context<'_>, block: Block) -> Option<Block> {
        let height = context.engine()?.store().tip().height + 1;
        self.blocks.push((height, block));
        self.blocks.retain(|(own, _)| own + OLD > height);
        if self.blocks.len() >= MANY {
            context.log(|| format!("gossips {} blocks at once", self.blocks.len()));
            let peers = context.peers();
            for (_, block) in self.blocks.drain(..) {
                let compact = compact(&block);
                peers.iter().for_each(|peer| context.gossip(*peer, &compact));
            }
        }
        None
    }

    fn receive(&mut self, _: &mut Context<'_>, _: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        let asks = |request: &Request| {
            matches!(
                request,
                Request::BlockTransactions { .. } | Request::Transactions(_) | Request::ShortTransactions { .. }
            )
        };
        Some(event).filter(|event| !matches!(event, PeerEvent::Request(_, request) if asks(request)))
    }

    fn act(&mut self, _: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        Some(action).filter(|action| !matches!(action, PeerAction::Request(_, _, Request::Announce(_))))
    }

    fn timer(&mut self, context: &mut Context<'_>) {
        let chain = context.chain();
        for number in 0..COINS {
            let (outpoint, coin) = first_coin(&chain, CHEATING, number);
            let amount = Amount::from_grains(COIN.grains() - 10_000);
            let outputs = vec![Output { amount, lock: chain.users[CHEATING].lock }];
            context.pay(Transaction::Coin(pay_coin(&chain.hash, &chain.users[CHEATING], outpoint, coin, outputs)));
        }
    }
}
