//! `sign-typed-data`: what applications have users sign beside transactions (EIP-712).

use alloy_primitives::U256;
use cairn_client::{plain, typed_data};
use serde_json::{Value, json};

use super::{
    args::SignTypedData,
    context::Context,
    files::read_small,
    parse::own_account,
    screen::{self, Report},
};
use crate::{
    contract::quoted,
    error::{WalletError, usage},
    file::Wallet,
    message,
};

/// Lines of a summary: nobody reads more, and what was not read is not signed.
const MOST_LINES: usize = 500;

/// Shows the data, asks, and signs it.
pub fn sign(context: &Context, args: &SignTypedData) -> Result<Report, WalletError> {
    let text = read_small(&args.file, "the typed data")?;
    let wrong = |reason: String| usage!("{}: {}", args.file.display(), plain(&reason));
    let data: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let hash = typed_data::hash(&data).map_err(wrong)?;
    let wallet = context.wallet()?;
    let index = own_account(&wallet, &args.by)?;
    let account = wallet.account(index)?;
    let chain = check_chain(&data, &wallet).map_err(wrong)?;
    let mut lines = vec![format!("signer   {account}"), format!("chain    {chain}")];
    lines.extend(shown(&data));
    if lines.len() > MOST_LINES {
        return Err(usage!("{} has more than {MOST_LINES} values, which nobody could check", args.file.display()));
    }
    lines.push(screen::yellow(
        "A signature may let others spend tokens of this account: sign only what you understand.",
    ));
    context.confirm(&format!("{}\n", lines.join("\n")), "Sign?")?;
    let signature = message::sign_hash(&context.unlock(&wallet)?.account_key(index)?, hash.0);
    let signature = format!("0x{}", hex::encode(signature));
    let json = json!({ "address": account.to_string(), "hash": hash.to_string(), "signature": signature });
    Ok(Report::new(signature, json))
}

/// The chain that the data is for: this wallet's or, where the domain names none, any.
fn check_chain(data: &Value, wallet: &Wallet) -> Result<String, String> {
    let own = wallet.network.chain_id;
    match &data["domain"]["chainId"] {
        Value::Null => Ok("any: the domain names none, so the signature holds on every chain".into()),
        named if typed_data::unsigned(named) == Some(U256::from(own)) => Ok(own.to_string()),
        named => Err(format!("it is for chain {named}, and this wallet is for chain {own}")),
    }
}

/// What a signature covers: the domain, the type of the message, and the message.
fn shown(data: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    list(&mut lines, "domain", &data["domain"]);
    if let Some(primary) = data["primaryType"].as_str().filter(|primary| *primary != typed_data::DOMAIN) {
        lines.push(format!("type   {primary}"));
        list(&mut lines, "message", &data["message"]);
    }
    lines
}

/// Each value with its path, a line each.
fn list(lines: &mut Vec<String>, path: &str, value: &Value) {
    let mut go_on = |key: String, value: &Value| {
        let path = format!("{path}.{key}");
        // Beyond the bound only their number counts.
        if lines.len() <= MOST_LINES {
            list(lines, &path, value);
        }
    };
    match value {
        Value::Object(object) if !object.is_empty() => {
            object.iter().for_each(|(key, value)| go_on(plain(key), value));
        }
        Value::Array(array) if !array.is_empty() => {
            array.iter().enumerate().for_each(|(index, value)| go_on(index.to_string(), value));
        }
        Value::String(text) => lines.push(format!("{path}   {}", unmistakable(text))),
        other => lines.push(format!("{path}   {other}")),
    }
}

/// A text as it is if it can be taken for no other, else between quotes.
fn unmistakable(text: &str) -> String {
    let odd = |letter: char| matches!(letter, '"' | '\\' | '`') || letter.is_whitespace() && letter != ' ';
    let is_clear = !text.is_empty() && text.trim() == text && plain(text) == text && !text.contains(odd);
    // Many blanks could make what follows look like a line of its own.
    let is_clear = is_clear && !text.contains("  ") && !text.contains('\u{2800}');
    if is_clear { text.into() } else { quoted(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_shown_with_its_path_and_without_tricks() {
        let message = json!({ "by": "`cairn-wallet`", "to": ["0x01", 7], "note": "a\u{1b}[2K\u{202e}b" });
        let lines = shown(&json!({ "domain": {}, "primaryType": "Permit", "message": message }));
        let note = r#"message.note   "a\u{1b}[2K\u{202e}b""#;
        let by = r#"message.by   "\u{60}cairn-wallet\u{60}""#;
        let to = ["message.to.0   0x01", "message.to.1   7"];
        assert_eq!(lines, ["domain   {}", "type   Permit", by, note, to[0], to[1]]);
    }

    #[test]
    fn a_type_named_as_a_part_of_the_data_hides_no_other_part() {
        for primary in ["domain", "message", "type"] {
            let data = json!({ "domain": { "name": "Token" }, "primaryType": primary, "message": { "note": "hi" } });
            assert_eq!(shown(&data), ["domain.name   Token", &format!("type   {primary}"), "message.note   hi"]);
        }
        let data = json!({ "domain": { "name": "Token" }, "primaryType": "EIP712Domain", "message": { "note": "hi" } });
        assert_eq!(shown(&data), ["domain.name   Token"], "the message is not signed");
    }

    #[test]
    fn no_more_lines_are_made_than_are_shown() {
        let mut lines = Vec::new();
        list(&mut lines, "message", &json!({ "m": vec![0; 100_000] }));
        assert_eq!(lines.len(), MOST_LINES + 1);
    }
}
