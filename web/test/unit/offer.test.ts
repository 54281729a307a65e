//! In which words an offer is set, and what is sent.

import { describe, expect, it } from 'vitest';
import { offerToReceive, offerToSend } from '../../src/signal/offer.ts';

const MADE = ['v=0', 'm=audio 9 X 111', 'a=rtpmap:111 opus/48000/2', 'm=video 9 X 96', 'a=rtpmap:96 H264/90000', 'a=fmtp:96 packetization-mode=1', ''].join('\r\n');
const SOUND = 'useinbandfec=1';
const KEYFRAMES = 'sps-pps-idr-in-keyframe=1';

/** A browser that takes no description with these words. */
const browser = (...refused: readonly string[]) => {
  const set: string[] = [];
  return {
    set,
    createOffer: async () => ({ type: 'offer', sdp: MADE }),
    setLocalDescription: async ({ sdp }: { sdp: string }) => {
      if (refused.some((words) => sdp.includes(words))) throw new Error('it insists on its own words');
      set.push(sdp);
    },
  };
};

describe('an offer', () => {
  it('is_set_and_sent_with_all_wishes', async () => {
    const peer = browser();
    const sent = await offerToReceive(peer);
    expect(peer.set).toEqual([sent]);
    expect(sent).toContain(SOUND);
    expect(sent).toContain(KEYFRAMES);
    expect(await offerToSend(browser())).not.toContain(KEYFRAMES);
  });

  it('loses_one_wish_at_a_time_where_the_browser_refuses_and_is_sent_with_all', async () => {
    const choosy = browser(KEYFRAMES);
    expect(await offerToReceive(choosy)).toContain(KEYFRAMES);
    expect(choosy.set).toHaveLength(1);
    expect(choosy.set[0]).toContain(SOUND);
    const strict = browser(SOUND);
    expect(await offerToReceive(strict)).toContain(SOUND);
    expect(strict.set).toEqual([MADE]);
    const sending = browser(SOUND);
    expect(await offerToSend(sending)).toContain(SOUND);
    expect(sending.set).toEqual([MADE]);
  });

  it('fails_where_not_even_its_own_words_are_taken', async () => {
    await expect(offerToReceive(browser('v=0'))).rejects.toThrow('insists');
  });
});
