//! What a terminal is asked for: nothing where there is none, or where the user says no.

use std::{env, io::IsTerminal};

/// Whether text for this stream may have colours: on a terminal, unless NO_COLOR is set (<https://no-color.org>) or the
/// terminal is dumb.
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    moves(stream) && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether the cursor may be moved on this stream, for bars and tables that stay in place.
pub fn moves(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && env::var_os("TERM").is_none_or(|name| name != "dumb")
}
