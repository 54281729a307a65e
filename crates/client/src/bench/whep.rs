//! One WebRTC viewer of the load generator: WHEP over a UDP socket of its own.
//!
//! A few decrypt all they get; the others read the headers only, as decrypting for all would cost more than serving them.

use std::io::{ErrorKind, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mio::net::UdpSocket;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use str0m::change::SdpAnswer;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};

use super::load::Tally;
use super::pictures::{Head, Pictures};
use super::target::Target;
use crate::net::local_ip;
use crate::stamp::{self, Stamp};

/// From `connect` to the whole answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// An answer is a few kilobytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Buffers that one system call fills, each with what the kernel has joined (UDP GRO).
const BATCH: usize = 4;
const BATCH_BYTES: usize = 64 << 10;
/// Room for a joined group in the kernel; it grants less where its limit is lower.
const SOCKET_BYTES: usize = 1 << 20;

/// What all viewers share: cryptography, a certificate, and the buffer they read through.
pub(super) struct Shared {
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
    buffer: Box<[u8]>,
}

impl Shared {
    pub(super) fn new() -> anyhow::Result<Self> {
        let crypto = Arc::new(str0m_aws_lc_rs::default_provider());
        let certificate = crypto.dtls_provider.generate_certificate().context("making a certificate")?;
        Ok(Self { crypto, certificate, buffer: vec![0; BATCH * BATCH_BYTES].into_boxed_slice() })
    }
}

/// One viewer.
pub(super) struct Whep {
    rtc: Rtc,
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
    /// When its machine wants to be called.
    due: Instant,
    /// Whether it decrypts everything.
    decodes: bool,
    /// The stream of pictures, once a packet of it was decrypted.
    video: Option<u32>,
    pictures: Pictures,
    opened_micros: u64,
}

impl Whep {
    /// Offers, is answered, and begins to connect.
    pub(super) fn open(shared: &Shared, target: &Target, decodes: bool) -> anyhow::Result<Self> {
        let opened_micros = stamp::now_micros();
        let socket = std::net::UdpSocket::bind((local_ip(target.address)?, 0))?;
        let address = socket.local_addr()?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        drop(state.set_recv_buffer_size(UdpSockRef::from(&socket), SOCKET_BYTES));
        socket.set_nonblocking(true)?;
        let rtc = negotiate(shared, target, address)?;
        let mut viewer = Self {
            rtc,
            socket: UdpSocket::from_std(socket),
            state,
            address,
            due: Instant::now(),
            decodes,
            video: None,
            pictures: Pictures::new(target.fps),
            opened_micros,
        };
        viewer.handle_timeout(&mut Tally::default())?;
        Ok(viewer)
    }

    pub(super) fn socket(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.pictures.last()
    }

    pub(super) fn handle_timeout(&mut self, tally: &mut Tally) -> anyhow::Result<()> {
        self.rtc.handle_input(Input::Timeout(Instant::now()))?;
        self.drain(tally)
    }

