//! The binary as a user meets it: what it says and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use cairn_node::{program::quoted, version::VERSION};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

mod banner;
mod chains;
mod running;
mod stranger;
mod terminal;
mod unread;
mod usage;

use running::{Running, authorization};
use stranger::stranger;

/// Where the nodes leave their cookies: not in the home of who runs the tests.
const HOME: &str = env!("CARGO_TARGET_TMPDIR");

fn node(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn-node"));
    command.args(arguments).stdin(Stdio::null()).env_remove("CAIRN_RPC").env_remove("CAIRN_CHAIN").env("HOME", HOME);
    command
}

/// How hints name a program that is not in the PATH: its folder may have a blank.
fn typed(name: &str) -> String {
    quoted(&format!("{}{name}", env!("CARGO_BIN_EXE_cairn-node").trim_end_matches("cairn-node")))
}

fn output(arguments: &[&str]) -> Output {
    node(arguments).output().expect("the binary runs")
}

/// What a command that fails says, without `error: `; nothing may stand on the standard output.
fn failure(arguments: &[&str]) -> String {
    failure_with(1, arguments)
}

/// The same for a command line or a configuration that cannot be used.
fn misuse(arguments: &[&str]) -> String {
    failure_with(2, arguments)
}

fn failure_with(code: i32, arguments: &[&str]) -> String {
    let output = output(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    text.trim_end().strip_prefix("error: ").unwrap_or_else(|| panic!("no error: {text}")).to_owned()
}

fn success(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A chain that any machine mines in no time.
fn easy_chain(folder: &Path) -> String {
    let path = folder.join("chain.toml");
    let spec = chain_core::spec::ChainSpec {
        name: "local".into(),
        hrp: "ecrn".into(),
        pow_limit_bits: 0x207f_ffff,
        genesis_bits: 0x207f_ffff,
        ..chain_core::spec::ChainSpec::local()
    };
    std::fs::write(&path, spec.to_toml()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn flags_that_are_none_end_with_usage() {
    let output = output(&["--minner"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("error: unexpected argument '--minner' found\n"), "{text}");
}

#[test]
fn settings_that_make_no_sense_end_with_one_line() {
    assert_eq!(
        misuse(&["--chain", "moon"]),
        "unknown chain \"moon\": expected main, test, local, devnet, dev or a TOML file that exists"
    );
    assert_eq!(misuse(&["--cache", "1"]), "--cache 1: expected 8 to 1048576 MiB");
    assert_eq!(
        misuse(&["--chain", "test", "--datadir", "/nonexistent", "--mine"]),
        format!(
            "--mine needs a payout address: add --miner.address ADDRESS (`{} address` shows yours)",
            typed("cairn-wallet")
        )
    );
    assert_eq!(
        misuse(&["--config", "/nowhere.toml"]),
        "cannot read /nowhere.toml: No such file or directory (os error 2)"
    );
    assert_eq!(
        failure(&["export", "x", "--chain", "dev"]),
        "the chain \"dev\" is kept in memory only: add --datadir DIR"
    );
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let inside = file.join("data");
    assert_eq!(
        failure(&["--chain", "local", "--datadir", inside.to_str().unwrap()]),
        format!(
            "cannot create the data directory {}: Not a directory (os error 20); choose another with --datadir",
            inside.display()
        )
    );
}

#[test]
fn a_port_in_use_is_named_and_nothing_crashes() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let data = folder.path().join("data");
    for _ in 0..5 {
        let arguments =
            ["--chain", "local", "--datadir", data.to_str().unwrap(), "--http.port", &address.port().to_string()];
        let said = failure(&arguments);
        let expected = format!(
            "{address} is in use by another program, perhaps another node: stop it, or choose another port, such as --http.port "
        );
        let free = said.strip_prefix(&expected).unwrap_or_else(|| panic!("{said}"));
        TcpListener::bind(format!("127.0.0.1:{free}")).expect("the port is free");
        assert!(!data.exists(), "no directory is left behind");
    }
}

#[test]
fn a_directory_is_for_one_process_and_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let first = Running::start(&["--chain", "local", "--datadir", &data]);
    assert_eq!(
        failure(&["--chain", "local", "--datadir", &data]),
        format!(
            "{data} is in use by another cairn-node (process {}): stop it first, or choose another directory with \
             --datadir",
            first.child.id()
        )
    );
    drop(first);
    let other = failure(&["--chain", "test", "--datadir", &data]);
    assert!(other.starts_with("the data directory holds the chain 'local' (genesis "), "{other}");
    assert!(other.ends_with("or choose another directory with --datadir"), "{other}");
}

#[test]
fn a_node_keeps_its_chain_through_signals_and_kill() {
    let folder = tempfile::tempdir().unwrap();
    let chain = easy_chain(folder.path());
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let mining = ["--chain", &chain, "--datadir", &data, "--mine", "--miner.threads", "1"];
    let still = ["--chain", &chain, "--datadir", &data];
    let mut node = Running::start(&mining);
    node.wait_for_height(5);
    assert_eq!(node.signal(libc::SIGTERM), Some(0));
    let mut node = Running::start(&mining);
    let height = node.height();
    assert!(height >= 5);
    node.wait_for_height(height + 5);
    assert_eq!(node.signal(libc::SIGKILL), None);
    let mut node = Running::start(&still);
    assert!(node.height() >= height + 5);
    assert_eq!(node.signal(libc::SIGINT), Some(0));
    // A terminal that closes.
    let mut node = Running::start(&still);
    assert_eq!(node.signal(libc::SIGHUP), Some(0));
}

#[test]
fn blocks_are_exported_imported_and_the_state_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let chain = easy_chain(folder.path());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, copy, file) = (at("data"), at("copy"), at("blocks"));
    let mut node = Running::start(&["--chain", &chain, "--datadir", &data, "--mine", "--miner.threads", "1"]);
    node.wait_for_height(20);
    assert_eq!(node.signal(libc::SIGTERM), Some(0));
    let said = success(&["export", &file, "--to", "20", "--chain", &chain, "--datadir", &data]);
    assert_eq!(said, format!("wrote blocks 1 to 20 to {file}\n"));
    let written = std::fs::read(&file).unwrap();
    assert_eq!(
        failure(&["export", &file, "--to", "10", "--chain", &chain, "--datadir", &data]),
        format!("{file} exists already and is left as it is: choose another name, or add --force to replace it")
    );
    assert_eq!(std::fs::read(&file).unwrap(), written);
    success(&["export", &file, "--to", "10", "--force", "--chain", &chain, "--datadir", &data]);
    assert!(std::fs::read(&file).unwrap().len() < written.len());
    success(&["export", &file, "--to", "20", "--force", "--chain", &chain, "--datadir", &data]);
    let said = success(&["import", &file, "--chain", &chain, "--datadir", &copy]);
    assert_eq!(said, "imported 20 blocks, 0 known before; the tip is at height 20\n");
    let said = success(&["import", &file, "--chain", &chain, "--datadir", &copy]);
    assert_eq!(said, "imported 0 blocks, 20 known before; the tip is at height 20\n");
    let said = success(&["reindex", "--chain", &chain, "--datadir", &copy]);
    assert!(said.starts_with("rebuilt 20 blocks in "), "{said}");
    let node = Running::start(&["--chain", &chain, "--datadir", &copy]);
    assert_eq!(node.height(), 20);
    drop(node);

    assert_eq!(
        failure(&["export", &at("more"), "--to", "21", "--chain", &chain, "--datadir", &copy]),
        "--to 21: the chain's tip is at height 20"
    );
    assert_eq!(
        misuse(&["export", &at("more"), "--from", "10", "--to", "5", "--chain", &chain, "--datadir", &copy]),
        "--from 10 is above --to 5: name the lower height with --from"
    );
    assert!(!Path::new(&at("more")).exists());
    assert!(
        failure(&["import", &file, "--chain", "test", "--datadir", &at("other")])
            .starts_with(&format!("{file}: holds blocks of another chain: its genesis is "))
    );
    let mut bytes = std::fs::read(&file).unwrap();
    // Within the last block, and within the length of one more.
    let longer = [&bytes[..], &[7; 3]].concat();
    bytes.truncate(bytes.len() - 1);
    for (bytes, number) in [(bytes, 20), (longer, 21)] {
        std::fs::write(&file, &bytes).unwrap();
        assert_eq!(
            failure(&["import", &file, "--chain", &chain, "--datadir", &copy]),
            format!("{file}: block number {number} in the file: the file ends within it")
        );
    }
    std::fs::write(&file, "not blocks").unwrap();
    assert_eq!(
        failure(&["import", &file, "--chain", &chain, "--datadir", &copy]),
        format!("{file}: not a file that `cairn-node export` wrote")
    );
}

#[test]
fn a_running_node_is_asked_over_its_rpc() {
    let mut node = Running::start(&["--dev"]);
    let said = success(&["status", "--rpc", &node.url]);
    assert!(said.starts_with("chain     dev (id 1337)\nheight    0\n"), "{said}");
    for line in ["\npeers     none\n", "\nmining    a block for ", "\nuptime    ", &format!("\nversion   {VERSION}\n")]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    let status: Value = serde_json::from_str(&success(&["status", "--rpc", &node.url, "--json"])).unwrap();
    assert_eq!((&status["chain"]["chain"], &status["peers"]), (&json!("dev"), &json!(0)));
    assert_eq!(status["node"]["version"], VERSION);
    let lock = chain_core::transaction::coin::Lock::Policy([3; 32]);
    let address = chain_core::address::encode("dcrn", &lock);
    let said = success(&["mine-to", &address, "--rpc", &node.url]);
    assert_eq!(
        said,
        format!("blocks of this node will pay to {address}; it does not mine now (start it with --mine)\n")
    );
    let said = failure(&["mine-to", "dcrn1x", "--rpc", &node.url]);
    assert!(said.starts_with("the node refuses: miner_setAddress: address: "), "{said}");

    node.call("dev_mine", json!([2]));
    let block = success(&["block", "2", "--rpc", &node.url]);
    assert!(block.starts_with("height         2\nhash           ") && block.contains(" CRN to dcrn1"), "{block}");
    assert_eq!(success(&["block", "--rpc", &node.url]), block, "the tip if it is left out");
    let json: Value = serde_json::from_str(&success(&["block", "2", "--rpc", &node.url, "--json"])).unwrap();
    let txid = json["transactions"][0].as_str().unwrap();
    assert_eq!(success(&["block", json["hash"].as_str().unwrap(), "--rpc", &node.url]), block);
    assert_eq!(
        failure(&["block", "9", "--rpc", &node.url]),
        "the node refuses: chain_getBlock: no block at height 9: the tip is at 2"
    );
    let tx = success(&["tx", txid, "--rpc", &node.url]);
    assert!(tx.starts_with(&format!("txid           {txid}\nkind           coinbase\nheight         2\n")), "{tx}");
    let unknown = "00".repeat(32);
    let said = failure(&["tx", &unknown, "--rpc", &node.url]);
    assert!(said.starts_with(&format!("transaction {unknown} is unknown to the node at {}", node.url)), "{said}");
    let said = failure(&["peers", "--rpc", &node.url]);
    assert_eq!(said, "the node refuses: admin_peers: the node runs without a network (--dev or --max-peers 0)");

    assert_eq!(success(&["stop", "--rpc", &node.url]), format!("the node at {} is stopping\n", node.url));
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
    let said = failure(&["status", "--rpc", "http://127.0.0.1:1"]);
    assert!(said.starts_with("no node answers at http://127.0.0.1:1 ("), "{said}");
    let program = typed("cairn-node");
    let hint = format!("): start one, such as `{program} --chain local`, or name another with --rpc URL");
    assert!(said.ends_with(&hint), "{said}");
    let said = failure(&["status", "--rpc", &stranger("hello")]);
    assert!(said.contains(" is not a Cairn node (") && said.contains("name the node's RPC with --rpc URL"), "{said}");
    let unknown = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#;
    let said = failure(&["status", "--rpc", &stranger(unknown)]);
    assert!(said.contains("(it does not know chain_getInfo: is it an Ethereum node?)"), "{said}");
}

#[test]
fn commands_on_data_that_is_not_there_fail_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("none");
    let at = data.to_str().unwrap();
    let expected = format!(
        "{at} does not exist: no node of the chain local keeps its data there; name others with --chain and --datadir"
    );
    assert_eq!(failure(&["reindex", "--chain", "local", "--datadir", at]), expected);
    assert_eq!(failure(&["export", "-", "--chain", "local", "--datadir", at]), expected);
    assert!(!data.exists());
}

