//! A way to a server's TCP port on which every byte is counted, as whoever bills by the socket would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Connects each of its connections with one to the server.
pub struct Toll {
    /// Where it listens.
    pub address: SocketAddr,
    counts: Arc<[AtomicU64; 2]>,
    task: JoinHandle<()>,
}

impl Drop for Toll {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Toll {
    /// In front of this port.
    pub async fn open(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("port 0 is free");
        let address = listener.local_addr().expect("it was bound");
        let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let counting = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            while let Ok((theirs, _)) = listener.accept().await {
                let ours = TcpStream::connect(server).await.expect("the server listens");
                let ((their_in, their_out), (our_in, our_out)) = (theirs.into_split(), ours.into_split());
                tokio::spawn(carry(their_in, our_out, Arc::clone(&counting), 0));
                tokio::spawn(carry(our_in, their_out, Arc::clone(&counting), 1));
            }
        });
        Self { address, counts, task }
    }

    /// Bytes that have gone to the server.
    pub fn sent(&self) -> u64 {
        self.counts[0].load(Ordering::Relaxed)
    }

    /// Bytes that have come from it.
    pub fn received(&self) -> u64 {
        self.counts[1].load(Ordering::Relaxed)
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    counts: Arc<[AtomicU64; 2]>,
    way: usize,
) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        counts[way].fetch_add(read as u64, Ordering::Relaxed);
        if to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
