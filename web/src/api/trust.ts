//! What the server says about its own certificate authority.

export interface TrustAddress {
  /** The page, where a phone can open it before it trusts anything. */
  readonly page: string;
  /** The server once it is trusted. */
  readonly secure: string;
}

export interface About {
  /** SHA-256 of the authority's certificate, in pairs of digits with colons. */
  readonly fingerprint: string;
  readonly addresses: readonly TrustAddress[];
}

/** `undefined` where the server is no authority of its own. */
export async function getAbout(): Promise<About | undefined> {
  const response = await fetch('/trust/about.json');
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`status ${response.status}`);
  return (await response.json()) as About;
}
