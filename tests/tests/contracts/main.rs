//! Contracts that today's Solidity compiled, through the node and the wallet's binary: tokens, a proxy, a market.
//!
//! `scripts/contracts.sh` compiles `tests/contracts`; where it could not, these tests are skipped.

mod failures;
mod gateway;
mod lab;
mod replay;

use lab::{Lab, complaint, events, text};
use serde_json::json;

const NOBODY: &str = "0x000000000000000000000000000000000000dEaD";

#[test]
fn an_erc20_is_deployed_transferred_approved_and_asked() {
    let Some(lab) = Lab::start() else { return };
    let second = lab.second_account();
    let (me, second) = (lab.account.as_str(), second.as_str());
    let token = lab.deploy("Token", &["Cairn Token", "TOK", "1000e18"]);
    let token = token.as_str();
    assert_eq!(lab.view("Token", &[token, "name"]), ["Cairn Token"]);
    assert_eq!(lab.number("Token", &[token, "balanceOf", me]), 1_000 * 10u128.pow(18));

    let sent = lab.call("Token", &[token, "transfer", second, "1.5e18"]);
    assert_eq!(events(&sent), [format!("Transfer({me},{second},1500000000000000000)")]);
    assert_eq!(sent["function"], "transfer(address,uint256)");
    // The same without an ABI, typed by a signature.
    let asked = lab.wallet.ok(&["view", token, "balanceOf(address) returns (uint256)", second]);
    assert_eq!(asked["results"][0]["value"], "1500000000000000000");
    lab.run(&["call", token, "transfer(address,uint256)", NOBODY, "7"]).json();
    assert_eq!(lab.number("Token", &[token, "balanceOf", NOBODY]), 7);

    let refused = lab.refused("call", "Token", &[token, "transferFrom", me, NOBODY, "5", "--from", "1"]);
    let reason = format!("ERC20InsufficientAllowance(spender: {second}, allowance: 0, needed: 5)");
    assert_eq!(refused, format!("it would revert, so nothing was sent: {reason}"));
    lab.call("Token", &[token, "approve", second, "5"]);
    lab.call("Token", &[token, "transferFrom", me, NOBODY, "5", "--from", "1"]);
    assert_eq!(lab.number("Token", &[token, "balanceOf", NOBODY]), 12);
    assert_eq!(lab.number("Token", &[token, "allowance", me, second]), 0);

    let many = (format!("[{second}, {NOBODY}]"), "[1, 2]");
    assert_eq!(events(&lab.call("Token", &[token, "transferAll", &many.0, many.1])).len(), 2);
    let unpaid = lab.wallet.run(&[
        "call",
        token,
        "transfer",
        second,
        "1",
        "--value",
        "1",
        "--abi",
        &lab.file(),
        "--contract",
        "Token",
    ]);
    assert_eq!(unpaid.code, 8, "{unpaid:?}");
    let missing = lab.wallet.run(&["call", NOBODY, "transfer(address,uint256)", second, "1"]);
    assert!(complaint(&missing).contains("there is no contract at"), "{missing:?}");
}

#[test]
fn an_erc721_is_minted_by_its_owner_and_kept_by_a_contract() {
    let Some(lab) = Lab::start() else { return };
    let second = lab.second_account();
    let (stones, shelf) = (lab.deploy("Collectible", &[]), lab.deploy("Shelf", &[]));
    let (stones, shelf, me) = (stones.as_str(), shelf.as_str(), lab.account.as_str());
    let minted = lab.call("Collectible", &[stones, "mint", me]);
    assert_eq!(events(&minted), [format!("Transfer(0x0000000000000000000000000000000000000000,{me},1)")]);
    let stranger = lab.refused("call", "Collectible", &[stones, "mint", me, "--from", "1"]);
    assert!(stranger.contains(&format!("OwnableUnauthorizedAccount(account: {second})")), "{stranger}");

    let overloaded = lab.wallet.run(&[
        "call",
        stones,
        "safeTransferFrom",
        me,
        shelf,
        "1",
        "--abi",
        &lab.file(),
        "--contract",
        "Collectible",
    ]);
    assert_eq!(overloaded.code, 2);
    assert!(complaint(&overloaded).contains("safeTransferFrom(address,address,uint256,bytes)"), "{overloaded:?}");
    lab.call("Collectible", &[stones, "safeTransferFrom(address,address,uint256)", me, shelf, "1"]);
    assert_eq!(lab.view("Collectible", &[stones, "ownerOf", "1"]), [shelf]);
    assert_eq!(lab.number("Shelf", &[shelf, "count"]), 1);
    // A token is no receiver, so nothing is sent to it in vain.
    lab.call("Collectible", &[stones, "mint", me]);
    let refused =
        lab.refused("call", "Collectible", &[stones, "safeTransferFrom(address,address,uint256)", me, stones, "2"]);
    assert!(refused.contains(&format!("ERC721InvalidReceiver(receiver: {stones})")), "{refused}");
}

