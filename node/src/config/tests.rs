use super::*;
use crate::cli::Cli;
use clap::{CommandFactory, Parser};
use std::path::Path;

fn flags(arguments: &[&str]) -> Settings {
    let cli = Cli::try_parse_from(["cairn-node"].iter().chain(arguments)).expect("the flags parse");
    cli.run.settings
}

fn file(text: &str) -> Result<Settings, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cairn.toml");
    std::fs::write(&path, text).unwrap();
    Settings::from_file(&path).map_err(|error| error.to_string().replace(&path.display().to_string(), "cairn.toml"))
}

fn refusal(arguments: &[&str]) -> String {
    flags(arguments).resolve().unwrap_err().to_string()
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let file = file(
        "chain = \"test\"\ncache = 64\nindex = true\nmine = true\n[http]\nport = 1\nmax-batch = 7\n[miner]\nthreads = 3\n\
         [mempool]\nsize = 5\n[log]\nlevel = \"debug\"\nformat = \"json\"\n",
    );
    let flags = flags(&["--cache", "32", "--http.port", "2", "--no-index", "--mine=false", "--log.level", "warn"]);
    let config = flags.or(file.unwrap()).resolve().unwrap();
    assert_eq!(config.spec.name, "test");
    assert_eq!(config.cache, 32 << 20);
    assert_eq!(config.rpc.to_string(), "127.0.0.1:2");
    assert_eq!(config.limits.max_batch, 7);
    assert_eq!(config.limits.max_body, 5_000_000);
    assert_eq!(config.threads, 3);
    assert_eq!(config.mempool, 5 << 20);
    assert_eq!(config.log, LogConfig { level: "warn".into(), format: LogFormat::Json, file: None });
    assert!(!config.index);
    assert!(!config.mine);
}

#[test]
fn pruning_keeps_a_depth_that_reorgs_do_not_pass() {
    let prune = |arguments: &[&str]| flags(arguments).resolve().unwrap().prune;
    assert_eq!(prune(&["--prune", "288"]), Some(288));
    assert_eq!((prune(&["--prune", "0"]), prune(&[])), (None, None));
    assert_eq!(refusal(&["--prune", "287"]), "--prune 287: expected 288 blocks or more, or 0 to keep all");
    let pruned = file("prune = 1000\n").unwrap();
    assert_eq!(flags(&[]).or(pruned.clone()).resolve().unwrap().prune, Some(1_000));
    assert_eq!(flags(&["--prune", "0"]).or(pruned).resolve().unwrap().prune, None);
}

// FIN-4
#[test]
fn pruning_keeps_all_that_a_certificate_may_disconnect() {
    let folder = tempfile::tempdir().unwrap();
    let spec = crate::engine::tests::finality::final_spec(4, 900);
    let path = folder.path().join("chain.toml");
    std::fs::write(&path, spec.to_toml()).unwrap();
    let chain = path.to_str().unwrap();
    let prune = |blocks: &str| flags(&["--chain", chain, "--prune", blocks]).resolve().map(|config| config.prune);
    assert_eq!(prune("900").unwrap(), Some(900));
    let refusal = prune("899").unwrap_err().to_string();
    assert_eq!(refusal, "--prune 899: expected 900 blocks or more, or 0 to keep all");
}

#[test]
fn history_is_a_window_or_all_and_a_flag_overrides_both_keys_of_the_file() {
    let history = |settings: Settings| settings.resolve().unwrap().history;
    assert_eq!(history(flags(&[])), Some(128));
    assert_eq!(history(flags(&["--history", "5000"])), Some(5_000));
    assert_eq!(history(flags(&["--archive"])), None);
    assert_eq!(history(flags(&["--archive=false"])), Some(128));
    assert_eq!(refusal(&["--history", "127"]), "--history 127: expected 128 blocks or more; --archive keeps all");
    let archive = file("archive = true\n").unwrap();
    assert_eq!(history(flags(&[]).or(archive.clone())), None);
    assert_eq!(history(flags(&["--history", "200"]).or(archive)), Some(200));
    assert_eq!(history(flags(&["--archive"]).or(file("history = 200\n").unwrap())), None);
    let both = file("history = 200\narchive = true\n").unwrap().resolve().unwrap_err().to_string();
    assert_eq!(both, "--history 200: archive keeps all states: give one of the two");
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let config = Settings::default().resolve().unwrap();
    assert_eq!(config.spec.name, "main");
    assert!(config.datadir.unwrap().ends_with(".cairn/main"));
    assert_eq!(config.rpc.to_string(), "127.0.0.1:8545");
    assert_eq!(config.cache, 256 << 20);
    assert_eq!(config.mempool, 100 << 20);
    assert!(config.index);
    assert!(!config.mine);
    assert!(!config.dev);
    assert_eq!(config.api, None);
}

#[test]
fn every_flag_of_the_settings_is_a_key_of_the_file() {
    let command = Cli::command();
    let not_settings = ["config", "devnet-socket", "no_index", "help", "version"];
    let long: Vec<_> = command.get_arguments().filter(|flag| !not_settings.contains(&flag.get_id().as_str())).collect();
    assert!(long.len() > 20);
    for flag in long {
        let name = flag.get_long().unwrap();
        let values = ["\"x\"", "1", "true", "[\"x\"]", "\"127.0.0.1\"", "[\"127.0.0.1\"]", "\"json\""];
        let read = |value: &&str| file(&format!("{name} = {value}\n")).is_ok();
        assert!(values.iter().any(read), "--{name} is not a key of the file");
    }
}

