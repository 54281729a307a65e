//! What the tests of rooms share: a page with one `<live-room>` in it, and how to read it from outside.

import { Rooms } from '../mock/rooms.mjs';
import { FAKE_DEVICES, openBrowser, openPage, until } from './harness.mjs';
import { installRoomLoopback } from './room-loopback.mjs';

/** Opens the page of a room, as somebody whose invitation the lobby kept, and joins. */
export async function joinRoom({ server, room, claims, locale = 'en-US', options = {}, goIn = true }) {
  const browser = await openBrowser({ flags: FAKE_DEVICES, locale, permissions: ['camera', 'microphone'], ...options });
  await installRoomLoopback(browser.context);
  const token = Rooms.token({ room: room.id, sub: claims.name, role: 'guest', ...claims });
  await browser.context.addInitScript(
    ([id, invitation]) => sessionStorage.setItem(`openmic-room-${id}`, invitation),
    [room.id, JSON.stringify({ token, name: claims.name })],
  );
  const { page, complaints } = await openPage(browser.context, `${server.origin}/demo/${room.id}`);
  if (goIn) await page.locator('button[type=submit]').click();
  if (goIn) await page.locator('live-room').waitFor();
  return { browser, page, complaints, roomOf: () => page.locator('live-room') };
}

export const phaseOf = (page) => page.locator('live-room').evaluate((room) => room.session?.phase.kind);

export const stageOf = (page) => page.locator('live-room').evaluate((room) => room.session?.all?.stage ?? []);

/** What the pictures of members have shown: decoded frames by member. */
export function framesOf(page) {
  return page.locator('live-room').evaluate((room) =>
    Object.fromEntries(
      [...room.shadowRoot.querySelectorAll('.tile')].map((tile) => [
        tile.dataset.member,
        tile.querySelector('video').getVideoPlaybackQuality().totalVideoFrames,
      ]),
    ),
  );
}

/** Frames that the page has sent, in all layers, over a connection that the other side has: it must not be another one. */
export function sentFrames(page) {
  return page.locator('live-room').evaluate(async (room) => {
    const stats = [...((await room.session.media.up.peer?.getStats()) ?? new Map()).values()];
    return stats.filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video').reduce((sum, { framesSent = 0 }) => sum + framesSent, 0);
  });
}

/** Loudness of what the page sent, at the other side: 0 to 1. */
export function sentLevel(page) {
  return page.evaluate(async () => {
    const stats = [...(await window.stage.up.getStats()).values()];
    return stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio')?.audioLevel ?? 0;
  });
}

export const waitUp = (page) => until(() => page.locator('live-room').evaluate((room) => room.session?.sending), (sending) => sending?.sound === true && sending.picture, 20_000);
