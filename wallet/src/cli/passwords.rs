//! Passwords and passphrases: from a file, from the environment, or asked for on a terminal.

use std::{
    env,
    io::{self, IsTerminal},
    path::Path,
};

use zeroize::Zeroizing;

use super::{
    args::{Global, Passphrase},
    files::{failed, read_small},
    screen,
};
use crate::error::{WalletError, usage};

/// A secret that is asked for on a terminal, and what gives it where there is none.
#[derive(Clone, Copy, Debug)]
pub struct Secret {
    what: &'static str,
    /// The flag, and the variable if there is one.
    instead: &'static str,
    variable: Option<&'static str>,
}

/// The wallet's password.
pub const PASSWORD: Secret = Secret {
    what: "password",
    instead: "--password-file or CAIRN_WALLET_PASSWORD",
    variable: Some("CAIRN_WALLET_PASSWORD"),
};

/// A password that replaces it: never that of the environment, which is the old one.
pub const NEW_PASSWORD: Secret = Secret { what: "new password", instead: "--new-password-file", variable: None };

/// The password of a keystore.
pub const KEYSTORE_PASSWORD: Secret = Secret {
    what: "password of the keystore",
    instead: "--keystore-password-file or CAIRN_KEYSTORE_PASSWORD",
    variable: Some("CAIRN_KEYSTORE_PASSWORD"),
};

const PASSPHRASE: Secret = Secret { what: "passphrase", instead: "--passphrase-file", variable: None };

impl Secret {
    /// The secret from the first line of a file or from the environment, if it is given there.
    pub fn given(self, file: Option<&Path>) -> Result<Option<Zeroizing<String>>, WalletError> {
        match file {
            Some(path) => first_line(path, "the password").map(Some),
            None => {
                let value = self.variable.and_then(|name| env::var(name).ok());
                Ok(value.filter(|word| !word.is_empty()).map(Zeroizing::new))
            }
        }
    }

    /// Asks for the secret without showing it.
    pub fn ask(self, prompt: &str) -> Result<Zeroizing<String>, WalletError> {
        let Self { what, instead, .. } = self;
        if !io::stdin().is_terminal() {
            return Err(usage!("there is no terminal to ask for the {what}: use {instead}"));
        }
        rpassword::prompt_password(screen::for_people(prompt))
            .map(Zeroizing::new)
            .map_err(failed(format!("read the {what}")))
    }

    /// A new password, given or asked for twice.
    pub fn choose(self, file: Option<&Path>, prompt: &str) -> Result<Zeroizing<String>, WalletError> {
        let empty = || usage!("an empty password protects nothing");
        let password = match self.given(file)? {
            Some(password) => password,
            None => {
                let one = self.ask(prompt)?;
                if one.is_empty() {
                    return Err(empty());
                }
                if *one != *self.ask("The same again: ")? {
                    return Err(usage!("the two passwords differ; nothing was written"));
                }
                one
            }
        };
        match password.chars().count() {
            0 => return Err(empty()),
            1..8 => screen::warn("that password is short: anyone who gets the file can guess it"),
            _ => {}
        }
        Ok(password)
    }
}

/// The password of a new wallet.
pub fn new_password(global: &Global) -> Result<Zeroizing<String>, WalletError> {
    PASSWORD.choose(global.password_file.as_deref(), "New password for the wallet: ")
}

/// The BIP 39 passphrase that belongs to a mnemonic; empty unless one is wanted.
pub fn passphrase(args: &Passphrase) -> Result<Zeroizing<String>, WalletError> {
    let passphrase = match &args.passphrase_file {
        Some(path) => first_line(path, "the passphrase")?,
        None if !args.passphrase => return Ok(Zeroizing::default()),
        None => {
            let one = PASSPHRASE.ask("BIP 39 passphrase: ")?;
            if *one != *PASSPHRASE.ask("The same again: ")? {
                return Err(usage!("the two passphrases differ; nothing was written"));
            }
            one
        }
    };
    if *passphrase.trim() != **passphrase {
        screen::warn("the passphrase begins or ends with a blank, which belongs to it: write it down so");
    }
    match passphrase.is_empty() {
        true => Err(usage!("the passphrase is empty: for none, leave out --passphrase")),
        false => Ok(passphrase),
    }
}

/// Whether the user has to be asked before a transaction is signed: for consent, or for the password.
pub fn asks(global: &Global) -> bool {
    !global.yes || !is_given(global)
}

/// Whether the wallet's password need not be asked for.
pub fn is_given(global: &Global) -> bool {
    let set = || PASSWORD.variable.and_then(env::var_os).is_some_and(|word| !word.is_empty());
    global.password_file.is_some() || set()
}

fn first_line(path: &Path, what: &str) -> Result<Zeroizing<String>, WalletError> {
    let text = read_small(path, what)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}
