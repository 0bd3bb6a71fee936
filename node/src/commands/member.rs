//! `cairn-node member`: the key with which a node finalizes blocks.

use serde_json::json;
use std::{io::ErrorKind, path::Path};

use crate::{
    cli::{Member, MemberCommand, MemberFlags},
    config::Settings,
    error::CommandError,
    finality::MemberKey,
    open::{datadir, member_key},
    output::say,
    program,
};

/// Shows the key of a node, or makes one.
///
/// # Errors
/// [`CommandError`].
pub fn execute(Member { command, flags }: Member) -> Result<(), CommandError> {
    match command {
        None => show(&flags),
        Some(MemberCommand::New(flags)) => make(&flags),
    }
}

fn make(flags: &MemberFlags) -> Result<(), CommandError> {
    let MemberFlags { chain, datadir: folder, json } = flags.clone();
    let config = Settings { chain, datadir: folder, ..Settings::default() }.resolve()?;
    let file = datadir(&config)?.join(MemberKey::FILE);
    let key = MemberKey::generate().map_err(CommandError::io("make a key"))?;
    key.save(&file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => CommandError::MemberKeyExists(file.clone()),
        _ => CommandError::write(&file)(error),
    })?;
    print(&key, &file, json);
    Ok(())
}

fn show(flags: &MemberFlags) -> Result<(), CommandError> {
    let MemberFlags { chain, datadir: folder, json } = flags.clone();
    let config = Settings { chain, datadir: folder, ..Settings::default() }.resolve()?;
    let folder = config.datadir.ok_or_else(|| CommandError::InMemory(config.spec.name.clone()))?;
    let file = folder.join(MemberKey::FILE);
    match member_key(&file)? {
        Some(key) => print(&key, &file, json),
        None => {
            let command = format!("{} member new", program::named("cairn-node"));
            return Err(CommandError::NoMemberKey { path: file, command });
        }
    }
    Ok(())
}

fn print(key: &MemberKey, file: &Path, json: bool) {
    let public = hex::encode(key.public().0);
    match json {
        true => say(format_args!("{:#}\n", json!({ "key": public, "file": file }))),
        false => say(format_args!("key   {public}\nfile  {}\n", file.display())),
    }
}
