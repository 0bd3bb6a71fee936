//! The options of `debug_trace*`: which tracer, how it is set, and when it ends.

use std::{collections::BTreeMap, time::Duration};

use crate::rpc::{
    base::{Args, Call, Count, Object, Options, Overrides, Param, RpcError, RpcResult, invalid, param},
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

/// A duration as Go writes it: `5s`, `300ms`, `1m30s`, `1.5h`.
struct Timeout(Duration);

param!(Timeout, "a duration such as \"5s\", \"300ms\" or \"1m30s\"", |value| duration(value.as_str()?).map(Self));

/// Units of Go's durations, with those first that others begin with, in seconds.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("\u{b5}s", 1e-6),
    ("\u{3bc}s", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3_600.0),
];

fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?);
        let (unit, length) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        seconds += number.parse::<f64>().ok()? * length;
        rest = &after[unit.len()..];
    }
    // An empty text is malformed; longer durations are cut anyway.
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

impl Tracer {
    /// Reads the next argument.
    pub fn read(args: &mut Args) -> RpcResult<Self> {
        let options = options(args)?;
        Self::of(args, &options)
    }

    /// Reads the next argument of `debug_traceCall`.
    pub fn read_for_call(args: &mut Args) -> RpcResult<(Self, CallOptions)> {
        let options = options(args)?;
        let tx_index = options.get::<Count>("txIndex")?.map(|index| index.0);
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

/// Unknown ones are ignored, as in geth: Remix names some that no tracer has.
fn options(args: &mut Args) -> RpcResult<Options> {
    Ok(Options::lenient("options", args.optional()?.unwrap_or_default()))
}

fn steps(options: &Options) -> RpcResult<StepsConfig> {
    Ok(StepsConfig {
        memory: options.flag("enableMemory")?,
        stack: !options.flag("disableStack")?,
        storage: !options.flag("disableStorage")?,
        return_data: options.flag("enableReturnData")?,
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
    let options = Options::lenient("options.tracerConfig", config.unwrap_or_default());
    match name {
        "callTracer" => {
            Ok(Kind::Calls(CallConfig { only_top: options.flag("onlyTopCall")?, logs: options.flag("withLog")? }))
        }
        "flatCallTracer" => Ok(Kind::Flat(FlatConfig {
            parity_errors: options.flag("convertParityErrors")?,
            precompiles: options.flag("includePrecompiles")?,
            null_results: false,
        })),
        "prestateTracer" => prestate(&options),
        "4byteTracer" => Ok(Kind::Selectors),
        "noopTracer" => Ok(Kind::Noop),
        "muxTracer" => Err(invalid("options.tracerConfig: a muxTracer cannot hold another one")),
        other => Err(unknown(other)),
    }
}

fn prestate(options: &Options) -> RpcResult<Kind> {
    let (diff, empty, code) = (options.flag("diffMode")?, options.flag("includeEmpty")?, !options.flag("disableCode")?);
    if diff && empty {
        return Err(invalid("options.tracerConfig: cannot use diffMode with includeEmpty"));
    }
    let storage = !options.flag("disableStorage")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let milliseconds = |text| duration(text).map(|duration| duration.as_millis());
        let good =
            [("5s", 5_000), ("300ms", 300), ("1m0s", 60_000), ("2m30s", 150_000), ("1.5h", 5_400_000), ("0.5s", 500)];
        good.into_iter().for_each(|(text, want)| assert_eq!(milliseconds(text), Some(want), "{text}"));
        assert_eq!(duration("500us").unwrap(), duration("500\u{b5}s").unwrap());
        assert_eq!(duration(&format!("{}h", "9".repeat(400))), Some(Duration::MAX));
        for bad in ["", "5", "s", "5x", "-5s", "5s ", "1.2.3s", ".", "1e3s"] {
            assert_eq!(duration(bad), None, "{bad:?}");
        }
    }
}
