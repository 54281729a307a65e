//! Plays one stream of a running server in a real browser and prints what each player saw, a JSON line each.
//!
//! node browser.mjs chromium|firefox|tcp|webkit|delta|levels ORIGIN STREAM SECONDS BROWSER [PLAYER…]
//!
//! Chromium plays by mpegts.js, hls.js and WHEP on pages of another origin, and by our own player page; WebKitGTK's
//! MiniBrowser plays HLS natively, and its page reports to a small server here. `tcp` is WHEP alone in a Chromium that may
//! not use UDP; `delta` is hls.js alone, which counts the delta updates that it was given, and
//! `levels` is hls.js alone, which goes down and up through the variants of a multivariant playlist.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { end, launch, require, serve, stopped, temporary, undo } from './driver.mjs';
import { launchFirefox } from './firefox.mjs';
import { whep } from './rtc.mjs';

const [kind, origin, stream, seconds, browser, ...players] = process.argv.slice(2);
/** Until a player shows something; a busy machine is slow, and HLS waits for its first segment. */
const START_MS = 30_000;
const WATCH_MS = Number(seconds) * 1000;
/** A browser beside a dozen other players stops for breath: it gets this many times as long to play what is asked. */
const PATIENCE = 5;
const TIMES = [START_MS, WATCH_MS, WATCH_MS * PATIENCE];

/**
 * Runs in the page: watches a media element until it has played what is asked, not counting what it jumped over, and
 * resolves with what it did.
 */
async function watch(video, errors, startMs, watchMs, limitMs) {
  // Browsers count in different places, and not all of them everywhere: whoever counts most has seen the most.
  let shown = 0;
  const show = () => {
    shown += 1;
    video.requestVideoFrameCallback(show);
  };
  video.requestVideoFrameCallback?.(show);
  // WebKitGTK's counters stand still while its picture does, and its clock does not: it shows the first picture of a
  // live stream and waits until its clock has come from 0 to that picture's time. So pictures that differ are counted.
  let changed = 0;
  const counts = video.webkitAudioDecodedByteCount !== undefined;
  if (!counts) {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [64, 36];
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    let last = '';
    const look = () => {
      pen.drawImage(video, 0, 0, canvas.width, canvas.height);
      const picture = String(pen.getImageData(0, 0, canvas.width, canvas.height).data);
      changed += picture === last ? 0 : 1;
      last = picture;
    };
    setInterval(() => {
      try { look(); } catch (error) { errors.push(String(error)); }
    }, 10);
  }
  const sample = () => {
    const quality = video.getVideoPlaybackQuality?.();
    return {
      position: video.currentTime,
      frames: Math.max(quality?.totalVideoFrames ?? 0, video.webkitDecodedFrameCount ?? 0, shown, changed),
      audioBytes: video.webkitAudioDecodedByteCount ?? null,
      audioTracks: video.audioTracks?.length ?? null,
      width: video.videoWidth,
      height: video.videoHeight,
    };
  };
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const begin = performance.now();
  const first = sample();
  // It plays when time moved thrice in a row, not when a frame was decoded for a poster; and the picture, if there is one.
  let moved = 0;
  for (let last = first.position, before = changed; moved < 3; await pause(200)) {
    if (performance.now() - begin > startMs || errors.length > 0) break;
    const shows = counts || video.videoWidth === 0 || changed > before;
    moved = video.currentTime > last && shows ? moved + 1 : 0;
    [last, before] = [video.currentTime, changed];
  }
  const from = sample();
  const since = performance.now();
  let playedS = 0;
  for (let [position, atMs] = [from.position, since]; moved >= 3 && playedS * 1000 < watchMs; ) {
    await pause(100);
    const nowMs = performance.now();
    // Players that keep near live go a little faster than time; what goes much faster was jumped over.
    playedS += Math.max(0, Math.min(video.currentTime - position, ((nowMs - atMs) / 1000) * 1.3));
    [position, atMs] = [video.currentTime, nowMs];
    if (nowMs - since > limitMs || errors.length > 0) break;
  }
  return { playedS, tookS: (performance.now() - since) / 1000, started: moved >= 3, from, to: sample(), errors, error: video.error?.message ?? null };
}

function tell(player, seen) {
  console.log(JSON.stringify({ player, ...seen }));
}

const BARE = `<!doctype html><title>players</title>
<video id="http_flv" autoplay width="320"></video><video id="ws_flv" autoplay width="320"></video>
<video id="hls" autoplay width="320"></video>
<script src="/mpegts.js"></script><script src="/hls.js"></script>`;

const EMPTY = '<!doctype html><title>WebRTC</title>';

async function launched() {
  const library = (path) => ['text/javascript', readFileSync(require.resolve(path))];
  const pages = await serve({
    '/': ['text/html', BARE],
    '/empty': ['text/html', EMPTY],
    '/mpegts.js': library('mpegts.js/dist/mpegts.js'),
    '/hls.js': library('hls.js/dist/hls.js'),
  });
  return { newPage: await launch(browser), pages };
}

