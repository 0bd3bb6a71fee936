//! Log lines: to the standard error, to memory of bounded size, and to a file of bounded size if asked.

use cairn_client::disguises;
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fmt,
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    panic::PanicHookInfo,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tracing::field::Field;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    field::MakeExt,
    fmt::{
        format::{Writer, debug_fn},
        time::{FormatTime, SystemTime as Precise},
    },
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    config::{ConfigError, LogConfig, LogFormat},
    error::CommandError,
    log_file::BoundedFile,
    log_queue::LineQueue,
    log_tail::TailWriter,
    output,
};

/// Libraries whose lines outsiders can provoke stay quiet unless asked for.
const QUIET: &str = "jsonrpsee=error,jsonrpsee_server=error,jsonrpsee_core=error,hyper=error,soketto=error,libp2p=off,\
                     multistream_select=off,yamux=off,quinn=off,rustls=off,netlink=off,hickory=off,if_watch=off";

/// Whether the standard error has lines of JSON alone.
static JSON: AtomicBool = AtomicBool::new(false);

/// How long the end of the process, or a panic, waits for lines to be written: nobody may read them.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// What waits for the standard error, and for the log file.
static STDERR: OnceLock<LineQueue> = OnceLock::new();
static FILE: OnceLock<LineQueue> = OnceLock::new();

/// Says what the standard error gets, before anything is logged.
pub(crate) fn write(format: LogFormat) {
    JSON.store(format == LogFormat::Json, Ordering::Relaxed);
}

/// Whether it gets JSON.
pub fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Says as a line of JSON why the process ends: to the log, if it takes errors, else to the standard error all the same.
pub fn fail_as_json(message: &str) {
    if tracing::enabled!(tracing::Level::ERROR) {
        return tracing::error!("{message}");
    }
    let layers = tracing_subscriber::registry().with(layer(LogFormat::Json, false, || Saying));
    tracing::subscriber::with_default(layers, || tracing::error!("{message}"));
}

/// Writes a line to the standard error, behind what was logged.
pub fn say(line: &str) {
    // It never fails.
    let _ = writeln!(Saying, "{line}");
}

/// Writes to the standard error and ignores that nobody reads it.
struct Saying;

