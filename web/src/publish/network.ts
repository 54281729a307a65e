//! What a browser tells of its network, and whether a server can be reached over it.

/** A server that is there answers anything within this. */
const PROBE_MS = 1_000;

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

/** Asks the server that media goes to; any answer will do, and another origin need not allow it to be read. */
export function isReachable(mediaUrl: string): Promise<boolean> {
  const url = new URL('/healthz', new URL(mediaUrl, location.href));
  const options: RequestInit = { mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(PROBE_MS) };
  return fetch(url, options).then(
    () => true,
    () => false,
  );
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
