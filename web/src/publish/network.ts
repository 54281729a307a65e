//! What a browser tells of its network, and whether a server can be reached over it.

/** A server that is there answers anything within this. */
const PROBE_MS = 1_000;
/** When it is asked, while it has not answered. */
const ASKED_MS: readonly number[] = [0, 250, 500, 750];

interface NetworkInformation extends EventTarget {
  readonly type?: string;
}

/** Tells when the network is back or another one: what runs over the old path is suspect then. */
export function watchNetwork(handleChange: () => void, signal: AbortSignal): void {
  window.addEventListener('online', handleChange, { signal });
  const connection = (navigator as { readonly connection?: NetworkInformation }).connection;
  let type = connection?.type;
  connection?.addEventListener(
    'change',
    () => {
      // It also tells of every new estimate of the rate; another kind of network is another path.
      if (connection.type === type) return;
      type = connection.type;
      handleChange();
    },
    { signal },
  );
}

/**
 * Asks the server that media goes to; any answer will do, and another origin need not allow it to be read. Asked again beside the
 * first, for that may hang on a connection of a network that is no more.
 */
export async function isReachable(mediaUrl: string): Promise<boolean> {
  const url = new URL('/healthz', new URL(mediaUrl, location.href));
  const ends = new AbortController();
  const limit = setTimeout(() => ends.abort(), PROBE_MS);
  const ask = async (afterMs: number): Promise<void> => {
    await new Promise((done) => setTimeout(done, afterMs));
    await fetch(url, { mode: 'no-cors', cache: 'no-store', signal: ends.signal });
  };
  const reached = await Promise.any(ASKED_MS.map(ask)).then(
    () => true,
    () => false,
  );
  clearTimeout(limit);
  // The others would keep what the browser has of connections.
  ends.abort();
  return reached;
}

/** What passes over the path that is in use. */
export interface Traffic {
  readonly sentPackets: number;
  /** For how long nothing has come. */
  readonly silentMs: number;
}

/** Undefined where the browser does not count that, or there is no path. */
export async function trafficOf(peer: RTCPeerConnection): Promise<Traffic | undefined> {
  const stats = await peer.getStats();
  for (const transport of stats.values() as Iterable<RTCTransportStats>) {
    if (transport.type !== 'transport' || transport.selectedCandidatePairId === undefined) continue;
    const pair = stats.get(transport.selectedCandidatePairId) as PairStats | undefined;
    if (pair?.lastPacketReceivedTimestamp === undefined || pair.packetsSent === undefined) continue;
    return { sentPackets: pair.packetsSent, silentMs: Math.max(0, pair.timestamp - pair.lastPacketReceivedTimestamp) };
  }
  return undefined;
}

/** Two fields that TypeScript's library does not know yet. */
type PairStats = RTCIceCandidatePairStats & { readonly lastPacketReceivedTimestamp?: number; readonly packetsSent?: number };
