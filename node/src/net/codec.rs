//! Questions and answers on a stream: four bytes of length, little-endian, then the message. Runs on the connection's task,
//! so that bytes are decoded there and not where all peers wait.

use chain_core::codec::CodecError;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};
use std::io::{self, ErrorKind};

use crate::wire::{Message, Request, Response};

/// Reads and writes messages of at most their own length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Codec;

/// What was read: a message, or why it is none. Only what ends the stream early is an error: libp2p tells nobody of
/// questions that cannot be read, but whoever asks them is to be held to account.
pub type Read<M> = Result<M, CodecError>;

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Read<Request>;
    type Response = Read<Response>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Read<Request>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Read<Response>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let response = read(io).await?;
        if let Ok(Response::Blocks(bodies)) = &response {
            bodies.iter().for_each(crate::wire::Body::prepare);
        }
        Ok(response)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Read<Request>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, request).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Read<Response>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, response).await
    }
}

/// Reads one message. A length that is too large is refused before anything is allocated for it, and memory grows only
/// with the bytes that came.
async fn read<M: Message>(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Read<M>> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_le_bytes(length);
    // No message is so large that the cast could cut it.
    if length as usize > M::MOST_BYTES {
        return Ok(Err(CodecError::TooLong { got: length as usize, limit: M::MOST_BYTES }));
    }
    let mut bytes = Vec::new();
    io.take(length.into()).read_to_end(&mut bytes).await?;
    if bytes.len() < length as usize {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(M::decode(&bytes))
}

async fn write<M: Message>(io: &mut (impl AsyncWrite + Unpin), message: Read<M>) -> io::Result<()> {
    let bytes = message.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?.encode();
    let length = u32::try_from(bytes.len()).map_err(|_| ErrorKind::InvalidInput)?;
    io.write_all(&length.to_le_bytes()).await?;
    io.write_all(&bytes).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};

    fn read_bytes(bytes: &[u8]) -> io::Result<Read<Request>> {
        block_on(read(&mut Cursor::new(bytes)))
    }

    fn framed(length: u32, bytes: &[u8]) -> Vec<u8> {
        [&length.to_le_bytes(), bytes].concat()
    }

    #[test]
    fn a_message_survives_the_way() {
        let request = Request::Pool { salt: 7 };
        let mut bytes = Cursor::new(Vec::new());
        block_on(write(&mut bytes, Ok(request.clone()))).unwrap();
        assert_eq!(read_bytes(&bytes.into_inner()).unwrap(), Ok(request));
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_a_byte_is_read() {
        let limit = Request::MOST_BYTES;
        for got in [limit + 1, u32::MAX as usize] {
            let read = read_bytes(&framed(u32::try_from(got).unwrap(), &[])).unwrap();
            assert_eq!(read, Err(CodecError::TooLong { got, limit }));
        }
        let full = framed(u32::try_from(limit).unwrap(), &vec![0xff; limit]);
        assert!(matches!(read_bytes(&full).unwrap(), Err(CodecError::Malformed(_))), "the limit itself is read");
    }

    #[test]
    fn a_promise_that_is_not_kept_is_the_end_of_the_stream() {
        let error = read_bytes(&framed(400_000, &[1, 2, 3])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(read_bytes(&[1, 0]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn bytes_that_are_no_message_are_told_as_such() {
        assert!(matches!(read_bytes(&framed(2, &[200, 0])).unwrap(), Err(CodecError::Malformed(_))));
    }
}
