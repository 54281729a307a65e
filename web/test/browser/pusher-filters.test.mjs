//! Filters of `<live-pusher>`: what they do to the picture, that they take no memory with time (a minute here, ten
//! with OPENMIC_FILTER_S=600), that they step down and say so, and that a lost graphics context is survived.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { FAKE_DEVICES, openBrowser, openServer, outputFile, until } from './harness.mjs';

const RUN_S = Number(process.env.OPENMIC_FILTER_S ?? 60);
const WARM_S = 50;
/** From this many seconds on, the first ones show how large Chromium's pools of frames become on a busy machine. */
const LONG_S = 180;
/**
 * Pools grow by steps of some hundred megabytes and stay. A texture for each frame that is not given back would pass the
 * larger limit in ten seconds, one for each change of settings the smaller one in ten minutes.
 */
const GROWTH_BYTES_MAX = RUN_S >= LONG_S ? 60 << 20 : 350 << 20;

let server;
let browser;

before(async () => {
  server = await openServer({ mock: true });
  browser = await openBrowser({ flags: [...FAKE_DEVICES, '--js-flags=--expose-gc'] });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** A pusher that previews; `draw` sets `window.paint`, which paints what stands in for the camera, where given. */
async function openPreview(attributes, draw) {
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/publish/none/none`);
  if (draw !== undefined) await page.evaluate(draw);
  await page.evaluate(
    async (attributes) => {
      document.body.replaceChildren();
      await import('/assets/openmic.js');
      window.notices = [];
      addEventListener('notice', ({ detail }) => window.notices.push(detail.notice));
      const pusher = document.createElement('live-pusher');
      for (const [name, value] of Object.entries(attributes)) pusher.setAttribute(name, value);
      if (window.paint !== undefined) {
        const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
        const context = canvas.getContext('2d');
        setInterval(() => window.paint(context), 40);
        window.paint(context);
        pusher.stream = canvas.captureStream(25);
      }
      document.body.append(pusher);
      window.pusher = pusher;
      await pusher.updateComplete;
      await pusher.startPreview();
    },
    attributes,
  );
  return page;
}

/** Pixels of the preview, which shows what is sent: mean colours of a grid of 8×4. */
const gridOf = (page) =>
  page.evaluate(() => {
    const video = window.pusher.shadowRoot.querySelector('video');
    const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 4 });
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 8, 4);
    const { data } = context.getImageData(0, 0, 8, 4);
    return Array.from({ length: 32 }, (_, at) => [...data.slice(at * 4, at * 4 + 3)]);
  });

const shown = (page) => until(() => page.evaluate(() => window.pusher.shadowRoot.querySelector('video').videoWidth), (width) => width > 0);

/** Red top left, white top right, grey bottom left, blue bottom right; one pixel flickers, or no frame would come. */
const quarters = () => {
  window.paint = (context) => {
    const fill = (color, x, y) => {
      context.fillStyle = color;
      context.fillRect(x * 160, y * 90, 160, 90);
    };
    fill('#d02020', 0, 0);
    fill('#f4f4f4', 1, 0);
    fill('#808080', 0, 1);
    fill('#2030c0', 1, 1);
    context.fillStyle = Date.now() % 2 ? '#808080' : '#818181';
    context.fillRect(0, 179, 1, 1);
  };
};

test('keep_the_picture_upright_and_mirror_it_for_everybody_only_when_asked', async () => {
  const page = await openPreview({ filter: 'cool', 'local-mirror': 'disable' }, quarters);
  await shown(page);
  const isRed = ([r, g, b]) => r > g + 60 && r > b + 60;
  const isBlue = ([r, g, b]) => b > r + 60 && b > g + 60;
  await until(() => gridOf(page), (grid) => isRed(grid[0]) && isBlue(grid[31]));
  await page.evaluate(() => (window.pusher.remoteMirror = true));
  await until(() => gridOf(page), (grid) => isRed(grid[7]) && isBlue(grid[24]));
  await page.close();
});

test('each_look_changes_colours_in_its_own_way_and_the_standard_one_not_at_all', async () => {
  const page = await openPreview({ filter: 'standard' }, quarters);
  await shown(page);
  const distance = (a, b) => a.reduce((sum, pixel, at) => sum + pixel.reduce((all, value, part) => all + Math.abs(value - b[at][part]), 0), 0) / a.length;
  const plain = await until(() => gridOf(page), (grid) => grid[0][0] > 150);
  const looks = [];
  const names = ['pink', 'nostalgia', 'blues', 'romantic', 'cool', 'fresher', 'solor', 'aestheticism', 'whitening', 'cerisered'];
  for (const name of names) {
    await page.evaluate((name) => (window.pusher.filter = name), name);
    const grid = await until(() => gridOf(page), (now) => distance(now, plain) > 4 && (looks.length === 0 || distance(now, looks.at(-1)) > 2));
    looks.push(grid);
  }
  await page.evaluate(() => (window.pusher.filter = 'standard'));
  await until(() => gridOf(page), (grid) => distance(grid, plain) < 2);
  await page.evaluate(() => (window.pusher.whiteness = 9));
  const white = await until(() => gridOf(page), (grid) => grid[16][0] > plain[16][0] + 20);
  assert.ok(Math.abs(white[16][0] - white[16][2]) < 12, 'grey stays grey');
  await page.close();
});

test('beauty_smooths_skin_and_leaves_edges_and_other_colours_alone', async () => {
  // Noise on skin in the left half, the same noise on green in the right one.
  const noise = () => {
    const rough = Array.from({ length: 57_600 }, () => Math.random() * 36 - 18);
    window.paint = (context) => {
      const image = context.createImageData(320, 180);
      for (let at = 0; at < 57_600; at += 1) {
        const base = at % 320 < 160 ? [220, 170, 145] : [40, 160, 60];
        for (const part of [0, 1, 2]) image.data[at * 4 + part] = base[part] + rough[at];
        image.data[at * 4 + 3] = 255;
      }
      context.putImageData(image, 0, 0);
      context.fillStyle = Date.now() % 2 ? '#000' : '#010101';
      context.fillRect(0, 0, 1, 1);
    };
  };
  const page = await openPreview({ fps: '5' }, noise);
  await shown(page);
  const roughness = () =>
    page.evaluate(() => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
      const context = canvas.getContext('2d');
      context.drawImage(window.pusher.shadowRoot.querySelector('video'), 0, 0);
      const of = (x) => {
        const { data } = context.getImageData(x, 40, 80, 80);
        const light = Array.from({ length: 6400 }, (_, at) => data[at * 4 + 1]);
        const mean = light.reduce((sum, value) => sum + value, 0) / 6400;
        return Math.sqrt(light.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 6400);
      };
      return { skin: of(40), green: of(200) };
    });
  const before = await until(roughness, ({ skin, green }) => skin > 4 && green > 4);
  await page.evaluate(() => (window.pusher.beauty = 9));
  const after = await until(roughness, ({ skin }) => skin > 0.5 && skin < before.skin * 0.55);
  assert.ok(after.green > before.green * 0.8, JSON.stringify({ before, after }));
  await page.evaluate(() => (window.pusher.beautyStyle = 'nature'));
  await until(roughness, ({ skin }) => skin > after.skin * 1.15);
  await page.close();
});

test('survive_the_loss_of_the_graphics_context_and_give_up_in_words_when_it_stays_away', async () => {
  const page = await openPreview({ filter: 'nostalgia', fps: '15' }, quarters);
  await shown(page);
  const isFiltered = (grid) => grid[28][2] > 20 && grid[31][2] < 150;
  await until(() => gridOf(page), isFiltered);
  await page.evaluate(() => {
    window.context = window.pusher.studio.picture.loseContext();
    window.context.loseContext();
  });
  await until(() => gridOf(page), (grid) => grid[31][2] > 170);
  await page.evaluate(() => window.context.restoreContext());
  await until(() => gridOf(page), isFiltered);
  await page.evaluate(() => window.context.loseContext());
  await until(() => page.evaluate(() => window.notices), (notices) => notices.includes('filters-lost'), 15_000);
  await page.close();
});

test('step_down_on_a_machine_that_is_too_slow_say_so_and_keep_the_frame_rate', async () => {
  const page = await openPreview({ mode: 'FHD', orientation: 'horizontal', fps: '30', beauty: '9' });
  await shown(page);
  // Drawing takes as long here as on a machine five times slower: the wait for it is stretched.
  await page.evaluate(() => {
    const read = WebGL2RenderingContext.prototype.readPixels;
    WebGL2RenderingContext.prototype.readPixels = function (...args) {
      const endMs = performance.now() + 45;
      read.apply(this, args);
      while (performance.now() < endMs);
    };
  });
  const notices = await until(() => page.evaluate(() => window.notices), (all) => all.includes('filters-off'), 60_000);
  assert.deepEqual(notices.slice(0, 3), ['beauty-off', 'half-size', 'filters-off']);
  assert.match(await page.locator('live-pusher [part=notice]').innerText(), /too slow for filters/);
  const frames = () => page.evaluate(() => window.pusher.shadowRoot.querySelector('video').getVideoPlaybackQuality().totalVideoFrames);
  const from = await frames();
  await page.waitForTimeout(2_000);
  assert.ok((await frames()) - from > 20, 'the camera’s own picture goes on');
  await page.close();
});

/** Resident memory of every process of this browser, shared pages in shares. */
function residentBytes() {
  let total = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(browser.profile)) continue;
      total += Number(/Pss:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
    } catch {
      // It ended meanwhile.
    }
  }
  return total;
}

test(`take_no_more_memory_after_${RUN_S}_seconds_than_before`, { timeout: (2 * RUN_S + WARM_S + 60) * 1_000 }, async (context) => {
  const page = await openPreview({ mode: 'HD', orientation: 'horizontal', fps: '15', beauty: '6', whiteness: '4', filter: 'romantic' });
  await shown(page);
  const names = ['pink', 'standard', 'cool', 'nostalgia'];
  const measure = async () => {
    await page.evaluate(() => window.gc());
    await page.waitForTimeout(500);
    return residentBytes();
  };
  const drive = async (seconds) => {
    for (let at = 0; at < seconds; at += 2) {
      // Settings change, the pipeline is torn down and built anew, as on a page where somebody plays with sliders.
      await page.evaluate(
        ({ name, at }) => Object.assign(window.pusher, { filter: name, beauty: at % 10 === 0 ? 0 : 6, whiteness: at % 10 === 0 ? 0 : at % 9 }),
        { name: at % 10 === 0 ? 'standard' : names[(at / 2) % names.length], at },
      );
      await page.waitForTimeout(2_000);
    }
  };
  // Chromium keeps frames for reuse until it has some hundred megabytes of them, and no more: filled, it stays there.
  for (let at = 0; at < WARM_S; at += 1) {
    await page.evaluate((on) => Object.assign(window.pusher, { filter: on ? 'pink' : 'standard', beauty: on ? 6 : 0, whiteness: 0 }), at % 2 === 0);
    await page.waitForTimeout(1_000);
  }
  const before = await measure();
  const course = [before];
  for (let minute = 0; minute < RUN_S / 60; minute += 1) {
    await drive(60);
    course.push(await measure());
  }
  const settled = RUN_S >= LONG_S ? Math.max(...course.slice(0, 3)) : before;
  const grown = course.at(-1) - settled;
  context.diagnostic(`MB by minute: ${course.map((bytes) => Math.round(bytes / 2 ** 20)).join(' ')}`);
  await page.screenshot({ path: outputFile('pusher-filters.png') });
  assert.ok(grown < GROWTH_BYTES_MAX, `grew by ${Math.round(grown / 2 ** 20)} MB`);
  await page.close();
});
