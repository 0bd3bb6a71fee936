//! Attackers that say too little.

use cairn_node::{
    engine::{InboundId, PeerAction, PeerEvent, PeerId},
    wire::{Request, Response, Status},
};
use chain_core::{
    U256,
    transaction::{Transaction, coin::Output},
    units::Amount,
};

use super::Strategy;
use crate::{
    chain::{CHEATING, COIN, COINS},
    traffic::{first_coin, pay_coin},
    world::Context,
};

/// Gossips blocks with transactions that nobody else has, and never hands those out; nor anything else that it is asked
/// for but headers.
pub(super) struct Withholder;

impl Strategy for Withholder {
    fn receive(&mut self, _: &mut Context<'_>, _: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        match event {
            PeerEvent::Request(
                _,
                Request::Blocks(_)
                | Request::BlockTransactions { .. }
                | Request::Transactions(_)
                | Request::ShortTransactions { .. },
            ) => None,
            event => Some(event),
        }
    }

    fn act(&mut self, _: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        match action {
            PeerAction::Request(_, _, Request::Announce(_)) => None,
            action => Some(action),
        }
    }

    fn timer(&mut self, context: &mut Context<'_>) {
        let chain = context.chain();
        let number = context.random().index(COINS);
        let (outpoint, coin) = first_coin(&chain, CHEATING, number);
        let outputs =
            vec![Output { amount: Amount::from_grains(COIN.grains() - 10_000), lock: chain.users[CHEATING].lock }];
        context.pay(Transaction::Coin(pay_coin(&chain.hash, &chain.users[CHEATING], outpoint, coin, outputs)));
        context.wake_after(120_000);
    }
}

/// Surrounds a victim with others of its kind, and agrees with whatever it says; serves everybody else honestly.
pub(super) struct Eclipse;

impl Eclipse {
    fn answer(&self, context: &mut Context<'_>, peer: PeerId, id: InboundId, request: Request) {
        let response = match request {
            Request::Status(status) => Response::Status(status),
            Request::Headers { .. } => Response::Headers(Vec::new()),
            Request::Announce(_) => Response::Ack,
            _ => Response::Unknown,
        };
        context.respond(peer, id, response);
    }
}

impl Strategy for Eclipse {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        match event {
            PeerEvent::Request(id, request) if context.is_victim(peer) => {
                self.answer(context, peer, id, request);
                None
            }
            PeerEvent::Gossip(..) if context.is_victim(peer) => None,
            event => Some(event),
        }
    }

    fn act(&mut self, context: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        match action {
            PeerAction::Request(peer, id, Request::Status(status)) if context.is_victim(peer) => {
                let best = status.genesis;
                let behind = Status { best, height: 0, work: U256::ZERO, ..status };
                Some(PeerAction::Request(peer, id, Request::Status(behind)))
            }
            PeerAction::Request(peer, ..) if context.is_victim(peer) => None,
            action => Some(action),
        }
    }

    fn forwards(&self, victim: bool) -> bool {
        !victim
    }
}
