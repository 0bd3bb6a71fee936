//! What each command of `cairn-node` does. `run` is the node itself.

mod ask;
mod banner;
mod blocks;
mod call;
mod chain;
mod devnet;
mod lines;
mod member;
mod reindex;
mod run;
mod status;
mod top;
mod words;

use crate::{
    cli::{Cli, Command, RunFlags},
    config::{Config, Settings},
    error::CommandError,
    logging,
    output::{all_was_written, say},
    program,
    version::VERSION,
};

/// Does what the command line says.
///
/// # Errors
/// `CommandError`, one line that says what is wrong and what to do.
pub fn execute(cli: Cli) -> Result<(), CommandError> {
    // A node does not live for its banner.
    let runs = matches!(cli.command, None | Some(Command::Run(_)));
    dispatch(cli)?;
    if runs { Ok(()) } else { all_was_written().map_err(CommandError::io("write to standard output")) }
}

fn dispatch(cli: Cli) -> Result<(), CommandError> {
    match cli.command {
        None => run::run(configure(cli.run)?),
        Some(Command::Run(flags)) => run::run(configure(*flags)?),
        Some(Command::Reindex { force, data, json }) => reindex::reindex(configure(data.into())?, force, json),
        Some(Command::Export { file, from, to, force, data, json }) => {
            blocks::refuse_existing(&file, force)?;
            blocks::export(configure(data.into())?, &file, from, to, json)
        }
        Some(Command::Import { file, data, json }) => blocks::import(configure(data.into())?, &file, json),
        Some(Command::Devnet(flags)) => devnet::run(&flags),
        Some(Command::Member(command)) => member::execute(command),
        Some(Command::Chain(command)) => chain::execute(command),
        Some(Command::Status(ask)) => status::status(&ask),
        Some(Command::Top(flags)) => top::top(&flags),
        Some(Command::Peers(ask)) => ask::peers(&ask),
        Some(Command::Block { block, ask }) => ask::block(&ask, block.as_deref()),
        Some(Command::Tx { id, ask }) => ask::tx(&ask, &id),
        Some(Command::Stop(ask)) => ask::stop(&ask),
        Some(Command::MineTo { address, account, ask }) => ask::mine_to(&ask, &address, account.as_deref()),
        Some(Command::AcceptCertificate { block, ask }) => ask::accept_certificate(&ask, &block),
        Some(Command::Version) => {
            say(format_args!("cairn-node {VERSION}\n"));
            Ok(())
        }
    }
}

/// Flags over file over defaults; and logs start.
fn configure(flags: RunFlags) -> Result<Config, CommandError> {
    let file = match &flags.config {
        Some(path) => Settings::from_file(path)?,
        None => Settings::default(),
    };
    let settings = flags.settings.or(file);
    logging::write(settings.log.format.unwrap_or_default());
    // Other commands have no --dev.
    let chain = settings.chain.as_deref().or(settings.dev.unwrap_or_default().then_some("dev"));
    program::works_on(chain, settings.datadir.as_deref());
    let config = settings.resolve()?;
    config.datadir.iter().for_each(|path| program::keeps_data_in(path));
    logging::start(&config.log)?;
    Ok(config)
}
