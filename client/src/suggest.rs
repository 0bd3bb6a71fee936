//! The flag that was probably meant. Clap names similar words, but to its measure `rcp` is as far from `rpc` as `xyz` is.

use std::ffi::OsString;

use clap::{
    Arg, Command, Error,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// Adds to an error of an unknown flag that of the same command from which it differs by one slip, if clap found none.
pub fn suggest_flag(mut error: Error, mut command: Command, arguments: &[OsString]) -> Error {
    if error.kind() != ErrorKind::UnknownArgument || error.get(ContextKind::SuggestedArg).is_some() {
        return error;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
    let Some(typed) = flag.strip_prefix("--").map(str::to_owned) else { return error };
    // Only then it has the flags of the whole program as well.
    command.build();
    let mut current = &command;
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        current = current.find_subcommand(argument).unwrap_or(current);
    }
    let mut flags = current.get_arguments().filter(|flag| !flag.is_hide_set()).filter_map(Arg::get_long);
    if let Some(meant) = flags.find(|flag| is_one_slip(&typed, flag)) {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(format!("--{meant}")));
    }
    error
}

/// Whether one letter is missing, too many or wrong, or two that stand side by side are swapped.
fn is_one_slip(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let begin = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (&one[begin..], &other[begin..]);
    let end = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    match (&one[..one.len() - end], &other[..other.len() - end]) {
        ([], [_]) | ([_], [] | [_]) => begin + end > 0,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(arguments: &[&str]) -> String {
        let rpc = Arg::new("rpc").long("rpc").global(true);
        let command = Command::new("program")
            .arg(rpc)
            .subcommand(Command::new("balance").arg(Arg::new("all").long("all")))
            .subcommand(
                Command::new("other").arg(Arg::new("lot").long("lot")).arg(Arg::new("rcp").long("rcq").hide(true)),
            );
        let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
        let error = command.clone().try_get_matches_from(&arguments).unwrap_err();
        suggest_flag(error, command, &arguments).to_string()
    }

    #[test]
    fn two_letters_that_are_swapped_do_not_hide_what_was_meant() {
        for arguments in [
            &["program", "balance", "--rcp", "x"][..],
            &["program", "--rcp", "x", "balance"],
            &["program", "--rcp=x", "balance"],
            &["program", "balance", "--rp", "x"],
            &["program", "balance", "--rpcs", "x"],
            &["program", "other", "--rpx", "x"],
        ] {
            assert!(said(arguments).contains("tip: a similar argument exists: '--rpc'"), "{}", said(arguments));
        }
        assert!(said(&["program", "balance", "--lal"]).contains("'--all'"));
        for arguments in [&["program", "balance", "--lot"], &["program", "other", "--xyz"]] {
            assert!(!said(arguments).contains("similar argument"), "{}", said(arguments));
        }
    }
}