#[test]
fn unknown_keys_of_the_file_are_refused_with_line_and_name() {
    let error = file("chain = \"test\"\n\n[http]\nprot = 1\n").unwrap_err();
    let names = "`addr`, `port`, `api`, `cookie`, `mining-token`, `vhosts`, `corsdomain`, `no-page`, `max-body`, `max-response`, `max-batch`, `max-connections`";
    assert_eq!(error, format!("cairn.toml, line 4: unknown field `prot`, expected one of {names}"));
    assert_eq!(
        file("cache = \"much\"\n").unwrap_err(),
        "cairn.toml, line 1: invalid type: string \"much\", expected a whole number"
    );
    assert!(file("chain = ").unwrap_err().starts_with("cairn.toml, line 1: "));
    assert!(file("http.port = 70000").unwrap_err().starts_with("cairn.toml, line 1: "));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Settings::from_file(Path::new("/nowhere/cairn.toml")).unwrap_err().to_string();
    assert_eq!(error, "cannot read /nowhere/cairn.toml: No such file or directory (os error 2)");
}

#[test]
fn paths_of_a_file_are_meant_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cairn.toml");
    let text = "datadir = \"data\"\n[log]\nfile = \"log\"\n[http]\ncookie = \"cookie\"\nmining-token = \"token\"\n";
    std::fs::write(&file, text).unwrap();
    let config = Settings::from_file(&file).unwrap().resolve().unwrap();
    let at = |name: &str| Some(folder.path().join(name));
    assert_eq!([config.datadir, config.log.file, config.cookie], ["data", "log", "cookie"].map(at));
    assert_eq!(config.mining_token, at("token"));
    let config = flags(&["--http.cookie", "~/a", "--http.mining-token", "~/b"]).resolve().unwrap();
    assert!([config.cookie, config.mining_token].into_iter().flatten().all(|path| path.is_absolute()));
}

#[test]
fn dev_is_the_dev_chain_in_memory() {
    let config = flags(&["--dev"]).resolve().unwrap();
    assert!(config.dev);
    assert_eq!(config.spec.name, "dev");
    assert_eq!(config.datadir, None);
    assert_eq!(flags(&["--chain", "dev", "--datadir", "/x"]).resolve().unwrap().datadir, Some("/x".into()));
    assert_eq!(
        refusal(&["--dev", "--chain", "main"]),
        "--dev runs the dev chain, not \"main\": leave out one of --dev and --chain"
    );
}

#[test]
fn refuses_values_that_make_no_sense_and_says_what_does() {
    let cases: &[(&[&str], &str)] = &[
        (
            &["--chain", "moon"],
            "unknown chain \"moon\": expected main, test, local, devnet, dev or a TOML file that exists",
        ),
        (&["--cache", "1"], "--cache 1: expected 8 to 1048576 MiB"),
        (&["--mempool.size", "0"], "--mempool.size 0: expected 1 to 1048576 MiB"),
        (&["--miner.threads", "0"], "--miner.threads 0: expected 1 or more; leave out --mine to mine nothing"),
        (&["--miner.threads", "2000"], "--miner.threads 2000: expected at most 1024"),
        (&["--http.max-batch", "0"], "--http.max-batch 0: expected 1 or more"),
        (
            &["--http.api", "eth,personal"],
            "--http.api personal: expected some of admin,chain,coin,debug,dev,devnet,erigon,eth,miner,net,ots,trace,txpool,web3",
        ),
        (&["--miner.address", "x"], "--miner.address x: expected a coin address (crn1...)"),
        (
            &["--miner.account", "0x12"],
            "--miner.account 0x12: an account has 40 hexadecimal digits after 0x, this has 2",
        ),
    ];
    for (arguments, expected) in cases {
        assert_eq!(&refusal(arguments), expected);
    }
}

#[test]
fn a_chain_can_be_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.toml");
    let spec = ChainSpec { name: "club".into(), chain_id: 77, ..ChainSpec::local() };
    std::fs::write(&path, spec.to_toml()).unwrap();
    let config = flags(&["--chain", path.to_str().unwrap()]).resolve().unwrap();
    assert_eq!(config.spec, spec);
    assert!(config.datadir.unwrap().ends_with(".cairn/club"));
    std::fs::write(&path, "name = 5").unwrap();
    let error = refusal(&["--chain", path.to_str().unwrap()]);
    assert!(error.starts_with(&format!("chain spec {}: ", path.display())), "{error}");
}

#[test]
fn flags_that_are_none_are_refused_by_name() {
    let parse = |arguments: &[&str]| {
        let error = Cli::try_parse_from(["cairn-node"].iter().chain(arguments)).unwrap_err().to_string();
        error.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(parse(&["--minner"]), "error: unexpected argument '--minner' found");
    assert_eq!(
        parse(&["--http.port", "x"]),
        "error: invalid value 'x' for '--http.port <PORT>': invalid digit found in string"
    );
    assert_eq!(
        parse(&["--index", "--no-index"]),
        "error: the argument '--index[=<INDEX>]' cannot be used with '--no-index'"
    );
    assert_eq!(parse(&["fly"]), "error: unrecognized subcommand 'fly'");
}

#[test]
fn a_device_or_a_huge_file_is_not_read_as_a_configuration() {
    let refused = |path: &Path| match load_spec(path.to_str().unwrap()).unwrap_err() {
        ConfigError::Unreadable { reason, .. } => reason,
        error => panic!("{error}"),
    };
    assert_eq!(refused(Path::new("/dev/zero")), "it is a device: name a TOML file");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spec.toml");
    std::fs::write(&file, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert_eq!(refused(&file), "it has more than 1 MiB: name a TOML file");
    std::fs::write(&file, vec![b'#'; 1 << 20]).unwrap();
    assert!(matches!(load_spec(file.to_str().unwrap()), Err(ConfigError::Spec { .. })));
}
