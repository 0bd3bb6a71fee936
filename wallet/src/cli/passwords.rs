//! Passwords and passphrases: from a file, from the environment, or asked for on a terminal.

use std::{
    env,
    io::{self, IsTerminal},
    path::Path,
};

use zeroize::Zeroizing;

use super::{
    args::Passphrase,
    context::{Context, failed, read_small},
    screen,
};
use crate::error::WalletError;

/// Where the password may be.
const PASSWORD_VARIABLE: &str = "CAIRN_WALLET_PASSWORD";

/// A secret that is asked for on a terminal, and what gives it where there is none.
#[derive(Clone, Copy, Debug)]
pub struct Secret {
    /// What it is.
    pub what: &'static str,
    /// The flag, and the variable if there is one.
    pub instead: &'static str,
}

/// The wallet's password.
pub const PASSWORD: Secret = Secret { what: "password", instead: "--password-file or CAIRN_WALLET_PASSWORD" };

/// A password that replaces it.
const OTHER_PASSWORD: Secret = Secret { what: "new password", instead: "--new-password-file" };

/// What belongs to a mnemonic.
const PASSPHRASE: Secret = Secret { what: "passphrase", instead: "--passphrase-file" };

impl Context {
    /// The password from the file or the environment, if it is given there.
    ///
    /// # Errors
    /// As for [`first_line`].
    pub fn given_password(&self) -> Result<Option<Zeroizing<String>>, WalletError> {
        if let Some(path) = &self.global.password_file {
            return first_line(path).map(Some);
        }
        Ok(env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty()).map(Zeroizing::new))
    }

    /// Asks for something that is not shown.
    ///
    /// # Errors
    /// [`WalletError::Usage`] if there is no terminal.
    pub fn ask_secret(&self, secret: Secret, prompt: &str) -> Result<Zeroizing<String>, WalletError> {
        let Secret { what, instead } = secret;
        if !io::stdin().is_terminal() {
            return Err(WalletError::Usage(format!("there is no terminal to ask for the {what}: use {instead}")));
        }
        rpassword::prompt_password(screen::for_people(prompt))
            .map(Zeroizing::new)
            .map_err(failed(format!("read the {what}")))
    }

    /// A password that is chosen now.
    ///
    /// # Errors
    /// [`WalletError::Usage`] if it is empty or was typed in two ways.
    pub fn new_password(&self, file: Option<&Path>) -> Result<Zeroizing<String>, WalletError> {
        let given = match file {
            Some(path) => Some(first_line(path)?),
            None => self.given_password()?,
        };
        self.chosen_password(given, PASSWORD, "New password for the wallet: ")
    }

    /// A password that replaces another: never that of the environment, which is the old one.
    ///
    /// # Errors
    /// As for [`Context::new_password`].
    pub fn other_password(&self, file: Option<&Path>) -> Result<Zeroizing<String>, WalletError> {
        let given = file.map(first_line).transpose()?;
        self.chosen_password(given, OTHER_PASSWORD, "New password for the wallet: ")
    }

    /// A password that was given, or is asked for twice.
    ///
    /// # Errors
    /// As for [`Context::new_password`].
    pub fn chosen_password(
        &self,
        given: Option<Zeroizing<String>>,
        secret: Secret,
        prompt: &str,
    ) -> Result<Zeroizing<String>, WalletError> {
        let password = match given {
            Some(password) => password,
            None => {
                let one = self.ask_secret(secret, prompt)?;
                if one.is_empty() {
                    return Err(empty_password());
                }
                let two = self.ask_secret(secret, "The same again: ")?;
                if *one != *two {
                    return Err(WalletError::Usage("the two passwords differ; nothing was written".into()));
                }
                one
            }
        };
        match password.chars().count() {
            0 => Err(empty_password()),
            1..8 => {
                screen::warn("that password is short: anyone who gets the file can guess it");
                Ok(password)
            }
            _ => Ok(password),
        }
    }

    /// The BIP 39 passphrase that belongs to a mnemonic; empty unless one is wanted.
    ///
    /// # Errors
    /// [`WalletError::Usage`] if there is no terminal, or it is empty or was typed in two ways.
    pub fn passphrase(&self, args: &Passphrase) -> Result<Zeroizing<String>, WalletError> {
        let passphrase = match &args.passphrase_file {
            Some(path) => first_line_of(&read_small(path, "the passphrase")?),
            None if !args.passphrase => return Ok(Zeroizing::default()),
            None => {
                let one = self.ask_secret(PASSPHRASE, "BIP 39 passphrase: ")?;
                if *one != *self.ask_secret(PASSPHRASE, "The same again: ")? {
                    return Err(WalletError::Usage("the two passphrases differ; nothing was written".into()));
                }
                one
            }
        };
        if *passphrase.trim() != **passphrase {
            screen::warn("the passphrase begins or ends with a blank, which belongs to it: write it down so");
        }
        match passphrase.is_empty() {
            true => Err(WalletError::Usage("the passphrase is empty: for none, leave out --passphrase".into())),
            false => Ok(passphrase),
        }
    }

    /// Whether the user has to be asked before a transaction is signed: for consent, or for the password.
    pub fn asks(&self) -> bool {
        let given =
            self.global.password_file.is_some() || env::var_os(PASSWORD_VARIABLE).is_some_and(|word| !word.is_empty());
        !self.global.yes || !given
    }
}

fn empty_password() -> WalletError {
    WalletError::Usage("an empty password protects nothing".into())
}

/// The first line of a file, for passwords.
///
/// # Errors
/// As for [`read_small`].
pub fn first_line(path: &Path) -> Result<Zeroizing<String>, WalletError> {
    let text = read_small(path, "the password")?;
    Ok(first_line_of(&text))
}

fn first_line_of(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
}
