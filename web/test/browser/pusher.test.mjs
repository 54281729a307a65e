//! `<live-pusher>` with Chromium's fake camera and microphone, into the real server where OPENMIC_BIN names one.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FAKE_DEVICES, openBrowser, readPixels, readPlayer, until } from './harness.mjs';
import { serveBundle, skip, startRealServer } from './real-server.mjs';
import { placePusher } from './pusher-page.mjs';

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
  page.on('console', (message) => message.type() === 'error' && complaints.push(`${message.text()} ${message.location().url}`));
  await placePusher(page, server.origin, attributes);
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

test('a_page_may_publish_a_stream_of_its_own_and_change_what_is_sent_while_live', { skip }, async () => {
  const { page, complaints } = await openPusher({ url: '/live/own/whip', fps: '30' });
  const colour = (hue) =>
    page.evaluate((hue) => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
      const context = canvas.getContext('2d');
      setInterval(() => {
        context.fillStyle = `hsl(${hue} 100% ${45 + (Date.now() % 4)}%)`;
        context.fillRect(0, 0, 640, 360);
      }, 33);
      window.pusher.stream = canvas.captureStream(30);
    }, hue);
  await colour(0);
  await page.evaluate(() => window.pusher.start());
  await live(page);
  const viewer = await openPlayer('live/own', 'RTC');
  const isRed = ([r, g, b]) => r > 120 && g < 90 && b < 90;
  const isBlue = ([r, g, b]) => b > 120 && r < 90 && g < 90;
  await until(() => readPixels(viewer), isRed);
  await colour(240);
  await until(() => readPixels(viewer), isBlue);
  assert.equal((await codesOf(page)).filter((code) => code === 1001).length, 1, 'the same session');
  assert.deepEqual(complaints, []);
  await viewer.close();
  await page.close();
});

test('shows_the_waiting_picture_while_the_camera_is_off_and_the_camera_when_it_is_back', { skip }, async () => {
  const { page } = await openPusher({ url: '/live/wait/whip', autopush: '', orientation: 'horizontal', fps: '30' });
  await live(page);
  const viewer = await openPlayer('live/wait', 'RTC');
  const isGreen = ([r, g, b]) => g > r + 40 && g > b + 40;
  await until(() => readPixels(viewer), (pixels) => isGreen(pixels.slice(4 * 40, 4 * 40 + 3)));
  await page.evaluate(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
    const context = canvas.getContext('2d');
    context.fillStyle = '#2040ff';
    context.fillRect(0, 0, 320, 180);
    window.pusher.waitingImage = canvas.toDataURL();
    window.pusher.enableCamera = false;
  });
  await until(() => readPixels(viewer), (pixels) => pixels[4 * 40 + 2] > pixels[4 * 40 + 1] + 60, 20_000);
  assert.equal(await page.evaluate(() => window.pusher.studio.camera), undefined, 'the camera itself is closed');
  await page.evaluate(() => (window.pusher.waitingImage = '/no/such/image.png'));
  await until(() => page.evaluate(() => window.seen.some(({ errCode }) => errCode === 10004)), (seen) => seen);
  await page.evaluate(() => (window.pusher.enableCamera = true));
  await until(() => readPixels(viewer), (pixels) => isGreen(pixels.slice(4 * 40, 4 * 40 + 3)), 20_000);
  await viewer.close();
  await page.close();
});

