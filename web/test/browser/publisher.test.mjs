//! What a viewer sees when the publisher comes and goes. The mock plays the publisher here, so these
//! always run against it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, openPage, openServer, readPlayer, recordCodes, until } from './harness.mjs';

let server;
let browser;

before(async () => {
  server = await openServer({ mock: true });
  browser = await openBrowser();
  await recordCodes(browser.context);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

test('reconnects_when_the_connection_breaks_and_says_so_by_code', async () => {
  const { page } = await openPage(browser.context, `${server.origin}/play/live/demo`);
  await until(() => readPlayer(page), ({ view, frames }) => view.kind === 'playing' && frames > 30);
  await page.evaluate(() => (window.codes = []));
  server.mock.cut();
  const codes = await until(() => page.evaluate(() => window.codes), (seen) => seen.includes(2004), 10_000);
  assert.deepEqual(codes.slice(0, 4), [3005, 2103, 2001, 2002]);
  assert.ok(!codes.includes(-2301));
  await page.close();
});

test('waits_in_words_while_the_publisher_is_away_goes_on_without_reconnecting_and_tells_the_end', async () => {
  const { page } = await openPage(browser.context, `${server.origin}/play/live/demo`);
  await until(() => readPlayer(page), ({ view, frames }) => view.kind === 'playing' && frames > 30);

  server.mock.vanish();
  await until(() => readPlayer(page), ({ words }) => /The publisher left; waiting \d+ s/.test(words), 10_000);

  await page.evaluate(() => (window.codes = []));
  server.mock.comeBack();
  await until(() => readPlayer(page), ({ view }) => view.kind === 'playing', 10_000);
  const codes = await page.evaluate(() => window.codes);
  assert.ok(!codes.includes(2103) && !codes.includes(2001), `no reconnect in ${codes}`);
  const before = await readPlayer(page);
  await until(() => readPlayer(page), ({ frames }) => frames > before.frames + 30, 5_000);

  server.mock.end();
  const { words } = await until(() => readPlayer(page), ({ view }) => view.kind === 'ended', 10_000);
  assert.match(words, /The stream has ended/);
  assert.match(words, /go on here by itself/);
  assert.ok((await page.evaluate(() => window.codes)).includes(2006));

  server.mock.comeBack();
  server.mock.control.empty = false;
  await until(() => readPlayer(page), ({ view }) => view.kind === 'playing', 20_000);
  await page.close();
});
