//! A devnet with finality: keys for the first nodes, and a chain spec that lists them.

use chain_core::spec::{ChainSpec, Finality};
use std::path::Path;

use crate::{error::CommandError, files, finality::MemberKey, open::member_key};

/// The chain finalizes every so many blocks, so deep; and what is final disconnects no more than that.
const INTERVAL: u32 = 5;
const DEPTH: u32 = 2;
const WINDOW: u32 = 1_000;

/// Makes keys for so many nodes, or reads those of an earlier run, and writes the spec of the chain with these members. Returns its
/// file.
///
/// # Errors
/// [`CommandError`] if so many cannot be members, or a file cannot be written.
pub fn chain_with(spec: ChainSpec, count: usize, nodes: usize, folder: &Path) -> Result<String, CommandError> {
    if count > nodes || count % 3 != 1 {
        let expected =
            format!("--members {count}: expected 1, 4, 7, ..., at most the number of nodes ({nodes}; see --nodes)");
        return Err(CommandError::Stopped(expected));
    }
    if spec.finality.is_some() {
        return Err(CommandError::Stopped("--members: the chain spec has members already".to_owned()));
    }
    let members = (0..count).map(|index| key(&folder.join(format!("node-{index}/data"))).map(|key| key.public()));
    let members = members.collect::<Result<Vec<_>, _>>()?;
    let finality = Finality { members, interval: INTERVAL, depth: DEPTH, window: WINDOW };
    let spec = ChainSpec { finality: Some(finality), ..spec };
    let file = folder.join("chain.toml");
    let failed = |error: std::io::Error| CommandError::Io {
        action: format!("write {}", file.display()),
        reason: error.to_string(),
    };
    files::replace(&file, spec.to_toml().as_bytes()).map_err(failed)?;
    Ok(file.to_string_lossy().into_owned())
}

fn key(folder: &Path) -> Result<MemberKey, CommandError> {
    let file = folder.join(MemberKey::FILE);
    if let Some(key) = member_key(&file)? {
        return Ok(key);
    }
    let failed = |error: std::io::Error| CommandError::Io {
        action: format!("write {}", file.display()),
        reason: error.to_string(),
    };
    files::make_dir(folder).map_err(failed)?;
    let key = MemberKey::generate().map_err(failed)?;
    key.save(&file).map_err(failed)?;
    Ok(key)
}
