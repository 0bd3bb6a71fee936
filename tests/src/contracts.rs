//! Contracts that `scripts/contracts.sh` compiled, if it could.

use std::path::PathBuf;

/// The compiler's answer for `tests/contracts`; `None` if there is none.
///
/// # Panics
/// If the test does not know its own path.
pub fn compiled_contracts() -> Option<PathBuf> {
    let folder = match std::env::var_os("CAIRN_CONTRACTS") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let test = std::env::current_exe().expect("a test knows its own path");
            test.ancestors().map(|folder| folder.join("contracts")).find(|folder| folder.join("stamp").is_file())?
        }
    };
    Some(folder.join("contracts.json")).filter(|file| file.is_file())
}