test('goes_on_with_another_device_when_one_is_pulled_out_and_says_so', { skip }, async () => {
  const { page } = await openPusher({ url: '/live/loss/whip', autopush: '', orientation: 'horizontal' });
  await live(page);
  // A page cannot pull a plug; the browser's event for it is the same.
  const lose = (kind) =>
    page.evaluate((kind) => {
      const track = window.pusher.studio[kind];
      track.stop();
      track.dispatchEvent(new Event('ended'));
    }, kind);
  await lose('camera');
  await until(() => page.evaluate(() => window.seen.some(({ notice }) => notice === 'camera-switched')), (seen) => seen);
  assert.match(await page.locator('live-pusher [part=notice]').innerText(), /another one has taken over/);
  assert.equal(await page.evaluate(() => window.pusher.studio.camera.readyState), 'live');

  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('gone', 'NotFoundError'));
  });
  await lose('camera');
  await until(() => page.evaluate(() => window.seen.some(({ notice }) => notice === 'camera-lost')), (seen) => seen);
  await lose('microphone');
  await until(() => page.evaluate(() => window.seen.some(({ notice }) => notice === 'microphone-lost')), (seen) => seen);
  // Viewers have the waiting picture and silence, and the session stays.
  assert.equal(await viewOf(page), 'live');
  const before = await page.evaluate(async () => [...(await window.pusher.peer.getStats()).values()].find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video').framesEncoded);
  await until(
    () => page.evaluate(async () => [...(await window.pusher.peer.getStats()).values()].find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video').framesEncoded),
    (frames) => frames > before + 3,
  );
  await page.close();
});

test('mixes_background_music_in_and_tells_its_course', { skip }, async () => {
  const { page, complaints } = await openPusher({ url: '/live/music/whip', 'enable-camera': 'false', autopush: '' });
  await live(page);
  const url = await page.evaluate(() => {
    // Two seconds of a 1 kHz tone as WAV.
    const rate = 16_000;
    const samples = new Int16Array(2 * rate).map((_, at) => 20_000 * Math.sin((2 * Math.PI * 1_000 * at) / rate));
    const header = new DataView(new ArrayBuffer(44));
    const text = (at, words) => [...words].forEach((letter, n) => header.setUint8(at + n, letter.charCodeAt(0)));
    text(0, 'RIFF');
    header.setUint32(4, 36 + samples.byteLength, true);
    text(8, 'WAVEfmt ');
    header.setUint32(16, 16, true);
    header.setUint16(20, 1, true);
    header.setUint16(22, 1, true);
    header.setUint32(24, rate, true);
    header.setUint32(28, rate * 2, true);
    header.setUint16(32, 2, true);
    header.setUint16(34, 16, true);
    text(36, 'data');
    header.setUint32(40, samples.byteLength, true);
    return URL.createObjectURL(new Blob([header, samples], { type: 'audio/wav' }));
  });
  await page.evaluate((url) => {
    window.pusher.muted = true;
    return window.pusher.playBGM({ url });
  }, url);
  // The tone is in what is sent though the microphone is off.
  const level = await page.evaluate(async () => {
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 2048 });
    context.createMediaStreamSource(window.pusher.outgoing).connect(analyser);
    let most = -Infinity;
    for (let at = 0; at < 10; at += 1) {
      await new Promise((done) => setTimeout(done, 100));
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      most = Math.max(most, bins[Math.round((1_000 / context.sampleRate) * 2048)]);
    }
    return most;
  });
  assert.ok(level > -50, `${level} dB at 1 kHz`);
  const types = await until(() => page.evaluate(() => window.seen.map(({ type }) => type)), (all) => all.includes('bgmcomplete'));
  assert.ok(types.includes('bgmstart') && types.includes('bgmprogress'));
  const refused = await page.evaluate(() => window.pusher.playBGM({ url: '/no/such.mp3' }).then(() => 'played', () => 'refused'));
  assert.equal(refused, 'refused');
  assert.ok(await page.evaluate(() => window.seen.some(({ errCode }) => errCode === 10003)));
  const stream = await server.stream('live/music');
  assert.deepEqual(stream.tracks.map(({ kind }) => kind), ['audio'], 'sound alone without a camera');
  assert.deepEqual(complaints.filter((text) => !text.includes('404')), []);
  await page.close();
});

