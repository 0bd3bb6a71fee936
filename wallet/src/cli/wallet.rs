//! Making a wallet and what is in it: `create`, `restore`, `rescan`, `show-mnemonic`, `change-password`, `public-keys`, `watch`.

use std::{
    io::{self, IsTerminal},
    path::Path,
};

use bip39::Mnemonic;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    address,
    args::{Create, Restore},
    context::Context,
    files::{failed, read_small},
    passwords::{self, NEW_PASSWORD},
    screen::{self, Report},
};
use crate::{
    coins,
    error::{WalletError, usage},
    file::{FileError, Wallet, WalletLock},
    input::from_json,
    keys::{self, Branch, PublicKeys, Signer},
    network::Network,
    own::GAP,
    vault::{self, Cost, VaultError},
};

/// Words that are asked back after a mnemonic was shown.
const ASKED: usize = 3;

/// Refuses to touch a wallet before anything is asked or shown.
fn take_place(path: &Path) -> Result<WalletLock, WalletError> {
    if path.exists() {
        return Err(FileError::Exists(path.into()).into());
    }
    Ok(WalletLock::take(path)?)
}

/// Makes a wallet.
pub fn create(context: &Context, args: &Create) -> Result<Report, WalletError> {
    let (path, network) = context.new_wallet()?;
    can_create(context)?;
    let lock = take_place(&path)?;
    let mnemonic = keys::generate(args.words.parse().unwrap_or(12))?;
    let signer = Signer::with_passphrase(&mnemonic, &passwords::passphrase(&args.passphrase)?)?;
    let password = passwords::new_password(&context.global)?;
    if !context.global.json {
        let (what, warning) = match signer.passphrase() {
            "" => (
                "These words are the wallet. Write them down in this order, on paper, now:",
                "Anyone who has them can take your money. If you lose the file or the password, only they bring it back.",
            ),
            _ => (
                "These words and the passphrase are the wallet. Write both down, on paper, now; the words in this order:",
                "Anyone who has both can take your money. If you lose the file or the password, only both together bring it \
                 back: without the passphrase the words are another, empty wallet.",
            ),
        };
        let words =
            format!("{}\n\n{}\n{}", screen::bold(what), numbered(&mnemonic, screen::width()), screen::yellow(warning));
        screen::show(&words).map_err(failed("show the words, so no wallet is made"))?;
        ask_back(context, &mnemonic)?;
    }
    let wallet = Wallet::of(network, &mnemonic, &signer, &password, Cost::default())?;
    lock.create(&wallet)?;
    let mut report = with_passphrase(made(&path, &wallet, "Wallet created")?, &signer);
    if context.global.json {
        report.json["mnemonic"] = json!(mnemonic.to_string());
    }
    Ok(report)
}

/// Refuses before anything is shown or asked: words on a screen are no secret any more, and would be of no wallet.
fn can_create(context: &Context) -> Result<(), WalletError> {
    let global = &context.global;
    let lacks = match (passwords::is_given(global), global.json || global.yes) {
        _ if io::stdin().is_terminal() => return Ok(()),
        (true, true) => return Ok(()),
        (false, true) => "--password-file FILE (or CAIRN_WALLET_PASSWORD)",
        (true, false) => "--yes, to have the words shown once and not asked back, or --json",
        (false, false) => "--password-file FILE (or CAIRN_WALLET_PASSWORD) and --yes or --json",
    };
    Err(usage!("there is no terminal to ask on, and no wallet was made: add {lacks}"))
}

/// Letters of a numbered word and the space behind it: no word of the list has more than eight.
const CELL: usize = 14;

/// The words in up to four columns, as many as a screen of this width has room for, numbered down each column; the last one
/// may be short.
fn numbered(mnemonic: &Mnemonic, width: usize) -> String {
    let words: Vec<&str> = mnemonic.words().collect();
    let columns = (width / CELL).clamp(1, 4);
    let rows = words.len().div_ceil(columns);
    let line = |row: usize| {
        let cells = (0..columns).filter_map(|column| Some((row + column * rows, words.get(row + column * rows)?)));
        cells.map(|(index, word)| format!("{:>2}. {word:<10}", index + 1)).collect::<String>()
    };
    (0..rows).map(|row| format!("  {}\n", line(row).trim_end())).collect()
}

/// Makes sure that the words were written down.
fn ask_back(context: &Context, mnemonic: &Mnemonic) -> Result<(), WalletError> {
    if context.global.yes {
        return Ok(());
    }
    let words: Vec<&str> = mnemonic.words().collect();
    for (number, position) in drawn(words.len())?.into_iter().enumerate() {
        loop {
            let question = format!("Check {} of {ASKED}: type word number {}: ", number + 1, position + 1);
            let answer = Zeroizing::new(context.ask(&question)?);
            if answer.trim().eq_ignore_ascii_case(words[position]) {
                break;
            }
            if answer.is_empty() {
                return Err(WalletError::Cancelled);
            }
            screen::note(&screen::red("that is not the word: look at what you wrote down"));
        }
    }
    Ok(())
}

