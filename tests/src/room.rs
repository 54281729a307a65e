//! A member of a room as any client is one: a WebSocket of another library, and the states it builds by the rule of
//! docs/signalling.md.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use room::message::{Down, TrackName, Welcome};
use room::track::{Delta, View};
use serde_json::{Value, json};
use server::App;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::http::{Answer, Connection};
use crate::rtmp::PATIENCE;

/// A member's connection, and what it knows.
pub struct Member {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Its number in the room, once it was welcomed.
    pub id: u32,
    /// The tracks it reads, each as it stands.
    pub views: BTreeMap<&'static str, View>,
    /// Its commands so far.
    pub n: u32,
}

/// What came instead of a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed;

fn name(track: TrackName) -> &'static str {
    match track {
        TrackName::All => "all",
        TrackName::Stage => "stage",
        TrackName::Hosts => "hosts",
        TrackName::Own => "own",
    }
}

fn name_of_view(view: &View) -> &'static str {
    match view {
        View::All { .. } => "all",
        View::Stage { .. } => "stage",
        View::Hosts { .. } => "hosts",
        View::Own { .. } => "own",
    }
}

fn name_of_delta(delta: &Delta) -> &'static str {
    match delta {
        Delta::All { .. } => "all",
        Delta::Stage { .. } => "stage",
        Delta::Hosts { .. } => "hosts",
        Delta::Own { .. } => "own",
    }
}

impl Member {
    /// Connects and says nothing.
    pub async fn open(http: SocketAddr, room: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{http}/rooms/{room}/ws"))
            .await
            .expect("the server takes WebSockets of rooms");
        Self { socket, id: 0, views: BTreeMap::new(), n: 0 }
    }

    /// Comes in.
    pub async fn join(http: SocketAddr, room: &str, token: &str) -> Self {
        let mut member = Self::open(http, room).await;
        member.send(&json!({ "type": "join", "v": 1, "token": token, "name": null })).await;
        member.welcomed().await;
        member
    }

    /// Comes back on another connection with what this one has seen.
    pub async fn resume(&self, http: SocketAddr, room: &str, token: &str) -> Self {
        let mut again = Self::open(http, room).await;
        let seen = |track| self.views.get(track).map(View::n);
        let seen =
            json!({ "all": seen("all"), "stage": seen("stage"), "hosts": seen("hosts"), "own": seen("own") });
        again.views = self.views.clone();
        again.n = self.n;
        again
            .send(&json!({ "type": "resume", "v": 1, "token": token, "member": self.id, "seen": seen }))
            .await;
        again.welcomed().await;
        again
    }

    /// Sends a message as JSON.
    pub async fn send(&mut self, message: &Value) {
        self.send_text(message.to_string()).await;
    }

    /// Sends whatever a peer might.
    pub async fn send_text(&mut self, text: String) {
        let sent = timeout(PATIENCE, self.socket.send(Message::text(text))).await;
        // A server that has closed is found out by reading.
        let _ = sent.expect("the server reads or closes");
    }

    /// The next message as it was sent, or that there is none.
    pub async fn next_text(&mut self) -> Result<String, Closed> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("a message in time") {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Closed),
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next message, as JSON.
    pub async fn next_json(&mut self) -> Result<Value, Closed> {
        let text = self.next_text().await?;
        Ok(serde_json::from_str(&text).expect("the server speaks JSON"))
    }

    /// The next message, after it was taken into the states.
    pub async fn next(&mut self) -> Result<Down, Closed> {
        let text = self.next_text().await?;
        let down: Down = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        self.take(&down);
        Ok(down)
    }

    fn take(&mut self, down: &Down) {
        match down {
            Down::Welcome(welcome) => self.take_welcome(welcome),
            Down::Delta(delta) => self.follow(delta),
            Down::State(view) => drop(self.views.insert(name_of_view(view), view.clone())),
            Down::Hide { track } => drop(self.views.remove(name(*track))),
            _ => {}
        }
    }

    fn take_welcome(&mut self, welcome: &Welcome) {
        self.id = welcome.member.0;
        let reads: Vec<_> = welcome.tracks.iter().map(|track| name(*track)).collect();
        self.views.retain(|track, _| reads.contains(track));
        for view in &welcome.states {
            self.views.insert(name_of_view(view), view.clone());
        }
        welcome.deltas.iter().for_each(|delta| self.follow(delta));
        assert_eq!(self.views.len(), reads.len(), "a state of each track");
    }