impl Write for Saying {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match STDERR.get() {
            Some(queue) => queue.push(text),
            None => _ = io::stderr().write_all(text),
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits a second at most until what was logged is written.
pub fn flush() {
    let until = Instant::now() + LAST_WAIT;
    [&STDERR, &FILE].into_iter().filter_map(OnceLock::get).for_each(|queue| queue.flush(until));
}

/// Starts logging for the whole process.
///
/// # Errors
/// [`ConfigError`] for an invalid filter, and for a file that cannot be opened; and if there can be no threads that write.
pub(crate) fn start(config: &LogConfig) -> Result<(), CommandError> {
    let filter = filter(&config.level)?;
    let ansi = output::has_colours(&io::stderr());
    let failed = || CommandError::io("start the log");
    // Not `Stderr`, whose lock is held while it writes.
    let stderr = File::from(io::stderr().as_fd().try_clone_to_owned().map_err(failed())?);
    let stderr = queue(&STDERR, "log", stderr, "the standard error").map_err(failed())?;
    let mut layers = vec![layer(config.format, ansi, move || stderr.clone())];
    if let Some(path) = &config.file {
        let file = BoundedFile::open(path)
            .map_err(|error| ConfigError::LogFile { path: path.clone(), reason: error.to_string() })?;
        let file = queue(&FILE, "log-file", file, "the log file").map_err(failed())?;
        layers.push(layer(config.format, false, move || file.clone()));
    }
    layers.push(layer(LogFormat::Text, false, || TailWriter));
    // A second start in one process, as in tests, keeps the first.
    if tracing_subscriber::registry().with(layers.with_filter(filter)).try_init().is_ok() {
        std::panic::set_hook(Box::new(panicked));
    }
    Ok(())
}

/// Starts a queue that is the process's from now on.
fn queue(
    place: &OnceLock<LineQueue>,
    thread: &str,
    writer: impl Write + Send + 'static,
    what: &'static str,
) -> io::Result<LineQueue> {
    let queue = LineQueue::start(thread, writer, move |lines| {
        tracing::warn!(lines, "lines of the log were dropped: {what} did not take them in time");
    })?;
    Ok(place.get_or_init(|| queue).clone())
}

/// Says what the standard library would say of a panic, without blocking for ever if nobody reads the standard error.
fn panicked(panic: &PanicHookInfo<'_>) {
    let (thread, trace) = (thread::current(), Backtrace::capture());
    say(&format!("thread '{}' {panic}", thread.name().unwrap_or("<unnamed>")));
    if trace.status() == BacktraceStatus::Captured {
        say(&trace.to_string());
    }
    flush();
}

fn layer<W>(format: LogFormat, ansi: bool, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(writer);
    match format {
        LogFormat::Text => {
            layer.with_target(false).with_timer(Seconds).fmt_fields(debug_fn(field).delimited(" ")).boxed()
        }
        // docs/cairn-node.md promises the names of the fields.
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    }
}

/// UTC to the second, for people: `2026-11-28T04:23:22Z`.
struct Seconds;

impl FormatTime for Seconds {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        let mut text = String::new();
        Precise.format_time(&mut Writer::new(&mut text))?;
        out.write_str(text.split('.').next().unwrap_or(&text))?;
        out.write_char('Z')
    }
}

/// A field of a line for people. Hashes are cut to both ends, so that a line fits a terminal; with `--log.format json` they
/// are whole. What peers say may stand in it, so that nothing gets through that steers a terminal.
fn field(out: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    if field.name() != "message" {
        write!(out, "{}=", field.name())?;
    }
    let is_hash = text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_hash {
        return write!(out, "{}..{}", &text[..8], &text[56..]);
    }
    text.chars().try_for_each(|letter| match disguises(letter) {
        true => write!(out, "{}", letter.escape_default()),
        false => out.write_char(letter),
    })
}

fn filter(level: &str) -> Result<EnvFilter, ConfigError> {
    let wrong = || ConfigError::Value {
        flag: "--log.level",
        value: level.to_owned(),
        allowed: "expected error, warn, info, debug, trace, or a filter such as info,cairn_node::engine=debug"
            .to_owned(),
    };
    let level = match level {
        "0" | "1" => "error",
        "2" => "warn",
        "3" => "info",
        "4" => "debug",
        "5" => "trace",
        other => other,
    };
    let plain = ["off", "error", "warn", "info", "debug", "trace"].contains(&level);
    if !plain && !level.contains(['=', ',']) {
        return Err(wrong());
    }
    EnvFilter::try_new(format!("{QUIET},{level}")).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a test finds what was logged.
    #[derive(Clone, Default)]
    struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let copy = lines.clone();
        let layer = layer(format, false, move || copy.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn hashes_are_cut_in_lines_for_people_and_whole_for_programs() {
        let hash = "000000065c2f258e9af41714cc551d809dfe77fb39ab6fa1a4aeda06dbafab56";
        let log = || tracing::info!(height = 372, %hash, "block");
        let text = logged(LogFormat::Text, log);
        assert!(text.ends_with("Z  INFO block height=372 hash=00000006..dbafab56\n"), "{text}");
        let json = logged(LogFormat::Json, log);
        assert!(json.contains(hash), "{json}");
    }

    #[test]
    fn a_line_for_programs_has_the_documented_fields() {
        let lines = logged(LogFormat::Json, || {
            let span = tracing::info_span!("a library's", peer = 1);
            let _entered = span.enter();
            let odd = "\u{1b}[2J\n{\"level\":\"ERROR\"}";
            tracing::warn!(height = 7, share = 0.5, mined = true, agent = odd, hash = %"ab", "two\nlines");
        });
        assert_eq!(lines.matches('\n').count(), 1, "{lines}");
        assert!(!lines.contains('\u{1b}'), "{lines}");
        let mut line: serde_json::Value = serde_json::from_str(&lines).unwrap();
        let time = line["timestamp"].take();
        let time = time.as_str().unwrap();
        assert!(time.len() == 27 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
        let expected = serde_json::json!({
            "timestamp": null, "level": "WARN", "target": "cairn_node::logging::tests", "message": "two\nlines",
            "height": 7, "share": 0.5, "mined": true, "agent": "\u{1b}[2J\n{\"level\":\"ERROR\"}", "hash": "ab",
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn nothing_that_a_peer_says_steers_a_terminal() {
        let text = logged(LogFormat::Text, || {
            let agent = "\u{1b}[2Jcairn\n2026-11-28T04:23:22Z  INFO fine";
            tracing::warn!(%agent, "a peer says {agent}");
        });
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(text.contains("agent=\\u{1b}[2Jcairn\\n2026") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn refuses_a_level_that_is_none() {
        for odd in ["loud", "", "info=maybe"] {
            let error = filter(odd).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "--log.level {odd}: expected error, warn, info, debug, trace, or a filter such as \
                     info,cairn_node::engine=debug"
                )
            );
        }
        for good in ["info", "3", "debug,cairn_node::engine=trace", "cairn_node=debug"] {
            assert!(filter(good).is_ok(), "{good}");
        }
    }
}
