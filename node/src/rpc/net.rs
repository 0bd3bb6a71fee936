//! `net_*`: what the node tells of the network. It has no peers yet.

use super::Method;

pub(super) const METHODS: &[Method] = &[
    Method::new("net_version", &[], |context, _| Ok(context.spec.chain_id.to_string().into())),
    Method::new("net_listening", &[], |_, _| Ok(false.into())),
    Method::new("net_peerCount", &[], |_, _| Ok("0x0".into())),
];
