//! WebRTC in and out: WHIP publishers and WHEP viewers, all behind one UDP port and the TCP port of the same number.

mod ask;
mod beat;
mod choice;
mod choose;
mod control;
mod copies;
mod crowd;
mod crypto;
mod doubt;
mod endpoint;
mod feed;
mod feedback;
mod hold;
mod ice_tcp;
mod jitter;
mod keyframes;
mod lanes;
mod late;
mod layered;
mod layers;
mod line;
mod loudness;
mod marks;
mod mending;
mod offer;
mod offers;
mod outgoing;
mod outlet;
mod packets;
mod patience;
mod pause;
mod plan;
mod presence;
mod publish;
mod queue;
mod rank;
mod reading;
mod reencode;
mod repeat;
mod resend;
mod sending;
mod service;
mod session;
mod simulcast;
mod stage;
mod stuck;
mod uneven;
mod waiting;
mod watch;
mod way;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::Path;
use media::broadcast::Broadcast;
use media::hub::ClaimError;
use media::packet::Format;
use tokio::net::{TcpListener, TcpStream};

use crate::audience::{self, Audience};
use crate::context::Context;
use crate::rooms::stage::Attending;
use crate::sessions::Ticket;
use crate::{config, rtmp, transcode};
use lanes::{Kind, Lanes};
pub(crate) use layers::Info as LayerInfo;
pub(crate) use offer::{Limits, ONE_STREAM, Refusal, WHOLE_STAGE};
pub(crate) use offers::OfferKey;
use outgoing::Outgoing;
use plan::{Plan, Way};
use publish::{Claim, Publish};
use service::Offered;
pub use service::Service;
pub(crate) use service::{Begun, Sockets};
use session::Role;
use stage::Slots;
use watch::Watch;

