//! `admin_*`: the process itself, and its peers.

use chain_core::{hash::BlockHash, units::Height};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::base::{Args, Context, Method, RpcResult, cannot, param};
use crate::{
    log_tail,
    net::{self, Ban, Farewell, Multiaddr, NetHandle, PeerId, PeerInfo, Target},
    version::{VERSION, client_version},
};

pub const METHODS: &[Method] = &[
    Method::new("admin_nodeInfo", &[], node_info),
    Method::new("admin_peers", &[], peers),
    Method::new("admin_addPeer", &["address"], add_peer),
    Method::new("admin_removePeer", &["peer"], remove_peer),
    Method::new("admin_bans", &[], bans),
    Method::new("admin_ban", &["target", "seconds", "reason"], ban),
    Method::new("admin_unban", &["target"], unban),
    Method::new("admin_acceptCertificate", &["block"], accept_certificate),
    Method::new("admin_log", &["after"], log),
    Method::new("admin_stop", &[], stop),
];

/// How long a ban lasts that nobody says the length of: a day, in seconds.
const DAY: u32 = 24 * 3_600;

param!(Multiaddr, "an address such as \"/ip4/1.2.3.4/tcp/30303/p2p/12D3...\" or \"host:30303\"", |value| {
    net::parse_address(value.as_str()?)
});
param!(PeerId, "a peer's id such as \"12D3...\"", |value| value.as_str()?.parse().ok());
param!(Target, "a peer's id such as \"12D3...\" or an IP", |value| value.as_str()?.parse().ok());

fn network(context: &Context) -> RpcResult<&NetHandle> {
    context.network.as_ref().ok_or_else(|| cannot("the node runs without a network (--dev or --max-peers 0)"))
}

fn node_info(context: &Context, _: Args) -> RpcResult<Value> {
    let mut info = json!({
        "name": client_version(),
        "version": VERSION,
        "chain": context.spec.name,
        "genesis": context.genesis.to_string(),
        "datadir": context.node.datadir,
        "uptime": context.node.started.elapsed().as_secs(),
        "rpc": context.node.url,
        "process": std::process::id(),
        "id": null,
        "clockOffset": null,
    });
    if let Some(network) = &context.network {
        let addresses = context.ask(network.addresses())?;
        let traffic = network.traffic();
        info["id"] = network.id().to_string().into();
        info["addresses"] = addresses.iter().map(ToString::to_string).collect();
        info["peers"] = network.peer_count().into();
        let clocks = network.clock_offset();
        info["clockOffset"] = clocks.map(|(ahead, _)| ahead).into();
        info["clockPeers"] = clocks.map_or(0, |(_, peers)| peers).into();
        info["disconnected"] = context.ask(network.farewells())?.iter().map(farewell).collect();
        info["traffic"] = json!({ "received": traffic.received(), "sent": traffic.sent() });
    }
    Ok(info)
}

fn peers(context: &Context, _: Args) -> RpcResult<Value> {
    let peers = context.ask(network(context)?.peers())?;
    let tips: BTreeMap<_, _> = context.query(|engine| engine.peer_tips().collect())?;
    Ok(peers.iter().map(|info| peer(info, tips.get(&info.number).copied())).collect())
}

fn peer(info: &PeerInfo, tip: Option<(Height, BlockHash)>) -> Value {
    let said = info.status.as_ref().map(|status| (status.height, status.best));
    let tip = tip.or(said);
    json!({
        "id": info.id.to_string(),
        "address": info.address.to_string(),
        "direction": direction(info.outbound),
        "agent": info.agent,
        "height": tip.map(|(height, _)| height),
        "bestHash": tip.map(|(_, hash)| hash.to_string()),
        "connected": info.connected.as_secs(),
        "pingMs": info.ping.map(|ping| ping.as_micros() as f64 / 1_000.0),
        "points": info.points,
        "clockOffset": info.clock_offset,
        "traffic": { "received": info.traffic.0, "sent": info.traffic.1 },
    })
}

fn direction(outbound: bool) -> &'static str {
    if outbound { "outbound" } else { "inbound" }
}

fn farewell(farewell: &Farewell) -> Value {
    json!({
        "id": farewell.id.to_string(),
        "address": farewell.address.to_string(),
        "direction": direction(farewell.outbound),
        "agent": farewell.agent,
        "at": farewell.at,
        "connected": farewell.connected.as_secs(),
        "reason": farewell.reason,
    })
}

fn log(_: &Context, mut args: Args) -> RpcResult<Value> {
    let (last, lines) = log_tail::after(args.optional()?.unwrap_or(0));
    let line = |line: &log_tail::Line| json!({ "number": line.number, "time": line.time, "level": line.level, "text": line.text });
    Ok(json!({ "last": last, "lines": lines.iter().map(line).collect::<Vec<_>>() }))
}

fn add_peer(context: &Context, mut args: Args) -> RpcResult<Value> {
    let address = args.required()?;
    context.ask(network(context)?.add_peer(address))?;
    Ok(true.into())
}

fn remove_peer(context: &Context, mut args: Args) -> RpcResult<Value> {
    let peer = args.required()?;
    Ok(context.ask(network(context)?.remove_peer(peer))?.into())
}

fn bans(context: &Context, _: Args) -> RpcResult<Value> {
    let bans = context.ask(network(context)?.bans())?;
    let entry = |(target, ban): &(Target, Ban)| json!({ "target": target.to_string(), "until": ban.until, "reason": ban.reason });
    Ok(bans.iter().map(entry).collect())
}

fn ban(context: &Context, mut args: Args) -> RpcResult<Value> {
    let target = args.required()?;
    let seconds = args.optional::<u32>()?.unwrap_or(DAY);
    let reason = args.optional::<String>()?.unwrap_or_else(|| "admin_ban".to_owned());
    context.ask(network(context)?.ban(target, seconds.into(), reason))?;
    Ok(true.into())
}

fn unban(context: &Context, mut args: Args) -> RpcResult<Value> {
    let target = args.required()?;
    Ok(context.ask(network(context)?.unban(target))?.into())
}

fn accept_certificate(context: &Context, mut args: Args) -> RpcResult<Value> {
    let block = args.required()?;
    let height = context.wait(context.engine.accept_certificate(block)).map_err(|error| cannot(error.to_string()))?;
    Ok(json!({ "height": height, "hash": block.to_string() }))
}

fn stop(context: &Context, _: Args) -> RpcResult<Value> {
    context.node.stop.notify_one();
    Ok(true.into())
}
