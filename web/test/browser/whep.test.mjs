//! `<live-player>` by WHEP. The server is a second peer connection in the page, or with
//! `OPENMIC_WHEP=1` the one at `OPENMIC_URL`; what only a stand-in can do is tested with the former.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findProblems, openBrowser, openServer, outputFile, readPixels, readPlayer, recordCodes, until } from './harness.mjs';
import { installLoopback } from './whep-loopback.mjs';

const REAL = process.env.OPENMIC_WHEP === '1';
const loopbackOnly = { skip: REAL && 'needs the stand-in' };

let server;
let browser;

before(async () => {
  server = await openServer(REAL ? undefined : { mock: true });
  browser = await openBrowser();
  await recordCodes(browser.context);
  if (!REAL) await installLoopback(browser.context);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

async function openPlayer(attributes, behaviour = 'ok') {
  const page = await browser.context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`${server.origin}/`);
  await page.evaluate(
    async ({ attributes, behaviour }) => {
      document.body.replaceChildren();
      if (window.whep !== undefined) window.whep.behaviour = behaviour;
      await import('/assets/openmic.js');
      const player = document.createElement('live-player');
      player.addEventListener('audiovolumenotify', ({ detail }) => (window.loudness = detail.volume));
      for (const [name, value] of Object.entries(attributes)) player.setAttribute(name, value);
      document.body.append(player);
    },
    { attributes, behaviour },
  );
  return { page, complaints };
}

const transportOf = (page) => page.evaluate(() => document.querySelector('live-player').transport);
const badgeOf = (page) => page.evaluate(() => document.querySelector('live-player').shadowRoot.querySelector('[part=badge]')?.textContent.replace(/\s+/g, ' ').trim());
const playing = (page) => until(() => readPlayer(page), ({ view, frames }) => view.kind === 'playing' && frames > 10, 20_000);

test('plays_by_webrtc_with_picture_and_sound_tells_the_codes_in_order_and_leaves_no_session', async () => {
  const { page, complaints } = await openPlayer({ src: '/live/demo/whep', autoplay: '', mode: 'RTC' });
  const first = await playing(page);
  const before = await readPixels(page);
  await until(() => readPlayer(page), ({ position, frames }) => position > first.position + 0.8 && frames > first.frames + 15);
  assert.notDeepEqual(await readPixels(page), before, 'the picture changes');
  await until(() => page.evaluate(() => window.loudness), (loudness) => loudness > 3);
  assert.equal(await transportOf(page), 'whep');
  const codes = await page.evaluate(() => window.codes);
  assert.deepEqual(codes.slice(0, 3), [2001, 2002, 2003]);
  for (const code of [2008, 2009, 2032, 2004]) assert.ok(codes.includes(code), `${code} in ${codes}`);
  assert.ok(!codes.includes(2103) && !codes.includes(2105), `no trouble in ${codes}`);
  await page.waitForTimeout(2_500);
  await page.locator('live-player').hover();
  await page.mouse.move(200, 200);
  const badge = await until(() => badgeOf(page), (text) => /^WebRTC · \d+ ms$/.test(text ?? ''));
  const { delay } = await readPlayer(page);
  assert.ok(delay > 0 && delay < 0.5, `delay ${delay} s, badge ${badge}`);
  await page.screenshot({ path: outputFile('player-webrtc.png') });
  const info = await until(() => page.evaluate(() => window.infos.at(-1)), (last) => last?.videoFPS > 15);
  assert.ok(info.videoBitrate > 20 && info.audioBitrate > 5 && info.netSpeed >= info.videoBitrate, JSON.stringify(info));
  assert.ok(info.videoWidth > 0 && info.videoHeight > 0 && info.videoCache > 0 && info.videoCache < 600, JSON.stringify(info));
  assert.ok(info.netQualityLevel <= 3, JSON.stringify(info));
  await page.evaluate(() => document.querySelector('live-player').stop());
  if (!REAL) {
    const requests = await page.evaluate(() => window.whep.requests);
    assert.equal(requests[0].method, 'POST');
    assert.match(requests[0].body, /a=rtcp-fb:111 nack\r\n/);
    assert.match(requests[0].body, /stereo=1;useinbandfec=1/);
    assert.match(requests[0].body, /packetization-mode=1\S*;sps-pps-idr-in-keyframe=1/);
    assert.deepEqual([requests.at(-1).method, requests.at(-1).pathname], ['DELETE', '/live/demo/whep/1']);
  }
  assert.deepEqual(complaints, []);
  await page.close();
});

test('falls_on_to_flv_at_once_when_there_is_no_common_codec_or_no_such_door', loopbackOnly, async () => {
  for (const status of [406, 405]) {
    const { page } = await openPlayer({ src: '/live/demo.flv', autoplay: '', mode: 'RTC' }, status);
    await playing(page);
    assert.equal(await transportOf(page), 'http-flv');
    assert.match(await badgeOf(page), /^HTTP-FLV · \d+\.\d s$/);
    const codes = await page.evaluate(() => window.codes);
    assert.ok(!codes.includes(2103), `another transport is no reconnect: ${codes}`);
    await page.close();
  }
});

test('falls_on_to_flv_in_some_three_seconds_when_no_packet_passes', loopbackOnly, async () => {
  const { page } = await openPlayer({ src: '/live/demo.flv', autoplay: '', mode: 'RTC' }, 'mute');
  const startedMs = Date.now();
  await until(() => transportOf(page), (transport) => transport === 'http-flv', 8_000);
  const tookMs = Date.now() - startedMs;
  assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
  await playing(page);
  assert.equal((await page.evaluate(() => window.codes))[0], 3002);
  assert.equal(await page.evaluate(() => window.whep.requests.at(-1).method), 'DELETE');
  await page.close();
});

test('stays_with_flv_in_the_live_mode', loopbackOnly, async () => {
  const { page } = await openPlayer({ src: '/live/demo.flv', autoplay: '' });
  await playing(page);
  assert.equal(await transportOf(page), 'http-flv');
  assert.deepEqual(await page.evaluate(() => window.whep.requests), []);
  await page.close();
});

test('mends_a_broken_path_by_an_ice_restart_without_a_new_session', loopbackOnly, async () => {
  const { page } = await openPlayer({ src: '/live/demo/whep', autoplay: '' });
  await playing(page);
  await page.evaluate(() => {
    window.codes = [];
    const [peer] = window.whep.players;
    Object.defineProperty(peer, 'iceConnectionState', { value: 'failed', configurable: true });
    peer.dispatchEvent(new Event('iceconnectionstatechange'));
    delete peer.iceConnectionState;
  });
  await until(() => page.evaluate(() => window.codes), (codes) => codes.includes(2004), 8_000);
  const before = await readPlayer(page);
  await until(() => readPlayer(page), ({ frames }) => frames > before.frames + 30, 8_000);
  const { codes, methods, ice } = await page.evaluate(() => ({
    codes: window.codes,
    methods: window.whep.requests.map(({ method }) => method),
    ice: window.whep.players.map((peer) => peer.connectionState),
  }));
  assert.equal(codes[0], 2103);
  assert.equal(methods.filter((method) => method === 'POST').length, 1);
  assert.ok(methods.includes('PATCH'));
  assert.deepEqual(ice, ['connected']);
  await page.close();
});

test('makes_a_new_session_when_the_server_has_gone', loopbackOnly, async () => {
  const { page } = await openPlayer({ src: '/live/demo/whep', autoplay: '' });
  await playing(page);
  await page.evaluate(() => {
    window.codes = [];
    window.whep.server.close();
  });
  await until(() => page.evaluate(() => window.codes), (codes) => codes.includes(2103), 15_000);
  await until(() => page.evaluate(() => window.codes), (codes) => codes.includes(2004), 15_000);
  assert.equal(await transportOf(page), 'whep');
  assert.equal(await page.evaluate(() => window.whep.requests.filter(({ method }) => method === 'POST').length), 2);
  await page.close();
});

test('tells_a_silence_and_is_back_at_its_usual_delay_five_seconds_after_it', loopbackOnly, async () => {
  const { page } = await openPlayer({ src: '/live/demo/whep', autoplay: '' });
  await playing(page);
  await page.waitForTimeout(3_000);
  const usual = (await readPlayer(page)).delay;
  await page.evaluate(() => {
    window.codes = [];
    window.whep.hushed = true;
  });
  await page.waitForTimeout(4_000);
  const { words } = await readPlayer(page);
  await page.evaluate(() => (window.whep.hushed = false));
  await until(() => readPlayer(page), ({ view }) => view.kind === 'playing', 5_000);
  await page.waitForTimeout(5_000);
  const { delay } = await readPlayer(page);
  const codes = await page.evaluate(() => window.codes);
  assert.match(words, /Nothing is arriving; waiting \d s/);
  assert.deepEqual(codes.slice(0, 2), [2105, 2007]);
  assert.ok(!codes.includes(2103), `no reconnect in ${codes}`);
  assert.ok(delay < usual + 0.1, `${usual} s before, ${delay} s after`);
  await page.close();
});

test('publishes_h264_and_sound_by_whip_and_ends_its_session', async () => {
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/`);
  const receiving = await page.evaluate(async (real) => {
    const { publish } = await import('/assets/openmic.js');
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
    const context = canvas.getContext('2d');
    setInterval(() => {
      context.fillStyle = `hsl(${performance.now() / 20} 60% 50%)`;
      context.fillRect(0, 0, 320, 180);
    }, 33);
    const audio = new AudioContext();
    const tone = new OscillatorNode(audio);
    const sink = audio.createMediaStreamDestination();
    tone.connect(sink);
    tone.start();
    const stream = new MediaStream([...canvas.captureStream(30).getTracks(), ...sink.stream.getTracks()]);
    window.publication = await publish('/live/mine/whip', stream);
    await new Promise((done) => setTimeout(done, 2_000));
    const stats = [...(await (real ? window.publication.peer : window.whep.ingest).getStats()).values()];
    const of = (kind) => stats.find((each) => each.kind === kind && /^(in|out)bound-rtp$/.test(each.type));
    const { codecId, framesDecoded, framesSent } = of('video');
    const { bytesReceived, bytesSent } = of('audio');
    const { mimeType } = stats.find(({ id }) => id === codecId);
    return { mimeType, frames: framesDecoded ?? framesSent, soundBytes: bytesReceived ?? bytesSent };
  }, REAL);
  assert.equal(receiving.mimeType, 'video/H264');
  assert.ok(receiving.frames > 15 && receiving.soundBytes > 1_000, JSON.stringify(receiving));
  const watch = () => page.evaluate(async () => (await fetch('/api/v1/broadcasts/live/mine')).status);
  if (REAL) assert.equal(await watch(), 200);
  await page.evaluate(() => window.publication.stop());
  if (REAL) await until(watch, (status) => status === 404);
  else await until(() => page.evaluate(() => window.whep.requests.at(-1)), ({ method, pathname }) => method === 'DELETE' && pathname === '/live/mine/whip/1');
  await page.close();
});

test('the_player_page_lets_people_choose_the_least_delay_and_says_when_it_cannot_be_had', loopbackOnly, async () => {
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/play/live/demo`);
  const transport = () => page.evaluate(() => document.querySelector('om-player-page').shadowRoot.querySelector('live-player').transport);
  await until(transport, (kind) => kind === 'http-flv');
  await page.getByText('Lowest delay').click();
  await until(transport, (kind) => kind === 'whep');
  await playing(page);
  await page.getByText(/\d+ ms behind live/).waitFor();
  await page.screenshot({ path: outputFile('player-page-webrtc.png'), fullPage: true });
  assert.deepEqual(await findProblems(page), []);
  await page.reload();
  await until(transport, (kind) => kind === 'whep');

  await page.getByText('Smooth').click();
  await until(transport, (kind) => kind === 'http-flv');
  await page.evaluate(() => (window.whep.behaviour = 406));
  await page.getByText('Lowest delay').click();
  await page.getByText('WebRTC does not work here; watching by HTTP-FLV.').waitFor();
  await page.screenshot({ path: outputFile('player-page-fell-back.png'), fullPage: true });
  await page.getByText('Smooth').click();
  await page.close();
});