    fn follow(&mut self, delta: &Delta) {
        let view = self.views.get_mut(name_of_delta(delta)).expect("a delta of a track that is read");
        view.follow(delta).unwrap_or_else(|n| panic!("a change after {n} is missing before {delta:?}"));
    }

    async fn welcomed(&mut self) {
        match self.next().await {
            Ok(Down::Welcome(_)) => {}
            other => panic!("no welcome but {other:?}"),
        }
    }

    /// Gives a command and waits for its answer: the code of a refusal, or nothing.
    pub async fn command(&mut self, command: Value) -> Option<String> {
        self.n += 1;
        let n = self.n;
        self.send(&json!({ "type": "command", "n": n, "command": command })).await;
        loop {
            match self.next().await.expect("an answer") {
                Down::Ack { n: answered } if answered == n => return None,
                Down::Refused { n: Some(answered), code, .. } if answered == n => {
                    return Some(code_of(code));
                }
                _ => {}
            }
        }
    }

    /// Reads until the track of all is as it should be.
    pub async fn until(&mut self, what: impl Fn(&room::track::all::All) -> bool) {
        while !what(self.all()) {
            self.next().await.expect("the room goes on");
        }
    }

    /// What everybody sees.
    pub fn all(&self) -> &room::track::all::All {
        match self.views.get("all") {
            Some(View::All { state, .. }) => state,
            other => panic!("no state of all: {other:?}"),
        }
    }

    /// What hosts see.
    pub fn hosts(&self) -> &room::track::hosts::Hosts {
        match self.views.get("hosts") {
            Some(View::Hosts { state, .. }) => state,
            other => panic!("no state of hosts: {other:?}"),
        }
    }

    /// The last message and the end of the connection: the reason of `bye`, or the code of `refused`.
    pub async fn farewell(&mut self) -> String {
        let mut last = None;
        while let Ok(json) = self.next_json().await {
            let of = |key: &str| json[key].as_str().map(str::to_owned);
            last = of("reason").or_else(|| of("code"));
        }
        last.expect("it is told why")
    }

    /// Nothing comes for a while.
    pub async fn hears_nothing(&mut self, patience: Duration) {
        if let Ok(heard) = timeout(patience, self.next_text()).await {
            panic!("{heard:?}");
        }
    }

    /// Goes without a word, as a phone in a tunnel.
    pub fn vanish(self) {
        drop(self.socket);
    }
}

fn code_of(refusal: room::Refusal) -> String {
    let code = serde_json::to_value(refusal).expect("a code is JSON");
    code.as_str().expect("a code is a text").to_owned()
}

/// A request of a back-end with a body of JSON.
pub async fn ask(app: &App, method: &str, target: &str, body: &Value) -> Answer {
    ask_at(app.addresses().http, method, target, body).await
}

/// The same at an address.
pub async fn ask_at(http: SocketAddr, method: &str, target: &str, body: &Value) -> Answer {
    let mut connection = Connection::open(http).await;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut head =
        format!("{method} {target} HTTP/1.1\r\nHost: {http}\r\nContent-Length: {}\r\n", body.len());
    if !body.is_empty() {
        head.push_str("Content-Type: application/json\r\n");
    }
    connection.send(format!("{head}\r\n{body}")).await;
    connection.answer(false).await.expect("an answer")
}

/// Makes a room of this template and name.
pub async fn make(app: &App, id: &str, template: &str, settings: Value) {
    let wish = json!({ "id": id, "template": template, "settings": settings });
    let made = ask(app, "POST", "/api/v1/rooms", &wish).await;
    assert_eq!(made.status, 201, "{}", made.text());
}

/// A token of a room for a user of this name.
pub async fn token(http: SocketAddr, room: &str, user: &str, role: &str) -> String {
    let wish = json!({ "user": user, "name": user, "role": role, "seconds": 600 });
    let made = ask_at(http, "POST", &format!("/api/v1/rooms/{room}/tokens"), &wish).await;
    assert_eq!(made.status, 200, "{}", made.text());
    made.json()["token"].as_str().expect("a token").to_owned()
}
