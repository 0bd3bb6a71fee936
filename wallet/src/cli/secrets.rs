//! `export-key`, `import-key`, `sign-message`, `verify-message`.

use std::path::{Path, PathBuf};

use chain_core::{address, spec::ChainSpec, transaction::coin::Lock};
use secp256k1::SecretKey;
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    args::{ExportKey, ImportKey, SignMessage, Text, VerifyMessage},
    context::Context,
    dates,
    files::{self, failed, read_small},
    label,
    parse::{self, own_account},
    passwords::KEYSTORE_PASSWORD,
    screen::{self, Report},
};
use crate::{
    error::{WalletError, usage},
    keystore::{self, KeystoreError, account_of},
    message,
    vault::Cost,
};

/// Largest message that is signed.
const MAX_MESSAGE: u64 = 4 << 20;

/// Writes the key of one account for other programs.
pub fn export(context: &Context, args: &ExportKey) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let index = own_account(&wallet, &args.account)?;
    let account = wallet.account(index)?;
    let signer = context.unlock(&wallet)?;
    let key = signer.account_key(index)?;
    if args.hex {
        let warning = format!("Anyone who sees the key owns all that {account} holds.");
        context.confirm(&screen::yellow(&warning), "Show it?")?;
        let key = format!("0x{}", hex::encode(key.to_secret_bytes()));
        return Ok(Report::new(&key, json!({ "account": account.to_string(), "key": key })));
    }
    let out = args.out.clone().unwrap_or_else(|| {
        let time = dates::show(dates::now()).replace(' ', "T").replace(':', "-");
        PathBuf::from(format!("UTC--{time}-00Z--{}", hex::encode(account)))
    });
    files::refuse_existing(&out, args.force)?;
    let password =
        KEYSTORE_PASSWORD.choose(args.keystore_password_file.as_deref(), "New password for the keystore: ")?;
    let text = keystore::seal(&key, &password).map_err(unusable(&out))?;
    files::write(&out, text.as_bytes(), args.force)?;
    let file = out.display().to_string();
    let text = format!("{} {file}", screen::green("Written to"));
    let json = json!({ "file": file, "account": account.to_string() });
    Ok(Report::new(text, json)
        .hint(format!("The password of the file opens {account}, and nothing else of this wallet.")))
}

fn unusable(file: &Path) -> impl FnOnce(KeystoreError) -> WalletError {
    let file = file.display().to_string();
    move |error| WalletError::Keystore { file, error }
}

/// Imports the key of an account that is not of the mnemonic.
pub fn import(context: &Context, args: &ImportKey) -> Result<Report, WalletError> {
    args.label.as_deref().map(parse::label).transpose()?;
    let opened = context.wallet()?;
    let key = keystore_key(args)?;
    let account = account_of(&key);
    if own_account(&opened, &account.to_string()).is_ok() {
        return Err(usage!("{account} is an account of this wallet already"));
    }
    if opened.key_table()?.account(&account, None).is_some() {
        return Err(usage!(
            "{account} is an account of this wallet's words: make accounts with `cairn-wallet address account --new` until it \
             comes"
        ));
    }
    let ((mnemonic, signer), password) = context.open(&opened)?;
    let (lock, mut wallet) = context.wallet_to_change()?;
    if wallet.sealed != opened.sealed {
        return Err(usage!("another cairn-wallet changed the keys meanwhile: try again"));
    }
    let keys: Vec<SecretKey> = signer.imported().iter().copied().chain([key]).collect();
    wallet.seal(&mnemonic, &signer.with(keys), &password, Cost::default())?;
    if let Some(name) = &args.label {
        label::set(&mut wallet, &account.to_string(), name)?;
    }
    lock.write(&wallet)?;
    let text = format!("{} {account}", screen::green("Imported:"));
    let report = Report::new(text, json!({ "account": account.to_string() }));
    Ok(report.hint(format!(
        "Pay from it with --from {account}. The words of the wallet do not bring it back: keep its keystore, or make a \
         `cairn-wallet backup`."
    )))
}

