//! Questions and answers on a stream: four bytes of length, little-endian, then the message. Runs on the connection's task,
//! so that bytes are decoded there and not where all peers wait.

use chain_core::codec::CodecError;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};
use std::io::{self, ErrorKind};

use crate::{
    metrics,
    wire::{BLOCKS_TRANSACTIONS, Body, Message, Request, Response},
};

/// Reads and writes messages of at most their own length. A stream has one of its own, which writes the question before it
/// reads the answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Codec {
    expected: Answer,
}

/// The answer that a question has at most.
#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    bytes: usize,
    blocks: bool,
}

/// What was read: a message, or why it is invalid. Only what ends the stream early is an error: libp2p tells nobody of
/// questions that cannot be read, but the peer that asks them gets points.
pub type Read<M> = Result<M, CodecError>;

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Read<Request>;
    type Response = Read<Response>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Read<Request>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, Request::MOST_BYTES).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Read<Response>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let response = read(io, self.expected.bytes).await?;
        match &response {
            Ok(Response::Blocks(bodies)) if self.expected.blocks => match prepare(bodies) {
                Ok(()) => Ok(response),
                Err(error) => Ok(Err(error)),
            },
            _ => Ok(response),
        }
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Read<Request>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        if let Ok(request) = &request {
            let blocks = matches!(request, Request::Blocks(_));
            self.expected = Answer { bytes: request.most_answer_bytes(), blocks };
        }
        write(io, request).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Read<Response>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, response).await
    }
}

/// Decodes the blocks of an answer, unless they claim more transactions than may be decoded at once.
fn prepare(bodies: &[Body]) -> Result<(), CodecError> {
    let count = bodies.iter().fold(0, |sum: usize, body| sum.saturating_add(body.claimed_transactions()));
    if count > BLOCKS_TRANSACTIONS {
        let text = format!("blocks of {count} transactions in one answer, the limit is {BLOCKS_TRANSACTIONS}");
        return Err(CodecError::Malformed(text));
    }
    bodies.iter().for_each(Body::prepare);
    Ok(())
}

/// Reads one message. A length that is too large is refused before anything is allocated for it, and memory grows only
/// with the bytes that came.
async fn read<M: Message>(io: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Read<M>> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_le_bytes(length);
    // No message is so large that the cast could cut it.
    if length as usize > limit {
        return Ok(Err(CodecError::TooLong { got: length as usize, limit }));
    }
    let mut bytes = Vec::new();
    io.take(length.into()).read_to_end(&mut bytes).await?;
    if bytes.len() < length as usize {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let message = M::decode(&bytes);
    if let (Ok(message), Some(metrics)) = (&message, metrics::on()) {
        metrics.net.received(message.name(), bytes.len());
    }
    Ok(message)
}

async fn write<M: Message>(io: &mut (impl AsyncWrite + Unpin), message: Read<M>) -> io::Result<()> {
    let message = message.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    let bytes = message.encode();
    if let Some(metrics) = metrics::on() {
        metrics.net.sent(message.name(), bytes.len());
    }
    let length = u32::try_from(bytes.len()).map_err(|_| ErrorKind::InvalidInput)?;
    io.write_all(&length.to_le_bytes()).await?;
    io.write_all(&bytes).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{HEADERS, POOL, ShortId};
    use chain_core::{
        block::header::Header,
        hash::{BlockHash, TxId},
    };
    use futures::{executor::block_on, io::Cursor};

    fn read_bytes(bytes: &[u8]) -> io::Result<Read<Request>> {
        block_on(read(&mut Cursor::new(bytes), Request::MOST_BYTES))
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

    /// What is read after this question, when the peer answers with that.
    fn asked(question: Request, answer: &Response) -> Read<Response> {
        use request_response::Codec as _;
        let (protocol, mut codec) = (StreamProtocol::new("/test"), Codec::default());
        let bytes = answer.encode();
        let framed = framed(u32::try_from(bytes.len()).unwrap(), &bytes);
        block_on(async {
            codec.write_request(&protocol, &mut Cursor::new(Vec::new()), Ok(question)).await.unwrap();
            codec.read_response(&protocol, &mut Cursor::new(framed)).await.unwrap()
        })
    }

    /// A block of this many transactions of four bytes, without inputs or outputs.
    fn tiny(count: u16) -> Body {
        let transactions = [1, 0, 0, 0].repeat(count.into());
        Body::new([&[0; 80][..], &[251], &count.to_le_bytes(), &transactions].concat())
    }

    #[test]
    fn blocks_of_more_transactions_than_the_fullest_block_are_not_decoded() {
        let question = Request::Blocks(vec![BlockHash([0; 32]); 2]);
        let full = Response::Blocks(vec![tiny(u16::MAX)]);
        assert_eq!(asked(question.clone(), &full), Ok(full));
        let two = Response::Blocks(vec![tiny(u16::MAX), tiny(300)]);
        let text = "blocks of 65835 transactions in one answer, the limit is 65536";
        assert_eq!(asked(question, &two), Err(CodecError::Malformed(text.to_owned())));
    }

    #[test]
    fn an_answer_longer_than_its_question_allows_is_refused_before_it_is_read() {
        let headers = |count| Response::Headers(vec![Header::from_bytes(&[0; 80]); count]);
        let question = Request::Headers { locator: vec![BlockHash([0; 32])], most: 3 };
        assert_eq!(asked(question.clone(), &headers(3)), Ok(headers(3)));
        let got = headers(HEADERS).encode().len();
        assert_eq!(asked(question, &headers(HEADERS)), Err(CodecError::TooLong { got, limit: 1_024 + 3 * 80 }));
        let blocks = Response::Blocks(vec![tiny(1_000)]);
        let got = blocks.encode().len();
        let announce = Request::Announce(vec![TxId([0; 32])]);
        assert_eq!(asked(announce, &blocks), Err(CodecError::TooLong { got, limit: 1_024 }));
        let pool = Response::ShortIds(vec![ShortId([1; 6]); POOL]);
        assert_eq!(asked(Request::Pool { salt: 1 }, &pool), Ok(pool));
    }

    #[test]
    fn bytes_that_are_no_message_are_told_as_such() {
        assert!(matches!(read_bytes(&framed(2, &[200, 0])).unwrap(), Err(CodecError::Malformed(_))));
    }
}
