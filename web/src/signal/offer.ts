//! Offers in our words, for browsers that may insist on their own.

import { askForRobustSound, askForWholeKeyframes } from './sdp.ts';

/** Makes and sets an offer to receive, with the sound and the keyframes that we want; tells what to send. */
export async function offerToReceive(peer: RTCPeerConnection, options?: RTCOfferOptions): Promise<string> {
  const made = await peer.createOffer(options);
  const robust = askForRobustSound(made.sdp ?? '');
  return setFirst(peer, [askForWholeKeyframes(robust), robust], made);
}

/** The same to send. */
export async function offerToSend(peer: RTCPeerConnection, options?: RTCOfferOptions): Promise<string> {
  const made = await peer.createOffer(options);
  return setFirst(peer, [askForRobustSound(made.sdp ?? '')], made);
}

/**
 * Sets the first of these that the browser takes, or what it made itself. The first is what to send in any case: the
 * server may honour what the browser would not say.
 */
async function setFirst(
  peer: RTCPeerConnection,
  [wished = '', ...others]: readonly string[],
  made: RTCLocalSessionDescriptionInit,
): Promise<string> {
  for (const sdp of [wished, ...others]) {
    try {
      await peer.setLocalDescription({ type: 'offer', sdp });
      return wished;
    } catch {
      // The next has fewer wishes.
    }
  }
  await peer.setLocalDescription(made);
  return wished;
}
