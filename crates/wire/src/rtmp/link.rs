//! What both ends of a connection do once the handshake is over: chunks, acknowledgements, pings, the answers' buffer.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::chunk::{self, Message};
use super::command::{self, Command};
use super::limits::{
    ACK_WINDOW, ACK_WINDOW_MIN, CHUNK_BYTES_DEFAULT, COMMAND_BYTES_MAX, COMMAND_WINDOW, COMMANDS_MAX,
    OUTPUT_BYTES_MAX,
};
use super::message::{self, AggregateError, Control, Media, TYPE_AGGREGATE, TYPE_COMMAND, TYPE_COMMAND_AMF3};
use super::{handshake, name};
use crate::amf0::Value;

/// Why a session ended. After an error [`poll_transmit`](super::server::Session::poll_transmit) may still give a last
/// message that tells the peer; then the connection is to be closed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The handshake failed.
    #[error("handshake: {0}")]
    Handshake(#[from] handshake::Error),
    /// The chunks are broken.
    #[error(transparent)]
    Chunk(#[from] chunk::Error),
    /// A command is no command.
    #[error("command message ending at byte {at}: {source}")]
    Command {
        /// Bytes after the handshake, up to the end of the message.
        at: u64,
        /// What is wrong with it.
        source: command::Error,
    },
    /// A command longer than [`COMMAND_BYTES_MAX`].
    #[error("command message of {len} bytes ending at byte {at}")]
    CommandTooLong {
        /// Bytes after the handshake, up to the end of the message.
        at: u64,
        /// Its bytes.
        len: usize,
    },
    /// More than [`COMMANDS_MAX`] in [`COMMAND_WINDOW`].
    #[error("more than {COMMANDS_MAX} commands in {COMMAND_WINDOW:?}")]
    TooManyCommands,
    /// An aggregate is broken.
    #[error(transparent)]
    Aggregate(#[from] AggregateError),
    /// The peer asks without reading our answers: more than [`OUTPUT_BYTES_MAX`] wait.
    #[error("{len} bytes of answers wait for a peer that does not read")]
    OutputFull {
        /// Bytes waiting.
        len: usize,
    },
    /// More media than [`super::limits::UNDECIDED_BYTES_MAX`] came before its publisher was accepted.
    #[error("{len} bytes of media before publishing was accepted")]
    UndecidedTooLarge {
        /// Bytes held back.
        len: usize,
    },
    /// A name that is refused.
    #[error("stream name: {0}")]
    Name(#[from] name::Error),
    /// A command that this state of the session does not allow, such as `publish` while playing.
    #[error("{command} is not allowed {state}")]
    OutOfOrder {
        /// The command.
        command: &'static str,
        /// When it came.
        state: &'static str,
    },
    /// The other end refused what we asked for.
    #[error("refused: {} {}", .0.code, .0.description)]
    Refused(command::Status),
    /// Handshake, `connect` and `publish` or `play` took longer than configured.
    #[error("not set up after {0:?}")]
    SetUpTimeout(Duration),
    /// Nothing came for as long as configured, pings included.
    #[error("silent for {0:?}")]
    Idle(Duration),
}

/// A message for the session above.
pub(super) enum Incoming {
    /// Audio, video or script data on a media stream.
    Media(Media),
    /// The media of an aggregate.
    Aggregate(Vec<Media>),
    /// A command and the message stream it came on.
    Command(Command),
    /// The rest of control messages.
    Control(Control),
}

/// The state of the connection below commands.
#[derive(Debug)]
pub(super) struct Link {
    reader: chunk::Reader,
    output: BytesMut,
    chunk_size_out: u32,
    ack_window: u32,
    /// Reader position at the last acknowledgement.
    acked_at: u64,
    peer_acknowledged: u32,
    commands: u32,
    commands_since: Instant,
    last_input: Instant,
    pinged: bool,
}

impl Link {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            reader: chunk::Reader::new(),
            output: BytesMut::new(),
            chunk_size_out: CHUNK_BYTES_DEFAULT,
            ack_window: ACK_WINDOW,
            acked_at: 0,
            peer_acknowledged: 0,
            commands: 0,
            commands_since: now,
            last_input: now,
            pinged: false,
        }
    }

    /// Any bytes came.
    pub(super) fn touch(&mut self, now: Instant) {
        self.last_input = now;
        self.pinged = false;
    }

    pub(super) fn output_mut(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// The output and nothing of its allocation kept: an idle viewer's session holds none.
    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        (!self.output.is_empty()).then(|| std::mem::take(&mut self.output).freeze())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.reader.heap_bytes() + self.output.capacity()
    }

    pub(super) const fn peer_acknowledged(&self) -> u32 {
        self.peer_acknowledged
    }

    pub(super) const fn chunk_size_out(&self) -> u32 {
        self.chunk_size_out
    }

    /// The next message that is not ours to answer. `None` when `input` is consumed.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, Error> {
        loop {
            let message = self.reader.read(input)?;
            self.acknowledge()?;
            let Some(message) = message else { return Ok(None) };
            if let Some(incoming) = self.sort(message)? {
                return Ok(Some(incoming));
            }
        }
    }

    fn sort(&mut self, message: Message) -> Result<Option<Incoming>, Error> {
        if let Some(control) = Control::parse(&message) {
            return Ok(self.handle_control(control));
        }
        Ok(match message.header.type_id {
            TYPE_COMMAND => Some(Incoming::Command(self.command(&message.payload)?)),
            TYPE_COMMAND_AMF3 => match message::amf0_of_amf3(message.payload) {
                Some(payload) => Some(Incoming::Command(self.command(&payload)?)),
                None => None,
            },
            TYPE_AGGREGATE => Some(Incoming::Aggregate(message::unpack(&message)?)),
            _ => message::media(message).map(Incoming::Media),
        })
    }

    /// Follows what is about the connection itself; gives on what the session wants to know.
    fn handle_control(&mut self, control: Control) -> Option<Incoming> {
        match control {
            Control::Acknowledgement(count) => self.peer_acknowledged = count,
            Control::WindowAckSize(size) => self.ack_window = size.max(ACK_WINDOW_MIN),
            // We never have more under way than the kernel takes; the window answers the request (§5.4.5).
            Control::SetPeerBandwidth(size) => Control::WindowAckSize(size).write(&mut self.output),
            Control::Ping(number) => Control::Pong(number).write(&mut self.output),
            Control::Pong(_) => {}
            Control::StreamBegin(_) | Control::StreamEof(_) | Control::BufferLength { .. } => {
                return Some(Incoming::Control(control));
            }
        }
        None
    }

    fn command(&mut self, payload: &[u8]) -> Result<Command, Error> {
        let at = self.reader.position();
        if payload.len() > COMMAND_BYTES_MAX {
            return Err(Error::CommandTooLong { at, len: payload.len() });
        }
        if self.last_input.duration_since(self.commands_since) >= COMMAND_WINDOW {
            self.commands_since = self.last_input;
            self.commands = 0;
        }
        self.commands += 1;
        if self.commands > COMMANDS_MAX {
            return Err(Error::TooManyCommands);
        }
        Command::parse(payload).map_err(|source| Error::Command { at, source })
    }

    /// §5.4.3, at half the window: a peer that stops at a full window never has to. The count wraps at 2^32.
    fn acknowledge(&mut self) -> Result<(), Error> {
        let position = self.reader.position();
        if position - self.acked_at >= u64::from(self.ack_window / 2) {
            self.acked_at = position;
            Control::Acknowledgement(position as u32).write(&mut self.output);
        }
        match self.output.len() {
            len if len > OUTPUT_BYTES_MAX => Err(Error::OutputFull { len }),
            _ => Ok(()),
        }
    }

    /// Announces our chunk size and uses it from here on.
    pub(super) fn set_chunk_size_out(&mut self, size: u32) {
        message::write_chunk_size(&mut self.output, size);
        self.chunk_size_out = size;
    }

    pub(super) fn send_control(&mut self, control: Control) {
        control.write(&mut self.output);
    }

    pub(super) fn send_command(&mut self, stream_id: u32, values: &[Value]) {
        command::write(&mut self.output, stream_id, values, self.chunk_size_out)
            .expect("our commands are made of texts far below 16 MB");
    }

    pub(super) fn send_data(&mut self, values: &[Value]) {
        command::write_data(&mut self.output, values, self.chunk_size_out)
            .expect("our script data is far below 16 MB");
    }

    /// When [`Link::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self, ping_after: Duration, idle_max: Duration) -> Instant {
        let wait = if self.pinged { idle_max } else { ping_after.min(idle_max) };
        self.last_input + wait
    }

    /// Pings a silent peer, and gives up on one that stays silent.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        ping_after: Duration,
        idle_max: Duration,
    ) -> Result<(), Error> {
        let silent = now.saturating_duration_since(self.last_input);
        if silent >= idle_max {
            return Err(Error::Idle(idle_max));
        }
        if silent >= ping_after && !self.pinged {
            self.pinged = true;
            self.send_control(Control::Ping(silent.as_millis() as u32));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::message::Kind;

    #[test]
    fn bytes_are_acknowledged_before_the_peers_window_is_full_and_the_count_wraps() {
        let start = u64::from(u32::MAX) - 1_000_000;
        let mut link = Link::new(Instant::now());
        link.reader = chunk::Reader::starting_at(start);
        link.acked_at = start;
        let mut bytes = BytesMut::new();
        Control::WindowAckSize(100_000).write(&mut bytes);
        for _ in 0..200 {
            let header = Kind::Video.header(0);
            chunk::message_into(&mut bytes, &header, &[&[1; 10_000]], CHUNK_BYTES_DEFAULT).unwrap();
        }
        let mut counts = Vec::new();
        for mut piece in bytes.chunks(1_400) {
            while link.read(&mut piece).unwrap().is_some() {}
            if let Some(sent) = link.poll_transmit() {
                assert_eq!((sent.len(), sent[7]), (16, message::TYPE_ACKNOWLEDGEMENT));
                counts.push(u32::from_be_bytes(*sent[12..].first_chunk().unwrap()));
            }
        }
        let steps: Vec<u32> = counts.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
        assert!(steps.iter().all(|step| (50_000..100_000).contains(step)), "{steps:?}");
        assert!(counts.iter().any(|&count| count > 1 << 31) && counts.iter().any(|&count| count < 1 << 31));
    }

    #[test]
    fn what_the_peer_has_acknowledged_is_known() {
        let mut link = Link::new(Instant::now());
        let mut bytes = BytesMut::new();
        Control::Acknowledgement(77).write(&mut bytes);
        link.read(&mut &bytes[..]).unwrap();
        assert_eq!(link.peer_acknowledged(), 77);
    }

    #[test]
    fn a_tiny_window_does_not_buy_an_answer_to_every_byte() {
        let mut link = Link::new(Instant::now());
        let mut bytes = BytesMut::new();
        Control::WindowAckSize(0).write(&mut bytes);
        link.read(&mut &bytes[..]).unwrap();
        assert_eq!(link.ack_window, ACK_WINDOW_MIN);
        assert_eq!(link.poll_transmit(), None);
    }
}