fn keystore_key(args: &ImportKey) -> Result<SecretKey, WalletError> {
    let text = read_small(&args.file, "the key")?;
    let wrong = |error| unusable(&args.file)(error);
    if text.trim_start().starts_with('{') {
        let password = match KEYSTORE_PASSWORD.given(args.keystore_password_file.as_deref())? {
            Some(password) => password,
            None => KEYSTORE_PASSWORD.ask("Password of the keystore: ")?,
        };
        return keystore::open(&text, &password).map_err(wrong);
    }
    let digits = text.trim();
    let bytes = hex::decode(digits.strip_prefix("0x").unwrap_or(digits)).ok().map(Zeroizing::new);
    let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes[..].try_into().ok());
    let bytes = bytes.ok_or_else(|| KeystoreError::Malformed("neither JSON nor 64 hexadecimal digits".into()));
    let key = bytes.and_then(|bytes| SecretKey::from_secret_bytes(bytes).map_err(|_| KeystoreError::NoKey));
    key.map_err(wrong)
}

fn read_message(text: &Text) -> Result<Vec<u8>, WalletError> {
    use std::io::Read;
    let path = match (&text.message, &text.file) {
        (Some(message), _) => return Ok(message.clone().into_bytes()),
        (None, Some(path)) => path,
        (None, None) => return Ok(Vec::new()),
    };
    let mut bytes = Vec::new();
    files::open(path)
        .and_then(|source| source.take(MAX_MESSAGE + 1).read_to_end(&mut bytes))
        .map_err(failed(format!("read the message from {}", path.display())))?;
    if bytes.len() as u64 > MAX_MESSAGE {
        return Err(usage!("{} is larger than {} MiB", path.display(), MAX_MESSAGE >> 20));
    }
    Ok(bytes)
}

/// Signs a message, not a transaction.
pub fn sign(context: &Context, args: &SignMessage) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let message = read_message(&args.text)?;
    let coin = !args.by.to_lowercase().starts_with("0x") && args.by.parse::<u32>().is_err();
    let (address, signature) = if coin {
        let own = wallet.key_table()?;
        let place = match wallet.network.coin_address(&args.by)? {
            Lock::Key(key) => own.coin(&key, None),
            _ => return Err(message::MessageError::Policy(args.by.clone()).into()),
        };
        let (branch, index) = place.ok_or_else(|| usage!("{} is not an address of this wallet", args.by))?;
        let signature = context.unlock(&wallet)?.sign_coin(branch, index, &message::coin_digest(&message))?;
        (args.by.clone(), hex::encode(signature.0))
    } else {
        let index = own_account(&wallet, &args.by)?;
        let signature = message::sign_account(&context.unlock(&wallet)?.account_key(index)?, &message);
        (wallet.account(index)?.to_string(), format!("0x{}", hex::encode(signature)))
    };
    let json = json!({ "address": address, "signature": signature });
    Ok(Report::new(signature, json))
}

/// Checks who signed a message. Needs neither a wallet nor a node.
pub fn verify(args: &VerifyMessage) -> Result<Report, WalletError> {
    let message = read_message(&args.text)?;
    let lock = any_address(&args.address)?;
    message::verify(&args.address, &lock, &message, &args.signature)?;
    let text = format!("{} the signature is by {}", screen::green("Valid:"), args.address);
    Ok(Report::new(text, json!({ "valid": true, "address": args.address })))
}

/// An address of whatever chain.
fn any_address(text: &str) -> Result<Lock, WalletError> {
    let prefix = text.rsplit_once('1').map(|(prefix, _)| prefix.to_lowercase());
    let prefix = prefix.filter(|prefix| address::is_valid_prefix(prefix)).unwrap_or_else(|| ChainSpec::main().hrp);
    address::parse_destination(&prefix, text).map_err(|error| usage!("'{text}' is not an address: {error}"))
}
