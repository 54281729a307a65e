//! A class of fifty with the real server (OPENMIC_BIN): forty-four native members, and when each of them has heard and seen each,
//! six Chromium pages beside them on the stage. Run by `./dev soak rooms`: it takes an optimised server, and a machine that does
//! nothing else.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { FAKE_DEVICES, openBrowser, openPage, outputFile, until } from '../browser/harness.mjs';
import { BINARY, serveBundle, skip, startRealServer } from '../browser/real-server.mjs';

const PAGES = 6;
const NATIVES = 44;
/** At least, on pages as small as these. */
const TILES = 4;

let server;

before(async () => {
  if (skip) return;
  server = await startRealServer();
});

after(async () => {
  await server?.close();
});

async function ask(path, wish) {
  const answer = await fetch(`${server.origin}/api/v1/rooms${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(wish),
  });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

/** A page in the class; how long it took from going in to the first picture of somebody else. */
async function goIn(context, number) {
  const name = `Page ${number}`;
  const { token } = await ask('/class/tokens', { user: `page-${number}`, name, role: 'guest', seconds: 600 });
  const { page } = await openPage(context, `${server.origin}/demo/class#`);
  await page.evaluate((invitation) => sessionStorage.setItem('openmic-room-class', invitation), JSON.stringify({ token, name }));
  await page.reload();
  const startMs = performance.now();
  await page.locator('button[type=submit]').click();
  return { page, startMs };
}

/** Members whose pictures have been decoded, with how many. */
const decoded = (page) =>
  page.locator('live-room').evaluate((room) =>
    [...room.shadowRoot.querySelectorAll('.tile:not(.own)')].map((tile) => tile.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0),
  );

/** What each tile shows, and what the browser counts of each section of pictures: why a tile is empty. */
async function described(page) {
  const tiles = await page.locator('live-room').evaluate((room) =>
    [...room.shadowRoot.querySelectorAll('.tile:not(.own)')].map((tile) => `${tile.textContent.trim().replace(/\s+/g, ' ')}: ${tile.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames}`),
  );
  const counted = await page.evaluate(async () => {
    const lines = [];
    for (const peer of globalThis.openedPeers.filter(({ connectionState }) => connectionState === 'connected')) {
      for (const stats of (await peer.getStats()).values()) {
        if (stats.type !== 'inbound-rtp' || stats.kind !== 'video') continue;
        const { mid, packetsReceived, packetsLost, framesReceived, framesDecoded, keyFramesDecoded, framesDropped, pliCount, nackCount, frameHeight } = stats;
        lines.push(JSON.stringify({ mid, packetsReceived, packetsLost, framesReceived, framesDecoded, keyFramesDecoded, framesDropped, pliCount, nackCount, frameHeight }));
      }
    }
    return lines;
  });
  return [...tiles, ...counted].join('\n');
}

test('six_browsers_and_forty_four_natives_are_a_class_of_fifty', { skip, timeout: 300_000 }, async () => {
  const members = PAGES + NATIVES;
  await ask('', { id: 'class', template: 'class-small', settings: { limits: { members: members + 10, stage: members, listed: members } } });
  const reach = '--disable-features=WebRtcHideLocalIpsWithMdns,LocalNetworkAccessChecks';
  const browser = await openBrowser({ flags: [...FAKE_DEVICES, reach], permissions: ['camera', 'microphone'], viewport: { width: 640, height: 480 } });
  try {
    await serveBundle(browser.context, server.origin);
    await browser.context.addInitScript(() => {
      globalThis.openedPeers = [];
      globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...options) {
          super(...options);
          globalThis.openedPeers.push(this);
        }
      };
      const media = navigator.mediaDevices;
      const open = media.getUserMedia.bind(media);
      media.getUserMedia = ({ audio, video }) => open({ ...(audio && { audio: true }), ...(video && { video: { width: 160, height: 90, frameRate: 10 } }) });
    });
    const natives = spawn(BINARY, ['lab', 'room', '--url', server.origin, '--room', 'class', '--members', String(NATIVES), '--stay', '120', '--disturbed', '3', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [said, told] = ['', ''];
    natives.stdout.on('data', (bytes) => (said += bytes));
    natives.stderr.on('data', (bytes) => (told += bytes));
    let haveLeft = false;
    const over = once(natives, 'exit').finally(() => (haveLeft = true));
    await until(() => told, (text) => text.includes('lose their signalling'), 120_000);
    const [pages, joins] = [[], []];
    for (let number = 1; number <= PAGES; number += 1) {
      const { page, startMs } = await goIn(browser.context, number);
      await until(() => decoded(page), (frames) => frames.some((count) => count > 0), 30_000);
      joins.push(Math.round(performance.now() - startMs));
      pages.push(page);
    }
    for (const [at, page] of pages.entries()) {
      const isWhole = (frames) => frames.length >= TILES && frames.every((count) => count > 5);
      await until(() => decoded(page), isWhole, 60_000).catch(async (error) => assert.fail(`page ${at + 1}: ${error.message}\n${await described(page)}`));
    }
    assert.ok(!haveLeft, 'the natives have left before all pages saw somebody');
    await pages[0].screenshot({ path: outputFile('room-crowd.png') });
    const [code] = await over;
    const report = JSON.parse(said);
    console.log(`# pages: first remote picture after ${joins.join(', ')} ms`);
    for (const [what, figure] of Object.entries(report.times)) if (figure !== null) console.log(`# ${what}: p50 ${figure.p50_ms} p95 ${figure.p95_ms} ms of ${figure.count}`);
    console.log(`# ${report.pairs.heard} heard and ${report.pairs.seen} seen of ${report.pairs.wanted} pairs; ${report.counts.missed} of ${report.counts.pictures} pictures missed`);
    assert.equal(code, 0, `${said}\n${told}`);
  } finally {
    await browser.close();
  }
});
