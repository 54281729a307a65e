//! What `<live-pusher>` does to its connection, against a second peer connection in the page: the floor, the layers.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FAKE_DEVICES, openBrowser, openServer, until } from './harness.mjs';
import { installLoopback } from './whep-loopback.mjs';
import { placePusher } from './pusher-page.mjs';

let server;
let browser;

before(async () => {
  server = await openServer({ mock: true });
  browser = await openBrowser({ flags: FAKE_DEVICES });
  await installLoopback(browser.context);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

async function openPusher(attributes) {
  const page = await browser.context.newPage();
  await placePusher(page, server.origin, attributes);
  await page.evaluate(() => window.pusher.start());
  await until(() => page.evaluate(() => window.pusher.view.kind), (kind) => kind === 'live', 20_000);
  return page;
}

/** The layers that are sent, by their frames so far. */
const layersOf = (page) =>
  page.evaluate(async () => {
    const stats = [...(await window.pusher.peer.getStats()).values()].filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
    return Object.fromEntries(stats.map(({ rid = '', framesSent, frameWidth, active }) => [rid, { framesSent, frameWidth, active }]));
  });

test('sends_three_layers_and_those_alone_that_somebody_watches', async () => {
  const page = await openPusher({ url: '/live/x/whip', simulcast: '', mode: 'FHD', orientation: 'horizontal', fps: '15', 'max-bitrate': '3000' });
  const all = await until(() => layersOf(page), (layers) => ['l', 'm', 'h'].every((rid) => layers[rid]?.framesSent > 10), 30_000);
  assert.deepEqual(['l', 'm', 'h'].map((rid) => all[rid].frameWidth), [320, 640, 1280]);

  await page.evaluate(() => window.whep.control.send(JSON.stringify({ type: 'layers', active: ['l', 'm'] })));
  await until(() => layersOf(page), ({ h }) => h.active === false);
  const paused = await layersOf(page);
  const later = await until(() => layersOf(page), ({ m }) => m.framesSent > paused.m.framesSent + 15);
  assert.ok(later.h.framesSent - paused.h.framesSent <= 2, 'nobody watches h');

  await page.evaluate(() => window.whep.control.send('{"type":"unknown"}'));
  await page.evaluate(() => window.whep.control.send(JSON.stringify({ type: 'layers', active: ['h', 'm', 'l'] })));
  await until(() => layersOf(page), ({ h }) => h.active === true && h.framesSent > later.h.framesSent + 5);
  await page.close();
});

test('raises_and_drops_the_floor_in_the_middle_of_a_call_without_touching_ice_or_dtls', async () => {
  const page = await openPusher({ url: '/live/x/whip', mode: 'HD', orientation: 'horizontal', fps: '30' });
  const state = () =>
    page.evaluate(async () => {
      const stats = [...(await window.pusher.peer.getStats()).values()];
      const transport = stats.find(({ type }) => type === 'transport');
      const video = stats.find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
      const { iceRole, dtlsState, selectedCandidatePairId, selectedCandidatePairChanges, iceLocalUsernameFragment } = transport;
      return { path: { iceRole, dtlsState, selectedCandidatePairId, selectedCandidatePairChanges, iceLocalUsernameFragment }, target: video.targetBitrate, frames: video.framesSent };
    });
  await until(state, ({ frames }) => frames > 30);
  const before = await state();
  const requests = await page.evaluate(() => window.whep.requests.length);
  // The network's own estimate is held far down, as loss would do it.
  await page.evaluate(async () => {
    const publication = window.pusher.broadcast.publication;
    await publication.hint({ minKbps: 30, startKbps: 60, maxKbps: 60 });
  });
  await until(state, ({ target }) => target !== undefined && target < 100_000, 10_000);
  await page.evaluate(() => window.pusher.broadcast.publication.hint({ minKbps: 900, startKbps: 900, maxKbps: 1_200 }));
  await until(state, ({ target }) => target > 600_000, 10_000);
  await page.evaluate(() => window.pusher.broadcast.publication.hint(undefined));
  const frames = (await state()).frames;
  const after = await until(state, (now) => now.frames > frames + 60, 10_000);
  assert.deepEqual(after.path, before.path);
  assert.equal(await page.evaluate(() => window.whep.requests.length), requests, 'the server heard nothing of it');
  await page.close();
});

test('leaves_only_sound_when_the_network_carries_no_picture_says_so_and_comes_back', async () => {
  const page = await openPusher({ url: '/live/x/whip', simulcast: '', mode: 'FHD', orientation: 'horizontal' });
  await until(() => layersOf(page), ({ l }) => l?.framesSent > 10, 20_000);
  // What the server's reports say cannot be staged on one machine: they are put into the statistics.
  await page.evaluate(() => {
    window.lossShare = 0.95;
    const { peer } = window.pusher;
    const read = peer.getStats.bind(peer);
    let atMs = 0;
    peer.getStats = async () => {
      const all = [...(await read()).values()].map((each) =>
        each.type === 'remote-inbound-rtp' ? { ...each, fractionLost: window.lossShare, roundTripTime: 0.1, timestamp: (atMs += 1) } : each,
      );
      return new Map(all.map((each, at) => [String(at), each]));
    };
  });
  const level = () => page.evaluate(() => window.pusher.broadcast.floor.level);
  const said = () => page.locator('live-pusher [part=notice]').innerText();
  await until(level, (now) => now === 'base', 15_000);
  assert.match(await said(), /The network is weak: the picture is sent small/);
  await until(level, (now) => now === 'off', 15_000);
  assert.match(await said(), /only sound is sent/);
  await until(() => layersOf(page), (layers) => Object.values(layers).every(({ active }) => active === false));
  const sound = () => page.evaluate(async () => [...(await window.pusher.peer.getStats()).values()].find(({ type, kind }) => type === 'outbound-rtp' && kind === 'audio').packetsSent);
  const packets = await sound();
  await until(sound, (count) => count > packets + 20, 5_000);
  await page.evaluate(() => (window.lossShare = 0.05));
  await until(level, (now) => now === 'full', 30_000);
  assert.match(await said(), /the picture is back/);
  await until(() => layersOf(page), ({ h }) => h.active === true);
  await page.close();
});