    /// Reads all there is.
    pub(super) fn handle_readable(&mut self, shared: &mut Shared, tally: &mut Tally) -> anyhow::Result<()> {
        let mut metas = [RecvMeta::default(); BATCH];
        loop {
            let mut chunks = shared.buffer.chunks_mut(BATCH_BYTES).map(IoSliceMut::new);
            let mut slices: [IoSliceMut<'_>; BATCH] =
                std::array::from_fn(|_| chunks.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
            let count = match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("receiving"),
            };
            for (meta, chunk) in metas.iter().zip(shared.buffer.chunks(BATCH_BYTES)).take(count) {
                tally.bytes(meta.len as u64);
                for datagram in chunk[..meta.len].chunks(meta.stride.max(1)) {
                    self.handle_datagram(meta.addr, datagram, tally)?;
                }
            }
            // Fewer than there is room for: the socket is drained.
            if count < BATCH {
                return Ok(());
            }
        }
    }

    fn handle_datagram(&mut self, from: SocketAddr, bytes: &[u8], tally: &mut Tally) -> anyhow::Result<()> {
        // Whoever has once found a stamp knows the numbers of all pictures. Media no longer goes into the machine then,
        // from the first packet on without a gap, so that it asks for nothing again and reports no loss.
        let is_numbered = !self.decodes && self.pictures.is_numbered();
        if is_numbered && matches!(bytes.first(), Some(128..192)) {
            let head = Head::read(bytes).filter(|(ssrc, _)| self.video == Some(*ssrc));
            head.into_iter().for_each(|(_, head)| self.handle_head(head, tally));
            return Ok(());
        }
        let Ok(receive) = Receive::new(Protocol::Udp, from, self.address, bytes) else { return Ok(()) };
        self.rtc.handle_input(Input::Receive(Instant::now(), receive))?;
        self.drain(tally)
    }

    fn drain(&mut self, tally: &mut Tally) -> anyhow::Result<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(due) => {
                    self.due = due;
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    // What is not sent is lost, as on any network.
                    drop(self.socket.send_to(&transmit.contents, transmit.destination));
                }
                Output::Event(Event::RtpPacket(packet)) => self.handle_packet(&packet, tally),
                Output::Event(Event::Closed) => bail!("the server ended the session"),
                Output::Event(Event::IceConnectionStateChange(IceConnectionState::Disconnected)) => {
                    bail!("the server no longer answers")
                }
                Output::Event(_) => {}
            }
        }
    }

    fn handle_packet(&mut self, packet: &RtpPacket, tally: &mut Tally) {
        let header = &packet.header;
        if self.video.is_none() && self.is_picture(packet) {
            self.video = Some(*header.ssrc);
        }
        if self.video != Some(*header.ssrc) {
            return;
        }
        let head = Head {
            sequence: header.sequence_number,
            time: header.timestamp,
            marker: header.marker,
            stamp: Stamp::find(&packet.payload[..packet.payload.len().min(STAMP_WITHIN)]),
        };
        self.handle_head(head, tally);
    }

    fn handle_head(&mut self, head: Head, tally: &mut Tally) {
        let (now, is_first) = (stamp::now_micros(), self.pictures.last().is_none());
        if self.pictures.handle(head, now, tally) && is_first {
            tally.joined(now.saturating_sub(self.opened_micros));
        }
    }

    fn is_picture(&self, packet: &RtpPacket) -> bool {
        let mut params = self.rtc.codec_config().params().iter();
        let found = params.find(|params| params.pt() == packet.header.payload_type);
        found.is_some_and(|params| params.spec().codec == Codec::H264)
    }
}

/// A stamp stands behind parameter sets at most.
const STAMP_WITHIN: usize = 160;

/// The machine of a viewer whose offer was answered.
fn negotiate(shared: &Shared, target: &Target, address: SocketAddr) -> anyhow::Result<Rtc> {
    let mut rtc = RtcConfig::new()
        .set_crypto_provider(Arc::clone(&shared.crypto))
        .set_dtls_cert(shared.certificate.clone())
        .clear_codecs()
        .enable_h264(true)
        .enable_opus(true, false)
        .set_rtp_mode(true)
        .build(Instant::now());
    rtc.add_local_candidate(Candidate::host(address, Protocol::Udp)?);
    let mut api = rtc.sdp_api();
    for kind in [MediaKind::Audio, MediaKind::Video] {
        api.add_media(kind, Direction::RecvOnly, None, None, None);
    }
    let (offer, pending) = api.apply().context("an offer without media")?;
    let answer = post(target, &offer.to_sdp_string())?;
    let answer = SdpAnswer::from_sdp_string(&answer).context("the answer is no SDP")?;
    rtc.sdp_api().accept_answer(pending, answer).context("the answer does not fit the offer")?;
    Ok(rtc)
}

/// Posts an offer (RFC 9725 §4.2) and returns the answer. Blocking: servers answer at once.
fn post(target: &Target, offer: &str) -> anyhow::Result<String> {
    let mut socket = TcpStream::connect_timeout(&target.address, ANSWER_MAX)?;
    socket.set_read_timeout(Some(ANSWER_MAX))?;
    let (path, host, length) = (&target.path, &target.host, offer.len());
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: openmic-bench\r\nContent-Type: application/sdp\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{offer}"
    );
    socket.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    socket.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).context("waiting for the answer")?;
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = response.parse(&bytes).context("the answer is not HTTP/1.1")?
    else {
        bail!("the answer ends within its head")
    };
    let body = String::from_utf8_lossy(&bytes[end..]).into_owned();
    match response.code {
        Some(200 | 201) => Ok(body),
        code => bail!("the server answers {} {}", code.unwrap_or(0), body.trim()),
    }
}
