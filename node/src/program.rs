//! How this program was started, so that its hints can be pasted.

use std::{
    path::{Path, PathBuf},
    sync::{OnceLock, RwLock},
};

/// The folder that was typed before the program's name, with its slash: `bin/`. Empty if it was found in PATH.
static FOLDER: OnceLock<String> = OnceLock::new();
/// The flags that name the chain and the data that this process works on.
static DATA: RwLock<String> = RwLock::new(String::new());

/// The data directory of this process.
static FOLDER_OF_DATA: OnceLock<PathBuf> = OnceLock::new();

/// Notes how the program was started: its first argument.
pub fn started_as(argument: &str) {
    let folder = argument.rfind('/').map_or("", |end| &argument[..=end]);
    // Only the first call counts; there is one program in a process.
    let _ = FOLDER.set(folder.to_owned());
}

/// Notes which data the process works on, by the flags that name it.
pub fn works_on(chain: Option<&str>, datadir: Option<&Path>) {
    let flag = |name: &str, value: &str| format!(" --{name} {}", quoted(value));
    let mut flags = chain.map(|chain| flag("chain", chain)).unwrap_or_default();
    flags += &datadir.map(|path| flag("datadir", &path.display().to_string())).unwrap_or_default();
    if let Ok(mut data) = DATA.write() {
        *data = flags;
    }
}

/// Where the data is that the process works on, for a message about its disk: ` that holds DIR`.
pub fn with_data() -> String {
    FOLDER_OF_DATA.get().map_or_else(String::new, |path| format!(" that holds {}", path.display()))
}

/// Notes where the data is that the process works on.
pub fn keeps_data_in(path: &Path) {
    // Only the first call counts; a process works on one directory.
    let _ = FOLDER_OF_DATA.set(path.to_owned());
}

/// What to type to run a program of this project: `bin/cairn-wallet` where this one was started as `bin/cairn-node`.
pub fn named(name: &str) -> String {
    quoted(&format!("{}{name}", FOLDER.get().map_or("", String::as_str)))
}

/// What to type for a command on the same data, such as `cairn-node reindex --chain local`.
pub fn on_this_data(command: &str) -> String {
    let data = DATA.read().map(|data| data.clone()).unwrap_or_default();
    format!("{} {command}{data}", named("cairn-node"))
}

/// A word as a shell reads it.
pub fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&byte);
    match !word.is_empty() && word.bytes().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_tear_them() {
        let words = ["local", "/data/cairn", "my chain.toml", "it's", "", "~/x"];
        assert_eq!(words.map(quoted), ["local", "/data/cairn", "'my chain.toml'", "'it'\\''s'", "''", "'~/x'"]);
    }
}
