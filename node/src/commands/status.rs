//! `cairn-node status`: all that tells whether a node is well, on one screen.

use cairn_client::{counted, unix};
use serde_json::{Value, json};

use super::{
    ask::{print, show},
    lines::text,
    words::{duration, mining},
};
use crate::{cli::Ask, error::CommandError, program};

/// What the parts of the node say.
struct Status {
    chain: Value,
    miner: Value,
    finality: Value,
    /// `admin_nodeInfo`, or why it is not told.
    node: Result<Value, String>,
    peers: Value,
    /// Greatest height that a peer claims.
    claimed: Option<u64>,
    version: Value,
}

/// `cairn-node status`
pub fn status(ask: &Ask) -> Result<(), CommandError> {
    let chain = ask.call("chain_getInfo", json!([]))?;
    // The rest is not served to everybody; what is there is worth showing all the same. What no node answers is an error.
    let told = |method| match ask.call(method, json!([])) {
        Err(error @ CommandError::NotANode { .. }) => Err(error),
        told => Ok(told.map_err(|error| error.to_string())),
    };
    let some = |method| told(method).map(Result::unwrap_or_default);
    let status = Status {
        chain,
        miner: some("miner_status")?,
        finality: some("chain_getFinality")?,
        node: told("admin_nodeInfo")?,
        peers: some("net_peerCount")?,
        claimed: some("admin_peers")?.as_array().into_iter().flatten().filter_map(|peer| peer["height"].as_u64()).max(),
        version: some("web3_clientVersion")?,
    };
    match ask.json {
        true => show(&status.json()),
        false => print(status.lines(unix())),
    }
}

impl Status {
    fn json(&self) -> Value {
        json!({
            "chain": self.chain,
            "miner": self.miner,
            "finality": self.finality,
            "node": self.node.as_ref().ok(),
            "peers": self.peers(),
            "peersHeight": self.claimed,
            "tipAge": unix().saturating_sub(self.chain["time"].as_u64().unwrap_or_default()),
            "version": self.version,
        })
    }

    fn peers(&self) -> Option<u64> {
        u64::from_str_radix(self.peers.as_str()?.strip_prefix("0x")?, 16).ok()
    }

    fn lines(&self, now: u64) -> String {
        let chain = &self.chain;
        let age = now.saturating_sub(chain["time"].as_u64().unwrap_or_default());
        let mut lines = vec![
            format!("chain     {} (id {})", text(&chain["chain"]), chain["chainId"]),
            format!("height    {}", chain["height"]),
            format!("tip       {}, {} old", text(&chain["bestHash"]), duration(age)),
            format!("sync      {}", self.sync()),
            format!("blocks    {}", self.kept()),
            format!("peers     {}", self.peers_line()),
            format!("mining    {}", mining(&self.miner)),
        ];
        lines.extend(self.finality_line());
        if self.miner["mining"] == true {
            let [wallet, node] = ["cairn-wallet", "cairn-node"].map(program::named);
            let nobody = format!("no address yet: set one with `{wallet} mine` or `{node} mine-to ADDRESS`");
            lines.push(format!("pays to   {}", self.miner["address"].as_str().unwrap_or(&nobody)));
        }
        lines.push(format!("base fee  {} wei per gas", chain["baseFee"]));
        let pool = &chain["mempool"];
        lines.push(format!(
            "mempool   {}, {} bytes",
            counted(pool["transactions"].as_u64().unwrap_or_default(), "transaction"),
            pool["bytes"]
        ));
        lines.extend(self.node_lines());
        lines.join("\n") + "\n"
    }

    /// On a chain with finality.
    fn finality_line(&self) -> Option<String> {
        let finality = &self.finality;
        let members = finality["members"].as_array().filter(|members| !members.is_empty())?;
        let lag = counted(finality["lag"].as_u64().unwrap_or_default(), "block");
        let mut line = format!("final     to height {}, {lag} below the tip", finality["finalized"]["height"]);
        if let Some(member) = finality["member"].as_u64() {
            line += &format!("; this node is member {member} of {}", members.len());
        }
        if let Some(height) = finality["silentBelow"].as_u64() {
            line += &format!(", silent below height {height}");
            if finality["signedAhead"] == true {
                line += ": it has signed for that one, and the certificate before is not known (docs/finality.md)";
            }
        }
        if let Some(alarm) = finality["alarm"].as_str() {
            line += &format!("\nALARM     {alarm}");
        }
        Some(line)
    }

    fn sync(&self) -> String {
        let (height, headers) = (self.chain["height"].as_u64(), self.chain["headers"].as_u64());
        let (height, headers) = (height.unwrap_or_default(), headers.unwrap_or_default().max(1));
        match self.chain["syncing"] == true {
            true => format!("block {height} of {headers}, {} %", 100 * height / headers),
            false if self.peers() == Some(0) => "nobody to compare with: there are no peers".to_owned(),
            // One block may be on its way.
            false if self.claimed.is_some_and(|claimed| claimed > height + 1) => format!(
                "stuck at {height}: a peer claims height {}; is this clock right (see below)? The log says what was refused",
                self.claimed.unwrap_or_default()
            ),
            false => "done".to_owned(),
        }
    }

    fn kept(&self) -> String {
        match self.chain["pruneHeight"].as_u64() {
            Some(oldest) => format!("kept from height {oldest} on; those below were pruned"),
            None => "all kept".to_owned(),
        }
    }

