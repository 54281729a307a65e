//! From glass to glass on one machine: pictures carry the time they were drawn at as sixteen black or white blocks, and
//! viewers read it when the browser shows them.
//!
//! node latency.mjs OPENMIC FFMPEG BROWSER [SECONDS]

import { spawn } from 'node:child_process';

import { end, launch, serve, temporary, undo } from './driver.mjs';

const [openmic, ffmpeg, browser, seconds = '30'] = process.argv.slice(2);
/** Codes count milliseconds and begin anew after this many: a minute, and no picture is that late. */
const CODES = 2 ** 16;
/** Until players have begun and come near live. */
const SETTLE_MS = 5_000;

/** Starts a child that ends with us; resolves with it. */
function start(program, args, stdout = 'ignore') {
  const child = spawn(program, args, { stdio: ['ignore', stdout, 'inherit'] });
  undo.push(() => child.kill());
  return child;
}

/** A server on free ports: its addresses. */
function server() {
  const args = ['serve', '--http', '127.0.0.1:0', '--rtmp', '127.0.0.1:0', '--ready-json', '--data', temporary('openmic-data-')];
  const child = start(openmic, args, 'pipe');
  return new Promise((done, fail) => {
    child.on('exit', (code) => fail(new Error(`the server ended with ${code}`)));
    child.stdout.once('data', (line) => done(JSON.parse(line)));
  });
}

/** Runs in a page: publishes a canvas of 640×360 at 30 frames a second, with a quiet tone. */
async function publish({ url, codes }) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  document.body.append(canvas);
  const paint = canvas.getContext('2d');
  const picture = canvas.captureStream(0).getVideoTracks()[0];
  setInterval(() => {
    const code = Date.now() % codes;
    for (let bit = 0; bit < 16; bit += 1) {
      paint.fillStyle = (code >> bit) & 1 ? 'white' : 'black';
      paint.fillRect((bit % 4) * 160, (bit >> 2) * 90, 160, 90);
    }
    picture.requestFrame();
  }, 1000 / 30);
  const context = new AudioContext({ sampleRate: 48_000 });
  const [tone, gate, out] = [context.createOscillator(), context.createGain(), context.createMediaStreamDestination()];
  gate.gain.value = 0.1;
  tone.connect(gate).connect(out);
  tone.start();
  const pc = new RTCPeerConnection();
  const stream = new MediaStream([picture, ...out.stream.getAudioTracks()]);
  for (const track of stream.getTracks()) pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
  await pc.setLocalDescription();
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: pc.localDescription.sdp });
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
  await pc.setRemoteDescription({ type: 'answer', sdp: await response.text() });
}

/** Runs in a page: watches by WHEP, or by the player of this page where no address is given, and tells each picture's age. */
async function ages({ url, codes, settleMs, watchMs }) {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const find = (root) => {
    for (const element of root.querySelectorAll('*')) {
      if (element.localName === 'video') return element;
      const inside = element.shadowRoot === null ? undefined : find(element.shadowRoot);
      if (inside !== undefined) return inside;
    }
    return undefined;
  };
  let video;
  if (url === undefined) {
    for (; video === undefined; await pause(100)) video = find(document);
  } else {
    video = Object.assign(document.createElement('video'), { autoplay: true, width: 640, srcObject: new MediaStream() });
    document.body.append(video);
    const pc = new RTCPeerConnection();
    for (const kind of ['video', 'audio']) pc.addTransceiver(kind, { direction: 'recvonly' });
    pc.addEventListener('track', ({ track }) => video.srcObject.addTrack(track));
    await pc.setLocalDescription();
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: pc.localDescription.sdp });
    if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
    await pc.setRemoteDescription({ type: 'answer', sdp: await response.text() });
  }
  const small = Object.assign(document.createElement('canvas'), { width: 64, height: 36 });
  const paint = small.getContext('2d', { willReadFrequently: true });
  let seen = [];
  const look = (now, { expectedDisplayTime }) => {
    video.requestVideoFrameCallback(look);
    paint.drawImage(video, 0, 0, 64, 36);
    const { data } = paint.getImageData(0, 0, 64, 36);
    let code = 0;
    for (let bit = 0; bit < 16; bit += 1) {
      if (data[(((bit >> 2) * 9 + 4) * 64 + (bit % 4) * 16 + 8) * 4] > 127) code |= 1 << bit;
    }
    const shownMs = performance.timeOrigin + Math.max(now, expectedDisplayTime);
    seen.push((((shownMs - code) % codes) + codes) % codes);
  };
  video.requestVideoFrameCallback(look);
  await pause(settleMs);
  seen = [];
  await pause(watchMs);
  return seen;
}

/** FFmpeg as encoder: each picture's time is the wall's since `base`, and its blocks are drawn by it. */
function push(url, base) {
  const block = (bit) =>
    `drawbox=x=${(bit % 4) * 160}:y=${(bit >> 2) * 90}:w=160:h=90:color=white:t=fill:enable=gte(mod(floor(t*1000/${2 ** bit})\\,2)\\,1)`;
  const blocks = Array.from({ length: 16 }, (_, bit) => block(bit)).join(',');
  const picture = `color=black:size=640x360:rate=30,realtime,settb=1/1000,setpts=(RTCTIME-${base}000)/1000,${blocks},format=yuv420p`;
  // Without sound: FFmpeg holds pictures back until the sound beside them has come.
  const encoders = '-fps_mode passthrough -c:v libx264 -preset veryfast -tune zerolatency -bf 0 -g 60 -flush_packets 1';
  return start(ffmpeg, ['-hide_banner', '-v', 'error', '-nostdin', '-f', 'lavfi', '-i', picture, ...encoders.split(' '), '-f', 'flv', url]);
}

function tell(name, seen) {
  seen.sort((a, b) => a - b);
  const at = (share) => Math.round(seen[Math.min(seen.length - 1, Math.floor(seen.length * share))]);
  console.log(`| ${name} | ${seen.length} | ${at(0.5)} ms | ${at(0.95)} ms | ${at(0.99)} ms |`);
}

try {
  const { http, rtmp } = await server();
  const pages = await serve({ '/': ['text/html', '<!doctype html><title>latency</title>'] });
  const context = await launch(browser);
  const open = async (url) => {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  };
  const watch = async (name, url, whep) => {
    const page = await open(url);
    tell(name, await page.evaluate(ages, { url: whep, codes: CODES, settleMs: SETTLE_MS, watchMs: Number(seconds) * 1000 }));
    await page.close();
  };
  const both = async (name, stream) => {
    await watch(`${name} → WHEP`, pages, `http://${http}/${stream}/whep?wait_ms=10000`);
    await watch(`${name} → HTTP-FLV, \`<live-player>\``, `http://${http}/play/${stream}`);
  };
  console.log('| way | pictures | p50 | p95 | p99 |\n|---|---|---|---|---|');
  const publisher = await open(pages);
  await publisher.evaluate(publish, { url: `http://${http}/live/browser/whip`, codes: CODES });
  await both('Chromium, WHIP', 'live/browser');
  await publisher.close();
  // The code is what the time is modulo the codes, so the base is a multiple of them.
  push(`rtmp://${rtmp}/live/rtmp`, Math.floor(Date.now() / CODES) * CODES);
  await both('FFmpeg, RTMP', 'live/rtmp');
  await end(0);
} catch (error) {
  console.error(error);
  await end(1);
}
