//! What the browser tests share: the server under test, a fresh Chromium, and helpers that read a
//! player from outside as a page would.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startMock } from '../mock/server.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const OUTPUT = fileURLToPath(new URL('../../../test-output/web/', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--mute-audio',
  // Peers of one page must find each other on a machine without a network.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--allow-loopback-in-peer-connection',
];

/** A camera and a microphone that need no hardware, and no person to allow them. */
export const FAKE_DEVICES = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

/** The server named by OPENMIC_URL, or a mock of our own. `mock` is undefined with the former. */
export async function openServer(options) {
  const named = process.env.OPENMIC_URL;
  if (named !== undefined && options?.mock !== true) {
    return { origin: named.replace(/\/$/, ''), mock: undefined, close: async () => {} };
  }
  const mock = await startMock(options);
  return { origin: mock.origin, mock, close: () => mock.close() };
}

/** A Chromium with a profile of its own; `close` removes it. */
export async function openBrowser({ autoplay = true, flags = [], ...contextOptions } = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'openmic-chromium-'));
  const policy = autoplay ? 'no-user-gesture-required' : 'document-user-activation-required';
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: [...FLAGS, ...flags, `--autoplay-policy=${policy}`],
    locale: 'en-US',
    viewport: { width: 1440, height: 900 },
    ...contextOptions,
  });
  return {
    context,
    /** By this its processes are told from those of others. */
    profile,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** A page that collects what must not happen. */
export async function openPage(context, url) {
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(url);
  return { page, complaints };
}

/** Notes every `statechange` code of players on the page from their first moment. */
export async function recordCodes(context) {
  await context.addInitScript(() => {
    window.codes = [];
    addEventListener('statechange', (event) => window.codes.push(event.detail.code));
    window.infos = [];
    addEventListener('netstatus', (event) => window.infos.push(event.detail.info));
  });
}

/** The numbers of the first player on the page. */
export function readPlayer(page) {
  return page.evaluate(() => {
    const find = (root) => {
      for (const element of root.querySelectorAll('*')) {
        if (element.localName === 'live-player') return element;
        const inside = element.shadowRoot === null ? undefined : find(element.shadowRoot);
        if (inside !== undefined) return inside;
      }
      return undefined;
    };
    const player = find(document);
    if (!player?.shadowRoot?.querySelector('video')) return { view: { kind: 'not there' }, frames: 0, words: '' };
    const video = player.shadowRoot.querySelector('video');
    const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    return {
      view: player.view,
      delay: player.delay,
      rate: video.playbackRate,
      position: video.currentTime,
      frames: totalVideoFrames - droppedVideoFrames,
      width: video.videoWidth,
      height: video.videoHeight,
      muted: video.muted,
      audioBytes: video.webkitAudioDecodedByteCount,
      words: player.shadowRoot.querySelector('[part=status]').textContent.trim(),
    };
  });
}

/** A coarse picture of what is on the screen: 16×9 pixels of the video. */
export function readPixels(page) {
  return page.evaluate(() => {
    const find = (root) => {
      for (const element of root.querySelectorAll('*')) {
        if (element.localName === 'live-player') return element;
        const inside = element.shadowRoot === null ? undefined : find(element.shadowRoot);
        if (inside !== undefined) return inside;
      }
      return undefined;
    };
    const video = find(document).shadowRoot.querySelector('video');
    const canvas = document.createElement('canvas');
    canvas.width = 16;
    canvas.height = 9;
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 16, 9);
    return Array.from(context.getImageData(0, 0, 16, 9).data);
  });
}

/** Waits until `read` gives something `isIt` accepts; fails with the last thing read. */
export async function until(read, isIt, limitMs = 15_000) {
  const end = Date.now() + limitMs;
  let last;
  do {
    last = await read();
    if (isIt(last)) return last;
    await new Promise((done) => setTimeout(done, 100));
  } while (Date.now() < end);
  throw new Error(`not within ${limitMs} ms; last: ${JSON.stringify(last)}`);
}

export function outputFile(name) {
  mkdirSync(OUTPUT, { recursive: true });
  return join(OUTPUT, name);
}

/** Everything axe-core finds, in every shadow root. It runs as a page script, so the policy is off for it. */
export async function findProblems(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { iframes: false }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
}

/** Controls that a finger would miss: less than 44 px high or wide, links within text aside. */
export function smallTargets(page) {
  return page.evaluate(() => {
    const small = [];
    const visit = (root) => {
      for (const element of root.querySelectorAll('*')) {
        if (element.shadowRoot !== null) visit(element.shadowRoot);
        if (!element.matches('button, select, summary, input, a[class], nav a')) continue;
        // A checkbox is pressed by its whole label; what is inert or unseen is not pressed at all.
        const target = element.matches('[type=checkbox], [type=radio]') ? element.closest('label') : element;
        if (target === null || element.closest('[inert]') !== null || !element.checkVisibility()) continue;
        const { width, height } = target.getBoundingClientRect();
        if (height < 43.5 || width < 43.5) small.push(`${element.localName} ${element.textContent.trim().slice(0, 20)} ${width}×${height}`);
      }
    };
    visit(document);
    return small;
  });
}