    fn peers_line(&self) -> String {
        match self.peers() {
            Some(0) => "none".to_owned(),
            Some(peers) => format!("{peers} (`{} peers` lists them)", program::named("cairn-node")),
            None => "not told".to_owned(),
        }
    }

    /// What only the node's own user is told.
    fn node_lines(&self) -> Vec<String> {
        let node = match &self.node {
            Ok(node) => node,
            Err(reason) => {
                let version = self.version.as_str().unwrap_or("not told");
                return vec![format!("version   {version}"), format!("more      {reason}")];
            }
        };
        let of = match node["clockPeers"].as_u64() {
            Some(1) => "that of its only peer: one of the two is wrong",
            Some(2) => "those of its 2 peers: too few to say whose is wrong",
            _ => "its peers'",
        };
        let clock = match node["clockOffset"].as_i64() {
            None => "not compared: no peer has told its time".to_owned(),
            Some(0) => "as its peers'".to_owned(),
            Some(ahead @ 1..) => format!("{} behind {of}", duration(ahead.unsigned_abs())),
            Some(behind) => format!("{} ahead of {of}", duration(behind.unsigned_abs())),
        };
        vec![
            format!("clock     {clock}"),
            format!("uptime    {}", duration(node["uptime"].as_u64().unwrap_or_default())),
            format!("version   {}", text(&node["version"])),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status {
            chain: json!({
                "chain": "local", "chainId": 133702, "height": 84, "headers": 84, "bestHash": "ab", "time": 1_000,
                "syncing": false, "baseFee": 7, "mempool": { "transactions": 1, "bytes": 300 },
            }),
            miner: json!({ "mining": true, "hashrate": 2_500_000.0, "threads": 1, "blocks": 2, "address": "lcrn1" }),
            finality: json!({ "members": [] }),
            node: Ok(json!({ "clockOffset": -7_200, "uptime": 3_700, "version": "0.1.0 (1a2b3c4d5)" })),
            peers: json!("0x3"),
            claimed: Some(85),
            version: json!("cairn-node/v0.1.0"),
        }
    }

    #[test]
    fn a_node_that_is_well_is_told_on_one_screen() {
        let expected = "chain     local (id 133702)\nheight    84\ntip       ab, 1 min 5 s old\nsync      done\nblocks    all kept\n\
                        peers     3 (`cairn-node peers` lists them)\nmining    2.50 MH/s on 1 thread, 2 blocks since the start\n\
                        pays to   lcrn1\nbase fee  7 wei per gas\nmempool   1 transaction, 300 bytes\n\
                        clock     2 h 0 min ahead of its peers'\nuptime    1 h 1 min\nversion   0.1.0 (1a2b3c4d5)\n";
        assert_eq!(status().lines(1_065), expected);
    }

    #[test]
    fn what_is_wrong_or_not_told_is_said() {
        let mut status = status();
        status.chain["syncing"] = true.into();
        status.chain["headers"] = 168.into();
        status.peers = json!("0x0");
        status.miner = json!({ "mining": false });
        status.node = Err("the node refuses: admin_nodeInfo needs the node's cookie".into());
        let lines = status.lines(1_000);
        for line in [
            "sync      block 84 of 168, 50 %\n",
            "peers     none\n",
            "mining    off (start the node with --mine, or mine with cairn-miner)\n",
            "more      the node refuses: admin_nodeInfo needs the node's cookie\n",
        ] {
            assert!(lines.contains(line), "{lines}");
        }
    }

    #[test]
    fn a_miner_that_waits_says_for_what_and_one_on_demand_is_not_off() {
        let mut status = status();
        status.miner["waiting"] = json!("the clock is 86400 s behind the newest block");
        status.miner["hashrate"] = json!(0.0);
        let line = "\nmining    waiting on 1 thread: the clock is 86400 s behind the newest block\npays to   lcrn1\n";
        assert!(status.lines(1_065).contains(line), "{}", status.lines(1_065));
        status.miner = json!({ "mining": false, "automine": true });
        let line = "\nmining    a block for each transaction, and on evm_mine\n";
        assert!(status.lines(1_065).contains(line), "{}", status.lines(1_065));
    }

    #[test]
    fn finality_is_told_on_a_chain_that_has_it() {
        let mut status = status();
        status.finality = json!({ "members": [{}, {}, {}, {}], "finalized": { "height": 80 }, "lag": 4, "member": 2 });
        let line = "\nfinal     to height 80, 4 blocks below the tip; this node is member 2 of 4\n";
        assert!(status.lines(1_065).contains(line), "{}", status.lines(1_065));
        status.finality["alarm"] = json!("two certificates contradict each other");
        let line = " of 4\nALARM     two certificates contradict each other\n";
        assert!(status.lines(1_065).contains(line), "{}", status.lines(1_065));
    }

    #[test]
    fn a_clock_that_differs_from_one_peers_may_be_right() {
        let mut status = status();
        status.node = Ok(json!({ "clockOffset": -7_200, "clockPeers": 1, "uptime": 1, "version": "0.1.0" }));
        let line = "\nclock     2 h 0 min ahead of that of its only peer: one of the two is wrong\n";
        assert!(status.lines(1_065).contains(line), "{}", status.lines(1_065));
    }

    #[test]
    fn a_node_below_its_peers_that_does_not_sync_is_stuck() {
        let status = Status { claimed: Some(86), ..status() };
        let line = "sync      stuck at 84: a peer claims height 86; is this clock right (see below)?";
        assert!(status.lines(1_065).contains(line), "{}", status.lines(1_065));
    }
}