/// Places of the words that are asked back, drawn by chance, in order.
fn drawn(words: usize) -> Result<Vec<usize>, VaultError> {
    let mut places: Vec<usize> = Vec::new();
    while places.len() < ASKED {
        let place = usize::from(vault::random::<1>()?[0]) % words;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places.sort_unstable();
    Ok(places)
}

/// What a new wallet is.
fn made(path: &Path, wallet: &Wallet, what: &str) -> Result<Report, WalletError> {
    let first = wallet.network.address(&wallet.keys.lock(Branch::Receive, 0)?);
    let coin = wallet.network.address(&wallet.receive_lock()?);
    let account = wallet.keys.account(0)?;
    let mut text = format!(
        "{} for {}: {}\n  be paid in coins at  {coin}\n  be paid by accounts  {account}\n",
        screen::bold(what),
        wallet.network.name,
        path.display(),
    );
    if coin != first {
        text += &format!("  its first address    {first}\n");
    }
    let json = json!({
        "wallet": path.display().to_string(), "network": wallet.network, "address": coin, "firstAddress": first,
        "account": account.to_string(), "watchOnly": wallet.sealed.is_none(),
    });
    Ok(Report::new(text, json))
}

/// Says what shows that a passphrase is the right one: every passphrase opens some wallet.
fn with_passphrase(report: Report, signer: &Signer) -> Report {
    match signer.passphrase() {
        "" => report,
        _ => report.hint(
            "Every passphrase gives a wallet of its own: write down its first address, and compare it after each restore. A \
             mistyped passphrase shows another address, and no money.",
        ),
    }
}

/// Restores a wallet.
pub fn restore(context: &Context, args: &Restore) -> Result<Report, WalletError> {
    if let Some(file) = &args.backup {
        return restore_backup(context, file, (!args.no_scan).then_some(args.gap));
    }
    let (path, network) = context.new_wallet()?;
    let lock = take_place(&path)?;
    let text = match &args.mnemonic_file {
        Some(file) => read_small(file, "the mnemonic")?,
        None if !io::stdin().is_terminal() => read_small(Path::new("-"), "the mnemonic")?,
        None => Zeroizing::new(context.ask("The words, in order: ")?),
    };
    let mnemonic = keys::parse_mnemonic(&text)?;
    let signer = Signer::with_passphrase(&mnemonic, &passwords::passphrase(&args.passphrase)?)?;
    let password = passwords::new_password(&context.global)?;
    let mut wallet = Wallet::of(network, &mnemonic, &signer, &password, Cost::default())?;
    lock.create(&wallet)?;
    let found = match args.no_scan {
        true => String::new(),
        false => find_used(context, &lock, &mut wallet, args.gap)?,
    };
    let mut report = with_passphrase(made(&path, &wallet, "Wallet restored")?, &signer).hint(
        "The words bring back coins and accounts. Policies, labels and imported accounts come from a `backup`, policies \
         also from their text (`policy create`).",
    );
    report.text += &found;
    if !args.no_scan {
        report.json["used"] = json!(wallet.used);
    }
    Ok(report)
}

/// Restores a wallet from a backup.
fn restore_backup(context: &Context, file: &Path, gap: Option<u32>) -> Result<Report, WalletError> {
    let mut wallet = Wallet::read(file).map_err(WalletError::Backup)?;
    if wallet.sealed.is_some() {
        // Makes sure that it can be opened, and that its keys were not changed.
        context.unlock(&wallet)?;
    }
    let path = context.place_of(&wallet.network)?;
    let lock = take_place(&path)?;
    lock.create(&wallet)?;
    let found = match gap {
        Some(gap) => find_used(context, &lock, &mut wallet, gap)?,
        None => String::new(),
    };
    let mut report = made(&path, &wallet, "Wallet restored")?;
    report.text += &found;
    report.json["used"] = json!(wallet.used);
    report.json["policies"] = json!(wallet.policies.len());
    Ok(report)
}

/// Scans for used addresses, or warns that no node of the wallet's chain answers: the wallet is made.
///
/// # Errors
/// [`WalletError`] unless it is only that.
fn find_used(context: &Context, lock: &WalletLock, wallet: &mut Wallet, gap: u32) -> Result<String, WalletError> {
    match look_for_used(context, wallet, gap) {
        Ok(found) => {
            lock.write(wallet)?;
            Ok(found)
        }
        Err(error @ (WalletError::Node(_) | WalletError::OtherChain { .. })) => {
            screen::warn(&format!("{error}, so used addresses were not looked for: run `cairn-wallet rescan` later"));
            Ok(String::new())
        }
        Err(error) => Err(error),
    }
}

fn look_for_used(context: &Context, wallet: &mut Wallet, gap: u32) -> Result<String, WalletError> {
    let (node, _) = context.node(&wallet.network)?;
    let mut progress = screen::Progress::default();
    let mut show = |count: u32| progress.show(&format!("scanning for used addresses: {count}…"));
    let found = coins::scan(&node, wallet, gap, &mut show)?;
    let used = wallet.used;
    // What is shown next is an address that no one has paid.
    address::move_on(&node, wallet)?;
    Ok(if found {
        format!(
            "  used so far: {}, {} for change, {}, {}\n",
            screen::counted(used.receive, "address"),
            used.change,
            screen::counted(used.accounts, "account"),
            screen::counted(used.policy, "policy key")
        )
    } else {
        "  no used addresses were found on this chain\n".into()
    })
}

/// Looks for used addresses again.
pub fn rescan(context: &Context, gap: u32) -> Result<Report, WalletError> {
    let (lock, mut wallet) = context.wallet_to_change()?;
    let text = look_for_used(context, &mut wallet, gap)?;
    lock.write(&wallet)?;
    Ok(Report::new(text, json!({ "used": wallet.used })))
}

/// Shows the mnemonic.
pub fn show(context: &Context) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let ((mnemonic, signer), _) = context.open(&wallet)?;
    context.confirm(&screen::yellow("Anyone who sees these words can take your money."), "Show them now?")?;
    let mut report = Report::new(numbered(&mnemonic, screen::width()), json!({ "mnemonic": mnemonic.to_string() }));
    if !signer.passphrase().is_empty() {
        // In quotes, for blanks at its ends belong to it.
        report.text += &format!("  passphrase: \"{}\"\n", signer.passphrase());
        report.json["passphrase"] = json!(signer.passphrase());
    }
    Ok(report)
}

