//! The options of `debug_trace*`: which tracer, how it is set, and when it ends.

use std::{collections::BTreeMap, time::Duration};

use crate::rpc::{
    base::{Args, Call, Object, Options, Overrides, Param, Quantity, RpcError, RpcResult, invalid, param},
    tracer::{CallConfig, FlatConfig, PrestateConfig, StepsConfig, TouchedConfig},
};

/// How long a trace takes if `timeout` says nothing else, as in geth; and at most.
const TIMEOUT: Duration = Duration::from_secs(5);
const MOST_TIMEOUT: Duration = Duration::from_secs(30);

/// Tracers by name.
const TRACERS: &str = "callTracer, flatCallTracer, prestateTracer, 4byteTracer, noopTracer and muxTracer";

/// Which tracer, and when it ends.
pub struct Tracer {
    pub kind: Kind,
    pub call: Call,
}

/// What `debug_traceCall` takes beside.
pub struct CallOptions {
    /// What is otherwise.
    pub overrides: Overrides,
    /// Before which transaction of the block it runs.
    pub tx_index: Option<u64>,
}

/// A tracer and how it is set.
#[derive(Clone)]
pub enum Kind {
    Steps(StepsConfig),
    Calls(CallConfig),
    Flat(FlatConfig),
    Prestate(TouchedConfig, PrestateConfig),
    Selectors,
    Noop,
    /// Several, by name.
    Mux(BTreeMap<String, Kind>),
}

/// A duration as Go writes it: `5s`, `300ms`, `1m`.
struct Timeout(Duration);

param!(Timeout, "a duration such as \"5s\" or \"300ms\"", |value| {
    let text = value.as_str()?;
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let number = number.parse::<u32>().ok()?;
    Some(Self(match unit {
        "ms" => Duration::from_millis(number.into()),
        "s" => Duration::from_secs(number.into()),
        "m" => Duration::from_secs(60 * u64::from(number)),
        _ => return None,
    }))
});

/// `txIndex`, as a quantity or a number.
struct Index(u64);

param!(Index, "a quantity such as \"0x1\"", |value| Quantity::or_integer(value).map(Self));

const OPTIONS: &[&str] = &[
    "tracer",
    "tracerConfig",
    "timeout",
    "reexec",
    "limit",
    "enableMemory",
    "disableStack",
    "disableStorage",
    "enableReturnData",
    "disableMemory",
    "disableReturnData",
    "debug",
    "overrides",
];

/// Options of `debug_traceCall` only.
const CALL_OPTIONS: &[&str] = &["stateOverrides", "blockOverrides", "txIndex"];

impl Tracer {
    /// Reads the next argument.
    pub fn read(args: &mut Args) -> RpcResult<Self> {
        let options = Options::new("options", args.optional()?, OPTIONS)?;
        Self::of(args, &options)
    }

    /// Reads the next argument of `debug_traceCall`.
    pub fn read_for_call(args: &mut Args) -> RpcResult<(Self, CallOptions)> {
        let options = Options::new("options", args.optional()?, &[OPTIONS, CALL_OPTIONS].concat())?;
        let tx_index = options.get::<Index>("txIndex")?.map(|index| index.0);
        if tx_index.is_some() && options.get::<Object>("stateOverrides")?.is_some() {
            return Err(invalid("options: stateOverrides and txIndex exclude each other"));
        }
        let overrides = Overrides::of(&options, "options")?;
        Ok((Self::of(args, &options)?, CallOptions { overrides, tx_index }))
    }

    fn of(args: &Args, options: &Options) -> RpcResult<Self> {
        let timeout = options.get::<Timeout>("timeout")?.map_or(TIMEOUT, |timeout| timeout.0);
        let call = args.call().within(timeout.min(MOST_TIMEOUT));
        let config = options.get::<Object>("tracerConfig")?;
        let kind = match options.get::<String>("tracer")?.as_deref() {
            None | Some("") => Kind::Steps(steps(options)?),
            Some("muxTracer") => mux(config)?,
            Some(name) => named(name, config)?,
        };
        Ok(Self { kind, call })
    }
}

fn steps(options: &Options) -> RpcResult<StepsConfig> {
    let flag = |name: &str| Ok::<_, RpcError>(options.get::<bool>(name)?.unwrap_or(false));
    Ok(StepsConfig {
        memory: flag("enableMemory")?,
        stack: !flag("disableStack")?,
        storage: !flag("disableStorage")?,
        return_data: flag("enableReturnData")?,
        limit: options.get::<u64>("limit")?.filter(|limit| *limit > 0),
    })
}

fn mux(config: Option<Object>) -> RpcResult<Kind> {
    let mut tracers = BTreeMap::new();
    for (name, config) in config.map(|config| config.0).unwrap_or_default() {
        let config = match config {
            serde_json::Value::Null => None,
            config => Some(
                Object::parse(&config)
                    .ok_or_else(|| invalid("options.tracerConfig: expected an object of tracers and their configs"))?,
            ),
        };
        tracers.insert(name.clone(), named(&name, config)?);
    }
    Ok(Kind::Mux(tracers))
}

fn named(name: &str, config: Option<Object>) -> RpcResult<Kind> {
    let known: &[&str] = match name {
        "callTracer" => &["onlyTopCall", "withLog"],
        "flatCallTracer" => &["convertParityErrors", "includePrecompiles"],
        "prestateTracer" => &["diffMode", "disableCode", "disableStorage", "includeEmpty"],
        _ => &[],
    };
    let options = || Options::new("options.tracerConfig", config, known);
    let flag = |options: &Options, name: &str| Ok::<_, RpcError>(options.get::<bool>(name)?.unwrap_or(false));
    match name {
        "callTracer" => {
            let options = options()?;
            Ok(Kind::Calls(CallConfig { only_top: flag(&options, "onlyTopCall")?, logs: flag(&options, "withLog")? }))
        }
        "flatCallTracer" => {
            let options = options()?;
            Ok(Kind::Flat(FlatConfig {
                parity_errors: flag(&options, "convertParityErrors")?,
                precompiles: flag(&options, "includePrecompiles")?,
                null_results: false,
            }))
        }
        "prestateTracer" => prestate(&options()?),
        "4byteTracer" => options().map(|_| Kind::Selectors),
        "noopTracer" => options().map(|_| Kind::Noop),
        "muxTracer" => Err(invalid("options.tracerConfig: a muxTracer cannot hold another one")),
        other => Err(unknown(other)),
    }
}

fn prestate(options: &Options) -> RpcResult<Kind> {
    let flag = |name: &str| Ok::<_, RpcError>(options.get::<bool>(name)?.unwrap_or(false));
    let (diff, empty, code) = (flag("diffMode")?, flag("includeEmpty")?, !flag("disableCode")?);
    if diff && empty {
        return Err(invalid("options.tracerConfig: cannot use diffMode with includeEmpty"));
    }
    let storage = !flag("disableStorage")?;
    Ok(Kind::Prestate(TouchedConfig { code, storage }, PrestateConfig { diff, empty, code }))
}

fn unknown(name: &str) -> RpcError {
    let name: String = name.chars().take(40).collect();
    // Code in place of a name has at least an object with functions.
    if name.contains(['{', '(']) {
        return invalid(format!("options.tracer: tracers in JavaScript are not supported; there are {TRACERS}"));
    }
    invalid(format!("options.tracer: {name:?} is not known; there are {TRACERS}, and struct logs without any"))
}