async function chromium() {
  const { newPage, pages } = await launched();
  const has = (name) => players.includes(name);
  const asked = [
    [['http_flv', 'ws_flv', 'hls'].some(has), (page) => bare(page, pages, has)],
    [has('live_player'), (page) => own(page, 'live')],
    [has('rtc_player'), (page) => own(page, 'RTC')],
    [has('whep'), (page) => rtc(page, pages)],
  ];
  await Promise.all(asked.filter(([is]) => is).map(async ([, run]) => run(await newPage())));
}

/** WHEP by nothing but what the browser has. */
async function rtc(page, pages) {
  await page.goto(`${pages}/empty`);
  tell('whep', await page.evaluate(whep, { url: `${origin}/${stream}/whep`, times: TIMES }));
}

/** The second engine of WebRTC: its own SDP, ICE and DTLS. */
async function firefox() {
  const pages = await serve({ '/empty': ['text/html', EMPTY] });
  const page = await (await launchFirefox(browser)).open(`${pages}/empty`);
  tell('firefox_whep', await page.call(whep, { url: `${origin}/${stream}/whep`, times: TIMES }));
}

/** WHEP where UDP does not get through. */
async function tcp() {
  const pages = await serve({ '/empty': ['text/html', EMPTY] });
  const newPage = await launch(browser, ['--webrtc-ip-handling-policy=disable_non_proxied_udp']);
  await rtc(await newPage(), pages);
}

/** hls.js asks for delta updates by itself where the playlist offers them. */
async function delta() {
  const { newPage, pages } = await launched();
  const page = await newPage();
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(pages);
  const seen = await page.evaluate(async ([watchText, origin, stream, startMs, watchMs]) => {
    const watch = eval(`(${watchText})`);
    const video = document.getElementById('hls');
    const errors = [];
    let updates = 0;
    const hls = new Hls({ lowLatencyMode: true });
    hls.on(Hls.Events.ERROR, (_, { details, error }) => errors.push(`${details} ${error?.message ?? ''}`));
    hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => (updates += details.skippedSegments > 0 ? 1 : 0));
    hls.loadSource(`${origin}/${stream}.m3u8`);
    hls.attachMedia(video);
    video.play().catch(() => {});
    return { ...(await watch(video, errors, startMs, watchMs)), updates };
  }, [watch.toString(), origin, stream, START_MS, WATCH_MS]);
  tell('hls_delta', { ...seen, asked: asked.filter((url) => url.includes('_HLS_skip=YES')).length });
}

/** hls.js goes to the smallest level and back to the largest while it plays on. */
async function levels() {
  const { newPage, pages } = await launched();
  const page = await newPage();
  await page.goto(pages);
  const seen = await page.evaluate(async ([origin, stream, startMs, watchMs]) => {
    const video = document.getElementById('hls');
    const errors = [];
    const hls = new Hls({ lowLatencyMode: true });
    hls.on(Hls.Events.ERROR, (_, { fatal, details, error }) => errors.push(`${fatal ? 'fatal ' : ''}${details} ${error?.message ?? ''}`));
    hls.loadSource(`${origin}/${stream}.m3u8`);
    hls.attachMedia(video);
    video.play().catch(() => {});
    const pause = (ms) => new Promise((done) => setTimeout(done, ms));
    const until = async (holds) => {
      for (const end = performance.now() + startMs; performance.now() < end; await pause(50)) if (holds()) return true;
      return false;
    };
    // The longest time in which the picture stood still, by the player's own clock.
    let [stillMs, last, since] = [0, 0, performance.now()];
    const plays = await until(() => video.currentTime > 0.5 && video.videoHeight > 0 && hls.levels.length > 1);
    const watching = setInterval(() => {
      const now = performance.now();
      if (video.currentTime > last) [last, since] = [video.currentTime, now];
      stillMs = Math.max(stillMs, now - since);
    }, 20);
    [last, since] = [video.currentTime, performance.now()];
    const begin = video.currentTime;
    const heights = hls.levels.map((level) => level.height);
    const order = heights.map((_, index) => index).sort((one, other) => heights[one] - heights[other]);
    const changes = [];
    for (const index of [order.at(-1), order[0], order.at(-1)]) {
      const asked = performance.now();
      hls.nextLevel = index;
      const came = await until(() => video.videoHeight === heights[index]);
      changes.push({ height: heights[index], came, tookMs: performance.now() - asked });
      await pause(watchMs);
    }
    clearInterval(watching);
    return { plays, changes, stillMs, playedS: video.currentTime - begin, errors };
  }, [origin, stream, START_MS, WATCH_MS]);
  tell('hls_levels', seen);
}

