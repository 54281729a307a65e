//! An RTMP peer that sends any bytes and notes what it is told.

use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use wire::amf0::{self, Value};
use wire::rtmp::chunk::{self, Header};
use wire::rtmp::command::{Command, Status};
use wire::rtmp::limits::CHUNK_BYTES_DEFAULT;
use wire::rtmp::message::{TYPE_COMMAND, TYPE_COMMAND_AMF3};

use crate::rtmp::PATIENCE;

/// C0, C1 and C2 of a peer that does not wait for the answers.
pub const HELLO: [u8; 3_073] = {
    let mut hello = [0; 3_073];
    hello[0] = 3;
    hello
};
const HELLO_ANSWER_BYTES: usize = 3_073;

/// A message in chunks of the default size, on chunk stream 3 and message stream 1.
pub fn message(type_id: u8, timestamp_ms: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let header = Header { csid: 3, timestamp_ms, type_id, stream_id: 1 };
    chunk::message_into(&mut out, &header, &[payload], CHUNK_BYTES_DEFAULT).expect("it fits a message");
    out.to_vec()
}

/// A command's message.
pub fn command(name: &str, transaction: f64, rest: &[Value]) -> Vec<u8> {
    let mut body = BytesMut::new();
    amf0::encode_all(&[&[name.into(), transaction.into()], rest].concat(), &mut body);
    message(TYPE_COMMAND, 0, &body)
}

/// `connect` to the app `live`.
pub fn connect() -> Vec<u8> {
    command("connect", 1.0, &[Value::object([("app", "live".into())])])
}

/// `publish` or `play` of a stream.
pub fn ask(what: &str, stream: &str) -> Vec<u8> {
    command(what, 5.0, &[Value::Null, stream.into()])
}

/// One connection.
pub struct Raw {
    stream: TcpStream,
    reader: chunk::Reader,
}

impl Raw {
    /// Connects and says nothing.
    pub async fn knock(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.expect("the server listens");
        Self { stream, reader: chunk::Reader::new() }
    }

    /// Connects with a receive buffer as small as the kernel allows, and says nothing.
    pub async fn knock_narrow(server: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(1).expect("a small buffer");
        let stream = socket.connect(server).await.expect("the server listens");
        Self { stream, reader: chunk::Reader::new() }
    }

    /// Through the handshake and `connect`, here or on a connection that stands.
    pub async fn open(self) -> Self {
        let mut raw = self;
        raw.send(&HELLO).await;
        let mut answer = [0; HELLO_ANSWER_BYTES];
        let read = timeout(PATIENCE, raw.stream.read_exact(&mut answer)).await.expect("the server answers");
        read.expect("a whole handshake");
        raw.send(&connect()).await;
        raw.until("NetConnection.Connect.Success").await;
        raw
    }

    /// Publishing `live/{stream}`.
    pub async fn publishing(server: SocketAddr, stream: &str) -> Self {
        let mut raw = Self::knock(server).await.open().await;
        raw.send(&ask("publish", stream)).await;
        raw.until("NetStream.Publish.Start").await;
        raw
    }

    /// Sends; `false` once the server has closed.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("the server reads or closes").is_ok()
    }

    /// The peer sends no more, but reads on.
    pub async fn hang_up(&mut self) {
        // A server that has closed already makes this fail, which is as good.
        let _ = self.stream.shutdown().await;
    }

    /// Reads until the server says `code`.
    pub async fn until(&mut self, code: &str) {
        let mut told = Vec::new();
        while !told.iter().any(|said| said == code) {
            assert!(self.hear(&mut told).await, "closed before {code}: {told:?}");
        }
    }

    /// The codes that the server said until it closed the connection, which it must within the test's patience.
    pub async fn told(mut self) -> Vec<String> {
        let mut told = Vec::new();
        while self.hear(&mut told).await {}
        told
    }

    /// Waits until the server closes, whatever it says.
    pub async fn closed(mut self) {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(1..) = timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("the server closes")
        {
        }
    }

    async fn hear(&mut self, told: &mut Vec<String>) -> bool {
        let mut buffer = vec![0; 16 << 10];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer))
            .await
            .expect("the server says something or closes");
        let Ok(read @ 1..) = read else { return false };
        let mut input = &buffer[..read];
        while let Ok(Some(message)) = self.reader.read(&mut input) {
            if matches!(message.header.type_id, TYPE_COMMAND | TYPE_COMMAND_AMF3)
                && let Ok(command) = Command::parse(&message.payload)
            {
                told.extend(command.arguments.first().map(|value| Status::of(value).code));
            }
        }
        true
    }
}
