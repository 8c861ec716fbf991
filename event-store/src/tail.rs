//! Reading on in a partition after the takeover, for the streams that other services open there.
//!
//! Our own events need no reading: nobody else can append them, and the writer has applied them when it decided them. A
//! service whose streams nobody else opens never reads on.

use std::time::{Duration, Instant};

use domain::Context;

use crate::{
    codec::{self, Interned},
    envelope::Position,
    log::{Log, LogError, Reader},
    stream::StreamIdOf,
    streams::Streams,
    subscription::StartAt,
};

/// How long a command may wait for the tail. Another service's open transaction, whose records stay hidden, makes it long.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one wait for a record may be; between waits the position is looked at, which goes past control records.
const POLL: Duration = Duration::from_millis(2);
/// At most so many records are passed between two turns: more than a turn of our own adds, so that a busy writer keeps up.
const AT_ONCE: usize = 4_000;
/// Reading so many of our own records again at a restart takes some tenths of a second.
const FAR_BEHIND: i64 = 50_000;

/// What follows in the log after what was rehydrated.
pub(crate) struct Tail<L: Log> {
    log: L,
    /// Where to begin when the reader is opened.
    from: Vec<StartAt>,
    /// For each of these, where our own events end that were appended since.
    appended_to: Vec<i64>,
    /// Opened when it is needed first.
    reader: Option<L::Reader>,
    interned: Interned,
}

impl<L: Log> Tail<L> {
    pub(crate) fn new(log: L, from: Vec<StartAt>) -> Self {
        Self {
            log,
            appended_to: from.iter().map(|place| place.next_offset).collect(),
            from,
            reader: None,
            interned: Interned::default(),
        }
    }

    /// Where it stands in each topic.
    pub(crate) fn places(&self) -> Vec<StartAt> {
        let mut places = self.from.clone();
        if let Some(reader) = &self.reader {
            for place in &mut places {
                place.next_offset = reader.position(&place.topic, place.partition);
            }
        }
        places
    }

    /// Notes where a batch of ours lies.
    pub(crate) fn appended(&mut self, positions: &[Position]) {
        for (place, end) in self.from.iter().zip(&mut self.appended_to) {
            let mut last_first = positions.iter().rev();
            if let Some(last) = last_first.find(|position| position.topic == place.topic) {
                *end = last.offset + 1;
            }
        }
    }

    /// Begins to read on where so much has come meanwhile that a restart, or a command that needs what others opened, would be long
    /// about it.
    pub(crate) fn follow(&mut self) -> Result<(), LogError> {
        let mut ends = self.from.iter().zip(&self.appended_to);
        let is_behind = ends.any(|(place, end)| end - place.next_offset > FAR_BEHIND);
        if self.reader.is_none() && is_behind {
            self.reader = Some(self.log.reader(&self.from)?);
        }
        Ok(())
    }

    /// Whether it has been needed, and so is to be kept near the end.
    pub(crate) fn is_open(&self) -> bool {
        self.reader.is_some()
    }

    /// Reads on until all these streams are known, or to where the partition ends now.
    pub(crate) fn read_on<C: Context>(
        &mut self,
        streams: &mut Streams<C>,
        mut sought: Vec<StreamIdOf<C>>,
    ) -> Result<(), LogError> {
        let until = Instant::now() + PATIENCE;
        let places: Vec<_> = self.from.iter().map(StartAt::place).collect();
        let ends = self.log.end_offsets(&places)?;
        while !sought.is_empty() && !self.has_reached(&ends) {
            if Instant::now() > until {
                return Err(LogError::Unavailable {
                    attempted: "reading the partition's tail",
                    reason: format!("took more than {} ms", PATIENCE.as_millis()),
                });
            }
            if self.step(streams, POLL)? == Step::Opened {
                sought.retain(|stream| !streams.knows(stream));
            }
        }
        Ok(())
    }

    /// Passes what is there, without waiting.
    pub(crate) fn drain<C: Context>(&mut self, streams: &mut Streams<C>) -> Result<(), LogError> {
        for _ in 0..AT_ONCE {
            if !self.is_open() || self.step(streams, Duration::ZERO)? == Step::Nothing {
                break;
            }
        }
        Ok(())
    }

    fn has_reached(&self, ends: &[i64]) -> bool {
        let position = |start: &StartAt| match &self.reader {
            Some(reader) => reader.position(&start.topic, start.partition),
            None => start.next_offset,
        };
        self.from
            .iter()
            .zip(ends)
            .all(|(start, end)| position(start) >= *end)
    }

    fn step<C: Context>(
        &mut self,
        streams: &mut Streams<C>,
        wait: Duration,
    ) -> Result<Step, LogError> {
        let stepped = self.try_step(streams, wait);
        if stepped.is_err() {
            self.close();
        }
        stepped
    }

    fn try_step<C: Context>(
        &mut self,
        streams: &mut Streams<C>,
        wait: Duration,
    ) -> Result<Step, LogError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(self.log.reader(&self.from)?),
        };
        let interned = &mut self.interned;
        let foreign = reader.poll(wait, |record| {
            let source = streams.source();
            let ours = codec::source(record) == Some(source);
            (!ours).then(|| {
                let position = codec::position(record, interned);
                Ok((position, codec::replayed(record, source)?))
            })
        })?;
        let Some(foreign) = foreign else {
            return Ok(Step::Nothing);
        };
        let opened = match foreign.transpose()? {
            Some((position, replayed)) => streams.adopt(&position, &replayed),
            None => false,
        };
        Ok(if opened { Step::Opened } else { Step::Passed })
    }

    /// Lets go of the reader; the next one begins where it was.
    fn close(&mut self) {
        if let Some(reader) = self.reader.take() {
            for start in &mut self.from {
                start.next_offset = reader.position(&start.topic, start.partition);
            }
        }
    }
}

/// What one look at the log has shown.
#[derive(PartialEq, Eq)]
enum Step {
    Nothing,
    Passed,
    Opened,
}
