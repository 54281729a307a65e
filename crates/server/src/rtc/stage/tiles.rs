//! Whom a member sees: the tiles it has asked for, each with the layer that its share of the way allows.

use std::collections::VecDeque;
use std::task::{Context as Task, Poll};
use std::time::Instant;

use room::MemberId;
use str0m::Rtc;

use super::super::control::{self, Told};
use super::super::lanes::Kind;
use super::super::layers::Want;
use super::super::way::Wishes;
use super::cast::{self, Cast};
use super::share::{Conditions, Share, Sharing, Wanted};
use super::slot::{self, Slot, Wrote};

/// What a member sees.
#[derive(Default)]
pub(super) struct Tiles {
    tiles: Vec<Tile>,
    /// Those that are asked for, the most important first.
    order: Vec<usize>,
    sharing: Sharing,
}

/// One section of pictures.
struct Tile {
    slot: Slot,
    asked: Option<Asked>,
    want: Option<Want>,
    state: State,
    told: Option<Shown>,
}

/// Who is asked for, and in what size.
#[derive(Clone, Copy)]
struct Asked {
    member: MemberId,
    pixels: Option<(u32, u32)>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Playing,
    Waiting,
    Paused,
}

/// What the peer is told of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    member: MemberId,
    size: (u32, u32),
    state: State,
}

impl Tiles {
    /// One more section.
    pub(super) fn add(&mut self, slot: Slot) {
        self.tiles.push(Tile { slot, asked: None, want: None, state: State::Waiting, told: None });
    }

    pub(super) fn slots(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.tiles.iter_mut().map(|tile| &mut tile.slot)
    }

    pub(super) fn rejoin(&mut self) {
        self.slots().for_each(Slot::rejoin);
    }

    /// Takes the whole list. A section that is not there, or that is named twice, is passed over.
    pub(super) fn handle_asked(&mut self, asked: Vec<control::Tile>) {
        self.order.clear();
        let mut before: VecDeque<Option<Asked>> =
            self.tiles.iter_mut().map(|tile| tile.asked.take()).collect();
        for wish in asked {
            let index = self.tiles.iter().position(|tile| *tile.slot.mid() == *wish.mid);
            let Some(index) = index.filter(|index| !self.order.contains(index)) else { continue };
            if let Some(tile) = self.tiles.get_mut(index) {
                tile.asked = Some(Asked { member: wish.member, pixels: wish.pixels() });
                self.order.push(index);
            }
        }
        for tile in &mut self.tiles {
            let before = before.pop_front().flatten().map(|asked| asked.member);
            if tile.asked.map(|asked| asked.member) != before {
                tile.state = State::Waiting;
            }
        }
    }

    /// Shares the way out among those on the stage who are asked for.
    pub(super) fn handle_cast(
        &mut self,
        now: Instant,
        rtc: &mut Rtc,
        cast: &Cast,
        conditions: Conditions,
    ) -> Wishes {
        let wanted: Vec<Wanted> =
            self.order.iter().filter_map(|index| self.wanted(now, rtc, cast, *index)).collect();
        let behind = self.tiles.iter().map(|tile| tile.slot.behind()).max().unwrap_or_default();
        let shares = self.sharing.handle_conditions(now, &Conditions { behind, ..conditions }, &wanted);
        for tile in self.tiles.iter_mut().filter(|tile| tile.asked.is_none()) {
            tile.stop(rtc, State::Waiting);
        }
        for (wanted, share) in wanted.iter().zip(&shares.shares) {
            let (index, member) = wanted.of;
            if let Some(tile) = self.tiles.get_mut(index) {
                tile.apply(rtc, cast, member, *share);
            }
        }
        shares.wishes
    }

    fn wanted(&self, now: Instant, rtc: &Rtc, cast: &Cast, index: usize) -> Option<Wanted> {
        let tile = self.tiles.get(index)?;
        let Asked { member, pixels } = tile.asked?;
        let mut layers = Vec::new();
        let lanes = cast.member(member).and_then(|member| member.picture());
        if let Some(lanes) =
            lanes.filter(|lanes| lanes.format(Kind::Video).is_some_and(|format| tile.slot.takes(rtc, format)))
        {
            cast::layers(lanes, now, &mut layers);
        }
        Some(Wanted { of: (index, member), layers, pixels })
    }

