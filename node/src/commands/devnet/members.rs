//! A devnet with finality: keys for the first nodes, and a chain spec that lists them.

use chain_core::spec::{ChainSpec, Finality};
use std::path::{Path, PathBuf};

use crate::{commands::member, error::CommandError, files, finality::MemberKey, open::member_key};

/// The chain finalizes every so many blocks, so deep; and what is final disconnects no more than that.
const INTERVAL: u32 = 5;
const DEPTH: u32 = 2;
const WINDOW: u32 = 1_000;

/// The members of a devnet and its chain, before anything is written.
pub struct Members {
    spec: ChainSpec,
    keys: Vec<MemberKey>,
}

impl Members {
    /// Makes keys for so many nodes, or reads those of an earlier run in this folder, and checks the chain that has them as members.
    ///
    /// # Errors
    /// [`CommandError`] if so many cannot be members, a key cannot be read or the chain spec is not valid.
    pub fn plan(spec: ChainSpec, count: usize, nodes: usize, folder: Option<&Path>) -> Result<Self, CommandError> {
        if count > nodes || count % 3 != 1 {
            let expected =
                format!("--members {count}: expected 1, 4, 7, ..., at most the number of nodes ({nodes}; see --nodes)");
            return Err(CommandError::Flag(expected));
        }
        if spec.finality.is_some() {
            return Err(CommandError::Flag("--members: the chain spec has members already".to_owned()));
        }
        let keys = (0..count).map(|index| key(folder, index)).collect::<Result<Vec<_>, _>>()?;
        let members = keys.iter().map(MemberKey::public).collect();
        let finality = Finality { members, interval: INTERVAL, depth: DEPTH, window: WINDOW };
        let spec = ChainSpec { finality: Some(finality), ..spec };
        spec.validate()
            .map_err(|error| CommandError::Stopped(format!("--members {count}: the chain spec: {error}")))?;
        Ok(Self { spec, keys })
    }

    /// Writes keys that are not there yet, and the chain spec. Returns its file.
    ///
    /// # Errors
    /// [`CommandError`] if a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<String, CommandError> {
        for (index, key) in self.keys.iter().enumerate() {
            if !file_of(folder, index).exists() {
                save(key, &data_of(folder, index))?;
            }
        }
        let file = folder.join("chain.toml");
        files::replace(&file, self.spec.to_toml().as_bytes()).map_err(CommandError::write(&file))?;
        Ok(file.to_string_lossy().into_owned())
    }
}

fn data_of(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("node-{index}/data"))
}

fn file_of(folder: &Path, index: usize) -> PathBuf {
    data_of(folder, index).join(MemberKey::FILE)
}

fn key(folder: Option<&Path>, index: usize) -> Result<MemberKey, CommandError> {
    let stored = folder.map(|folder| member_key(&file_of(folder, index))).transpose()?.flatten();
    stored.map_or_else(|| MemberKey::generate().map_err(CommandError::io("make a key")), Ok)
}

fn save(key: &MemberKey, data: &Path) -> Result<(), CommandError> {
    files::make_dir(data).map_err(CommandError::io(format!("create {}", data.display())))?;
    member::save(key, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(spec: ChainSpec, count: usize, folder: &Path) -> String {
        Members::plan(spec, count, 7, Some(folder)).err().unwrap().to_string()
    }

    #[test]
    fn nothing_is_written_for_members_that_no_chain_can_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for count in [2, 3, 5, 10, 103] {
            let expected =
                format!("--members {count}: expected 1, 4, 7, ..., at most the number of nodes (7; see --nodes)");
            assert_eq!(refusal(ChainSpec::local(), count, path), expected);
        }
        let long = ChainSpec { name: "Local".into(), ..ChainSpec::local() };
        assert!(refusal(long, 4, path).starts_with("--members 4: the chain spec: name"));
        assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
        // Two nodes with one key.
        let key = MemberKey::generate().unwrap();
        [0, 2].iter().for_each(|index| save(&key, &data_of(path, *index)).unwrap());
        let twice = refusal(ChainSpec::local(), 4, path);
        assert!(twice.contains("the same key as finality.members[0]"), "{twice}");
        assert!(!file_of(path, 1).exists() && !path.join("chain.toml").exists());
    }

    #[test]
    fn members_keep_their_keys_in_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let write = || {
            let members = Members::plan(ChainSpec::local(), 4, 4, Some(folder.path())).unwrap();
            std::fs::read_to_string(members.write(folder.path()).unwrap()).unwrap()
        };
        let first = write();
        assert_eq!(ChainSpec::from_toml(&first).unwrap().finality.unwrap().members.len(), 4);
        assert_eq!(write(), first);
    }
}
