//! Several nodes of one chain, connected on loopback.

use chain_core::spec::ChainSpec;
use serde_json::json;

use crate::{Node, NodeOptions, wait_for};

/// A chain that a few processes mine on a busy machine: a block a second or so, however many mine.
pub fn mined_spec() -> ChainSpec {
    ChainSpec {
        name: "net".into(),
        chain_id: 1_337_002,
        target_interval: 1,
        half_life: 10,
        pow_limit_bits: 0x1f00_ffff,
        genesis_bits: 0x1e0f_ffff,
        ..crate::spec()
    }
}

/// Nodes, each with flags of its own after its number.
pub fn nodes(spec: &ChainSpec, count: usize, flags: impl Fn(usize) -> Vec<String>) -> Vec<Node> {
    (0..count)
        .map(|number| Node::with(NodeOptions { spec: spec.clone(), flags: flags(number), file_limit: None }))
        .collect()
}

/// Connects every node with every other, and waits until they are.
///
/// # Panics
/// If they do not connect.
pub fn connect_all(nodes: &[Node]) {
    for (index, node) in nodes.iter().enumerate() {
        nodes[index + 1..].iter().for_each(|other| node.connect(other));
    }
    for node in nodes {
        wait_for("all peers to connect", 30, || (node.peers() == nodes.len() - 1).then_some(()));
    }
}

/// Waits until all nodes have one tip; answers with its height.
///
/// # Panics
/// If they do not agree in time.
pub fn agree<'a>(nodes: impl IntoIterator<Item = &'a Node> + Clone, seconds: u64) -> u64 {
    wait_for("the nodes to agree", seconds, || {
        let mut tips = nodes.clone().into_iter().map(Node::tip);
        let first = tips.next()?;
        tips.all(|tip| tip == first).then_some(())
    });
    nodes.into_iter().next().map_or(0, Node::height)
}

/// Cuts every node of the one side from every node of the other.
///
/// # Panics
/// If a node does not answer.
pub fn cut(one: &[&Node], other: &[&Node]) {
    for (from, to) in [(one, other), (other, one)] {
        for node in from {
            to.iter().for_each(|peer| _ = node.rpc.call("admin_ban", json!([peer.peer_id(), 3_600, "partition"])));
        }
    }
    for node in one {
        let gone = || {
            let peers = node.rpc.call("admin_peers", json!([]));
            let connected =
                |peer: &&Node| peers.as_array().into_iter().flatten().any(|info| info["id"] == peer.peer_id());
            (!other.iter().any(connected)).then_some(())
        };
        wait_for("the partition", 30, gone);
    }
}

/// Joins what was cut.
///
/// # Panics
/// If a node does not answer.
pub fn heal(one: &[&Node], other: &[&Node]) {
    for (from, to) in [(one, other), (other, one)] {
        for node in from {
            to.iter().for_each(|peer| _ = node.rpc.call("admin_unban", json!([peer.peer_id()])));
        }
    }
    for node in one {
        other.iter().for_each(|peer| node.connect(peer));
    }
}
