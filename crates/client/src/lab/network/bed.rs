//! Two networks and the link between them: the server is in the near one, whoever has the bad connection in the far one.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use anyhow::Context;
use tun_rs::{DeviceBuilder, SyncDevice};

use super::place::Place;
use super::shuttle::{Lane, Shuttle};
use crate::link::Impairment;

/// Where the server is.
pub(super) const NEAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Where the far browser is, and where it is after its address has changed.
pub(super) const FAR: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 77, 0, 2), Ipv4Addr::new(10, 77, 0, 3)];
const PREFIX: u8 = 24;
/// The same in both: they do not see each other.
const DEVICE: &str = "openmic0";
/// As Ethernet.
const MTU: u16 = 1_500;
/// Packets that wait for our thread; the kernel's 500 are soon full when a browser sends a picture at once.
const WAITING: u32 = 2_000;

/// Which way packets go over the bad link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the far end to the server.
    Up,
    /// From the server to the far end.
    Down,
}

impl Direction {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Both networks. With it everything is gone.
pub(super) struct Bed {
    // Dropped in this order: the threads hold the devices, and those are in the networks.
    shuttle: Shuttle,
    pub(super) near: Place,
    pub(super) far: Place,
    /// Index into [`FAR`].
    address: usize,
}

impl Bed {
    /// Makes both, joined by a link without faults.
    pub(super) fn open() -> anyhow::Result<Self> {
        let (near, far) = (Place::open("lab-near")?, Place::open("lab-far")?);
        let devices = (device(&near, NEAR)?, device(&far, FAR[0])?);
        let shuttle = Shuttle::start(devices.0, devices.1)?;
        Ok(Self { shuttle, near, far, address: 0 })
    }

    /// One direction.
    pub(super) fn lane(&self, direction: Direction) -> &Arc<Lane> {
        match direction {
            Direction::Up => &self.shuttle.up,
            Direction::Down => &self.shuttle.down,
        }
    }

    /// Begins both directions anew, with chance from this seed and nothing under way.
    pub(super) fn renew(&self, impairment: &Impairment, seed: u64) {
        self.shuttle.up.renew(impairment.clone(), seed);
        self.shuttle.down.renew(impairment.clone(), seed.wrapping_add(1 << 32));
    }

    /// Where the far end is now.
    pub(super) fn far_address(&self) -> IpAddr {
        FAR[self.address].into()
    }

    /// Takes the far end's address away and gives it another, as going from one network to the next does.
    pub(super) fn change_address(&mut self) -> anyhow::Result<()> {
        let (old, new) = (FAR[self.address], FAR[1 - self.address]);
        self.far.ip(&["addr", "del", &format!("{old}/{PREFIX}"), "dev", DEVICE])?;
        self.far.ip(&["addr", "add", &format!("{new}/{PREFIX}"), "dev", DEVICE])?;
        self.far.ip(&["route", "replace", "default", "dev", DEVICE, "src", &new.to_string()])?;
        self.address = 1 - self.address;
        Ok(())
    }
}

/// A TUN device with this address; it is gone when its last descriptor is closed.
fn device(place: &Place, address: Ipv4Addr) -> anyhow::Result<SyncDevice> {
    let opened = place.run(|| {
        DeviceBuilder::new().name(DEVICE).build_sync().and_then(|device| {
            device.set_nonblocking(true)?;
            Ok(device)
        })
    })?;
    let device = opened.context(
        "opening a TUN device; this takes /dev/net/tun (modprobe tun; in a container --device /dev/net/tun) and the right \
         CAP_NET_ADMIN",
    )?;
    let (mtu, waiting) = (MTU.to_string(), WAITING.to_string());
    place.ip(&["addr", "add", &format!("{address}/{PREFIX}"), "dev", DEVICE])?;
    place.ip(&["link", "set", DEVICE, "mtu", &mtu, "txqueuelen", &waiting, "up"])?;
    // Browsers look for the way to the internet to find their own address.
    place.ip(&["route", "replace", "default", "dev", DEVICE, "src", &address.to_string()])?;
    Ok(device)
}
