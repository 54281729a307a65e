//! Every page of the console in both languages, on phone and desktop, by day and night: pictures for us to look at, no
//! problem that axe-core finds, nothing too wide, no complaint, no request to another origin, targets for fingers.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findProblems, openBrowser, openPage, openServer, outputFile, readPlayer, smallTargets, until } from './harness.mjs';

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 900 } };
const STREAMS = ['live/demo', 'class/3/piano', 'radio/night', 'live/课堂-三年级', 'live/<img src=x onerror=alert(1)>', 'event/main-stage-camera-2-with-a-rather-long-name'];

/** Where to go, and what has to be there before the picture is taken. */
const PAGES = {
  live: { hash: '#/', ready: (page) => until(() => readPlayer(page), ({ frames }) => frames > 5, 25_000) },
  stream: {
    hash: '#/streams/live/demo',
    ready: async (page) => {
      await until(() => readPlayer(page), ({ frames }) => frames > 5, 25_000);
      await page.locator('om-chart .u-wrap canvas').nth(4).waitFor();
      await page.locator('om-sessions tbody tr').nth(4).waitFor();
    },
  },
  confirm: {
    hash: '#/streams/live/demo',
    ready: async (page) => {
      await page.locator('om-stream-page .title button').click();
      await page.locator('dialog[open] select').waitFor();
    },
    leave: (page) => page.keyboard.press('Escape'),
  },
  push: {
    hash: '#/push',
    ready: async (page) => {
      await page.locator('om-addresses button.main').click();
      await page.locator('om-copy').nth(6).waitFor();
    },
  },
  code: {
    hash: '#/push',
    ready: async (page) => {
      await page.locator('om-copy button').nth(1).click();
      await page.locator('dialog[open] svg.code').waitFor();
    },
    leave: (page) => page.keyboard.press('Escape'),
  },
  keys: { hash: '#/keys', ready: (page) => page.locator('om-keys-page tbody tr').nth(3).waitFor() },
  hooks: { hash: '#/hooks', ready: (page) => page.locator('om-hooks-page tbody tr').nth(6).waitFor() },
  node: {
    hash: '#/node',
    ready: async (page) => {
      await page.locator('om-usage tbody tr').nth(3).waitFor();
      await page.locator('om-config summary').first().click();
    },
  },
};

let server;

before(async () => {
  server = await openServer({ mock: true, streams: STREAMS, guarded: true });
  server.mock.control.warnings = ['86 % of http.connections_max are in use; raise it, or put another node beside this one'];
});

after(() => server?.close());

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ['light', 'dark']) {
    for (const locale of ['en-US', 'zh-CN']) {
      test(`every_page_is_sound_on_${size}_${colorScheme}_${locale}`, async () => {
        const isPhone = size === 'phone';
        const browser = await openBrowser({
          ...{ viewport, colorScheme, locale, hasTouch: isPhone, isMobile: isPhone },
          ...{ deviceScaleFactor: isPhone ? 2 : 1, bypassCSP: false },
        });
        try {
          const { page, complaints } = await openPage(browser.context, `${server.origin}/`);
          const strangers = [];
          page.on('request', (request) => {
            const url = new URL(request.url());
            if (url.protocol.startsWith('http') && url.origin !== server.origin) strangers.push(request.url());
          });
          const look = async (name) => {
            await page.screenshot({ path: outputFile(`console-${name}-${size}-${colorScheme}-${locale}.png`), fullPage: true });
            assert.deepEqual(await findProblems(page), [], name);
            assert.deepEqual(await smallTargets(page), [], name);
            const overflow = (await page.evaluate(() => document.documentElement.scrollWidth)) - viewport.width;
            assert.ok(overflow <= 0, `${name} is ${overflow} px too wide`);
          };
          await page.locator('om-sign-in input').waitFor();
          await look('sign-in');
          await page.locator('om-sign-in input').fill(server.mock.control.token);
          await page.keyboard.press('Enter');
          for (const [name, { hash, ready, leave }] of Object.entries(PAGES)) {
            await page.evaluate((to) => (location.hash = to), hash);
            await ready(page);
            await look(name);
            await leave?.(page);
          }
          // On a busy machine a player may starve and ask whether its publisher is away: a guarded server tells it nothing.
          assert.deepEqual(complaints.filter((text) => !text.includes('/api/v1/broadcasts/live/')), []);
          assert.deepEqual(strangers, []);
          assert.equal(await page.evaluate(() => document.documentElement.lang), locale === 'zh-CN' ? 'zh-CN' : 'en');
        } finally {
          await browser.close();
        }
      });
    }
  }
}
