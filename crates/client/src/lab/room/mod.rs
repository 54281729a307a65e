//! `openmic lab room`: many members in one room, each of whom publishes, is sent the stage and checks that it hears and sees
//! everybody else, and nobody else.
//!
//! All have a place on the stage. They speak in turns, six at a time, and look around in turns, nine tiles at a time, until
//! each has had to hear and to see each. Then cameras go off and on, and the signalling of some is lost.

mod ledger;
mod media;
mod member;
mod place;
mod report;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use room::track::Sending;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

pub use self::ledger::Counts;
pub use self::report::{Meetings, Report, Times};

use self::media::Reel;
use self::member::{Common, Member, Order};
use self::place::Place;
use super::wall_micros;
use crate::url::Url;

/// Voices and tiles of the connection that the stage is sent by.
const VOICES: usize = 6;
const TILES: usize = 9;
/// Longer than any step of the signalling takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// From one newcomer to the next: measured is one that joins a room, not a crowd at its door.
const JOIN_EVERY: Duration = Duration::from_millis(250);
/// A change of the stage that has not reached everybody by then does not.
const CHANGE_MAX: Duration = Duration::from_secs(3);
/// Orders that wait for a member.
const ORDERS_MAX: usize = 64;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server.
    pub server: Url,
    /// A room that is there already; one is made and closed again if none is named.
    pub room: Option<String>,
    /// For the API: it makes the room and the members' tokens.
    pub key: Option<String>,
    /// How many members.
    pub members: usize,
    /// How long six speak and nine are looked at.
    pub turn: Duration,
    /// How many cameras go off and on, and how many members lose their signalling.
    pub disturbed: usize,
    /// How long all stay after that.
    pub stay: Duration,
    /// Accept any TLS certificate.
    pub insecure: bool,
}

/// A member's token, as the server answers it.
#[derive(Clone, Debug, Deserialize)]
struct Ticket {
    token: String,
}

/// Fills a room and tells what its members heard and saw.
///
/// # Errors
/// When the room cannot be made, or nobody came in.
pub async fn run(options: &Options, mut tell: impl FnMut(&str)) -> anyhow::Result<Report> {
    let Options { server, room, key, insecure, .. } = options;
    let id = room.clone().unwrap_or_else(|| format!("lab-{:x}", wall_micros()));
    let place = Arc::new(Place::of(server.clone(), id.clone(), key.clone(), *insecure));
    if room.is_none() {
        place.make(options.members).await?;
    }
    let common = Common {
        place: Arc::clone(&place),
        reel: Arc::new(Reel::new().context("what members send")?),
        ledger: Arc::default(),
    };
    let mut crowd = Crowd { common, members: Vec::new() };
    let came = crowd.act(options, &mut tell).await;
    let members: Vec<u32> = crowd.members.iter().map(|member| member.number).collect();
    let ledger = Arc::clone(&crowd.common.ledger);
    crowd.leave().await;
    if room.is_none() {
        place.close().await?;
    }
    came?;
    Ok(Report::new(&id, (options.members, &members), &ledger.book()))
}

/// Everybody who is in.
struct Crowd {
    common: Common,
    members: Vec<Guest>,
}