test('changes_the_voice_on_the_audio_thread_under_the_servers_policy', { skip }, async () => {
  const { page, complaints } = await openPusher({ url: '/live/voice/whip', 'enable-camera': 'false' });
  const pitch = await page.evaluate(async () => {
    const context = new AudioContext();
    const tone = new OscillatorNode(context, { frequency: 600 });
    const sink = context.createMediaStreamDestination();
    tone.connect(sink);
    tone.start();
    window.pusher.stream = sink.stream;
    window.pusher.voiceChangerType = 3;
    window.pusher.audioReverbType = 2;
    await window.pusher.start();
    const analyser = new AnalyserNode(context, { fftSize: 8192 });
    context.createMediaStreamSource(window.pusher.outgoing).connect(analyser);
    // Silent until the audio thread has its file; then as it is to be.
    const bins = new Float32Array(analyser.frequencyBinCount);
    for (let at = 0; at < 60 && !(Math.max(...bins) > -50 && Math.max(...bins) < 0); at += 1) {
      await new Promise((done) => setTimeout(done, 250));
      analyser.getFloatFrequencyData(bins);
    }
    await new Promise((done) => setTimeout(done, 500));
    analyser.getFloatFrequencyData(bins);
    return (bins.indexOf(Math.max(...bins)) * context.sampleRate) / 8192;
  });
  assert.ok(Math.abs(pitch - 600 * 0.78) < 40, `${pitch} Hz`);
  assert.deepEqual(complaints, []);
  await page.close();
});

test('is_silent_while_the_page_is_hidden_where_asked_and_keeps_sending_its_filtered_picture', { skip }, async () => {
  const { page } = await openPusher({ url: '/live/hidden/whip', autopush: '', filter: 'nostalgia', 'background-mute': '', orientation: 'horizontal' });
  await live(page);
  const frames = () =>
    page.evaluate(async () => [...(await window.pusher.peer.getStats()).values()].find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video').framesEncoded);
  await until(frames, (count) => count > 10);
  // Headless Chromium shows every page: the document's word for it is what we hear, too.
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  assert.equal(await page.evaluate(() => window.pusher.studio.microphone.enabled), false);
  const before = await frames();
  await until(frames, (count) => count > before + 20, 10_000);
  await page.evaluate(() => {
    delete document.hidden;
    document.dispatchEvent(new Event('visibilitychange'));
  });
  assert.equal(await page.evaluate(() => window.pusher.studio.microphone.enabled), true);
  await page.close();
});

test('comes_back_when_the_session_is_lost_and_gives_up_with_wechats_code_when_refused', { skip }, async () => {
  const { page } = await openPusher({ url: '/live/back/whip', autopush: '', orientation: 'horizontal' });
  await live(page);
  await page.evaluate(() => (window.seen.length = 0));
  const { publisher } = await server.stream('live/back');
  assert.ok(publisher, 'somebody publishes');
  const sessions = await (await fetch(`${server.origin}/api/v1/sessions`)).json();
  const [{ id }] = (sessions.sessions ?? sessions).filter(({ path }) => path === 'live/back');
  const ended = await fetch(`${server.origin}/api/v1/sessions/${id}`, { method: 'DELETE' });
  assert.ok(ended.ok, `DELETE answered ${ended.status}`);
  const codes = await until(() => codesOf(page), (all) => all.includes(1001), 20_000);
  assert.ok(codes.includes(1102) && codes.includes(1002), String(codes));
  await live(page);
  await page.close();

  const refused = await openPusher({ url: '/api/v1/nothing', autopush: '' });
  await until(() => viewOf(refused.page), (kind) => kind === 'failed', 20_000);
  assert.ok((await codesOf(refused.page)).includes(-1307));
  assert.match(await refused.page.locator('live-pusher [part=status]').innerText(), /answered with an error/);
  await refused.page.close();
});

test('restarts_ice_when_the_network_changes_without_a_new_session', { skip }, async () => {
  const { page } = await openPusher({ url: '/live/roam/whip', autopush: '', orientation: 'horizontal' });
  await live(page);
  const requests = [];
  page.on('request', (request) => requests.push(request.method()));
  const ufrag = () => page.evaluate(() => /a=ice-ufrag:(\S+)/.exec(window.pusher.peer.localDescription.sdp)[1]);
  const before = await ufrag();
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await until(ufrag, (now) => now !== before, 10_000);
  await live(page);
  assert.ok(requests.includes('PATCH') && !requests.includes('POST'), String(requests));
  const frames = () =>
    page.evaluate(async () => [...(await window.pusher.peer.getStats()).values()].find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video').framesSent);
  const sent = await frames();
  await until(frames, (count) => count > sent + 15, 10_000);
  await page.close();
});
