//! Flags that may stand in the environment.

use clap::Command;
use std::env;

/// Drops the variables of these flags that are empty: as in a shell, an empty variable is not set.
pub fn without_empty(command: Command, variables: &[(&'static str, &str)]) -> Command {
    let empty = |name: &str| env::var_os(name).is_some_and(|value| value.is_empty());
    let set_to_nothing = variables.iter().filter(|(_, variable)| empty(variable));
    set_to_nothing.fold(command, |command, (flag, _)| command.mut_arg(flag, |flag| flag.env(None::<&str>)))
}
