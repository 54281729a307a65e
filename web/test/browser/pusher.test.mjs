//! `<live-pusher>` with Chromium's fake camera and microphone, into the real server where OPENMIC_BIN names one.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FAKE_DEVICES, openBrowser, readPixels, readPlayer, until } from './harness.mjs';
import { serveBundle, skip, startRealServer } from './real-server.mjs';

let server;
let browser;

before(async () => {
  if (skip) return;
  server = await startRealServer();
  browser = await openBrowser({ flags: FAKE_DEVICES });
  await serveBundle(browser.context, server.origin);
  await browser.context.addInitScript(() => {
    window.seen = [];
    for (const type of ['statechange', 'netstatus', 'error', 'notice', 'bgmstart', 'bgmprogress', 'bgmcomplete', 'audiovolumenotify']) {
      addEventListener(type, ({ detail }) => detail && window.seen.push({ type, ...detail }));
    }
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** A page with nothing but a pusher. */
async function openPusher(attributes) {
  const page = await browser.context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(`${server.origin}/publish/none/none`);
  await page.evaluate(async (attributes) => {
    document.body.replaceChildren();
    await import('/assets/openmic.js');
    const pusher = document.createElement('live-pusher');
    for (const [name, value] of Object.entries(attributes)) pusher.setAttribute(name, value);
    document.body.append(pusher);
    window.pusher = pusher;
  }, attributes);
  return { page, complaints };
}

const codesOf = (page) => page.evaluate(() => window.seen.filter(({ type }) => type === 'statechange').map(({ code }) => code));
const viewOf = (page) => page.evaluate(() => window.pusher.view.kind);
const live = (page) => until(() => viewOf(page), (kind) => kind === 'live', 20_000);

/** A player of the path in a page of its own. */
async function openPlayer(path, mode) {
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/play/${path}`);
  if (mode === 'RTC') {
    await page.evaluate((path) => {
      document.body.innerHTML = `<live-player src="/${path}.flv" mode="RTC" autoplay muted></live-player>`;
    }, path);
  }
  await until(() => readPlayer(page), ({ view, frames }) => view.kind === 'playing' && frames > 20, 30_000);
  return page;
}

test('publishes_camera_and_microphone_and_is_seen_by_flv_and_webrtc', { skip }, async () => {
  const { page, complaints } = await openPusher({ url: '/live/cam/whip', autopush: '', mode: 'FHD', orientation: 'horizontal', fps: '30' });
  await live(page);
  const stream = await until(() => server.stream('live/cam'), (told) => told?.tracks.some(({ width }) => width > 0));
  assert.deepEqual(stream.tracks.map(({ kind }) => kind).sort(), ['audio', 'video']);
  assert.equal(stream.tracks.find(({ kind }) => kind === 'video').name, 'H.264');
  for (const mode of ['live', 'RTC']) {
    const viewer = await openPlayer('live/cam', mode);
    const first = await readPixels(viewer);
    await until(() => readPixels(viewer), (pixels) => pixels.join() !== first.join());
    await viewer.close();
  }
  const codes = await codesOf(page);
  for (const code of [1003, 1001, 1002, 1007, 1008]) assert.ok(codes.includes(code), `${code} in ${codes}`);
  const { info } = await until(() => page.evaluate(() => window.seen.findLast(({ type }) => type === 'netstatus')), (last) => last?.info.videoFPS > 10);
  assert.ok(info.videoBitrate > 50 && info.audioBitrate > 5 && info.netQualityLevel <= 3, JSON.stringify(info));
  await page.evaluate(() => window.pusher.stop());
  await until(() => server.stream('live/cam'), (told) => told === undefined, 20_000);
  assert.deepEqual(complaints, []);
  await page.close();
});
