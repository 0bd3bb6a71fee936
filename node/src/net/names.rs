//! The names of the protocols, which carry the chain, and what they say of a peer.

use chain_core::hash::BlockHash;
use libp2p::{StreamProtocol, gossipsub::IdentTopic};

use super::peers::Origin;
use crate::wire::PROTOCOL;

/// Names of what carries the genesis hash.
#[derive(Clone, Debug)]
pub struct Names {
    /// Protocol of questions and answers. A peer without it is on another chain.
    pub exchange: StreamProtocol,
    /// Protocol of the distributed table of peers.
    pub kad: StreamProtocol,
    /// Topic of blocks.
    pub blocks: IdentTopic,
}

impl Names {
    /// Those of a chain.
    ///
    /// # Panics
    /// Never: the names begin with a slash.
    pub fn new(genesis: &BlockHash) -> Self {
        let name = |what, version| {
            let name = format!("/cairn/{genesis}/{what}/{version}");
            StreamProtocol::try_from_owned(name).expect("a name begins with a slash")
        };
        Self {
            exchange: name("exchange", PROTOCOL),
            kad: name("kad", PROTOCOL),
            blocks: IdentTopic::new(format!("cairn/{genesis}/blocks/{PROTOCOL}")),
        }
    }

    /// Whether this is the genesis hash in the names.
    pub fn is_chain(&self, genesis: &str) -> bool {
        self.exchange.as_ref().strip_prefix("/cairn/").is_some_and(|rest| rest.starts_with(genesis))
    }

    /// Whether a node that speaks these does not want to be found: with `--no-discovery` it does not speak the table's.
    pub fn is_hidden(&self, protocols: &[StreamProtocol]) -> bool {
        !protocols.contains(&self.kad)
    }
}

/// Why a peer is of no use to this node, or this node is not wanted by it, if so.
pub fn useless(names: &Names, protocols: &[StreamProtocol], origin: Origin) -> Option<String> {
    match protocols.contains(&names.exchange) {
        false => Some(foreign(names, protocols)),
        true if origin == Origin::Scan && names.is_hidden(protocols) => {
            Some("does not want to be found (--no-discovery)".to_owned())
        }
        true => None,
    }
}

/// What to say of a peer that does not speak this chain's protocol, or speaks it in another version.
fn foreign(names: &Names, protocols: &[StreamProtocol]) -> String {
    let spoken = |name: &StreamProtocol| {
        let (genesis, version) = name.as_ref().strip_prefix("/cairn/")?.split_once("/exchange/")?;
        let is_hash = genesis.len() == 64 && genesis.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Some((genesis.to_owned(), version.parse::<u32>().ok()?)))?
    };
    match protocols.iter().find_map(spoken) {
        Some((genesis, version)) if names.is_chain(&genesis) => {
            let whose = if version < PROTOCOL { "its operator has" } else { "you have" };
            format!("speaks version {version} of the protocol, and this node version {PROTOCOL}: {whose} to upgrade")
        }
        Some((genesis, _)) => format!("is of another chain, whose genesis block is {genesis}"),
        None => "does not speak the protocol of this chain".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(name: String) -> StreamProtocol {
        StreamProtocol::try_from_owned(name).unwrap()
    }

    #[test]
    fn another_chain_is_named_by_its_genesis_block() {
        let genesis = "ab".repeat(32);
        let protocols = [protocol("/ipfs/id/1.0.0".into()), protocol(format!("/cairn/{genesis}/exchange/1"))];
        let names = Names::new(&BlockHash([1; 32]));
        let reason = format!("is of another chain, whose genesis block is {genesis}");
        assert_eq!(useless(&names, &protocols, Origin::Inbound), Some(reason));
        for odd in ["\n".repeat(64) + "/exchange/1", genesis.clone() + "/exchange/", genesis + "/exchange/x"] {
            let odd = [protocol(format!("/cairn/{odd}"))];
            assert_eq!(foreign(&names, &odd), "does not speak the protocol of this chain");
        }
    }

    #[test]
    fn another_version_of_the_protocol_is_named_and_who_has_to_upgrade() {
        let genesis = BlockHash([1; 32]);
        let names = Names::new(&genesis);
        let other = |version: u32| {
            let old = [protocol(format!("/cairn/{genesis}/exchange/{version}"))];
            useless(&names, &old, Origin::Inbound).unwrap()
        };
        let said = |version: u32, whose: &str| {
            format!("speaks version {version} of the protocol, and this node version {PROTOCOL}: {whose} to upgrade")
        };
        assert_eq!(other(PROTOCOL - 1), said(PROTOCOL - 1, "its operator has"));
        assert_eq!(other(PROTOCOL + 1), said(PROTOCOL + 1, "you have"));
    }

    #[test]
    fn who_does_not_want_to_be_found_is_left_alone_unless_it_was_named() {
        let names = Names::new(&BlockHash([1; 32]));
        let hidden = [names.exchange.clone()];
        let reason = Some("does not want to be found (--no-discovery)".to_owned());
        assert_eq!(useless(&names, &hidden, Origin::Scan), reason);
        assert_eq!(useless(&names, &hidden, Origin::Wanted), None);
        assert_eq!(useless(&names, &hidden, Origin::Inbound), None);
        assert_eq!(useless(&names, &[names.exchange.clone(), names.kad.clone()], Origin::Scan), None);
    }
}
