//! What the node prints when it is up: where it is, what it does, and what to type next.

use cairn_client::counted;
use chain_core::address;
use std::net::TcpListener;

use crate::{
    config::{Config, LogFormat},
    dev,
    net::Multiaddr,
    output::say,
    program,
    rpc::Context,
    version::VERSION,
};

/// Prints the banner to the standard output.
pub async fn print(context: &Context, config: &Config) {
    let addresses = match &context.network {
        // None are known of a network that has stopped.
        Some(network) => network.addresses().await.unwrap_or_default(),
        None => Vec::new(),
    };
    match config.log.format {
        // Nobody may read it, and a thread that waits for a reader must hold up nothing.
        LogFormat::Text => {
            let text = text(context, config, &addresses);
            std::thread::spawn(move || say(format_args!("{text}\n")));
        }
        LogFormat::Json => log(context, &addresses),
    }
}

/// What collects the log of a container reads the standard output, too: there a banner would be no JSON.
fn log(context: &Context, addresses: &[Multiaddr]) {
    let info = context.engine.chain_info();
    tracing::info!(
        version = VERSION,
        chain = context.spec.name,
        genesis = %context.genesis,
        height = info.height,
        hash = %info.hash,
        rpc = context.node.url,
        peer_address = addresses.first().map(tracing::field::display),
        "started"
    );
}

fn text(context: &Context, config: &Config, addresses: &[Multiaddr]) -> String {
    let (info, Config { spec, .. }) = (context.engine.chain_info(), config);
    let data = match &context.node.datadir {
        Some(path) => path.display().to_string(),
        None => "in memory, gone when the node stops".to_owned(),
    };
    let next = match (config.dev, spec.name.as_str()) {
        (true, _) => dev_accounts(),
        (_, "local") => next_steps(context, config),
        _ => String::new(),
    };
    format!(
        "
  Cairn {VERSION}

  chain     {} (id {}), genesis {}
  tip       height {}, {}
  data      {data}
  RPC       {} (HTTP and WebSocket)
  page      {}
  mining    {}
  stratum   {}
  network   {}
{next}",
        spec.name,
        spec.chain_id,
        context.genesis,
        info.height,
        info.hash,
        context.node.url,
        page(context, config),
        mining(context, config),
        stratum(context, config),
        network(context, config, addresses),
    )
}

/// What to open in a browser.
fn page(context: &Context, config: &Config) -> String {
    match config.limits.page {
        true => format!("{}/ in a browser", context.node.url),
        false => "off".to_owned(),
    }
}

fn mining(context: &Context, config: &Config) -> String {
    let status = context.mining.status();
    let threads = status.threads;
    let to = match context.mining.payout() {
        Some(lock) => format!("pays to {}", address::encode(&config.spec.hrp, &lock)),
        None => "no payout address yet".to_owned(),
    };
    let on = counted(threads, "thread");
    match (config.mine, config.dev) {
        (true, _) if status.mining => format!("on {on}, {to}"),
        (true, _) => format!("not yet: it looks for peers and their blocks first; then on {on}, {to}"),
        (false, true) if status.automine => "a block for each transaction, and on evm_mine".to_owned(),
        (false, true) => match config.block_time {
            Some(time) => format!("a block every {} s, and on evm_mine", time.as_secs()),
            None => "on evm_mine alone".to_owned(),
        },
        (false, false) => "off (start with --mine, or mine with cairn-miner)".to_owned(),
    }
}

/// Where miners connect, and as whom.
fn stratum(context: &Context, config: &Config) -> String {
    match context.node.stratum {
        Some(address) => format!("stratum+tcp://{address}, user: an address to pay ({}1...)", config.spec.hrp),
        None => "off (start with --stratum for SHA-256 miners)".to_owned(),
    }
}

/// Where others reach this node, and what they type.
fn network(context: &Context, config: &Config, addresses: &[Multiaddr]) -> String {
    let Some(address) = addresses.first() else {
        return "none".to_owned();
    };
    if config.dev {
        return address.to_string();
    }
    let (node, chain) = (program::named("cairn-node"), program::quoted(&config.chain));
    let here = address.iter().next().is_some_and(|part| part.to_string().starts_with("/ip4/127."));
    if !here {
        return format!("{address}\n\n  Another node joins with --chain {chain} --connect {address}");
    }
    let port = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or_default();
    let rpc = next_free(port(context.node.url.rsplit(':').next()), 0);
    let peers = next_free(port(address.to_string().split('/').nth(4)), rpc);
    format!(
        "{address}

  Another node on this machine joins with
    {node} --chain {chain} --datadir DIR --http.port {rpc} --port {peers} \\
      --connect {address}{}",
        neighbours(config)
    )
}

/// Whom a node of this machine alone joins without being told.
fn neighbours(config: &Config) -> &'static str {
    match &config.network {
        Some(network) if network.discover && network.only_here() => {
            "\n  Nodes of one chain on this machine find each other on ports 30303 to 30312 and share the chain;\n  \
             --no-discovery keeps one apart."
        }
        _ => "",
    }
}

/// The first free port above one that this node listens on, but for one that is given away already.
pub(super) fn next_free(port: u16, taken: u16) -> u16 {
    let free = |port: &u16| *port != taken && TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (port.saturating_add(1)..=u16::MAX).take(100).find(free).unwrap_or_default()
}

fn dev_accounts() -> String {
    let accounts = dev::ACCOUNTS.iter().map(|account| format!("  {}  {}\n", account.address, account.private_key));
    format!(
        "\n  Funded accounts; these keys are public, use them nowhere else.\n  Mnemonic: {}\n\n{}",
        dev::MNEMONIC,
        accounts.collect::<String>()
    )
}

fn next_steps(context: &Context, config: &Config) -> String {
    let (node, wallet) = (program::named("cairn-node"), program::named("cairn-wallet"));
    let steps = match context.mining.payout() {
        None => [
            (format!("{wallet} create"), "make a wallet"),
            (format!("{wallet} mine"), "have this node pay it for its blocks"),
            (format!("{wallet} balance"), "see the coins come in"),
        ],
        Some(_) if !config.mine && !context.mining.status().mining => [
            (format!("{wallet} mine"), "have this node mine for it"),
            (format!("{wallet} balance"), "see the coins come in"),
            (format!("{node} status"), "see how the node is"),
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
    let step = |(command, what): &(String, &str)| format!("    {:width$}{what}\n", format!("{command}{rpc}"));
    let steps = steps.iter().map(step).collect::<String>();
    format!("\n  Next, in a second terminal:\n{steps}  Ctrl-C stops the node; the chain stays.\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn a_node_that_others_of_this_machine_find_says_so() {
        let said = |chain: &str, no_discovery: bool| {
            let (chain, no_discovery) = (Some(chain.to_owned()), Some(no_discovery));
            let settings = Settings { chain, no_discovery, datadir: Some("/nowhere".into()), ..Settings::default() };
            neighbours(&settings.resolve().expect("the settings are sound"))
        };
        assert!(said("local", false).contains("find each other on ports 30303 to 30312 and share the chain"));
        assert_eq!((said("local", true), said("test", false)), ("", ""));
    }

    #[test]
    fn the_ports_of_a_hint_are_free() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = taken.local_addr().expect("it has an address").port();
        let next = next_free(port - 1, 0);
        assert!(next > port, "{next} after {port}");
        // The ports of the two kinds may stand side by side, so that both searches come to one.
        let other = next_free(port - 1, next);
        assert!(other > next, "{other} after {next}");
    }
}
