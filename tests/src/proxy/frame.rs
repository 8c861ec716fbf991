//! Requests and answers as Kafka frames them: four bytes of length, then so many bytes. Only the head is looked at.

use std::{fmt, io};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What the broker takes at most (`socket.request.max.bytes`).
const MAX_LENGTH: usize = 100 << 20;
const LENGTH: usize = 4;

/// One request or one answer, its length included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Vec<u8>);

impl Frame {
    /// The next frame; none where the other side has closed the connection between two frames.
    ///
    /// # Errors
    /// When the connection breaks within a frame, or carries something else.
    pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut length = [0; LENGTH];
        if from.read(&mut length[..1]).await? == 0 {
            return Ok(None);
        }
        from.read_exact(&mut length[1..]).await?;
        let body = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if body > MAX_LENGTH {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a frame of {body} bytes"),
            ));
        }
        let mut bytes = length.to_vec();
        bytes.resize(LENGTH + body, 0);
        from.read_exact(&mut bytes[LENGTH..]).await?;
        Ok(Some(Self(bytes)))
    }

    /// All of it, as it goes over the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the request asks for.
    #[must_use]
    pub fn api(&self) -> Api {
        self.i16_at(0).map_or(Api::Other(-1), Api::of)
    }

    /// Who asks, as the client calls itself.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        let length = usize::try_from(self.i16_at(8)?).ok()?;
        std::str::from_utf8(self.0.get(LENGTH + 10..LENGTH + 10 + length)?).ok()
    }

    /// The error code that an answer to EndTxn carries, in the shape of versions 0 to 2.
    #[must_use]
    pub fn end_txn_error(&self) -> Option<i16> {
        // After the correlation id and the throttle time.
        self.i16_at(8)
    }

    fn i16_at(&self, place: usize) -> Option<i16> {
        let bytes = self.0.get(LENGTH + place..LENGTH + place + 2)?;
        Some(i16::from_be_bytes(bytes.try_into().ok()?))
    }
}

/// The kinds of requests that faults are aimed at, by Kafka's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Api {
    /// Appends records.
    Produce,
    /// Reads records.
    Fetch,
    /// Asks where a partition begins and ends.
    ListOffsets,
    /// Asks for brokers, topics and partitions.
    Metadata,
    /// Asks which broker coordinates a group or a transactional id.
    FindCoordinator,
    /// Joins a consumer group.
    JoinGroup,
    /// Tells a group that a member lives.
    Heartbeat,
    /// Asks for a member's share.
    SyncGroup,
    /// Notes a group's offsets.
    OffsetCommit,
    /// Asks which versions the broker speaks: first on every connection.
    ApiVersions,
    /// Fences earlier producers.
    InitProducerId,
    /// Makes partitions part of a transaction.
    AddPartitionsToTxn,
    /// Commits or aborts.
    EndTxn,
    /// Any other, by number.
    Other(i16),
}

impl Api {
    fn of(key: i16) -> Self {
        match key {
            0 => Self::Produce,
            1 => Self::Fetch,
            2 => Self::ListOffsets,
            3 => Self::Metadata,
            8 => Self::OffsetCommit,
            10 => Self::FindCoordinator,
            11 => Self::JoinGroup,
            12 => Self::Heartbeat,
            14 => Self::SyncGroup,
            18 => Self::ApiVersions,
            22 => Self::InitProducerId,
            24 => Self::AddPartitionsToTxn,
            26 => Self::EndTxn,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(key) => write!(f, "request {key}"),
            known => fmt::Debug::fmt(known, f),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A request as a client sends it: key, version, correlation id, client id, and something more.
    pub(in crate::proxy) fn request(api_key: i16, correlation_id: i32, client_id: &str) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(api_key.to_be_bytes());
        body.extend(1_i16.to_be_bytes());
        body.extend(correlation_id.to_be_bytes());
        body.extend(i16::try_from(client_id.len()).expect("short").to_be_bytes());
        body.extend(client_id.as_bytes());
        body.extend(b"payload");
        let length = i32::try_from(body.len()).expect("short").to_be_bytes();
        [&length[..], &body].concat()
    }

    #[tokio::test]
    async fn a_request_says_what_it_is_and_whose() {
        let bytes = [request(26, 7, "run-3"), request(99, 8, "")].concat();
        let mut wire = &bytes[..];
        let first = Frame::read(&mut wire).await.expect("whole").expect("there");
        assert_eq!(first.api(), Api::EndTxn);
        assert_eq!(first.client_id(), Some("run-3"));
        assert_eq!(first.bytes(), request(26, 7, "run-3"));
        let second = Frame::read(&mut wire).await.expect("whole").expect("there");
        assert_eq!(second.api(), Api::Other(99));
        assert_eq!(second.client_id(), Some(""));
        assert_eq!(Frame::read(&mut wire).await.expect("closed"), None);
    }

    #[tokio::test]
    async fn what_is_cut_or_no_frame_is_an_error() {
        let whole = request(0, 1, "run");
        for cut in [2, 4, whole.len() - 1] {
            let read = Frame::read(&mut &whole[..cut]).await;
            assert!(read.is_err(), "{cut}: {read:?}");
        }
        let read = Frame::read(&mut &b"GET / HTTP/1.1"[..]).await;
        assert!(read.is_err(), "{read:?}");
    }

    #[tokio::test]
    async fn the_error_of_an_answered_commit_is_found() {
        let mut answer = Vec::new();
        answer.extend(10_i32.to_be_bytes());
        answer.extend(7_i32.to_be_bytes());
        answer.extend(0_i32.to_be_bytes());
        answer.extend(47_i16.to_be_bytes());
        let frame = Frame::read(&mut &answer[..]).await.expect("whole");
        assert_eq!(frame.expect("there").end_txn_error(), Some(47));
    }
}
