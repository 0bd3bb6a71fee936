//! What the node prints when it is up: where it is, what it does, and what to type next.

use chain_core::address;
use std::net::TcpListener;

use crate::{commands::say, config::Config, dev, net::Multiaddr, program, rpc::Context, text::count, version::VERSION};

/// Prints the banner to the standard output.
pub async fn print(context: &Context, config: &Config) {
    let addresses = match &context.network {
        // None are known of a network that has stopped.
        Some(network) => network.addresses().await.unwrap_or_default(),
        None => Vec::new(),
    };
    say(format_args!("{}\n", text(context, config, &addresses)));
}

fn text(context: &Context, config: &Config, addresses: &[Multiaddr]) -> String {
    let info = context.engine.chain_info();
    let data = match &context.node.datadir {
        Some(path) => path.display().to_string(),
        None => "in memory, gone when the node stops".to_owned(),
    };
    let mut lines = vec![
        String::new(),
        format!("  Cairn {VERSION}"),
        String::new(),
        format!("  chain     {} (id {}), genesis {}", config.spec.name, config.spec.chain_id, context.genesis),
        format!("  tip       height {}, {}", info.height, info.hash),
        format!("  data      {data}"),
        format!("  RPC       {} (HTTP and WebSocket)", context.node.url),
        format!("  mining    {}", mining(context, config)),
    ];
    lines.extend(network(context, config, addresses));
    if config.dev {
        lines.extend(dev_accounts());
    } else if config.spec.name == "local" {
        lines.extend(next_steps(context));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn mining(context: &Context, config: &Config) -> String {
    let status = context.mining.status();
    let threads = status.threads;
    let to = match context.mining.payout() {
        Some(lock) => format!("pays to {}", address::encode(&config.spec.hrp, &lock)),
        None => "pays nobody yet".to_owned(),
    };
    let on = count(threads, "thread");
    match (config.mine, config.dev) {
        (true, _) if status.mining => format!("on {on}, {to}"),
        (true, _) => format!("not yet: it looks for peers and their blocks first; then on {on}, {to}"),
        (false, true) => "a block for each transaction, and on evm_mine".to_owned(),
        (false, false) => "off (start with --mine, or mine with cairn-miner)".to_owned(),
    }
}

/// Where others reach this node, and what they type.
fn network(context: &Context, config: &Config, addresses: &[Multiaddr]) -> Vec<String> {
    let Some(address) = addresses.first() else {
        return vec!["  network   none".to_owned()];
    };
    let mut lines = vec![format!("  network   {address}")];
    if config.dev {
        return lines;
    }
    let (node, chain) = (program::named("cairn-node"), program::quoted(&config.chain));
    lines.push(String::new());
    match address.iter().next().is_some_and(|part| part.to_string().starts_with("/ip4/127.")) {
        true => {
            lines.push("  Another node on this machine joins with".to_owned());
            let peers = address.to_string().split('/').nth(4).map(str::to_owned);
            let rpc = context.node.url.rsplit(':').next().map(str::to_owned);
            let rpc = next_free(rpc, 0);
            let peers = next_free(peers, rpc);
            lines.push(format!("    {node} --chain {chain} --datadir DIR --http.port {rpc} --port {peers} \\"));
            lines.push(format!("      --connect {address}"));
        }
        false => lines.push(format!("  Another node joins with --chain {chain} --connect {address}")),
    }
    lines
}

/// The first free port above one that this node listens on, but for one that is given away already.
fn next_free(port: Option<String>, taken: u16) -> u16 {
    let port: u16 = port.and_then(|text| text.parse().ok()).unwrap_or_default();
    let free = |port: &u16| *port != taken && TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (port.saturating_add(1)..=u16::MAX).take(100).find(free).unwrap_or_default()
}

fn dev_accounts() -> Vec<String> {
    let mut lines = vec![
        String::new(),
        "  Funded accounts; everybody knows these keys, use them nowhere else.".to_owned(),
        format!("  Mnemonic: {}", dev::MNEMONIC),
        String::new(),
    ];
    for account in dev::ACCOUNTS {
        lines.push(format!("  {}  {}", account.address, account.private_key));
    }
    lines
}

fn next_steps(context: &Context) -> Vec<String> {
    let mut lines = vec![String::new(), "  Next, in a second terminal:".to_owned()];
    let (node, wallet) = (program::named("cairn-node"), program::named("cairn-wallet"));
    let steps = match context.mining.payout() {
        None => [
            (format!("{wallet} create"), "make a wallet"),
            (format!("{wallet} mine"), "have this node pay it for its blocks"),
            (format!("{wallet} balance"), "see the coins come in"),
        ],
        Some(_) => [
            (format!("{wallet} balance"), "see the coins come in"),
            (format!("{wallet} send ADDRESS=1.5"), "pay somebody"),
            (format!("{node} status"), "see how the node is"),
        ],
    };
    // The wallet and the commands look for a node on the default port.
    let rpc = match context.node.url.as_str() {
        "http://127.0.0.1:8545" => String::new(),
        url => format!(" --rpc {url}"),
    };
    // One column for the whole block, however long the path of the programs is.
    let width = 2 + rpc.len() + steps.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    let step = |(command, what): &(String, &str)| format!("    {:width$}{what}", format!("{command}{rpc}"));
    lines.extend(steps.iter().map(step));
    lines.push("  Ctrl-C stops the node; the chain stays.".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_a_hint_are_free() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = taken.local_addr().expect("it has an address").port();
        let next = next_free(Some((port - 1).to_string()), 0);
        assert!(next > port, "{next} after {port}");
        // The ports of the two kinds may stand side by side, so that both searches come to one.
        let other = next_free(Some((port - 1).to_string()), next);
        assert!(other > next, "{other} after {next}");
    }
}
