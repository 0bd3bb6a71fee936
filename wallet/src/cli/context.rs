//! What every command needs: the wallet's file, the node, the password, the user's consent.

use std::{
    env, fs,
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use bip39::Mnemonic;
use chain_core::spec::ChainSpec;
use zeroize::Zeroizing;

use super::{args::Global, screen};
use crate::{
    error::WalletError,
    file::{FileError, UnlockError, Wallet, WalletLock},
    keys::Signer,
    network::Network,
    node::{ChainInfo, Node, NodeError},
    vault::VaultError,
};

/// Where the password may be.
const PASSWORD_VARIABLE: &str = "CAIRN_WALLET_PASSWORD";

/// Largest file of a password, mnemonic or chain spec that is read.
const MAX_SMALL_FILE: u64 = 4 << 20;

/// Tries at a password on a terminal.
const TRIES: u32 = 3;

/// The flags of every command, with what follows from them.
pub struct Context {
    /// The flags.
    pub global: Global,
}

impl Context {
    /// Folder of the wallets that are not named.
    fn folder(&self) -> Result<PathBuf, WalletError> {
        match env::var_os("HOME").filter(|home| !home.is_empty()) {
            Some(home) => Ok(Path::new(&home).join(".cairn").join("wallet")),
            None => Err(WalletError::Usage(
                "no home directory is known (HOME is not set): say with --wallet where the wallet is".into(),
            )),
        }
    }

    fn file_of(&self, chain: &str) -> Result<PathBuf, WalletError> {
        Ok(self.folder()?.join(format!("{chain}.json")))
    }

    /// The chain that `--chain` names.
    fn named_chain(&self) -> Result<Option<Network>, WalletError> {
        let Some(name) = &self.global.chain else { return Ok(None) };
        if let Some(spec) = ChainSpec::by_name(name) {
            return Ok(Some(Network::from(&spec)));
        }
        if !Path::new(name).is_file() {
            return Err(WalletError::Usage(format!(
                "'{name}' is neither a chain that is built in (main, test, local, dev) nor the file of a chain spec"
            )));
        }
        let text = read_small(Path::new(name), "the chain spec")?;
        let spec = ChainSpec::from_toml(&text)
            .map_err(|error| WalletError::Usage(format!("{name} is no chain spec: {error}")))?;
        Ok(Some(Network::from(&spec)))
    }

    /// Where a new wallet goes, and which chain it is for: the one named, else the node's.
    ///
    /// # Errors
    /// [`WalletError`], above all if no chain is named and no node answers.
    pub fn new_wallet(&self) -> Result<(PathBuf, Network), WalletError> {
        let network = match self.named_chain()? {
            Some(network) => network,
            None => self.network_of_node()?,
        };
        let path = match &self.global.wallet {
            Some(path) => path.clone(),
            None => self.file_of(&network.name)?,
        };
        Ok((path, network))
    }

    fn network_of_node(&self) -> Result<Network, WalletError> {
        let network = match Node::new(&self.global.rpc, self.global.cookie.as_deref())?.info() {
            Ok(info) => info.network(),
            Err(NodeError::Unreachable { url, .. }) => {
                return Err(WalletError::Usage(format!(
                    "no node answers at {url}, so say with --chain which chain the wallet is for: main, test, local, dev, or \
                     the TOML file of its spec"
                )));
            }
            Err(error) => return Err(error.into()),
        };
        match ChainSpec::by_name(&network.name).map(|spec| Network::from(&spec)) {
            Some(known) if known != network => Err(WalletError::OtherChain {
                what: "the node says that it",
                got: Box::new(network),
                expected: Box::new(known),
            }),
            Some(_) => Ok(network),
            None => self.accept(network),
        }
    }

    /// Accepts a chain that is not built in on the word of a node only if the user repeats its chain id: account transactions
    /// commit to nothing else of the chain, so a node that names Ethereum's would get them signed for Ethereum.
    fn accept(&self, network: Network) -> Result<Network, WalletError> {
        if network.is_public() {
            return Err(WalletError::PublicChain(network.chain_id));
        }
        let unknown = format!("the node is on {network}, which is not built in");
        if !self.can_ask() {
            return Err(WalletError::Usage(format!(
                "{unknown}: give the file of its spec with --chain FILE, or confirm its chain id on a terminal without --yes"
            )));
        }
        screen::note(&screen::yellow(&format!(
            "{unknown}. What an account signs is valid on every chain with that id: compare it with what the chain's operator says."
        )));
        match self.ask("Type the chain id to go on: ")?.trim() == network.chain_id.to_string() {
            true => Ok(network),
            false => Err(WalletError::Cancelled),
        }
    }

    /// The file of the wallet that is meant: the one named, that of the chain named, the only one, that of the node's
    /// chain.
    fn wallet_path(&self) -> Result<PathBuf, WalletError> {
        if let Some(path) = &self.global.wallet {
            return Ok(path.clone());
        }
        if let Some(network) = self.named_chain()? {
            return self.file_of(&network.name);
        }
        let folder = self.folder()?;
        let mut found: Vec<PathBuf> = match fs::read_dir(&folder) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(_) => Vec::new(),
        };
        found.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        match &found[..] {
            [] => Err(FileError::NoneIn(folder).into()),
            [only] => Ok(only.clone()),
            _ => match Node::new(&self.global.rpc, self.global.cookie.as_deref())?.info() {
                Ok(info) => self.file_of(&info.chain),
                Err(_) => Err(WalletError::Usage(format!(
                    "there are several wallets in {}: say with --chain which one",
                    folder.display()
                ))),
            },
        }
    }

    fn expect_chain(&self, wallet: &Wallet) -> Result<(), WalletError> {
        match self.named_chain()? {
            Some(named) if named != wallet.network => Err(WalletError::OtherChain {
                what: "--chain",
                got: Box::new(named),
                expected: Box::new(wallet.network.clone()),
            }),
            _ => Ok(()),
        }
    }

    /// Reads the wallet, not to change it.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn wallet(&self) -> Result<Wallet, WalletError> {
        let wallet = Wallet::read(&self.wallet_path()?)?;
        self.expect_chain(&wallet)?;
        Ok(wallet)
    }

    /// Reads the wallet to change it.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn wallet_to_change(&self) -> Result<(WalletLock, Wallet), WalletError> {
        let path = self.wallet_path()?;
        // The lock's file must not be made where no wallet is.
        Wallet::read(&path)?;
        let lock = WalletLock::take(&path)?;
        let wallet = lock.read()?;
        self.expect_chain(&wallet)?;
        Ok((lock, wallet))
    }

    /// The node, after making sure that it is on the wallet's chain.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn node(&self, network: &Network) -> Result<(Node, ChainInfo), WalletError> {
        let node = Node::new(&self.global.rpc, self.global.cookie.as_deref())?;
        let info = node.info()?;
        if info.network() != *network {
            return Err(WalletError::OtherChain {
                what: "the node",
                got: Box::new(info.network()),
                expected: Box::new(network.clone()),
            });
        }
        if info.syncing {
            let text = format!(
                "the node is still catching up (block {} of {}): what it says may be out of date",
                info.height, info.headers
            );
            screen::note(&screen::yellow(&text));
        }
        Ok((node, info))
    }

    /// The password from the file, the environment, or nobody.
    fn given_password(&self) -> Result<Option<Zeroizing<String>>, WalletError> {
        if let Some(path) = &self.global.password_file {
            return first_line(path).map(Some);
        }
        Ok(env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty()).map(Zeroizing::new))
    }

    fn ask_secret(&self, prompt: &str) -> Result<Zeroizing<String>, WalletError> {
        if !io::stdin().is_terminal() {
            return Err(WalletError::Usage(format!(
                "there is no terminal to ask for the password: use --password-file or {PASSWORD_VARIABLE}"
            )));
        }
        rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(failed("read the password"))
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
        self.checked_password(given)
    }

    /// A password that replaces another: never that of the environment, which is the old one.
    ///
    /// # Errors
    /// As for [`Context::new_password`].
    pub fn other_password(&self, file: Option<&Path>) -> Result<Zeroizing<String>, WalletError> {
        let given = file.map(first_line).transpose()?;
        self.checked_password(given)
    }

    fn checked_password(&self, given: Option<Zeroizing<String>>) -> Result<Zeroizing<String>, WalletError> {
        let password = match given {
            Some(password) => password,
            None => {
                let one = self.ask_secret("New password for the wallet: ")?;
                let two = self.ask_secret("The same again: ")?;
                if *one != *two {
                    return Err(WalletError::Usage("the two passwords differ; nothing was written".into()));
                }
                one
            }
        };
        match password.chars().count() {
            0 => Err(WalletError::Usage("an empty password protects nothing".into())),
            1..8 => {
                screen::note(&screen::yellow("that password is short: whoever gets the file can guess it"));
                Ok(password)
            }
            _ => Ok(password),
        }
    }

    fn with_password<T>(&self, mut attempt: impl FnMut(&str) -> Result<T, UnlockError>) -> Result<T, WalletError> {
        if let Some(password) = self.given_password()? {
            return Ok(attempt(&password)?);
        }
        for remaining in (0..TRIES).rev() {
            let password = self.ask_secret("Password: ")?;
            match attempt(&password) {
                Err(UnlockError::Vault(VaultError::WrongPassword)) if remaining > 0 => {
                    screen::note(&screen::red("wrong password"));
                }
                other => return Ok(other?),
            }
        }
        Err(UnlockError::Vault(VaultError::WrongPassword).into())
    }

    /// Asks for the password and opens the secret keys.
    ///
    /// # Errors
    /// [`WalletError::Unlock`].
    pub fn unlock(&self, wallet: &Wallet) -> Result<Signer, WalletError> {
        if wallet.sealed.is_none() {
            return Err(UnlockError::WatchOnly.into());
        }
        self.with_password(|password| wallet.signer(password))
    }

    /// Asks for the password and takes the mnemonic out.
    ///
    /// # Errors
    /// [`WalletError::Unlock`].
    pub fn mnemonic(&self, wallet: &Wallet) -> Result<Mnemonic, WalletError> {
        if wallet.sealed.is_none() {
            return Err(UnlockError::WatchOnly.into());
        }
        self.with_password(|password| wallet.mnemonic(password))
    }

    /// Shows what is about to be done and asks whether it shall.
    ///
    /// # Errors
    /// [`WalletError::Cancelled`] unless the answer is yes.
    pub fn confirm(&self, summary: &str, question: &str) -> Result<(), WalletError> {
        if !self.global.json || !self.global.yes {
            screen::note(summary.trim_end());
        }
        if self.global.yes {
            return Ok(());
        }
        match self.ask(&format!("{question} [y/N] "))?.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(WalletError::Cancelled),
        }
    }

    /// Whether the user can be asked.
    pub fn can_ask(&self) -> bool {
        !self.global.yes && io::stdin().is_terminal()
    }

    /// Asks for a line.
    ///
    /// # Errors
    /// [`WalletError::Usage`] if there is no terminal.
    pub fn ask(&self, question: &str) -> Result<String, WalletError> {
        if !io::stdin().is_terminal() {
            return Err(WalletError::Usage("there is no terminal to ask on: add --yes if you agree".into()));
        }
        let _ = write!(anstream::stderr(), "{question}");
        let _ = io::stderr().flush();
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(failed("read the answer"))?;
        Ok(line)
    }
}

/// Wraps a failure of the system.
pub fn failed(action: impl Into<String>) -> impl FnOnce(io::Error) -> WalletError {
    let action = action.into();
    move |error| WalletError::Io { action, error }
}

/// Reads a file that has no reason to be large.
///
/// # Errors
/// [`WalletError::Io`], also if it is large or not text.
pub fn read_small(path: &Path, what: &str) -> Result<Zeroizing<String>, WalletError> {
    use io::Read;
    let action = format!("read {what} from {}", path.display());
    let mut text = Zeroizing::new(String::new());
    let mut read = || {
        let source: Box<dyn Read> =
            if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(fs::File::open(path)?) };
        source.take(MAX_SMALL_FILE).read_to_string(&mut text)
    };
    read().map_err(failed(action))?;
    Ok(text)
}

fn first_line(path: &Path) -> Result<Zeroizing<String>, WalletError> {
    let text = read_small(path, "the password")?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}