#[test]
fn a_hint_names_the_chain_and_the_data_that_it_is_about() {
    let folder = tempfile::tempdir().unwrap();
    let chain = easy_chain(folder.path());
    let data = folder.path().join("my data").to_str().unwrap().to_owned();
    let of = ["--chain", &chain, "--datadir", &data];
    let mut node = Running::start(&[&of[..], &["--no-index", "--mine", "--miner.threads", "1"]].concat());
    node.wait_for_height(3);
    assert_eq!(node.signal(libc::SIGTERM), Some(0));
    // The same chain with indexes, which it was stored without.
    let said = failure(&[&of[..], &["--http.port", "0", "--max-peers", "0"]].concat());
    let command = format!("{} reindex --chain {chain} --datadir '{data}'", typed("cairn-node"));
    assert!(said.contains(&format!("`{command}`")), "{said}");
    let done = Command::new("sh").args(["-c", &command]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn errors_are_json_where_json_is_asked_for() {
    let error = |code, arguments: &[&str]| -> Value {
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let error: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| panic!("no JSON: {output:?}"));
        assert_eq!(error["error"]["code"], code);
        error["error"]["message"].clone()
    };
    let nowhere = error(1, &["status", "--json", "--rpc", "127.0.0.1:1"]);
    assert!(nowhere.as_str().unwrap().starts_with("no node answers at http://127.0.0.1:1 ("), "{nowhere}");
    assert_eq!(nowhere, error(1, &["--json", "status", "--rpc", "http://127.0.0.1:1"]));
    let unknown = "unknown chain \"moon\": expected main, test, local, devnet, dev or a TOML file that exists";
    assert_eq!(error(2, &["chain", "show", "--json", "moon"]), unknown);
    assert_eq!(error(2, &["reindex", "--json", "--chain", "moon"]), unknown);
    assert_eq!(error(2, &["--json", "export", "x", "--chain", "moon"]), unknown);
    assert_eq!(error(2, &["status", "--json", "--fast"]), "unexpected argument '--fast' found");
    let scheme = error(2, &["status", "--json", "--rpc", "https://x"]);
    assert!(scheme.as_str().unwrap().contains("https is not supported"), "{scheme}");
}

#[test]
fn a_configuration_file_names_paths_from_home_and_from_its_own_folder() {
    let folder = tempfile::tempdir().unwrap();
    easy_chain(folder.path());
    let file = folder.path().join("cairn.toml");
    std::fs::write(&file, "chain = \"chain.toml\"\ndatadir = \"~/kept\"\nlog.file = \"node.log\"\n").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut node = Command::new(env!("CARGO_BIN_EXE_cairn-node"));
    node.args(["--config", file.to_str().unwrap(), "--http.port", "0", "--max-peers", "0"]);
    node.current_dir(elsewhere.path()).env("HOME", folder.path()).env_remove("CAIRN_CHAIN").stdin(Stdio::null());
    let mut child = node.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("  RPC ")), "it starts");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(folder.path().join("kept/db").exists() && folder.path().join("node.log").exists());
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "nothing is left where it was started");
}

