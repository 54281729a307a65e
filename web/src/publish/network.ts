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
