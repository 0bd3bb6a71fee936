//! `net_*`: information about the network.

use super::base::{Method, quantity};

pub const METHODS: &[Method] = &[
    Method::new("net_version", &[], |context, _| Ok(context.spec.chain_id.to_string().into())).brief(),
    // Always, as in geth: tools take it for the sign of a node that works.
    Method::new("net_listening", &[], |_, _| Ok(true.into())),
    Method::new("net_peerCount", &[], |context, _| {
        Ok(quantity(context.network.as_ref().map_or(0, |network| network.peer_count())))
    }),
];