#[test]
fn a_node_is_steered_by_its_own_user_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments = ["--chain", "local", "--datadir", data.to_str().unwrap()];
    let mut running = Running::start(&arguments);
    let cookie = data.join(".cookie");
    let first = std::fs::read_to_string(&cookie).unwrap();
    assert_eq!(std::fs::metadata(&cookie).unwrap().permissions().mode() & 0o777, 0o600);
    let other_home = folder.path().join("home");
    let stop = |more: &[&str]| {
        let mut command = node(&["stop", "--rpc", &running.url]);
        command.args(more).env("HOME", &other_home).output().unwrap()
    };
    // Another user of the machine, then one with the cookie of another run.
    let said = String::from_utf8(stop(&[]).stderr).unwrap();
    assert!(said.starts_with("error: the node refuses: admin_stop needs the node's cookie. "), "{said}");
    assert!(said.contains("--cookie FILE"), "{said}");
    let stale = folder.path().join("stale");
    std::fs::write(&stale, "__cookie__:00").unwrap();
    let said = String::from_utf8(stop(&["--cookie", stale.to_str().unwrap()]).stderr).unwrap();
    assert!(said.contains("the cookie that was sent is not this node's"), "{said}");
    let wrong = node(&["status", "--rpc", &running.url, "--cookie", stale.to_str().unwrap()]).output().unwrap();
    assert!(wrong.status.success(), "what anybody may read is read with a wrong cookie too");
    // A copy of it opens.
    assert!(stop(&["--cookie", cookie.to_str().unwrap()]).status.success());
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
    assert!(!cookie.exists(), "removed at a clean end");
    let again = Running::start(&arguments);
    assert_ne!(std::fs::read_to_string(&cookie).unwrap(), first, "new at each start");
    drop(again);
}

