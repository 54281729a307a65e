//! The console and the player page as people meet them: content, keyboard, accessibility, security
//! policy, weight, and pictures of every look for us to see.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { findProblems, openBrowser, openPage, openServer, outputFile, readPlayer, until } from './harness.mjs';

/** What a player page may weigh before hls.js and mpegts.js, gzipped. */
const FIRST_LOAD_BYTES_MAX = 150_000;
const PAGES = { console: '/', player: '/play/live/demo' };
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 900 } };

let server;

before(async () => {
  server = await openServer({ streams: process.env.OPENMIC_URL === undefined ? ['live/demo', 'class/3/piano'] : undefined });
});

after(() => server?.close());

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ['light', 'dark']) {
    for (const locale of ['en-US', 'zh-CN']) {
      test(`both_pages_are_sound_on_${size}_${colorScheme}_${locale}`, async () => {
        const isPhone = size === 'phone';
        const browser = await openBrowser({
          ...{ viewport, colorScheme, locale, hasTouch: isPhone, isMobile: isPhone },
          ...{ deviceScaleFactor: isPhone ? 2 : 1, bypassCSP: false },
        });
        try {
          for (const [name, path] of Object.entries(PAGES)) {
            const { page, complaints } = await openPage(browser.context, server.origin + path);
            await until(() => readPlayer(page), ({ view, frames }) => view.kind === 'playing' && frames > 5, 25_000);
            await page.screenshot({ path: outputFile(`${name}-${size}-${colorScheme}-${locale}.png`), fullPage: true });
            assert.deepEqual(await findProblems(page), [], name);
            assert.deepEqual(complaints, [], name);
            assert.equal(await page.evaluate(() => document.documentElement.lang), locale === 'zh-CN' ? 'zh-CN' : 'en');
            const overflow = (await page.evaluate(() => document.documentElement.scrollWidth)) - viewport.width;
            assert.ok(overflow <= 0, `${name} is ${overflow} px too wide`);
            await page.close();
          }
        } finally {
          await browser.close();
        }
      });
    }
  }
}

test('every_control_is_reachable_by_keyboard_visibly_and_large_enough_for_a_finger', async () => {
  const browser = await openBrowser({ viewport: SIZES.phone });
  try {
    const { page } = await openPage(browser.context, server.origin + PAGES.player);
    await until(() => readPlayer(page), ({ view }) => view.kind === 'playing');
    const seen = new Set();
    for (let at = 0; at < 30; at += 1) {
      await page.keyboard.press('Tab');
      const focus = await page.evaluate(() => {
        let active = document.activeElement;
        while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
        const { width, height } = active.getBoundingClientRect();
        const { outlineStyle } = getComputedStyle(active);
        const name = active.getAttribute('aria-label') ?? active.textContent.trim();
        return { tag: active.localName, name, width, height, outlineStyle };
      });
      if (focus.tag === 'body') continue;
      seen.add(focus.name);
      assert.notEqual(focus.outlineStyle, 'none', `focus is visible on ${focus.name}`);
      if (focus.tag === 'button' || focus.tag === 'select') {
        assert.ok(focus.height >= 44 && focus.width >= 44, `${focus.name} is ${focus.width}×${focus.height}`);
      }
    }
    for (const name of ['Pause', 'Mute', 'Full screen']) assert.ok(seen.has(name), `${name} in ${[...seen]}`);
  } finally {
    await browser.close();
  }
});

test('the_language_switch_changes_the_page_and_is_remembered', async () => {
  const browser = await openBrowser();
  try {
    const { page } = await openPage(browser.context, server.origin + PAGES.console);
    await page.getByRole('heading', { name: 'Live now' }).waitFor();
    await page.getByLabel('Language').selectOption('zh-CN');
    await page.getByRole('heading', { name: '正在直播' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: '正在直播' }).waitFor();
  } finally {
    await browser.close();
  }
});

test('the_console_copies_addresses_and_opens_the_player', async () => {
  const browser = await openBrowser({ permissions: ['clipboard-read', 'clipboard-write'] });
  try {
    const { page } = await openPage(browser.context, server.origin + PAGES.console);
    await page.getByRole('link', { name: 'live/demo' }).click();
    await page.getByRole('button', { name: 'Copy HLS' }).click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${server.origin}/live/demo.m3u8`);
    await page.getByRole('link', { name: 'Player page' }).click();
    await page.waitForURL('**/play/live/demo');
    await until(() => readPlayer(page), ({ view }) => view.kind === 'playing');
  } finally {
    await browser.close();
  }
});

test('a_player_page_weighs_less_than_150_kb_before_the_engines', async () => {
  const browser = await openBrowser();
  try {
    const page = await browser.context.newPage();
    const bodies = [];
    page.on('response', (response) => bodies.push(response));
    await page.goto(server.origin + PAGES.player);
    await until(() => readPlayer(page), ({ view }) => view.kind === 'playing');
    let total = 0;
    for (const response of bodies) {
      const { pathname } = new URL(response.url());
      if (!/^\/(play\/|assets\/)/.test(pathname) || /mpegts|hls/.test(pathname)) continue;
      total += gzipSync(await response.body()).length;
    }
    assert.ok(total > 5_000 && total < FIRST_LOAD_BYTES_MAX, `${total} bytes`);
  } finally {
    await browser.close();
  }
});

test('the_five_line_example_plays_on_a_page_of_another_origin', async () => {
  const other = await openServer({ mock: true });
  const browser = await openBrowser();
  try {
    other.mock.control.exampleOrigin = server.origin;
    const { page, complaints } = await openPage(browser.context, `${other.origin}/examples/player.html`);
    const playing = until(() => readPlayer(page), ({ view, frames }) => view.kind === 'playing' && frames > 10);
    await playing.catch((error) => assert.fail(`${error.message}; ${complaints}`));
  } finally {
    await browser.close();
    await other.close();
  }
});

test('the_empty_console_tells_how_to_push', async () => {
  const empty = await openServer({ mock: true, streams: [] });
  const browser = await openBrowser();
  try {
    const { page } = await openPage(browser.context, empty.origin);
    await page.getByRole('heading', { name: 'Nothing is live yet' }).waitFor();
    assert.equal(await page.getByRole('textbox', { name: 'Server', exact: true }).innerText(), 'rtmp://127.0.0.1/live');
    await page.screenshot({ path: outputFile('console-empty-desktop-light.png'), fullPage: true });
    assert.deepEqual(await findProblems(page), []);
  } finally {
    await browser.close();
    await empty.close();
  }
});