/// A broadcast that has just begun says within this what it carries.
const TRACKS_PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked for.
const TRACKS_LOOK: Duration = Duration::from_millis(50);

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    #[error(transparent)]
    Offer(#[from] Refusal),
    #[error(transparent)]
    Transcode(#[from] transcode::Refusal),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("the server has its most connections (limits.connections)")]
    Full,
    #[error("as many sessions as may be are about to connect (rtc.half_open_max); try again in a moment")]
    Busy,
    #[error("nobody publishes this stream now")]
    NotLive,
}

/// Begins a publisher's session.
pub(crate) fn publish(
    context: &Arc<Context>,
    path: &Path,
    offer: &str,
    ticket: Ticket,
) -> Result<Begun, BeginError> {
    let now = Instant::now();
    let service = &context.rtc;
    let half_open = service.half_open()?;
    let (plan, answer) = Plan::new(service, offer::read(offer, ONE_STREAM)?, Way::In, now)?;
    let kinds = offer::agreed(&answer)?;
    let permit = Arc::clone(&context.shared.connections).try_acquire_owned().map_err(|_| BeginError::Full)?;
    let producer = context.hub.claim(path, rtmp::takeover(&context.config()), now)?;
    let broadcast = producer.broadcast();
    let audience = Audience::of(&broadcast);
    tracing::info!(%path, agent = ticket.agent, epoch = broadcast.epoch(), "publishing by WebRTC");
    audience.set_publisher(audience::Publisher::of(&ticket));
    let lanes = Lanes::of(context, &broadcast);
    let publish = &context.config().publish;
    let refuses = publish.takeover == config::Takeover::Refuse;
    let limits = presence::Limits { idle: publish.idle, refuses };
    let rids = simulcast::offered(plan.offer());
    let claim = Claim { producer, forward: lanes.forward(kinds, &rids), audience, limits, rids };
    let role = Role::Publish(Box::new(Publish::new(claim, now)));
    Ok(service.start(context, role, Offered { plan, answer, ticket, permit, half_open, now }))
}

/// Begins a viewer's session.
pub(crate) async fn watch(
    context: &Arc<Context>,
    broadcast: Broadcast,
    offer: &str,
    ticket: Ticket,
) -> Result<Begun, BeginError> {
    let service = &context.rtc;
    let half_open = service.half_open()?;
    let offer = offer::read(offer, ONE_STREAM)?;
    let (lanes, formats) = watched(context, &broadcast, &offer.1).await?;
    let now = Instant::now();
    let is_reckoned = lanes.layers().is_many() && offer::tells_arrivals(&offer.1);
    let (plan, answer) = Plan::new(service, offer, Way::Out { formats, is_reckoned }, now)?;
    offer::agreed(&answer)?;
    let permit = Arc::clone(&context.shared.connections).try_acquire_owned().map_err(|_| BeginError::Full)?;
    let seat = Audience::of(&broadcast).sit(audience::Protocol::Whep);
    let way = way::Way::new(is_reckoned, context.config().rtc.copies_max);
    let watch = Watch::new(lanes, seat, way, ticket.session());
    let role = Role::Send(Outgoing::Watch(Box::new(watch)));
    Ok(service.start(context, role, Offered { plan, answer, ticket, permit, half_open, now }))
}

/// Begins the session of a room's member that is sent what is on the stage.
pub(crate) fn attend(
    context: &Arc<Context>,
    member: Attending,
    offer: &str,
    ticket: Ticket,
) -> Result<Begun, BeginError> {
    let service = &context.rtc;
    let half_open = service.half_open()?;
    let offer = offer::read(offer, WHOLE_STAGE)?;
    stage::check(&offer.1)?;
    let now = Instant::now();
    let is_reckoned = offer::tells_arrivals(&offer.1);
    let (plan, answer) = Plan::new(service, offer, Way::Stage { is_reckoned }, now)?;
    offer::agreed(&answer)?;
    let permit = Arc::clone(&context.shared.connections).try_acquire_owned().map_err(|_| BeginError::Full)?;
    let slots = Slots::new(Arc::clone(context), member, is_reckoned, now);
    let role = Role::Send(Outgoing::Stage(Box::new(slots)));
    Ok(service.start(context, role, Offered { plan, answer, ticket, permit, half_open, now }))
}

/// The lanes that an offer is served from, and what they carry: those of another broadcast, with pictures in H.264, where
/// the offer lacks what is published.
async fn watched(
    context: &Arc<Context>,
    broadcast: &Broadcast,
    offer: &str,
) -> Result<(Arc<Lanes>, Vec<Format>), BeginError> {
    let lanes = Lanes::of(context, broadcast);
    let published = formats(&lanes, 0).await.ok_or(BeginError::NotLive)?;
    if !offer::needs_h264(offer, &published) {
        return Ok((lanes, published));
    }
    let made = transcode::in_h264(context, broadcast)?;
    let lanes = Lanes::of(context, &made);
    let formats = formats(&lanes, published.len()).await.ok_or(transcode::Refusal::Failed)?;
    match formats.iter().any(|format| format.is_video()) {
        true => Ok((lanes, formats)),
        false => Err(transcode::Refusal::Failed.into()),
    }
}

/// What a broadcast carries for WebRTC, once it has said so: at least so many formats.
async fn formats(lanes: &Lanes, at_least: usize) -> Option<Vec<Format>> {
    let end = Instant::now() + TRACKS_PATIENCE;
    loop {
        let known: Vec<_> =
            [Kind::Video, Kind::Audio].into_iter().filter_map(|kind| lanes.format(kind)).collect();
        if known.len() >= lanes.kinds().max(at_least) && !known.is_empty() {
            return Some(known);
        }
        if Instant::now() >= end {
            return (!known.is_empty()).then_some(known);
        }
        tokio::time::sleep(TRACKS_LOOK).await;
    }
}

/// The layers that a broadcast's pictures come in, where they come in more than one and somebody reads their packets.
pub(crate) fn layers(broadcast: &Broadcast) -> Vec<LayerInfo> {
    let lanes = broadcast.derivations().get::<Lanes>(0);
    lanes.map_or_else(Vec::new, |lanes| lanes.layers().infos(Instant::now()))
}

/// Receives on the UDP port and accepts on the TCP port until the server stops.
pub(crate) async fn serve(context: Arc<Context>, listener: TcpListener) {
    let endpoint = Arc::clone(&context.rtc.endpoint);
    let receive = context.stopping.run_until_cancelled(endpoint.receive());
    tokio::join!(receive, ice_tcp::serve(Arc::clone(&context), Arc::clone(&endpoint), listener));
}

/// Serves an ICE-TCP connection that came in at another port.
pub(crate) async fn serve_tcp(context: &Context, stream: TcpStream, peer: SocketAddr) {
    ice_tcp::serve_one(&context.rtc.endpoint, stream, peer).await;
}