#[test]
fn a_miner_elsewhere_has_a_token_that_only_mines() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    let node = Running::start(&["--dev", "--http.mining-token", token.to_str().unwrap()]);
    let miner = cairn_miner::client::Node::new(&node.url, Some(&token)).unwrap();
    let address = chain_core::address::encode("dcrn", &chain_core::transaction::coin::Lock::Policy([3; 32]));
    let request = cairn_miner::client::Request { address: Some(address.clone()), account: None };
    assert_eq!(miner.template(&request, None).unwrap().work.height, 1);
    let said = failure(&["mine-to", &address, "--rpc", &node.url, "--cookie", token.to_str().unwrap()]);
    assert!(said.starts_with("the node refuses: miner_setAddress needs the node's cookie. "), "{said}");
    assert_eq!(std::fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_a_node_makes_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let flags = ["--chain", "local", "--datadir", data.to_str().unwrap()];
    // SAFETY: the mask of this process; children inherit it.
    let before = unsafe { libc::umask(0) };
    let mut running = Running::start(&flags);
    unsafe { libc::umask(before) };
    let address = chain_core::address::encode("lcrn", &chain_core::transaction::coin::Lock::Policy([3; 32]));
    success(&["mine-to", &address, "--rpc", &running.url]);
    assert_eq!(running.signal(libc::SIGTERM), Some(0));
    let mut open = vec![data.clone()];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o077, 0, "{}", path.display());
        seen += 1;
        if metadata.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn a_damaged_payout_keeps_the_node_from_mining_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let file = data.join("payout.json");
    std::fs::write(&file, "garbage").unwrap();
    let said = failure(&["--chain", "local", "--mine", "--datadir", data.to_str().unwrap()]);
    assert!(said.starts_with(&format!("{}, which says whom to pay, is damaged: ", file.display())), "{said}");
    assert!(said.contains(&format!("{} mine-to ADDRESS", typed("cairn-node"))), "{said}");
}

#[test]
fn a_reindex_needs_a_directory_that_holds_a_chain() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let arguments = |path: &Path| failure(&["reindex", "--chain", "local", "--datadir", path.to_str().unwrap()]);
    let said = arguments(&missing);
    assert!(said.starts_with(&format!("{} does not exist: no node of the chain local", missing.display())), "{said}");
    let hint = "name another directory with --datadir, or another chain with --chain";
    assert_eq!(arguments(folder.path()), format!("{} holds no chain: {hint}", folder.path().display()));
    assert!(!missing.exists(), "nothing was made");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = node(&["chain", "show", "local"]).stdout(full).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text, "error: cannot write to standard output: No space left on device (os error 28)\n");
}
