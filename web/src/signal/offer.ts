//! Offers in our words, for browsers that may insist on their own.

import { askForRobustSound, askForWholeKeyframes } from './sdp.ts';

/** What an `RTCPeerConnection` does for an offer. */
interface Offerer {
  createOffer(options?: Options): Promise<{ readonly sdp?: string }>;
  setLocalDescription(description: { type: 'offer'; sdp: string }): Promise<void>;
}

interface Options {
  iceRestart?: boolean;
}

/** Makes and sets an offer to receive, with the sound and the keyframes that we want; tells what to send. */
export async function offerToReceive(peer: Offerer, options?: Options): Promise<string> {
  const { sdp: made = '' } = await peer.createOffer(options);
  const robust = askForRobustSound(made);
  return setFirst(peer, askForWholeKeyframes(robust), [robust, made]);
}

/** The same to send. */
export async function offerToSend(peer: Offerer, options?: Options): Promise<string> {
  const { sdp: made = '' } = await peer.createOffer(options);
  return setFirst(peer, askForRobustSound(made), [made]);
}

/**
 * Sets what is wished, or the first of the others that the browser takes. What is wished is sent in any case: the server
 * may honour what the browser would not say.
 */
async function setFirst(peer: Offerer, wished: string, others: readonly string[]): Promise<string> {
  const set = (sdp: string): Promise<void> => peer.setLocalDescription({ type: 'offer', sdp });
  await others.reduce((before, sdp) => before.catch(() => set(sdp)), set(wished));
  return wished;
}