#[test]
fn a_proxy_keeps_its_storage_over_an_upgrade() {
    let Some(lab) = Lab::start() else { return };
    let (one, two) = (lab.deploy("Counter", &[]), lab.deploy("CounterByTwo", &[]));
    let build = lab.wallet.run(&["call", &one, "initialize(address,uint256)", &lab.account, "40"]);
    assert_eq!(build.code, 9, "the implementation itself cannot be initialised: {build:?}");
    let start = ["0xcd6dc687", &format!("{:0>64}", &lab.account[2..]), &format!("{:064x}", 40)].concat();
    let proxy = lab.deploy("CounterProxy", &[&one, &start.to_lowercase()]);
    let proxy = proxy.as_str();
    lab.second_account();
    lab.call("Counter", &[proxy, "increase"]);
    assert_eq!(lab.view("Counter", &[proxy, "version"]), ["one"]);
    assert_eq!(lab.number("Counter", &[proxy, "count"]), 41);
    let stranger = lab.refused("call", "Counter", &[proxy, "upgradeToAndCall", &two, "0x", "--from", "1"]);
    assert!(stranger.contains("NotOwner(caller: 0x"), "{stranger}");
    let upgraded = lab.call("Counter", &[proxy, "upgradeToAndCall", &two, "0x"]);
    assert_eq!(events(&upgraded), [format!("Upgraded({two})")]);
    lab.call("Counter", &[proxy, "increase"]);
    assert_eq!(lab.view("Counter", &[proxy, "version"]), ["two"]);
    assert_eq!(lab.number("Counter", &[proxy, "count"]), 43);
}

#[test]
fn a_pair_is_funded_traded_and_emptied() {
    let Some(lab) = Lab::start() else { return };
    let token = |name: &str| lab.deploy("Token", &[name, name, "1000000"]);
    let (first, second) = (token("A"), token("B"));
    let pair = lab.deploy("Pair", &[&first, &second]);
    let (first, second, pair, me) = (first.as_str(), second.as_str(), pair.as_str(), lab.account.as_str());
    let pay = |token: &str, amount: &str| drop(lab.call("Token", &[token, "transfer", pair, amount]));
    pay(first, "40000");
    pay(second, "90000");
    let minted = events(&lab.call("Pair", &[pair, "mint", me]));
    assert!(minted.contains(&format!("Mint({me},40000,90000)")), "{minted:?}");
    assert_eq!(lab.number("Pair", &[pair, "balanceOf", me]), 60_000 - 1_000);

    // 10,000 in give 90,000 * 9,970 / 49,970 out, and not one more.
    pay(first, "10000");
    let greedy = lab.refused("call", "Pair", &[pair, "swap", "0", "17957", me]);
    assert!(greedy.contains("ProductShrinks(before: 3600000000000000"), "{greedy}");
    let swapped = events(&lab.call("Pair", &[pair, "swap", "0", "17956", me]));
    assert!(swapped.contains(&"Sync(50000,72044)".to_owned()), "{swapped:?}");
    assert!(swapped.contains(&format!("Swap({me},10000,0,0,17956,{me})")), "{swapped:?}");
    let reserves = lab.view("Pair", &[pair, "getReserves"]);
    assert_eq!(reserves[..2], ["50000", "72044"]);
    let tip = lab.node.rpc.call("eth_getBlockByNumber", json!(["latest", false]));
    let time = u64::from_str_radix(&text(&tip["timestamp"])[2..], 16).expect("a quantity");
    assert_eq!(reserves[2], time.to_string(), "the time of the block that it was traded in");

    lab.call("Pair", &[pair, "transfer", pair, "59000"]);
    let burned = events(&lab.call("Pair", &[pair, "burn", me]));
    assert!(burned.contains(&format!("Burn({me},49166,70843,{me})")), "{burned:?}");
    assert_eq!(lab.number("Token", &[first, "balanceOf", me]), 1_000_000 - 50_000 + 49_166);
    assert_eq!(lab.number("Pair", &[pair, "totalSupply"]), 1_000);
}

#[test]
fn a_contract_is_built_signed_and_broadcast_apart() {
    let Some(lab) = Lab::start() else { return };
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let path = folder.path().join("deploy.json");
    let path = path.to_str().expect("a test's path is text");
    let arguments = ["Token", "Apart", "APT", "5"];
    lab.wallet.ok(&[&["build", "--out", path, "deploy", &lab.file(), "--contract"], &arguments[..]].concat());
    let shown = lab.wallet.ok(&["show", path]);
    lab.wallet.ok(&["sign", path]);
    let sent = lab.run(&["broadcast", path]).json();
    let made = text(&sent["contract"]);
    assert_eq!(shown["contract"], made.as_str());
    assert_eq!(lab.view("Token", &[&made, "symbol"]), ["APT"]);

    let file = lab.file();
    let call = ["call", &made, "transfer", NOBODY, "2", "--abi", &file, "--contract", "Token"];
    lab.wallet.ok(&[&["build", "--out", path, "--force"], &call[..]].concat());
    let shown = lab.wallet.ok(&["show", path]);
    assert_eq!(shown["function"], "transfer(address,uint256)");
    assert_eq!(shown["arguments"], json!([NOBODY, "2"]));
    lab.wallet.ok(&["sign", path]);
    lab.run(&["broadcast", path]).json();
    assert_eq!(lab.number("Token", &[&made, "balanceOf", NOBODY]), 2);
}
