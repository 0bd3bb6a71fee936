//! The bodies of requests, counted as they come: a head that promises one costs its sender nothing, and so holds no room.

use hyper::{
    HeaderMap,
    body::{Body, Incoming},
    header,
};
use std::{future::poll_fn, pin::Pin, time::Duration};

use super::session::{Asked, Session};

/// A body may take so many milliseconds, or come at so many bytes a millisecond (1.4 Mbit/s) if that takes longer. Who sends all but
/// the last bytes holds no room for longer.
const BODY: u64 = 30_000;
const RATE: u64 = 167;
/// One that is not taken is read and dropped for so long.
const LINGER: Duration = Duration::from_secs(10);

/// Why a body is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It has more bytes than are read at most.
    #[error("the body is too long")]
    TooLong,
    /// All connections together send too much.
    #[error("too many large requests at once")]
    Busy,
    /// It does not come.
    #[error("the body took too long")]
    Late,
    /// The connection broke.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

/// How long the sender says that the body is, if it says so.
pub fn promised(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.map_or(0, |length| length.parse().unwrap_or(u64::MAX))
}

/// The whole body, and what counts it.
///
/// # Errors
/// [`Unread`]; a sender that goes on for a while sees the answer.
pub async fn read(mut body: Incoming, most: usize, session: &Session) -> Result<(Vec<u8>, Asked), Unread> {
    let limit = Duration::from_millis(BODY.max(most as u64 / RATE));
    let read = tokio::time::timeout(limit, collect(&mut body, most, session)).await.unwrap_or(Err(Unread::Late));
    if matches!(read, Err(Unread::TooLong | Unread::Busy | Unread::Late)) {
        discard(body).await;
    }
    read
}

async fn collect(body: &mut Incoming, most: usize, session: &Session) -> Result<(Vec<u8>, Asked), Unread> {
    let (mut text, mut asked) = (Vec::new(), session.nothing_asked());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
        // Trailers are no part of the text.
        if let Ok(data) = frame?.into_data() {
            text.extend_from_slice(&data);
        }
        if text.len() > most {
            return Err(Unread::TooLong);
        }
        if !asked.raise(text.len()) {
            return Err(Unread::Busy);
        }
    }
    Ok((text, asked))
}

/// Reads on for a while and keeps nothing: who is still sending when the connection ends would never see the answer.
pub async fn discard(mut body: Incoming) {
    let all = async { while let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {} };
    // A client that sends for longer gets no answer.
    let _ = tokio::time::timeout(LINGER, all).await;
}
