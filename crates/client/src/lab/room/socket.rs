//! A member's signalling (docs/signalling.md): its WebSocket, the tracks it reads and the commands it has given.

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use room::Command;
use room::MemberId;
use room::message::{Down, Seen, TrackName, Up, VERSION, Welcome};
use room::track::{Delta, View};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::place::Place;
use super::{PATIENCE, Ticket};
use crate::net::{self, Stream};

/// A connection and what it knows.
pub(super) struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
    /// The member's number in the room.
    pub(super) member: MemberId,
    views: Vec<View>,
    commands: u32,
}

impl Socket {
    /// Comes in.
    pub(super) async fn join(place: &Place, ticket: &Ticket) -> anyhow::Result<Self> {
        let up = Up::Join { v: VERSION, token: ticket.token.clone(), name: None };
        Self { stream: open(place).await?, member: MemberId(0), views: Vec::new(), commands: 0 }
            .welcomed(up)
            .await
    }

    /// Comes back on another connection, and keeps what this one has seen.
    pub(super) async fn resume(self, place: &Place, ticket: &Ticket) -> anyhow::Result<Self> {
        let Self { stream, member, views, commands } = self;
        // As a phone in a tunnel: without a word.
        drop(stream);
        let seen = |wanted: TrackName| views.iter().find(|view| name(view) == wanted).map(View::n);
        let seen = Seen {
            all: seen(TrackName::All),
            stage: seen(TrackName::Stage),
            hosts: seen(TrackName::Hosts),
            own: seen(TrackName::Own),
        };
        let up = Up::Resume { v: VERSION, token: ticket.token.clone(), member, seen };
        Self { stream: open(place).await?, member, views, commands }.welcomed(up).await
    }

    async fn welcomed(mut self, up: Up) -> anyhow::Result<Self> {
        self.send(&up).await?;
        match timeout(PATIENCE, self.next()).await.context("no welcome")?? {
            Down::Welcome(_) => Ok(self),
            other => bail!("no welcome but {other:?}"),
        }
    }

    async fn send(&mut self, up: &Up) -> anyhow::Result<()> {
        let text = serde_json::to_string(up).context("a message as JSON")?;
        self.stream.send(Message::text(text)).await.context("the signalling")
    }

    /// Gives a command and tells its number.
    pub(super) async fn command(&mut self, command: Command) -> anyhow::Result<u32> {
        self.commands += 1;
        self.send(&Up::Command { n: self.commands, command }).await?;
        Ok(self.commands)
    }

    /// The next message, after it was taken into the tracks. Cancel safe.
    pub(super) async fn next(&mut self) -> anyhow::Result<Down> {
        loop {
            match self.stream.next().await.context("the server closed the signalling")?? {
                Message::Text(text) => {
                    let down = serde_json::from_str(&text).with_context(|| format!("{text:?}"))?;
                    self.take(&down)?;
                    return Ok(down);
                }
                Message::Close(_) => bail!("the server closed the signalling"),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    fn take(&mut self, down: &Down) -> anyhow::Result<()> {
        match down {
            Down::Welcome(welcome) => self.take_welcome(welcome)?,
            Down::Delta(delta) => self.follow(delta)?,
            Down::State(view) => self.put(view.clone()),
            Down::Hide { track } => self.views.retain(|view| name(view) != *track),
            Down::Bye { reason, sentence } => bail!("goodbye ({reason:?}): {sentence}"),
            Down::Ack { .. } | Down::Refused { .. } | Down::Pong { .. } => {}
            Down::Drain { .. } => {}
        }
        Ok(())
    }

    fn take_welcome(&mut self, welcome: &Welcome) -> anyhow::Result<()> {
        self.member = welcome.member;
        self.views.retain(|view| welcome.tracks.contains(&name(view)));
        welcome.states.iter().for_each(|view| self.put(view.clone()));
        welcome.deltas.iter().try_for_each(|delta| self.follow(delta))
    }

    fn put(&mut self, view: View) {
        self.views.retain(|had| name(had) != name(&view));
        self.views.push(view);
    }

    fn follow(&mut self, delta: &Delta) -> anyhow::Result<()> {
        let track = name_of_delta(delta);
        let view = self.views.iter_mut().find(|view| name(view) == track);
        let view = view.with_context(|| format!("a change of a track that is not read: {delta:?}"))?;
        view.follow(delta).map_err(|n| anyhow::anyhow!("a change after {n} is missing before {delta:?}"))
    }

    /// Where this member publishes, while it is on the stage.
    pub(super) fn broadcast(&self) -> Option<&str> {
        let stage = self.views.iter().find_map(|view| match view {
            View::Stage { state, .. } => Some(state),
            View::All { .. } | View::Hosts { .. } | View::Own { .. } => None,
        })?;
        let own = stage.broadcasts.iter().find(|broadcast| broadcast.member == self.member)?;
        Some(&own.path)
    }
}

async fn open(place: &Place) -> anyhow::Result<WebSocketStream<Box<dyn Stream>>> {
    let url = place.socket();
    let stream = net::connect(&url, place.insecure).await?;
    let opened = timeout(PATIENCE, tokio_tungstenite::client_async(url.to_string(), stream)).await;
    let (stream, _) = opened.with_context(|| format!("{url} does not answer"))??;
    Ok(stream)
}

fn name(view: &View) -> TrackName {
    match view {
        View::All { .. } => TrackName::All,
        View::Stage { .. } => TrackName::Stage,
        View::Hosts { .. } => TrackName::Hosts,
        View::Own { .. } => TrackName::Own,
    }
}

fn name_of_delta(delta: &Delta) -> TrackName {
    match delta {
        Delta::All { .. } => TrackName::All,
        Delta::Stage { .. } => TrackName::Stage,
        Delta::Hosts { .. } => TrackName::Hosts,
        Delta::Own { .. } => TrackName::Own,
    }
}
