//! Requests that cannot be read as HTTP get the shape of failures too.
//!
//! The HTTP engine refuses them on its own, with an empty body, and offers no say in it. Its refusal
//! is recognised on the way out (of all answers it is the only one without a request id) and
//! completed. No other answer is touched, and none but a refusal is looked at beyond its first line.
//! Such a request has no surface and no caller, so it is logged and not audited.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use app::{Code, Error};
use bytes::{Buf as _, Bytes};
use domain::clock::Clock as _;
use domain::random::uuid_v7;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::conventions::surface::Surface;
use crate::ambient::{SystemClock, SystemRandom};

/// What the engine sends in place of a body.
const NO_BODY: &str = "content-length: 0\r\n";

/// A connection whose bare refusals are completed.
pub(super) struct Completing<S> {
    stream: S,
    /// What is left to send of a completed refusal.
    waiting: Bytes,
}

impl<S> Completing<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            waiting: Bytes::new(),
        }
    }
}

impl<S: AsyncWrite + Unpin> Completing<S> {
    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let stream = Pin::new(&mut self.stream);
            let written = ready!(stream.poll_write(context, &self.waiting))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Completing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.as_mut()
            .poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_waiting(context))?;
        if let [only] = slices
            && let Some(completed) = completed(only)
        {
            // Taken over as a whole; a flush, which always follows, sees it off.
            self.waiting = completed;
            return Poll::Ready(Ok(only.len()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_waiting(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_waiting(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Completing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

/// The completed form of a bare refusal; none for anything else.
fn completed(bytes: &[u8]) -> Option<Bytes> {
    let status = match bytes.get(..12)? {
        b"HTTP/1.1 400" | b"HTTP/1.0 400" => 400,
        b"HTTP/1.1 414" | b"HTTP/1.0 414" => 414,
        b"HTTP/1.1 431" | b"HTTP/1.0 431" => 431,
        _ => return None,
    };
    let head = std::str::from_utf8(bytes).ok()?;
    if !head.ends_with("\r\n\r\n") || head.contains("x-request-id:") {
        return None;
    }
    let (before, after) = head.split_once(NO_BODY)?;
    let id = uuid_v7(SystemClock.now(), &SystemRandom).to_string();
    let error = refusal(status);
    let code = error.problem().code.as_str();
    tracing::info!(request_id = id, status, code, "refused what is not HTTP");
    let body = Surface::Public.render(error.problem(), &id, "");
    let completed = format!(
        "{before}content-type: application/json\r\ncontent-length: {}\r\nx-request-id: {id}\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\n{after}",
        body.len()
    );
    Some([completed.as_bytes(), &body].concat().into())
}

fn refusal(status: u16) -> Error {
    let message = match status {
        414 => "The request's path is too long.",
        431 => "The request's headers are too large.",
        _ => "The request is not well-formed HTTP.",
    };
    Error::new(Code::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &[u8] =
        b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: today\r\n\r\n";

    #[test]
    fn a_bare_refusal_gets_a_body_of_the_length_it_says() {
        let text = String::from_utf8(completed(BARE).unwrap().to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"));
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "invalid_request");
        let id = body["error"]["request_id"].as_str().unwrap();
        assert!(head.contains(&format!("x-request-id: {id}\r\n")));
    }

    #[test]
    fn other_answers_pass_as_they_are() {
        let ours = String::from_utf8_lossy(BARE).replace("date:", "x-request-id: 1\r\ndate:");
        let fine = String::from_utf8_lossy(BARE).replace("400 Bad Request", "204 No Content");
        let cut = &BARE[..BARE.len() - 1];
        for bytes in [ours.as_bytes(), fine.as_bytes(), cut, b"HTTP", b"{}"] {
            assert!(completed(bytes).is_none());
        }
    }
}