    pub(super) fn take_told(&mut self) -> Option<Told> {
        self.tiles.iter_mut().find_map(Tile::take_told)
    }

    /// The next packet of any tile, as long as the machine has no more than `room` bytes to send.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Task<'_>,
        rtc: &mut Rtc,
        cast: &Cast,
        room: Option<usize>,
    ) -> Poll<()> {
        let queued = |rtc: &mut Rtc, tiles: &mut [Tile]| -> usize {
            tiles.iter_mut().filter_map(|tile| tile.slot.outlet()).map(|outlet| outlet.queued(rtc)).sum()
        };
        let has_room = room.is_none_or(|room| queued(rtc, &mut self.tiles) <= room);
        for index in &self.order {
            let Some(tile) = self.tiles.get_mut(*index) else { continue };
            // Whatever the machine has to send: the sooner it is the smaller one, the better.
            let wrote = match tile.slot.poll_change(cx, rtc) {
                Some(wrote) => Some(wrote),
                None if has_room && !tile.slot.is_left() => {
                    let member = tile.slot.member().and_then(|member| cast.member(member));
                    match tile.slot.poll_write(cx, rtc, member) {
                        Poll::Ready(wrote) => Some(wrote),
                        Poll::Pending => None,
                    }
                }
                // The machine's own clock, or the next look, comes back to it.
                None => None,
            };
            match wrote {
                Some(Wrote::Packet | Wrote::First) => {
                    tile.handle_written();
                    return Poll::Ready(());
                }
                Some(Wrote::Unfit) | None => {}
            }
        }
        Poll::Pending
    }
}

impl Tile {
    fn apply(&mut self, rtc: &mut Rtc, cast: &Cast, member: MemberId, share: Share) {
        let lanes = cast.member(member).and_then(|member| member.picture());
        match (share, lanes) {
            (Share::Lane(layer), Some(lanes)) => {
                self.want = slot::want(self.want.take(), lanes, layer);
                self.slot.see(member, lanes, layer);
                if self.state == State::Paused {
                    self.state = State::Waiting;
                }
                if self.slot.member() == Some(member) && self.slot.is_flowing() {
                    self.state = State::Playing;
                }
            }
            (Share::Paused, _) => self.stop(rtc, State::Paused),
            (Share::Nothing, _) | (Share::Lane(_), None) => self.stop(rtc, State::Waiting),
        }
    }

    /// Nothing is sent in it.
    fn stop(&mut self, rtc: &mut Rtc, state: State) {
        if self.slot.member().is_some()
            && let Some(outlet) = self.slot.outlet()
        {
            outlet.forget(rtc);
        }
        self.slot.clear();
        (self.want, self.state) = (None, state);
    }

    /// A packet went out.
    fn handle_written(&mut self) {
        if self.asked.map(|asked| asked.member) == self.slot.member() {
            self.state = State::Playing;
        }
    }

    /// What it shows, for the peer.
    fn shown(&self) -> Option<Shown> {
        let Asked { member, .. } = self.asked?;
        let size = match self.state {
            State::Playing => self.slot.size().unwrap_or_default(),
            State::Waiting | State::Paused => (0, 0),
        };
        Some(Shown { member, size, state: self.state })
    }

    fn take_told(&mut self) -> Option<Told> {
        let shown = self.shown();
        if std::mem::replace(&mut self.told, shown) == shown {
            return None;
        }
        let Shown { member, size: (width, height), state } = shown?;
        let (state, reason) = match state {
            State::Playing => ("playing", None),
            State::Waiting => ("waiting", None),
            State::Paused => ("paused", Some("bandwidth")),
        };
        Some(Told::Tile { mid: self.slot.mid().to_string(), member, width, height, state, reason })
    }
}
