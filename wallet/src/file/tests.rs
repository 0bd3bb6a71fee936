use std::{fs, io, path::Path};

use chain_core::hash::BlockHash;
use proptest::prelude::*;

use super::{disk::*, *};
use crate::keys;

const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

fn network() -> Network {
    Network { name: "local".into(), chain_id: 133_702, hrp: "lcrn".into(), genesis: BlockHash([3; 32]) }
}

fn wallet() -> Wallet {
    let mnemonic = keys::parse_mnemonic("test test test test test test test test test test test junk").unwrap();
    Wallet::of(network(), &mnemonic, &Signer::new(&mnemonic).unwrap(), "pass", CHEAP).unwrap()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn damage(path: &Path) -> String {
    match Wallet::read(path) {
        Err(FileError::Damaged { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_imported_account_that_was_handed_out_later_counts_once() {
    let mut wallet = wallet();
    let stranger = Address::repeat_byte(7);
    wallet.imported = vec![wallet.keys.account(1).unwrap(), stranger];
    assert_eq!(wallet.accounts().unwrap().len(), 3);
    wallet.used.accounts = 2;
    let own = [wallet.keys.account(0).unwrap(), wallet.keys.account(1).unwrap(), stranger];
    assert_eq!(wallet.accounts().unwrap(), own);
}

#[test]
fn a_wallet_is_read_as_it_was_written() {
    let folder = folder();
    let path = folder.path().join("deep/down/w.json");
    let lock = WalletLock::take(&path).unwrap();
    assert!(matches!(lock.read(), Err(FileError::Missing(_))));
    let mut wallet = wallet();
    lock.create(&wallet).unwrap();
    assert_eq!(Wallet::read(&path).unwrap(), wallet);
    assert!(matches!(lock.create(&wallet), Err(FileError::Exists(_))));
    wallet.used.receive = 7;
    lock.write(&wallet).unwrap();
    assert_eq!(lock.read().unwrap(), wallet);
    assert_eq!(wallet.open("pass").unwrap().0.word_count(), 12);
    assert_eq!(wallet.open("word").err(), Some(UnlockError::Vault(VaultError::WrongPassword)));
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let path = folder.path().join("made/w.json");
    WalletLock::take(&path).unwrap().create(&wallet()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_wallet_stays_a_link_when_the_wallet_is_written() {
    let folder = folder();
    let (real, link) = (folder.path().join("disk/real.json"), folder.path().join("w.json"));
    WalletLock::take(&real).unwrap().create(&wallet()).unwrap();
    std::os::unix::fs::symlink("disk/real.json", &link).unwrap();
    let lock = WalletLock::take(&link).unwrap();
    assert!(matches!(WalletLock::take(&real), Err(FileError::Locked(_))), "both names are one wallet");
    let mut changed = lock.read().unwrap();
    changed.used.receive = 9;
    lock.write(&changed).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().file_type().is_symlink());
    assert_eq!(Wallet::read(&real).unwrap(), changed);
    fs::remove_file(folder.path().join("w.json")).unwrap();
    std::os::unix::fs::symlink("w.json", &link).unwrap();
    assert!(matches!(WalletLock::take(&link), Err(FileError::Io { action: "follow the link", .. })));
}

/// A transaction of so many coins, as a wallet remembers it.
fn sent(coins: u16, time: u64) -> Sent {
    use crate::draft::{Body, CoinDraft, Draft, Input, OutputLine};
    use chain_core::{
        hash::TxId,
        transaction::{
            Transaction,
            coin::{CoinTransaction, KeyBytes, Lock, OutPoint, Output, Witness},
        },
        units::Amount,
    };
    let lock = Lock::Key(KeyBytes([2; 32]));
    let address = network().address(&lock);
    let mut made = [0; 32];
    made[..8].copy_from_slice(&time.to_le_bytes());
    let outpoint = |index: u16| OutPoint { txid: TxId(made), index: index.into() };
    let input = |index: u16| Input {
        txid: outpoint(index).txid,
        index: index.into(),
        amount: Amount::from_grains(500_000_000),
        address: address.clone(),
        height: Some(7),
        key: None,
        policy: None,
        preimages: Vec::new(),
        signatures: Vec::new(),
    };
    let fee = Amount::from_grains(1_000_000);
    let amount = Amount::from_grains(u64::from(coins) * 500_000_000 - fee.grains());
    let outputs = vec![OutputLine { to: address.clone(), amount, change: None, rest: true }];
    let coin = CoinDraft { inputs: (0..coins).map(input).collect(), outputs, fee };
    let transaction = Transaction::Coin(CoinTransaction {
        inputs: (0..coins).map(outpoint).collect(),
        outputs: vec![Output { amount, lock }],
        witnesses: vec![Witness::Key([9; 64].into()); usize::from(coins)],
    });
    Sent::new(&Draft::new(network(), 10, 1, Body::Coin(coin)), &transaction, time, None)
}

#[test]
fn what_was_sent_is_kept_by_bytes_and_never_makes_a_file_that_cannot_be_read() {
    let folder = folder();
    let path = folder.path().join("w.json");
    let lock = WalletLock::take(&path).unwrap();
    let mut wallet = wallet();
    let mut kept = 0;
    let full = loop {
        match wallet.remember(sent(1_000, 1_000_000 + kept)) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, FileError::Full { count } if count as u64 == kept), "{full}");
    assert!((70..150).contains(&kept), "{kept} sweeps of 1,000 coins");
    lock.create(&wallet).unwrap();
    assert_eq!(lock.read().unwrap(), wallet);
    // What no node keeps any more makes room.
    wallet.remember(sent(1_000, 1_000_000 + FORGOTTEN_AFTER + 2)).unwrap();
    assert_eq!(wallet.sent.len() as u64, kept);
    assert_eq!(wallet.sent[0].time, 1_000_001);
}

#[test]
fn files_of_version_1_are_read_and_what_was_sent_is_kept() {
    use crate::draft::Draft;
    let mut wallet = wallet();
    let signer = wallet.open("pass").unwrap().1;
    let lock = wallet.keys.lock(Branch::Receive, 0).unwrap();
    let change = wallet.keys.lock(Branch::Change, 0).unwrap();
    let path = |branch| keys::KeyPath::Coin(branch, 0).to_string();
    let mut draft: Draft = serde_json::from_value(serde_json::json!({
        "format": "cairn-transaction", "version": 1, "network": network(), "height": 9, "baseFee": 1,
        "transaction": { "coin": {
            "inputs": [{
                "txid": "05".repeat(32), "index": 1, "amount": "5.00000000", "address": network().address(&lock), "height": 7,
                "key": path(Branch::Receive),
            }],
            "outputs": [
                { "to": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "amount": "1.00000000" },
                { "to": network().address(&change), "amount": "3.99000000", "change": path(Branch::Change) },
            ],
            "fee": "0.01000000",
        } },
    }))
    .unwrap();
    let own = wallet.key_table().unwrap();
    let unsigned = draft.clone();
    draft.sign(&network(), &signer, &own).unwrap();
    let transaction = draft.finish(10).unwrap();
    let txid = transaction.txid();
    let old = serde_json::json!({ "txid": txid.to_string(), "time": 77, "replaces": null, "request": draft });
    wallet.sent.push(serde_json::from_value(old).unwrap());
    let text = String::from_utf8(wallet.to_bytes()).unwrap().replacen("\"version\": 2", "\"version\": 1", 1);
    let read = Wallet::from_bytes(Path::new("w"), text.as_bytes()).unwrap();
    let [kept] = &read.sent[..] else { panic!("{:?}", read.sent) };
    assert_eq!((kept.txid, kept.time, kept.state, kept.first_block), (txid, 77, SentState::Accepted, None));
    assert_eq!(kept.raw(), transaction.encode());
    // What it was made from is made again.
    assert_eq!(kept.draft(&network(), &own).unwrap().transaction, unsigned.transaction);
}

#[test]
fn no_clock_has_a_refused_payment_forgotten() {
    let mut wallet = wallet();
    wallet.remember(sent(1, 1_000_000)).unwrap();
    let refused = wallet.sent[0].txid;
    wallet.mark(&refused, SentState::Refused);
    // A signed transaction does not expire, and its payee may have it.
    wallet.remember(sent(1, 1_000_000 + 10 * FORGOTTEN_AFTER)).unwrap();
    assert!(wallet.has_sent(&refused));
}

#[test]
fn payments_that_wait_for_one_block_are_all_remembered() {
    let mut wallet = wallet();
    for number in 0..250u64 {
        wallet.remember(sent(1 + number as u16, 1_000_000)).unwrap();
    }
    assert_eq!(wallet.sent.len(), 250);
}

/// Takes the lock without waiting.
fn try_take(path: &Path) -> Result<WalletLock, FileError> {
    let lock = WalletLock::unlocked(path)?;
    lock.try_retake()?;
    Ok(lock)
}

#[test]
fn a_second_process_may_read_but_not_write() {
    let folder = folder();
    let path = folder.path().join("w.json");
    let lock = WalletLock::take(&path).unwrap();
    lock.create(&wallet()).unwrap();
    assert!(matches!(try_take(&path), Err(FileError::Locked(_))));
    assert!(Wallet::read(&path).is_ok());
    lock.release().unwrap();
    let other = try_take(&path).unwrap();
    let mut changed = wallet();
    changed.used.receive = 9;
    other.write(&changed).unwrap();
    drop(other);
    // What the first one read is out of date, and it is told.
    lock.retake().unwrap();
    assert!(matches!(try_take(&path), Err(FileError::Locked(_))));
    assert!(matches!(lock.unchanged(&wallet()), Err(FileError::Changed(_))));
    assert!(lock.unchanged(&lock.read().unwrap()).is_ok());
}

#[test]
fn a_kill_at_any_step_leaves_the_old_wallet_or_the_new() {
    let folder = folder();
    let path = folder.path().join("w.json");
    let lock = WalletLock::take(&path).unwrap();
    let mut new = wallet();
    lock.create(&new).unwrap();
    for (kept, stop) in
        [Step::Opened, Step::HalfWritten, Step::Written, Step::Synced, Step::Renamed].into_iter().enumerate()
    {
        let old = Wallet::read(&path).unwrap();
        new.used.receive = 100 + kept as u32;
        let killed = replace(&path, &new.to_bytes(), &mut |step| {
            if step == stop { Err(io::Error::other("killed")) } else { Ok(()) }
        });
        assert!(killed.is_err());
        let expected = if stop == Step::Renamed { &new } else { &old };
        assert_eq!(&Wallet::read(&path).unwrap(), expected, "{stop:?}");
        // What the kill left behind is in nobody's way.
        lock.write(&new).unwrap();
        assert_eq!(Wallet::read(&path).unwrap(), new);
    }
}

#[test]
fn a_failed_write_leaves_the_old_wallet() {
    let folder = folder();
    let path = folder.path().join("w.json");
    let lock = WalletLock::take(&path).unwrap();
    lock.create(&wallet()).unwrap();
    // So long a name leaves no room for that of the new file.
    let path = folder.path().join("w".repeat(245));
    let lock = WalletLock::take(&path).unwrap();
    fs::write(&path, wallet().to_bytes()).unwrap();
    assert!(matches!(lock.write(&wallet()), Err(FileError::Io { action: "write", .. })));
    assert!(Wallet::read(&path).is_ok());
}

#[test]
fn a_write_leaves_all_other_files_of_the_folder_alone() {
    let folder = folder();
    let path = folder.path().join("w.json");
    fs::write(folder.path().join("w.json.new"), "of the user").unwrap();
    WalletLock::take(&path).unwrap().create(&wallet()).unwrap();
    write_out(&path, b"other").unwrap();
    assert_eq!(fs::read(folder.path().join("w.json.new")).unwrap(), b"of the user");
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["w.json", "w.json.lock", "w.json.new"]);
}

#[test]
fn a_wallet_with_more_keys_than_any_uses_is_neither_read_nor_written() {
    let folder = folder();
    let path = folder.path().join("w.json");
    let lock = WalletLock::take(&path).unwrap();
    for kind in 0..4 {
        let mut forged = wallet();
        let used = &mut forged.used;
        *[&mut used.receive, &mut used.change, &mut used.policy, &mut used.accounts][kind] = MAX_USED + 1;
        fs::write(&path, forged.to_bytes()).unwrap();
        let count = MAX_USED + 1;
        assert!(matches!(Wallet::read(&path), Err(FileError::Keys { count: said, .. }) if said == count), "{kind}");
        assert!(matches!(lock.write(&forged), Err(FileError::Keys { count: said, .. }) if said == count), "{kind}");
        *[&mut forged.used.receive, &mut forged.used.change, &mut forged.used.policy, &mut forged.used.accounts]
            [kind] = MAX_USED;
        lock.write(&forged).unwrap();
        assert_eq!(lock.read().unwrap(), forged);
    }
}

#[test]
fn a_file_cut_anywhere_is_damaged_not_a_wrong_password() {
    let folder = folder();
    let path = folder.path().join("w.json");
    let bytes = wallet().to_bytes();
    for length in 0..bytes.len() - 1 {
        fs::write(&path, &bytes[..length]).unwrap();
        let what = damage(&path);
        assert!(what == "it is empty" || what == "it ends too early", "{length}: {what}");
    }
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(Wallet::read(&path).is_ok(), "the last newline is nobody's loss");
}

#[test]
fn every_flipped_bit_is_noticed_or_harmless() {
    let folder = folder();
    let path = folder.path().join("w.json");
    let (good, bytes) = (wallet(), wallet().to_bytes());
    let bytes = if Wallet::from_bytes(&path, &bytes).unwrap() == good { bytes } else { good.to_bytes() };
    let mut noticed = 0;
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        match Wallet::from_bytes(&path, &bad) {
            Ok(read) => assert_eq!(read, good, "bit {bit}"),
            Err(FileError::Damaged { .. } | FileError::Newer { .. }) => noticed += 1,
            Err(other) => panic!("bit {bit}: {other}"),
        }
    }
    assert!(noticed > bytes.len() * 6);
}

#[test]
fn refuses_files_of_others() {
    let path = Path::new("w.json");
    let read = |text: &str| Wallet::from_bytes(path, text.as_bytes()).unwrap_err().to_string();
    assert!(read("PK\u{3}\u{4}").starts_with("w.json is damaged: it is not a wallet file"));
    assert_eq!(
        read(r#"{"format":"keystore","version":3}"#),
        "w.json is damaged: it is a 'keystore', not a 'cairn-wallet'"
    );
    assert_eq!(
        read(r#"{"format":"cairn-wallet","version":3,"future":true}"#),
        "w.json is of version 3; this program reads up to 2"
    );
    let deep = "[".repeat(100_000);
    assert!(read(&format!(r#"{{"format":"cairn-wallet","version":1,"wallet":{deep}"#)).contains("damaged"));
}

#[test]
fn public_keys_of_somebody_else_are_found_out() {
    let mut wallet = wallet();
    let other = keys::generate(12).unwrap();
    let signer = Signer::new(&other).unwrap();
    wallet.keys = signer.public().clone();
    assert!(matches!(wallet.open("pass"), Err(UnlockError::ForeignKeys)));
    assert!(Wallet::of(network(), &other, &signer, "pass", CHEAP).unwrap().open("pass").is_ok());
}

#[test]
fn an_absurd_cost_is_refused_however_the_file_says_it() {
    let mut wallet = wallet();
    wallet.sealed.as_mut().unwrap().cost.memory_kib = u32::MAX;
    let read = Wallet::from_bytes(Path::new("w"), &wallet.to_bytes()).unwrap();
    assert!(matches!(read.open("pass"), Err(UnlockError::Vault(VaultError::AbsurdCost(_)))));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Wallet::from_bytes(Path::new("w"), &bytes);
    }

    #[test]
    fn numbers_of_used_keys_survive(receive in any::<u32>(), change in any::<u32>(), policy in any::<u32>()) {
        let mut wallet = wallet();
        wallet.used = Used { receive, change, policy, accounts: 1 };
        prop_assert_eq!(Wallet::from_bytes(Path::new("w"), &wallet.to_bytes()).unwrap(), wallet);
    }
}