/// One of them, from outside.
struct Guest {
    number: u32,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl Crowd {
    async fn act(&mut self, options: &Options, tell: &mut impl FnMut(&str)) -> anyhow::Result<()> {
        tell(&format!("{} members join", options.members));
        self.join(options.members).await?;
        tell("they speak and look around in turns");
        self.turns(options.turn).await;
        tell("cameras go off and on");
        self.changes(options.disturbed).await;
        tell("some lose their signalling");
        self.losses(options.disturbed).await;
        sleep(options.stay).await;
        Ok(())
    }

    /// Lets them in one after the other; the first speaks, so that there is something to hear.
    async fn join(&mut self, count: usize) -> anyhow::Result<()> {
        let mut tickets = JoinSet::new();
        for number in 1..=count {
            let place = Arc::clone(&self.common.place);
            tickets.spawn(async move { place.ticket(number).await });
        }
        let tickets: Vec<Ticket> = tickets.join_all().await.into_iter().collect::<anyhow::Result<_>>()?;
        for ticket in tickets {
            let due = Instant::now() + JOIN_EVERY;
            let others = self.members.iter().rev().take(TILES).map(|member| member.number).collect();
            match Member::join(self.common.clone(), ticket, others).await {
                Ok(member) => self.enter(member).await,
                Err(why) => self.common.ledger.fail(&format!("joining: {why:#}")),
            }
            tokio::time::sleep_until(due).await;
        }
        anyhow::ensure!(!self.members.is_empty(), "nobody came in: {:?}", self.common.ledger.book().failures);
        Ok(())
    }

    async fn enter(&mut self, member: Member) {
        let (orders, given) = mpsc::channel(ORDERS_MAX);
        let (number, ledger) = (member.number(), Arc::clone(&self.common.ledger));
        let task = tokio::spawn(async move {
            if let Err(why) = member.run(given).await {
                ledger.fail(&format!("{why:#}"));
            }
        });
        let is_first = self.members.is_empty();
        let guest = Guest { number, orders, task };
        guest.order(Order::Speak(is_first)).await;
        self.members.push(guest);
    }

    /// Each speaks once, six at a time, and each is looked at by each, nine at a time.
    async fn turns(&self, lasts: Duration) {
        let count = self.members.len();
        let turns = count.div_ceil(VOICES).max(count.saturating_sub(1).div_ceil(TILES));
        for turn in 0..turns {
            for (at, member) in self.members.iter().enumerate() {
                member.order(Order::Speak(at / VOICES == turn)).await;
                let others = (1..count).map(|step| self.members[(at + step) % count].number);
                let shown: Vec<u32> = others.skip(turn * TILES).take(TILES).collect();
                if !shown.is_empty() {
                    member.order(Order::Show(shown)).await;
                }
            }
            sleep(lasts).await;
        }
    }

    /// Cameras go off and on, while all look at whom it is.
    async fn changes(&self, count: usize) {
        let others = self.members.len() - 1;
        for changing in self.members.iter().take(count) {
            for member in self.members.iter().filter(|member| member.number != changing.number) {
                member.order(Order::Show(vec![changing.number])).await;
            }
            sleep(Duration::from_secs(1)).await;
            for picture in [false, true] {
                changing.order(Order::Send(Sending { sound: true, picture, screen: false })).await;
                let shown = if picture { others } else { 0 };
                self.until_reached((others, shown)).await;
            }
        }
    }

    async fn until_reached(&self, wanted: (usize, usize)) {
        let end = Instant::now() + CHANGE_MAX;
        // An order is on its way for a moment, in which the change before would be counted.
        sleep(Duration::from_millis(300)).await;
        while Instant::now() < end && self.common.ledger.reached() < wanted {
            sleep(Duration::from_millis(20)).await;
        }
        let (told, shown) = self.common.ledger.reached();
        if told < wanted.0 || shown < wanted.1 {
            self.common.ledger.fail("a change of the stage did not reach everybody within 3 s");
        }
    }

    /// The signalling of some is lost and comes back, one after the other, while all see and hear on.
    async fn losses(&self, count: usize) {
        for member in self.members.iter().take(count) {
            member.order(Order::LoseSocket).await;
            sleep(Duration::from_millis(500)).await;
        }
        sleep(Duration::from_secs(1)).await;
    }

    async fn leave(self) {
        for member in &self.members {
            member.order(Order::Leave).await;
        }
        for member in self.members {
            // What it failed with stands in the ledger.
            drop(member.task.await);
        }
    }
}

impl Guest {
    async fn order(&self, order: Order) {
        // Who has failed takes none, and has said why.
        drop(self.orders.send(order).await);
    }
}