/// Seals the mnemonic under another password.
pub fn change_password(context: &Context, file: Option<&Path>) -> Result<Report, WalletError> {
    let opened = context.wallet()?;
    let ((mnemonic, signer), _) = context.open(&opened)?;
    let password = NEW_PASSWORD.choose(file, "New password for the wallet: ")?;
    let (lock, mut wallet) = context.wallet_to_change()?;
    if wallet.sealed != opened.sealed {
        return Err(usage!("the password was changed meanwhile by another cairn-wallet"));
    }
    wallet.seal(&mnemonic, &signer, &password, Cost::default())?;
    lock.write(&wallet)?;
    Ok(Report::new("The password is changed.", json!({ "changed": true })))
}

/// What a wallet that only watches is made from.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Watched {
    network: Network,
    keys: PublicKeys,
}

/// Prints the public keys.
pub fn public_keys(context: &Context) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let watched = Watched { network: wallet.network, keys: wallet.keys };
    let json = json!(watched);
    Ok(Report::new(format!("{json:#}"), json))
}

/// Makes a wallet from public keys.
pub fn watch(context: &Context, file: &Path) -> Result<Report, WalletError> {
    let text = read_small(file, "public keys")?;
    let watched: Watched =
        from_json(text.as_bytes()).map_err(|error| usage!("{} holds no public keys: {error}", file.display()))?;
    let Watched { network, keys } = watched;
    match context.known_chain(&network)? {
        Some(known) if known == network => {}
        Some(known) => return Err(WalletError::other_chain("the file of public keys", network, &known)),
        None => {
            let file = file.display();
            return Err(usage!("{file} is for {network}, which is not built in: give its spec with --chain FILE"));
        }
    }
    let path = context.place_of(&network)?;
    let lock = take_place(&path)?;
    let mut wallet = Wallet::watch(network, keys);
    lock.create(&wallet)?;
    let found = find_used(context, &lock, &mut wallet, GAP)?;
    let mut report = made(&path, &wallet, "Watch-only wallet created")?;
    report.text += &found;
    report.json["used"] = json!(wallet.used);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_that_are_asked_back_are_drawn_by_chance() {
        for words in [12, 24] {
            let mut asked = vec![0; words];
            for _ in 0..1_000 {
                let places = drawn(words).unwrap();
                assert!(places.len() == ASKED && places.is_sorted_by(|one, two| one < two), "{places:?}");
                places.into_iter().for_each(|place| asked[place] += 1);
            }
            // 250 or 125 of a thousand each; a sound source misses this bound once in 10^12 runs.
            let fair = 3_000 / words;
            assert!(asked.iter().all(|times| (fair / 3..fair * 2).contains(times)), "{asked:?}");
        }
    }

    #[test]
    fn the_screen_shows_every_word_of_each_length_once_in_order() {
        for bytes in [16, 20, 24, 28, 32] {
            let mnemonic = Mnemonic::from_entropy(&[7; 32][..bytes]).unwrap();
            for width in [1, 20, 28, 40, 44, 58, 80, 200] {
                let text = numbered(&mnemonic, width);
                let widest = text.lines().map(str::len).max().unwrap_or(0);
                assert!(widest <= width.max(CELL), "{width} columns: {text}");
                let mut shown: Vec<(usize, &str)> = Vec::new();
                let parts: Vec<&str> = text.split_whitespace().collect();
                for pair in parts.chunks(2) {
                    shown.push((pair[0].trim_end_matches('.').parse().unwrap(), pair[1]));
                }
                shown.sort_unstable();
                let expected: Vec<(usize, &str)> = (1..).zip(mnemonic.words()).collect();
                assert_eq!(shown, expected, "{} words in {width} columns", mnemonic.word_count());
            }
        }
    }
}
