//! One account's key in and out, signed messages, backups.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use cairn_wallet::file::Wallet;
use chain_core::{
    spec::ChainSpec,
    transaction::{Transaction, account::address_of},
};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use serde_json::json;
use support::{ACCOUNT, Home, KEYSTORE, MockNode, PASSWORD, WORDS, answered, nobody, text};

/// A key of nobody else, and its account.
const KEY: &str = "773a4fa29b88e3f28dc7eaa78f758da4c2d2dafd157a4faaca8a58a9c888edc1";
const IMPORTED: &str = "0x29Cf75ee7a1452B1Eeffc2915966a0BFaC827427";

fn rich() -> (MockNode, Home) {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    node.state().balance_wei = "2000000000000000000".into();
    fs::write(home.path("pw"), format!("{PASSWORD}\n")).unwrap();
    (node, home)
}

#[test]
fn an_imported_account_pays_like_any_other() {
    let (node, home) = rich();
    fs::write(home.path("key.json"), KEYSTORE).unwrap();
    let import = ["import-key", "key.json", "--keystore-password-file", "pw", "--label", "from geth"];
    assert_eq!(home.json(&import)["account"].as_str().unwrap().to_lowercase(), IMPORTED.to_lowercase());
    home.run(&import).fails(2, "is an account of this wallet already");
    let sent = home.json(&["transfer", ACCOUNT, "0.5", "--from", IMPORTED.to_lowercase().as_str()]);
    assert_eq!(sent["from"].as_str().unwrap().to_lowercase(), IMPORTED.to_lowercase());
    let Transaction::Account(transfer) = node.state().sent[0].clone() else { panic!("no transfer") };
    assert_eq!(transfer.recover_sender().unwrap().to_string().to_lowercase(), IMPORTED.to_lowercase());
    // It is listed, and its money counts.
    let balance = home.json(&["balance"]);
    let second = &balance["accounts"][1];
    assert_eq!((second["index"].as_u64(), second["balanceWei"].as_str()), (None, Some("2000000000000000000")));
    assert_eq!(balance["totalWei"], "4000000000000000000");
    let listed = home.json(&["address", "--list"]);
    assert_eq!((&listed[2]["path"], &listed[2]["label"]), (&json!(null), &json!("from geth")));
    // The key is only in the sealed part, and survives another password.
    assert!(!text(&home.file()).contains(KEY));
    fs::write(home.path("new"), "another one\n").unwrap();
    home.json(&["change-password", "--new-password-file", "new"]);
    let again = home.json(&["withdraw", "0.1", "--from", IMPORTED, "--password-file", "new"]);
    assert_eq!(again["signed"], true);
    home.run(&["transfer", ACCOUNT, "0.1", "--from", "2147483648", "--yes"])
        .fails(2, "account 2147483648 was never handed out");
}

#[test]
fn a_key_may_come_as_hex_and_bad_ones_are_refused() {
    let (_node, home) = rich();
    fs::write(home.path("hex"), format!("\u{feff}0x{KEY}\n")).unwrap();
    home.run(&["import-key", "hex", "--label", " "]).fails(2, "a label has 1 to");
    let answer = home.run(&["import-key", "hex"]);
    assert!(answer.code == 0 && answer.err.contains("do not bring it back"), "{}", answer.err);
    for (name, holds, code, says) in [
        ("none", "zz", 3, "neither JSON nor 64 hexadecimal digits"),
        ("zero", &"0".repeat(64), 3, "is not a secret key"),
        ("half", &KEYSTORE[..100], 3, "it is not a keystore"),
        ("other", &KEYSTORE.replace("29cf75ee", "29cf75ef"), 3, "but it holds that of 0x29"),
    ] {
        fs::write(home.path(name), holds).unwrap();
        home.run(&["import-key", name, "--keystore-password-file", "pw"]).fails(code, says);
    }
    fs::write(home.path("key.json"), KEYSTORE).unwrap();
    fs::write(home.path("bad"), "wrong\n").unwrap();
    home.run(&["import-key", "key.json", "--keystore-password-file", "bad"]).fails(4, "wrong password of the keystore");
    home.run(&["import-key", "key.json"]).fails(
        2,
        "there is no terminal to ask for the password of the keystore: use --keystore-password-file or CAIRN_KEYSTORE_PASSWORD",
    );
}

