//! Bodies of requests that nobody has read to their end.
//!
//! What is left of one stands before the next request. Left there, it has the connection closed: a client that still writes
//! may lose its answer by that, and one that was not told loses its next request. So it is read and thrown away before the
//! answer goes out, within limits.
//! Invariant: an answer that leaves a part of the body where it is says `connection: close`.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::http::{HeaderValue, Request, Version, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// A request's body as routes read it; nothing where it is empty.
pub(super) struct Watched(Option<Arc<Mutex<Reading>>>);

/// The same body, for when the routes are done with it.
pub(super) struct Unread(Arc<Mutex<Reading>>);

struct Reading {
    body: Incoming,
    progress: Progress,
}

enum Progress {
    /// The client waits for `100 Continue`, which hyper sends when the body is first asked for.
    Withheld,
    Arriving,
    Ended,
    Broken,
}

/// Keeps hold of a request's body, if it has one.
pub(super) fn watch(request: Request<Incoming>) -> (Request<Watched>, Option<Unread>) {
    if request.body().is_end_stream() {
        return (request.map(|_| Watched(None)), None);
    }
    let progress = if waits_for_continue(&request) {
        Progress::Withheld
    } else {
        Progress::Arriving
    };
    let (parts, body) = request.into_parts();
    let reading = Arc::new(Mutex::new(Reading { body, progress }));
    let watched = Watched(Some(Arc::clone(&reading)));
    (Request::from_parts(parts, watched), Some(Unread(reading)))
}

/// As hyper sees it.
fn waits_for_continue(request: &Request<Incoming>) -> bool {
    let is_continue = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    let mut expected = request.headers().get_all(header::EXPECT).iter();
    request.version() > Version::HTTP_10 && expected.any(is_continue)
}

impl Unread {
    /// Reads what is left and throws it away, once the answer is known; whether the connection can take another request then.
    pub(super) async fn discard(self, max_bytes: u64, timeout: Duration) -> bool {
        // Somebody reads on, as where it is the answer's body, too.
        let Some(reading) = Arc::into_inner(self.0) else {
            return true;
        };
        let reading = reading.into_inner().unwrap_or_else(PoisonError::into_inner);
        match reading.progress {
            Progress::Ended => true,
            Progress::Withheld | Progress::Broken => false,
            Progress::Arriving => {
                let to_its_end = drain(reading.body, max_bytes);
                tokio::time::timeout(timeout, to_its_end)
                    .await
                    .unwrap_or(false)
            }
        }
    }
}

/// Whether the body has come to its end.
async fn drain(mut body: Incoming, max_bytes: u64) -> bool {
    // What is declared to be too much is not begun with.
    if body.size_hint().lower() > max_bytes {
        return false;
    }
    let mut left = max_bytes;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return false;
        };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        if length > left {
            return false;
        }
        left -= length;
    }
    true
}

impl Watched {
    fn reading(&self) -> Option<MutexGuard<'_, Reading>> {
        let reading = self.0.as_ref()?;
        Some(reading.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(mut reading) = self.reading() else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(&mut reading.body).poll_frame(context);
        reading.progress = match &polled {
            Poll::Pending | Poll::Ready(Some(Ok(_))) => Progress::Arriving,
            Poll::Ready(None) => Progress::Ended,
            Poll::Ready(Some(Err(_))) => Progress::Broken,
        };
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.reading()
            .is_none_or(|reading| reading.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.reading().map_or_else(
            || SizeHint::with_exact(0),
            |reading| reading.body.size_hint(),
        )
    }
}
