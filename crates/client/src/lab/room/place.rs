//! Where a room is, and its back-end's side: the room is made, its members get tokens, and it is closed.

use anyhow::Context;
use serde_json::json;

use super::Ticket;
use crate::http::{self, Caller};
use crate::url::{Scheme, Url};

/// Longer than any run.
const TOKEN_SECONDS: u32 = 3_600;

/// A room of a server.
#[derive(Clone, Debug)]
pub(super) struct Place {
    server: Url,
    id: String,
    /// For the API.
    key: Option<String>,
    pub(super) insecure: bool,
}

impl Place {
    /// A room that is there.
    pub(super) fn of(server: Url, id: String, key: Option<String>, insecure: bool) -> Self {
        Self { server, id, key, insecure }
    }

    /// Makes the room: a class in which everybody may publish, with so many members.
    pub(super) async fn make(&self, members: usize) -> anyhow::Result<()> {
        let limits = json!({ "members": members + 10, "stage": members, "listed": members + 10 });
        let wish = json!({ "id": self.id, "template": "class-small", "settings": { "limits": limits } });
        self.post("/api/v1/rooms", &wish).await.context("making a room")?;
        Ok(())
    }

    /// A token for the member of this number.
    pub(super) async fn ticket(&self, number: usize) -> anyhow::Result<Ticket> {
        let user = format!("lab-{number}");
        let wish = json!({ "user": user, "name": format!("Native {number}"), "seconds": TOKEN_SECONDS });
        let answer = self.post(&format!("/api/v1/rooms/{}/tokens", self.id), &wish).await;
        serde_json::from_slice(&answer.context("making a token")?).context("a token")
    }

    async fn post(&self, path: &str, wish: &serde_json::Value) -> anyhow::Result<Vec<u8>> {
        let body = wish.to_string();
        Ok(http::post(&self.at(path), "application/json", body.as_bytes(), self.caller()).await?.body)
    }

    /// Ends the room.
    pub(super) async fn close(&self) -> anyhow::Result<()> {
        let path = format!("/api/v1/rooms/{}", self.id);
        http::delete(&self.at(&path), self.caller()).await.context("closing the room")
    }

    fn caller(&self) -> Caller<'_> {
        Caller { bearer: self.key.as_deref(), insecure: self.insecure }
    }

    fn at(&self, path: &str) -> Url {
        Url { path: path.to_owned(), query: None, ..self.server.clone() }
    }

    /// Its signalling.
    pub(super) fn socket(&self) -> Url {
        let scheme = if self.server.scheme.secure() { Scheme::Wss } else { Scheme::Ws };
        Url { scheme, ..self.at(&format!("/rooms/{}/ws", self.id)) }
    }

    /// Its stage, as this member is sent it.
    pub(super) fn stage(&self, member: u32) -> Url {
        self.at(&format!("/rooms/{}/stage", self.id)).with_query("member", &member.to_string())
    }

    /// Where the broadcast of this path is published.
    pub(super) fn whip(&self, broadcast: &str) -> Url {
        self.at(&format!("/{broadcast}/whip"))
    }
}
