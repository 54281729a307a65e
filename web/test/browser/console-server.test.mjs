//! The console against the real server (OPENMIC_BIN), guarded by keys of its own: what the stand-in claims about the API
//! holds, and nothing breaks the page's policy.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { findProblems, openBrowser, openPage, outputFile, readPlayer, until } from './harness.mjs';

const BINARY = process.env.OPENMIC_BIN;
const skip = BINARY === undefined ? 'OPENMIC_BIN names no server' : false;
const LOOPBACK = '127.0.0.1:0';
/** Nobody listens there. */
const HOOK = 'http://127.0.0.1:9/hook';

let work;
let server;
let origin;
let token;
let browser;

before(async () => {
  if (skip) return;
  work = mkdtempSync(join(tmpdir(), 'openmic-console-'));
  const config = join(work, 'openmic.toml');
  writeFileSync(join(work, 'hook.secret'), '0123456789abcdef0123456789abcdef\n', { mode: 0o600 });
  const hook = `[[hooks]]\nname = "backend"\nurl = "${HOOK}"\nevents = ["publish"]\nsecret_file = "${join(work, 'hook.secret')}"\n`;
  writeFileSync(config, `[access]\nrequired = true\n\n[outbound]\nallow = ["127.0.0.0/8"]\n\n${hook}`, { mode: 0o600 });
  const files = ['--config', config, '--data', work];
  execFileSync(BINARY, ['token', 'init', ...files]);
  token = /\S{40,}/.exec(execFileSync(BINARY, ['token', 'make', '--admin', '--seconds', '600', ...files], { encoding: 'utf8' }))?.[0];
  assert.ok(token, 'a token was made');
  const listen = ['--http', LOOPBACK, '--rtmp', LOOPBACK, '--rtc', LOOPBACK];
  server = spawn(BINARY, ['serve', ...files, ...listen, '--demo', '--ready-json'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ready = await new Promise((done, failed) => {
    createInterface({ input: server.stdout }).once('line', done);
    server.once('exit', (code) => failed(new Error(`the server ended with ${code}`)));
  });
  origin = `http://${JSON.parse(ready).http}`;
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  if (server?.kill('SIGTERM')) await once(server, 'exit');
  if (work !== undefined) rmSync(work, { recursive: true, force: true });
});

test('every_page_works_with_the_real_server', { skip }, async () => {
  const { page, complaints } = await openPage(browser.context, origin);
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  await page.getByLabel('Token').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('This token is wrong or has expired').waitFor();
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'live/demo' }).waitFor();
  await until(() => readPlayer(page), ({ frames }) => frames > 10, 30_000);
  await page.screenshot({ path: outputFile('console-server-live.png'), fullPage: true });

  await page.getByRole('link', { name: 'live/demo' }).click();
  await until(() => readPlayer(page), ({ frames }) => frames > 10, 30_000);
  await page.locator('om-chart .u-wrap canvas').first().waitFor();
  const values = () => page.locator('om-charts').evaluate(({ samples }) => samples.filter((each) => each.bitrate_bps > 0).length);
  const remembered = await until(values, (count) => count > 3, 30_000);
  await until(values, (count) => count > remembered, 10_000);
  const kick = page.getByRole('button', { name: /^Disconnect: 127\.0\.0\.1/ }).first();
  await kick.waitFor({ timeout: 15_000 });
  await page.screenshot({ path: outputFile('console-server-stream.png'), fullPage: true });
  assert.deepEqual(await findProblems(page), []);
  await kick.click();
  await page.getByRole('dialog').getByRole('button', { name: 'Disconnect' }).click();
  await page.getByText(/is disconnected$/).waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'Make addresses' }).click();
  await page.getByRole('button', { name: 'Copy Stream key' }).waitFor();

  await page.evaluate(() => (location.hash = '#/keys'));
  await page.getByRole('button', { name: /^Renew:/ }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Renew' }).click();
  await page.getByText('This is the new secret').waitFor();
  await page.getByLabel('For the stream (app/name) or the app').fill('live/demo');
  await page.getByRole('button', { name: 'Make token' }).click();
  await page.getByRole('textbox', { name: 'Token' }).waitFor();

  await page.evaluate(() => (location.hash = '#/node'));
  await page.locator('om-usage tbody tr').first().waitFor();
  await page.getByRole('combobox', { name: 'By', exact: true }).selectOption('app,protocol');
  await page.getByText('live · HTTP-FLV').waitFor();
  await page.getByRole('button', { name: 'Read again' }).click();
  await page.getByText('nothing has changed').waitFor();
  await page.screenshot({ path: outputFile('console-server-node.png'), fullPage: true });
  assert.deepEqual(await findProblems(page), []);

  // Refusals that were asked for are told by the browser, too; nothing else may be.
  assert.deepEqual(complaints.filter((text) => !text.includes('Failed to load resource')), []);
  assert.ok(requests.every((url) => !url.includes(token)), 'the token is in no address');
  assert.ok(requests.every((url) => !url.startsWith('http') || url.startsWith(origin)), 'no other origin was asked');
  await page.close();
});

test('a_hook_that_does_not_answer_is_told_of', { skip }, async (context) => {
  const answer = await fetch(`${origin}/api/v1/hooks`, { headers: { authorization: `Bearer ${token}` } });
  if (answer.status === 404) return context.skip('this server tells nothing of hooks');
  const { page, complaints } = await openPage(browser.context, `${origin}/#/hooks`);
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Test: backend' }).click();
  await page.getByText('The test did not reach “backend”.').waitFor();
  await page.screenshot({ path: outputFile('console-server-hooks.png'), fullPage: true });
  assert.deepEqual(await findProblems(page), []);
  assert.deepEqual(complaints, []);
  await page.close();
});

test('a_signed_page_plays_for_whoever_has_no_token', { skip }, async () => {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ path: 'live/demo', seconds: 600 });
  const answer = await fetch(`${origin}/api/v1/addresses`, { method: 'POST', headers, body });
  const { play } = await answer.json();
  const { page, complaints } = await openPage(browser.context, play.page);
  await until(() => readPlayer(page), ({ frames }) => frames > 10, 30_000);
  assert.deepEqual(complaints, []);
  await page.close();
});

test('a_broadcast_is_ended_for_everybody', { skip }, async () => {
  const { page } = await openPage(browser.context, origin);
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'live/demo' }).click();
  await page.getByRole('button', { name: 'End broadcast' }).click();
  await page.getByLabel('Refuse publishers of this name').selectOption({ label: '1 min' });
  await page.getByRole('dialog').getByRole('button', { name: 'End broadcast' }).click();
  await page.getByText('Nothing is live here now').waitFor({ timeout: 15_000 });
  await page.close();
});