#[test]
fn an_exported_key_is_the_one_that_is_imported_elsewhere() {
    let (node, home) = rich();
    let args = ["export-key", "0", "--keystore-password-file", "pw", "--out", "out.json"];
    assert_eq!(home.json(&args)["account"], ACCOUNT);
    home.run(&args).fails(3, "out.json exists already");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(home.path("out.json")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let other = Home::numbered(&node, 5);
    fs::copy(home.path("out.json"), other.path("in.json")).unwrap();
    fs::write(other.path("pw"), PASSWORD).unwrap();
    assert_eq!(other.json(&["import-key", "in.json", "--keystore-password-file", "pw"])["account"], ACCOUNT);
    let named = home.json(&["export-key", ACCOUNT, "--keystore-password-file", "pw"])["file"].clone();
    let named = named.as_str().unwrap();
    assert!(named.starts_with("UTC--2") && named.ends_with(&ACCOUNT[2..].to_lowercase()), "{named}");
    // The first key of these words, which the whole Ethereum world knows.
    let hex = home.json(&["export-key", "0", "--hex"])["key"].clone();
    assert_eq!(hex, "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
    home.run(&["export-key", "0", "--hex"]).fails(2, "add --yes if you agree");
    home.run(&["export-key", IMPORTED, "--hex", "--yes"]).fails(2, "is not an account of this wallet");
    let mut command = home.command(&["export-key", "0", "--out", "x.json", "--json"]);
    command.env("CAIRN_KEYSTORE_PASSWORD", "");
    answered(command.output().unwrap()).fails(
        2,
        "there is no terminal to ask for the password of the keystore: use --keystore-password-file or CAIRN_KEYSTORE_PASSWORD",
    );
    home.run(&["change-password"])
        .fails(2, "there is no terminal to ask for the new password: use --new-password-file\n");
    let mut command = home.command(&["sign-message", "x"]);
    command.env_remove("CAIRN_WALLET_PASSWORD");
    answered(command.output().unwrap())
        .fails(2, "there is no terminal to ask for the password: use --password-file or CAIRN_WALLET_PASSWORD\n");
}

#[test]
fn imported_accounts_whose_file_was_changed_are_found_out() {
    let (_node, home) = rich();
    fs::write(home.path("hex"), KEY).unwrap();
    home.json(&["import-key", "hex"]);
    let network = cairn_wallet::network::Network::from(&chain_core::spec::ChainSpec::local());
    let lock = cairn_wallet::file::WalletLock::take(&home.file()).unwrap();
    let mut wallet = lock.read().unwrap();
    assert_eq!(wallet.network, network);
    wallet.imported[0] = ACCOUNT.parse().unwrap();
    lock.write(&wallet).unwrap();
    drop(lock);
    let send = ["transfer", IMPORTED, "0.1", "--yes"];
    home.run(&send).fails(3, "the public keys in the file do not belong to its mnemonic");
    home.run(&["show-mnemonic", "--yes"]).fails(3, "the public keys in the file do not belong to its mnemonic");
    fs::write(home.path("new"), "another one\n").unwrap();
    home.run(&["change-password", "--new-password-file", "new"]).fails(3, "the public keys in the file do not belong");
}

#[test]
fn a_passphrase_belongs_to_the_words_and_is_kept_with_them() {
    let (node, plain) = rich();
    let home = Home::empty(&node.url);
    fs::write(home.path("pw"), format!("{PASSWORD}\n")).unwrap();
    fs::write(home.path("phrase"), "a word of mine\n").unwrap();
    let restored = home.restore(WORDS, &["--no-scan", "--passphrase-file", "phrase"]);
    assert_eq!(restored.json()["account"], home.json(&["address"])["account"]);
    // Another passphrase is another wallet, which its first address shows.
    let mistyped = Home::empty(&node.url);
    fs::write(mistyped.path("phrase"), "a word of mime\n").unwrap();
    fs::write(mistyped.path("words"), WORDS).unwrap();
    let mistyped = mistyped.run(&[
        "restore",
        "--chain",
        "local",
        "--mnemonic-file",
        "words",
        "--no-scan",
        "--passphrase-file",
        "phrase",
    ]);
    assert!(mistyped.err.contains("A mistyped passphrase shows another address"), "{}", mistyped.err);
    assert!(!mistyped.out.contains(restored.json()["account"].as_str().unwrap()), "{}", mistyped.out);
    let account = home.json(&["address"])["account"].clone();
    assert_ne!(account, plain.json(&["address"])["account"]);
    // It stays through imported keys, another password and a backup.
    fs::write(home.path("key.json"), KEYSTORE).unwrap();
    home.json(&["import-key", "key.json", "--keystore-password-file", "pw"]);
    fs::write(home.path("new"), "another one\n").unwrap();
    home.json(&["change-password", "--new-password-file", "new"]);
    let shown = home.json(&["show-mnemonic", "--password-file", "new"]);
    assert_eq!((&shown["mnemonic"], &shown["passphrase"]), (&json!(WORDS), &json!("a word of mine")));
    assert_eq!(home.json(&["transfer", ACCOUNT, "0.1", "--password-file", "new"])["from"], account);
    home.json(&["transfer", ACCOUNT, "0.1", "--from", IMPORTED, "--password-file", "new"]);
    home.json(&["backup", "all.backup"]);
    let other = Home::empty(&node.url);
    fs::copy(home.path("all.backup"), other.path("all.backup")).unwrap();
    fs::copy(home.path("new"), other.path("new")).unwrap();
    other.json(&["restore", "--backup", "all.backup", "--no-scan", "--password-file", "new"]);
    assert_eq!(other.json(&["show-mnemonic", "--password-file", "new"]), shown);
    assert_eq!(plain.json(&["show-mnemonic"]).get("passphrase"), None);
    // A terminal asks for it twice.
    let typed = Home::empty(&node.url);
    fs::write(typed.path("bad"), "é\n").unwrap();
    typed.restore(WORDS, &["--passphrase-file", "bad"]).fails(2, "a passphrase has at most 255 printable ASCII");
    typed
        .restore(WORDS, &["--passphrase"])
        .fails(2, "there is no terminal to ask for the passphrase: use --passphrase-file");
    fs::write(typed.path("bad"), "\n").unwrap();
    typed.restore(WORDS, &["--passphrase-file", "bad"]).fails(2, "the passphrase is empty");
    typed.run(&["restore", "--backup", "b", "--passphrase"]).fails(2, "cannot be used with");
    assert!(!typed.file().exists());
}

#[test]
fn a_wallet_with_a_passphrase_says_that_the_words_alone_do_not_bring_it_back() {
    let home = Home::empty(&nobody());
    fs::write(home.path("phrase"), "TREZOR\n").unwrap();
    let create = ["create", "--chain", "local", "--yes"];
    let with = home.run(&[&create[..], &["--passphrase-file", "phrase"]].concat());
    let said = format!("{}{}", with.out, with.err);
    assert!(said.contains("These words and the passphrase are the wallet."), "{said}");
    assert!(said.contains("without the passphrase the words are another, empty wallet"), "{said}");
    assert!(!said.contains("a blank, which belongs to it"), "{said}");
    let shown = home.run(&["show-mnemonic", "--yes"]);
    assert!(shown.out.contains("  passphrase: \"TREZOR\"\n"), "{}", shown.out);
    let without = home.run(&[&create[..], &["--wallet", "plain.json"]].concat());
    let said = format!("{}{}", without.out, without.err);
    assert!(said.contains("These words are the wallet.") && !said.contains("passphrase"), "{said}");
    for blank in ["a word \n", " a word\n"] {
        fs::write(home.path("phrase"), blank).unwrap();
        let restored = Home::empty(&home.rpc);
        fs::copy(home.path("phrase"), restored.path("phrase")).unwrap();
        let answer = restored.restore(WORDS, &["--no-scan", "--passphrase-file", "phrase"]);
        assert!(answer.err.contains("begins or ends with a blank, which belongs to it"), "{}", answer.err);
        let shown = restored.run(&["show-mnemonic", "--yes"]).out;
        assert!(shown.contains(&format!("\"{}\"", blank.trim_end_matches('\n'))), "{shown}");
    }
}

#[test]
fn public_keys_that_are_not_of_the_words_are_found_out_whenever_the_words_are_opened() {
    let (node, home) = rich();
    let stranger = Home::numbered(&node, 9);
    let (mut ours, theirs) = (Wallet::read(&home.file()).unwrap(), Wallet::read(&stranger.file()).unwrap());
    ours.keys = theirs.keys;
    fs::write(home.file(), ours.to_bytes()).unwrap();
    fs::write(home.path("new"), "another one\n").unwrap();
    for command in [
        &["show-mnemonic"][..],
        &["change-password", "--new-password-file", "new"],
        &["transfer", ACCOUNT, "0.1"],
        &["sign-message", "it is me"],
    ] {
        home.run(&[command, &["--yes"]].concat()).fails(3, "do not belong to its mnemonic");
    }
}

#[test]
fn messages_are_signed_and_verified() {
    let (_node, home) = rich();
    let coin = home.address();
    let elsewhere = Home::empty(&nobody());
    for by in ["0", ACCOUNT, coin.as_str()] {
        let signed = home.json(&["sign-message", "hello", "--by", by]);
        let (address, signature) = (signed["address"].as_str().unwrap(), signed["signature"].as_str().unwrap());
        assert_eq!(elsewhere.json(&["verify-message", address, signature, "hello"])["valid"], true);
        elsewhere.run(&["verify-message", address, signature, "hullo"]).fails(8, "the signature is not by");
        fs::write(elsewhere.path("message"), "hello").unwrap();
        elsewhere.json(&["verify-message", address, signature, "--file", "message"]);
    }
    let signature = home.run(&["sign-message", "hello"]).out;
    assert_eq!(
        signature.trim_end(),
        "0xf16ea9a3478698f695fd1401bfe27e9e4a7e8e3da94aa72b021125e31fa899cc573c48ea3fe1d4ab61a9db10c19032026e3ed2dbccba5a178235ac27f94504311c"
    );
    home.run(&["sign-message", "x", "--by", IMPORTED]).fails(2, "is not an account of this wallet");
    let stranger = Home::numbered(&MockNode::start(), 7).address();
    home.run(&["sign-message", "x", "--by", &stranger]).fails(2, "is not an address of this wallet");
    home.run(&["verify-message", ACCOUNT, "0x12", "x"]).fails(2, "has 130 hexadecimal digits");
    home.run(&["verify-message", "bob", "0x12", "x"])
        .fails(2, "'bob' is not an address: neither a coin address (crn1...) nor an account (0x...)");
    home.run(&["verify-message", "1ccc", "0x12", "x"])
        .fails(2, "'1ccc' is not an address: neither a coin address (crn1...)");
    let help = home.run(&["verify-message", "--help"]).out;
    assert!(help.contains("verify-message [OPTIONS] <ADDRESS> <SIGNATURE> <MESSAGE|--file <FILE>>\n"), "{help}");
}

#[test]
fn a_backup_brings_everything_back() {
    let (node, home) = rich();
    // Only the imported account has money: restoring looks for accounts that were used.
    node.state().balances.push((IMPORTED.into(), "2000000000000000000".into()));
    node.state().balance_wei = "0".into();
    fs::write(home.path("hex"), KEY).unwrap();
    home.json(&["import-key", "hex"]);
    home.json(&["policy", "timelock", "--after", "500", "--name", "later"]);
    home.json(&["label", ACCOUNT, "main account"]);
    let backup = home.json(&["backup", "all.backup"]);
    assert_eq!((backup["policies"].as_u64(), backup["imported"].as_u64()), (Some(1), Some(1)));
    home.run(&["backup", "all.backup"]).fails(3, "all.backup exists already");
    home.run(&["restore", "--backup", "all.backup"]).fails(3, "there is a wallet at");
    let other = Home::empty(&node.url);
    fs::copy(home.path("all.backup"), other.path("all.backup")).unwrap();
    let mut wrong = other.command(&["restore", "--backup", "all.backup"]);
    answered(wrong.env("CAIRN_WALLET_PASSWORD", "wrong").output().unwrap()).fails(4, "wrong password");
    assert!(!other.file().exists());
    assert_eq!(other.json(&["restore", "--backup", "all.backup"])["policies"], 1);
    assert_eq!(other.json(&["policy", "list"]), home.json(&["policy", "list"]));
    assert_eq!(other.json(&["address", "--list"]), home.json(&["address", "--list"]));
    assert_eq!(other.json(&["transfer", ACCOUNT, "0.1", "--from", IMPORTED])["signed"], true);
    let elsewhere = Home::empty(&node.url);
    fs::copy(home.path("all.backup"), elsewhere.path("all.backup")).unwrap();
    elsewhere.run(&["restore", "--backup", "all.backup", "--chain", "test"]).fails(6, "--chain is on test");
}

/// A permit for a token, on this chain or the one that is named.
fn permit(chain: &serde_json::Value) -> serde_json::Value {
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    json!({
        "types": { "Permit": [field("spender", "address"), field("value", "uint256"), field("note", "string")] },
        "primaryType": "Permit",
        "domain": { "name": "Token", "chainId": chain },
        "message": { "spender": ACCOUNT, "value": "1000000", "note": "all\u{1b}[2K of it" },
    })
}

#[test]
fn typed_data_is_shown_and_signed_for_this_chain_alone() {
    let (_node, home) = rich();
    let chain = ChainSpec::local().chain_id;
    let write = |data: &serde_json::Value| fs::write(home.path("data.json"), data.to_string()).unwrap();
    write(&permit(&json!(chain)));
    let signed = home.json(&["sign-typed-data", "data.json"]);
    assert_eq!(signed["address"], ACCOUNT);
    let hash = cairn_client::typed_data::hash(&permit(&json!(chain))).unwrap();
    assert_eq!(signed["hash"], hash.to_string());
    let signature = hex::decode(signed["signature"].as_str().unwrap().trim_start_matches("0x")).unwrap();
    let parity = RecoveryId::try_from(i32::from(signature[64]) - 27).unwrap();
    let recoverable = RecoverableSignature::from_compact(&signature[..64], parity).unwrap();
    let key = recoverable.recover_ecdsa(Message::from_digest(hash.0)).unwrap();
    assert_eq!(address_of(&key).to_string(), ACCOUNT);

    let shown = home.run(&["sign-typed-data", "data.json"]);
    shown.fails(2, "--yes");
    write(&permit(&json!("0x1")));
    home.run(&["sign-typed-data", "data.json", "--yes"])
        .fails(2, "it is for chain \"0x1\", and this wallet is for chain");
    let mut odd = permit(&json!(chain));
    odd["message"]["more"] = json!(1);
    write(&odd);
    home.run(&["sign-typed-data", "data.json", "--yes"]).fails(2, "Permit has no field \"more\"");
    odd["types"]["Permit"][0]["name"] = json!("to   0x7099");
    write(&odd);
    home.run(&["sign-typed-data", "data.json", "--yes"]).fails(2, "types: invalid name \"to   0x7099\"");
    fs::write(home.path("data.json"), "{").unwrap();
    home.run(&["sign-typed-data", "data.json", "--yes"]).fails(2, "data.json: EOF while parsing");
}