/** The libraries as anyone would use them. */
async function bare(page, pages, has) {
  await page.goto(pages);
  const run = (player) => page.evaluate(async ([watchText, player, origin, stream, ...times]) => {
    const watch = eval(`(${watchText})`);
    const video = document.getElementById(player);
    const errors = [];
    const note = (...words) => errors.push(words.map((word) => (typeof word === 'string' ? word : JSON.stringify(word))).join(' '));
    if (player === 'hls') {
      const hls = new Hls({ lowLatencyMode: true });
      hls.on(Hls.Events.ERROR, (_, { fatal, type, details, error, reason }) => {
        if (fatal) note(type, details, String(error?.message ?? reason ?? ''));
      });
      hls.loadSource(`${origin}/${stream}.m3u8`);
      hls.attachMedia(video);
    } else {
      const url = player === 'http_flv' ? `${origin}/${stream}.flv` : `${origin.replace('http', 'ws')}/${stream}.flv`;
      mpegts.LoggingControl.applyConfig({ enableAll: false });
      const flv = mpegts.createPlayer({ type: 'flv', isLive: true, url });
      flv.on(mpegts.Events.ERROR, (type, detail, info) => note(type, detail, info));
      flv.attachMediaElement(video);
      flv.load();
    }
    video.play().catch(() => {});
    return watch(video, errors, ...times);
  }, [watch.toString(), player, origin, stream, ...TIMES]).then((seen) => tell(player, seen));
  await Promise.all(['http_flv', 'ws_flv', 'hls'].filter(has).map(run));
}

/** Our own page, as the address bar would open it for somebody who has chosen this mode before. */
async function own(page, mode) {
  await page.addInitScript((kept) => (Storage.prototype.getItem = (key) => (key === 'openmic-mode' ? kept : null)), mode);
  await page.goto(`${origin}/play/${stream}`);
  const seen = await page.evaluate(async ([watchText, startMs, ...times]) => {
    const watch = new Function(`return (${watchText})`)();
    const find = (root) => {
      for (const element of root.querySelectorAll('*')) {
        if (element.localName === 'live-player') return element;
        const inside = element.shadowRoot === null ? undefined : find(element.shadowRoot);
        if (inside !== undefined) return inside;
      }
      return undefined;
    };
    const until = performance.now() + startMs;
    let player;
    while (!player?.shadowRoot?.querySelector('video') && performance.now() < until) {
      await new Promise((done) => setTimeout(done, 100));
      player = find(document);
    }
    const errors = [];
    const video = player.shadowRoot.querySelector('video');
    let soundKbps = 0;
    player.addEventListener('netstatus', ({ detail }) => (soundKbps += detail.info.audioBitrate));
    const look = setInterval(() => {
      if (player.view.kind === 'failed' && errors.length === 0) errors.push(JSON.stringify(player.view));
    }, 200);
    const seen = await watch(video, errors, startMs, ...times);
    clearInterval(look);
    // Elements do not count the sound of peer connections.
    if (player.transport === 'whep') seen.to.audioBytes += soundKbps;
    return { ...seen, transport: player.transport, words: player.shadowRoot.querySelector('[part=status]')?.textContent.trim() ?? '' };
  }, [watch.toString(), ...TIMES]);
  tell(mode === 'RTC' ? 'rtc_player' : 'live_player', seen);
}

async function webkit() {
  let done;
  const reported = new Promise((resolve) => (done = resolve));
  const page = `<!doctype html><title>native</title><video id="v" autoplay controls width="320"></video>
<script>
const video = document.getElementById('v');
const errors = [];
// Its pictures are read.
video.crossOrigin = 'anonymous';
video.addEventListener('error', () => errors.push(String(video.error && video.error.code) + ' ' + String(video.error && video.error.message)));
video.src = ${JSON.stringify(`${origin}/${stream}.m3u8`)};
video.play().catch((error) => { if (error.name !== 'AbortError') errors.push(String(error)); });
(${watch.toString()})(video, errors, ${TIMES.join(', ')})
  .then((seen) => fetch('/report', { method: 'POST', body: JSON.stringify(seen) }));
</script>`;
  const pages = await serve({ '/': ['text/html', page] }, done);
  const home = temporary('openmic-webkit-');
  const display = await virtualDisplay();
  const environment = {
    ...process.env,
    DISPLAY: display,
    HOME: home,
    XDG_RUNTIME_DIR: home,
    // WebKitGTK can play HLS natively, and is built with that switched off at start.
    WEBKIT_GST_ENABLE_HLS_SUPPORT: '1',
    NO_AT_BRIDGE: '1',
    GSETTINGS_BACKEND: 'memory',
  };
  const child = spawn(browser, ['--autoplay-policy=allow', pages], { env: environment, stdio: ['ignore', 'ignore', 'inherit'] });
  undo.push(() => stopped(child));
  tell('webkit_hls', await Promise.race([
    reported,
    new Promise((_, fail) => child.on('exit', (code) => fail(new Error(`MiniBrowser ended with ${code}`)))),
  ]));
}

/** Xvfb chooses a free display itself and writes its number to the descriptor named. */
function virtualDisplay() {
  const child = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '800x600x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  undo.push(() => stopped(child));
  return new Promise((done, fail) => {
    child.on('error', () => fail(new Error('Xvfb is missing; remedy: apt-get install xvfb')));
    child.on('exit', () => fail(new Error('Xvfb ended')));
    let number = '';
    child.stdio[3].on('data', (piece) => {
      number += piece;
      if (number.includes('\n')) done(`:${number.trim()}`);
    });
  });
}

try {
  await { chromium, firefox, tcp, webkit, delta, levels }[kind]();
  await end(0);
} catch (error) {
  console.error(error);
  await end(1);
}
