//! What every command needs: the wallet file, the node, the password, the user's confirmation.

use std::{
    cell::Cell,
    env, fs,
    io::{self, BufRead, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use bip39::Mnemonic;
use chain_core::spec::{ChainSpec, DRAWN_DEV_IDS};
use zeroize::Zeroizing;

use super::{
    args::Global,
    files::{failed, read_small},
    passwords::{self, PASSWORD},
    screen,
};
use crate::{
    error::{WalletError, usage},
    file::{FileError, UnlockError, Wallet, WalletLock},
    input::fault,
    keys::Signer,
    network::Network,
    node::{ChainInfo, Node, NodeError, TUNNEL},
    vault::VaultError,
};

/// The flags of every command, with what follows from them.
pub struct Context {
    pub global: Global,
    /// Whether the node said which of several wallets is meant.
    chosen: Cell<bool>,
}

/// The chain that is built in under a node's name for its own. A development chain that is kept has an id that was drawn for it.
fn built_in(told: &Network) -> Option<Network> {
    let mut spec = ChainSpec::by_name(&told.name)?;
    if spec.is_dev() && DRAWN_DEV_IDS.contains(&told.chain_id) {
        spec.chain_id = told.chain_id;
    }
    Some(Network::from(&spec))
}

impl Context {
    /// For these flags.
    pub fn new(global: Global) -> Self {
        Self { global, chosen: Cell::new(false) }
    }

    /// Folder of the wallets that are not named.
    fn folder(&self) -> Result<PathBuf, WalletError> {
        match env::var_os("HOME").filter(|home| !home.is_empty()) {
            Some(home) => Ok(Path::new(&home).join(".cairn").join("wallet")),
            None => Err(usage!("no home directory is known (HOME is not set): say with --wallet where the wallet is")),
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
            return Err(usage!(
                "'{name}' is neither a chain that is built in (main, test, local, devnet, dev) nor the file of a chain spec"
            ));
        }
        let text = read_small(Path::new(name), "the chain spec")?;
        let spec =
            ChainSpec::from_toml(&text).map_err(|error| usage!("{name} is not a chain spec: {}", fault(&error)))?;
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
        Ok((self.place_of(&network)?, network))
    }

    /// Where a new wallet of this chain goes.
    ///
    /// # Errors
    /// [`WalletError::OtherChain`] if `--chain` names another.
    pub fn place_of(&self, network: &Network) -> Result<PathBuf, WalletError> {
        self.expect_chain(network)?;
        match &self.global.wallet {
            Some(path) => Ok(path.clone()),
            None => self.file_of(&network.name),
        }
    }

    fn network_of_node(&self) -> Result<Network, WalletError> {
        let network = match self.connect()?.info() {
            Ok(info) => info.network(),
            Err(NodeError::Unreachable { url, .. }) => {
                return Err(usage!(
                    "no node answers at {url}, so say with --chain which chain the wallet is for: main, test, local, devnet, dev, or \
                     the TOML file of its spec"
                ));
            }
            Err(error) => return Err(error.into()),
        };
        match built_in(&network) {
            Some(known) if known != network => Err(WalletError::other_chain("the node says that it", network, &known)),
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
            return Err(usage!(
                "{unknown}: give the file of its spec with --chain FILE, or confirm its chain id on a terminal without --yes"
            ));
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
    ///
    /// # Errors
    /// [`WalletError`], above all if there is none.
    pub fn wallet_path(&self) -> Result<PathBuf, WalletError> {
        if let Some(path) = &self.global.wallet {
            return Ok(path.clone());
        }
        if let Some(network) = self.named_chain()? {
            return self.file_of(&network.name);
        }
        let folder = self.folder()?;
        match &self.found()?[..] {
            [] => Err(FileError::NoneIn(folder).into()),
            [only] => Ok(only.clone()),
            _ => match self.connect()?.info() {
                Ok(info) => {
                    self.chosen.set(true);
                    self.file_of(&info.chain)
                }
                Err(error) => Err(WalletError::WhichWallet { folder, error: Box::new(error) }),
            },
        }
    }

    /// What a node's --chain takes for the wallet that is meant, as far as that is known without a node.
    pub fn likely_chain(&self) -> String {
        let path = self.global.wallet.clone().or_else(|| match &self.found().ok()?[..] {
            [only] => Some(only.clone()),
            _ => None,
        });
        match (&self.global.chain, path.map(|path| Wallet::read(&path))) {
            (Some(named), _) => named.clone(),
            (None, Some(Ok(wallet))) if ChainSpec::by_name(&wallet.network.name).is_some() => wallet.network.name,
            (None, Some(Ok(_))) => "FILE".into(),
            _ => "local".into(),
        }
    }

    /// The wallets that are not named.
    fn found(&self) -> Result<Vec<PathBuf>, WalletError> {
        let mut found: Vec<PathBuf> = match fs::read_dir(self.folder()?) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(_) => Vec::new(),
        };
        found.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        Ok(found)
    }

    /// The chain that `--chain` names, or else the one that is built in under this name.
    pub fn known_chain(&self, told: &Network) -> Result<Option<Network>, WalletError> {
        Ok(self.named_chain()?.or_else(|| built_in(told)))
    }

    /// Where there are several wallets, the node decides which one is shown, but not which one signs unseen.
    fn expect_named(&self) -> Result<(), WalletError> {
        if !self.chosen.get() || self.can_ask() {
            return Ok(());
        }
        Err(usage!(
            "there are several wallets in {}, and the node would decide which one signs: say which with --wallet FILE or --chain \
             NAME",
            self.folder()?.display()
        ))
    }

    fn expect_chain(&self, network: &Network) -> Result<(), WalletError> {
        match self.named_chain()? {
            Some(named) if named != *network => Err(WalletError::other_chain("--chain", named, network)),
            _ => Ok(()),
        }
    }

    /// Reads the wallet, not to change it.
    pub fn wallet(&self) -> Result<Wallet, WalletError> {
        let wallet = Wallet::read(&self.wallet_path()?)?;
        self.expect_chain(&wallet.network)?;
        Ok(wallet)
    }

    /// Reads the wallet to change it.
    pub fn wallet_to_change(&self) -> Result<(WalletLock, Wallet), WalletError> {
        let path = self.wallet_path()?;
        // The lock's file must not be made where no wallet is.
        Wallet::read(&path)?;
        let lock = WalletLock::take(&path)?;
        let wallet = lock.read()?;
        self.expect_chain(&wallet.network)?;
        Ok((lock, wallet))
    }

    /// The node, before anything is asked.
    pub fn connect(&self) -> Result<Node, WalletError> {
        let timeout = self.global.timeout.map(|seconds| Duration::from_secs(seconds.into()));
        let node = Node::new(&self.global.rpc, self.global.cookie.as_deref(), timeout)?;
        if !node.is_on_this_machine() {
            screen::warn(&format!(
                "{} is spoken to in clear text: anyone on the way can read and change balances, nonces and fees (never your \
                 keys). Safer: `{TUNNEL}` and --rpc http://127.0.0.1:8545",
                node.url()
            ));
        }
        Ok(node)
    }

    /// The node, after making sure that it is on the wallet's chain.
    pub fn node(&self, network: &Network) -> Result<(Node, ChainInfo), WalletError> {
        let node = self.connect()?;
        let info = node.info()?;
        if info.network() != *network {
            return Err(WalletError::other_chain("the node", info.network(), network));
        }
        if info.syncing {
            let text = format!(
                "the node is still syncing (block {} of {}): what it says may be out of date",
                info.height, info.headers
            );
            screen::warn(&text);
        }
        Ok((node, info))
    }

    /// The node of a command that needs no wallet: on the chain of the wallet that is meant, or else of --chain. A node that
    /// takes the name of a chain that is built in is on that chain.
    pub fn any_node(&self) -> Result<(Node, ChainInfo), WalletError> {
        match self.wallet() {
            Ok(wallet) => return self.node(&wallet.network),
            Err(WalletError::File(FileError::Missing(_) | FileError::NoneIn(_))) => {}
            Err(error) => return Err(error),
        }
        let node = self.connect()?;
        let info = node.info()?;
        let network = info.network();
        match self.known_chain(&network)? {
            Some(expected) if expected != network => {
                Err(WalletError::other_chain("the node says that it", network, &expected))
            }
            _ => Ok((node, info)),
        }
    }

    /// Asks for the password and opens the secret keys.
    pub fn unlock(&self, wallet: &Wallet) -> Result<Signer, WalletError> {
        let ((_, signer), _) = self.open(wallet)?;
        Ok(signer)
    }

    /// Asks for the password and takes the mnemonic out, too, with the password for what is sealed next.
    pub fn open(&self, wallet: &Wallet) -> Result<((Mnemonic, Signer), Zeroizing<String>), WalletError> {
        if wallet.sealed.is_none() {
            return Err(UnlockError::WatchOnly.into());
        }
        self.expect_named()?;
        if let Some(password) = PASSWORD.given(self.global.password_file.as_deref())? {
            return Ok((wallet.open(&password)?, password));
        }
        for again in ["", "Wrong password. ", "Wrong password. "] {
            let password = PASSWORD.ask(&format!("{again}Password: "))?;
            match wallet.open(&password) {
                Err(UnlockError::Vault(VaultError::WrongPassword)) => {}
                opened => return Ok((opened?, password)),
            }
        }
        Err(UnlockError::Vault(VaultError::WrongPassword).into())
    }

    /// Shows what is about to be done and asks whether it shall.
    ///
    /// # Errors
    /// [`WalletError::Cancelled`] unless the answer is yes.
    pub fn confirm(&self, summary: &str, question: &str) -> Result<(), WalletError> {
        // A program has the same in the JSON of the result.
        if !self.global.json || io::stdin().is_terminal() && !self.global.yes {
            let shown = screen::show(summary.trim_end());
            // No one can agree to what cannot be read.
            if !self.global.yes {
                shown.map_err(failed("show what is about to be done"))?;
            }
        }
        if self.global.yes {
            return Ok(());
        }
        match self.ask(&format!("{question} [y/N] "))?.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(WalletError::Cancelled),
        }
    }

    /// Shows what is about to be done, asks, and does what needs the user's password, as `then` says. Others may use the wallet
    /// while the user thinks; `opened` is the wallet as its file has it.
    ///
    /// # Errors
    /// [`FileError::Changed`] if another process changed the wallet meanwhile; else as for [`Context::confirm`].
    pub fn consent<T>(
        &self,
        (lock, opened): (&WalletLock, &Wallet),
        summary: &str,
        question: &str,
        then: impl FnOnce(&Self) -> Result<T, WalletError>,
    ) -> Result<T, WalletError> {
        let asks = passwords::asks(&self.global);
        if asks {
            lock.release()?;
        }
        self.confirm(summary, question)?;
        let result = then(self)?;
        if asks {
            lock.retake()?;
            lock.unchanged(opened)?;
        }
        Ok(result)
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
            return Err(usage!("there is no terminal to ask on: add --yes if you agree"));
        }
        screen::ask(question).map_err(failed("ask on standard error"))?;
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line).map_err(failed("read the answer"))?;
        if read == 0 {
            // After Ctrl-D what comes next would stand on the line of the question.
            screen::complain("");
        }
        Ok(line)
    }
}
