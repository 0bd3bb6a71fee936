//! `cairn-node member`: the key with which a node finalizes blocks.

use serde_json::json;
use std::{io::ErrorKind, path::Path};

use crate::{
    cli::{Member, MemberCommand, MemberFlags},
    config::{Config, Settings},
    error::{CommandError, without},
    finality::{MemberKey, Record},
    open::{datadir, member_key},
    output::say,
    program,
    store::DirectoryLock,
};

/// Shows the key of a node, makes one, or lets it vote again.
///
/// # Errors
/// [`CommandError`].
pub fn execute(Member { command, flags }: Member) -> Result<(), CommandError> {
    match command {
        None => show(&flags),
        Some(MemberCommand::New(flags)) => make(&flags),
        Some(MemberCommand::Resume { height, forget_votes, flags }) => resume(height, forget_votes, &flags),
    }
}

fn configure(flags: &MemberFlags) -> Result<Config, CommandError> {
    let MemberFlags { chain, datadir, .. } = flags.clone();
    program::works_on(chain.as_deref(), datadir.as_deref());
    Ok(Settings { chain, datadir, ..Settings::default() }.resolve()?)
}

fn make(flags: &MemberFlags) -> Result<(), CommandError> {
    let config = configure(flags)?;
    let folder = datadir(&config)?;
    // Of two commands at once one would leave its key with the record of the other.
    let _lock = DirectoryLock::acquire(folder)?;
    let key = MemberKey::generate().map_err(CommandError::io("make a key"))?;
    save(&key, folder)?;
    print(&key, folder, flags.json);
    Ok(())
}

/// Writes a new key, and the record of its votes before.
///
/// # Errors
/// [`CommandError`]; if there is a key, or the record of one.
pub fn save(key: &MemberKey, folder: &Path) -> Result<(), CommandError> {
    let (file, votes) = (folder.join(MemberKey::FILE), folder.join(Record::FILE));
    if file.exists() {
        return Err(CommandError::MemberKeyExists(file));
    }
    Record::begin(&votes, key.public()).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => CommandError::VotesExist(votes.clone()),
        _ => CommandError::write(&votes)(error),
    })?;
    key.save(&file).map_err(CommandError::write(&file))
}

/// The key of a node that has one.
fn existing(folder: &Path) -> Result<MemberKey, CommandError> {
    let path = folder.join(MemberKey::FILE);
    member_key(&path)?.ok_or_else(|| {
        let command = program::on_this_data("member new");
        CommandError::NoMemberKey { path, command }
    })
}

fn show(flags: &MemberFlags) -> Result<(), CommandError> {
    let config = configure(flags)?;
    let folder = config.datadir.ok_or_else(|| CommandError::InMemory(config.spec.name.clone()))?;
    print(&existing(&folder)?, &folder, flags.json);
    Ok(())
}

/// Begins the record of votes again, for a member that lost it, or is to forget it.
fn resume(height: u32, forget: bool, flags: &MemberFlags) -> Result<(), CommandError> {
    let config = configure(flags)?;
    let folder = config.datadir.as_deref().ok_or_else(|| CommandError::InMemory(config.spec.name.clone()))?;
    let key = existing(folder)?;
    let Some(rules) = config.spec.finality.as_ref() else {
        let name = &config.spec.name;
        return Err(CommandError::Stopped(format!("the chain {name} has no members: name another with --chain")));
    };
    if !rules.members.contains(&key.public()) {
        let (path, key) = (folder.join(MemberKey::FILE), hex::encode(key.public().0));
        return Err(CommandError::NotAMember { path, key });
    }
    if !rules.is_checkpoint(height) {
        let expected = format!("{height}: expected the height of a checkpoint, a multiple of {}", rules.interval);
        return Err(CommandError::Flag(expected));
    }
    // A node that runs would write over it.
    let _lock = DirectoryLock::acquire(folder)?;
    let votes = folder.join(Record::FILE);
    Record::resume(&votes, key.public(), config.spec.genesis_hash(), height, forget)
        .map_err(|error| CommandError::Stopped(format!("{}: {error}", votes.display())))?;
    print(&key, folder, flags.json);
    if !flags.json {
        if forget && DirectoryLock::database(folder).exists() {
            say("The votes that the database still holds bind the member all the same, and come back at its start\n");
        }
        say(format_args!("{}\n", without(rules)));
    }
    Ok(())
}

fn print(key: &MemberKey, folder: &Path, json: bool) {
    let (public, file) = (hex::encode(key.public().0), folder.join(MemberKey::FILE));
    let votes = votes(&folder.join(Record::FILE), key);
    match json {
        true => say(format_args!("{:#}\n", json!({ "key": public, "file": file, "votes": votes }))),
        false => say(format_args!("key    {public}\nfile   {}\nvotes  {votes}\n", file.display())),
    }
}

/// How far a member has voted.
fn votes(path: &Path, key: &MemberKey) -> String {
    match Record::last(path, key.public()) {
        Ok(None) => "none yet".to_owned(),
        Ok(Some(promise)) if promise.is_empty() => format!("from height {} on", promise.height),
        Ok(Some(promise)) => format!("up to height {}", promise.height),
        Err(error) => format!("not possible: {}: {error}", path.display()),
    }
}
