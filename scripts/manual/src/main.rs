//! `cairn-manual FOLDER`: writes man pages and shell completions below a folder, where a prefix such as /usr has them.

use clap::Command;
use clap_complete::{Shell, generate_to};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Shells, where their completions lie below a prefix, and how the file of a program is called there.
const SHELLS: [(Shell, &str, &str); 3] = [
    (Shell::Bash, "share/bash-completion/completions", "NAME"),
    (Shell::Zsh, "share/zsh/site-functions", "_NAME"),
    (Shell::Fish, "share/fish/vendor_completions.d", "NAME.fish"),
];

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: cairn-manual FOLDER");
        return ExitCode::from(2);
    };
    match write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn programs() -> [Command; 3] {
    [cairn_node::cli::command(), cairn_miner::cli::command(), cairn_wallet::cli::command()]
}

fn write(folder: &Path) -> io::Result<()> {
    let man = folder.join("share/man/man1");
    fs::create_dir_all(&man)?;
    for mut command in programs() {
        let name = command.get_name().to_owned();
        let pages = without_help(command.clone());
        for (shell, place, file) in SHELLS {
            let place = folder.join(place);
            fs::create_dir_all(&place)?;
            let written = generate_to(shell, &mut command, &name, &place)?;
            fs::rename(written, place.join(file.replace("NAME", &name)))?;
        }
        // A page for each command too: `man cairn-wallet-send`.
        clap_mangen::generate_to(pages, &man)?;
    }
    Ok(())
}

/// A program without its `help` commands, each of which would have a page for each command that it explains.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_pages_and_completions() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        write(folder.path()).expect("it can be written");
        let read =
            |path: &str| fs::read_to_string(folder.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        for name in ["cairn-node", "cairn-miner", "cairn-wallet"] {
            let page = read(&format!("share/man/man1/{name}.1"));
            assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH OPTIONS"), "{page}");
            assert!(
                read(&format!("share/bash-completion/completions/{name}")).contains("--rpc") || name == "cairn-node"
            );
            assert!(read(&format!("share/zsh/site-functions/_{name}")).starts_with(&format!("#compdef {name}\n")));
            assert!(
                read(&format!("share/fish/vendor_completions.d/{name}.fish")).contains(&format!("complete -c {name} "))
            );
        }
        assert!(read("share/man/man1/cairn-wallet-send.1").contains("ADDRESS"));
        assert!(read("share/man/man1/cairn-node-reindex.1").contains("datadir"));
        assert!(read("share/bash-completion/completions/cairn-node").contains("devnet"));
        let pages = fs::read_dir(folder.path().join("share/man/man1")).expect("a folder");
        let names = pages.map(|page| page.expect("a page").file_name().into_string().expect("a name"));
        let of_help: Vec<_> = names.filter(|name| name.contains("-help")).collect();
        assert_eq!(of_help, [""; 0], "they say what the pages of the commands say");
    }
}
