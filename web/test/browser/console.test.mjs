//! The console at work: signing in and out, what the events bring, finding, sending off, ending, keys, hooks, settings;
//! what strangers call themselves stays text, and the token stays where it belongs.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { findProblems, openBrowser, openPage, openServer, readPlayer, until } from './harness.mjs';

/** What the console may weigh before charts, players' engines and QR codes, gzipped. */
const FIRST_LOAD_BYTES_MAX = 150_000;
const HOSTILE = 'live/<img src=x onerror="document.title=\'owned\'">';

const open = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

/** A console on a mock of its own, signed in where that is wanted. */
async function openConsole(hash, { signIn = true, guarded = true, streams = ['live/demo'], browser: how = {} } = {}) {
  const server = await openServer({ mock: true, streams, guarded });
  open.push(server);
  const browser = await openBrowser(how);
  open.push(browser);
  const { page, complaints } = await openPage(browser.context, `${server.origin}/${hash}`);
  const { control, api } = server.mock;
  if (guarded && signIn) {
    await page.getByLabel('Token').fill(control.token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
  }
  return { page, complaints, control, api, server, browser };
}

test('a_guarded_server_wants_a_token_says_what_is_wrong_with_it_and_forgets_it_on_signing_out', async () => {
  const { page, control, api } = await openConsole('#/node', { signIn: false });
  const token = page.getByLabel('Token');
  await token.waitFor();
  assert.equal(await page.evaluate(() => document.title), 'Sign in · openmic');
  await token.fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('This token is wrong or has expired').waitFor();
  await token.fill(`viewer-${control.token}`);
  await page.keyboard.press('Enter');
  await page.getByText('not an administrator’s').waitFor();
  await token.fill('не токен');
  await page.keyboard.press('Enter');
  await page.getByText('This token is wrong or has expired').waitFor();
  await token.fill(` ${control.token} `);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'This node' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'This node' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await token.waitFor();
  assert.deepEqual(await page.evaluate(() => [Object.keys(sessionStorage), document.cookie]), [[], '']);
  const kept = await page.evaluate(() => JSON.stringify(localStorage));
  assert.ok(!kept.includes(control.token));
  assert.ok(api.requests.every(({ url }) => !url.includes('token=') && !url.includes(control.token)), 'no token in an address');
});

test('a_new_tab_does_not_know_the_token', async () => {
  const { browser, server } = await openConsole('#/');
  const { page } = await openPage(browser.context, server.origin);
  await page.getByLabel('Token').waitFor();
});

test('a_token_that_is_taken_back_signs_out_and_says_so', async () => {
  const { page, control, api } = await openConsole('#/');
  await page.getByRole('heading', { name: 'Live now' }).waitFor();
  control.token = 'another';
  api.cutEvents();
  await page.getByText('You were signed out').waitFor();
  assert.deepEqual(await findProblems(page), []);
  await page.getByLabel('Token').fill('another');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Live now' }).waitFor();
});

test('an_open_server_asks_for_nothing_and_signs_no_addresses', async () => {
  const { page, api } = await openConsole('#/streams/live/demo', { guarded: false });
  await page.getByRole('button', { name: 'Copy HTTP-FLV' }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Sign out' }).count(), 0);
  assert.ok(api.requests.every(({ authorization, url }) => authorization === undefined && url !== '/api/v1/addresses'));
});

test('the_list_follows_the_events_without_asking_and_comes_back_after_a_break', async () => {
  const { page, control, api } = await openConsole('#/', { streams: ['live/demo', 'live/other'], guarded: false });
  await page.locator('om-stream').nth(1).waitFor();
  control.endedPaths.add('live/other');
  await until(() => page.locator('om-stream').count(), (count) => count === 1);
  const asked = () => api.requests.filter(({ url }) => !url.startsWith('/api/v1/server')).length;
  const before = asked();
  await new Promise((done) => setTimeout(done, 5_000));
  assert.equal(asked(), before, 'nothing is asked while nothing happens');
  api.cutEvents();
  await until(async () => asked(), (count) => count === before + 1);
  control.endedPaths.clear();
  await until(() => page.locator('om-stream').count(), (count) => count === 2);
});

test('hundreds_of_streams_are_found_sorted_and_paged_by_keyboard', async () => {
  const streams = Array.from({ length: 300 }, (_, at) => `class/${at % 20}/room-${at}`);
  const { page } = await openConsole('#/', { streams, guarded: false });
  await page.locator('om-stream').nth(47).waitFor();
  assert.equal(await page.locator('om-stream').count(), 48);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText('Page 2 of 7').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('ROOM-29 class');
  await until(() => page.locator('om-stream').count(), (count) => count === 11);
  await page.getByText('11 streams found').waitFor();
  await page.getByLabel('Order').selectOption('name');
  await page.getByRole('link', { name: 'class/9/room-29' }).first().waitFor();
  assert.match(await page.locator('om-stream h2').first().innerText(), /class\/9\/room-29/);
  await page.getByLabel('Order').focus();
  await page.keyboard.press('/');
  await page.keyboard.type('zzz');
  await page.getByText('No stream has “zzz” in its name.').waitFor();
  assert.deepEqual(await findProblems(page), []);
});

test('previews_take_turns_and_leave_their_last_picture', async () => {
  const streams = ['a/1', 'a/2', 'a/3', 'a/4', 'a/5', 'a/6'];
  const { page } = await openConsole('#/', { streams, guarded: true });
  const moving = () => page.locator('om-stream live-player').count();
  await until(moving, (count) => count === 4);
  await until(() => readPlayer(page), ({ frames }) => frames > 10, 25_000);
  await until(() => page.locator('om-stream canvas:visible').count(), (count) => count >= 1, 20_000);
  assert.ok((await moving()) <= 4);
});

test('names_and_agents_of_strangers_are_text_wherever_they_stand', async () => {
  const { page, complaints } = await openConsole('#/', { streams: ['live/demo', HOSTILE], guarded: true });
  await page.getByText('<img src=x onerror=').first().waitFor();
  await page.getByRole('link', { name: HOSTILE }).click();
  await page.getByText('<script>document.title="owned"</script>').waitFor();
  await page.getByRole('button', { name: 'Make addresses' }).click();
  await page.getByRole('button', { name: 'Copy Player to embed' }).waitFor();
  await page.evaluate(() => (location.hash = '#/hooks'));
  await page.getByText('live/<b>bold</b>').waitFor();
  assert.ok(!(await page.evaluate(() => document.title)).includes('owned'));
  assert.deepEqual(complaints.filter((text) => !text.includes('Failed to load resource')), []);
});

test('the_stream_page_draws_what_the_server_remembers_and_what_comes', async () => {
  const { page } = await openConsole('#/streams/live/demo');
  const chart = page.locator('om-chart').first();
  await chart.locator('.u-wrap canvas').waitFor();
  const count = () => page.locator('om-charts').evaluate((element) => element.samples.length);
  const before = await until(count, (points) => points > 500);
  await until(count, (points) => points > before + 1, 8_000);
  const figure = chart.locator('figure');
  await figure.focus();
  for (const key of ['Home', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
  assert.equal(await chart.evaluate((element) => element.pointed), 2);
  await until(() => page.locator('om-chart').nth(2).evaluate((element) => element.pointed), (at) => at === 2);
  await page.keyboard.press('Escape');
  await until(() => chart.evaluate((element) => element.pointed ?? null), (at) => at === null);
});

test('a_session_is_sent_off_only_after_it_was_confirmed', async () => {
  const { page } = await openConsole('#/streams/live/demo');
  const row = page.locator('om-sessions tbody tr');
  await row.nth(4).waitFor();
  await page.getByRole('button', { name: 'Disconnect: 203.0.113.9:33810' }).click();
  await page.getByText('It cannot be undone.').waitFor();
  assert.deepEqual(await findProblems(page), []);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Disconnect: 203.0.113.9:33810' }).click();
  await page.getByRole('button', { name: 'Disconnect', exact: true }).click();
  await until(() => row.count(), (rows) => rows === 4);
  assert.match(await page.locator('om-sessions [role=status]').first().innerText(), /203\.0\.113\.9:33810 is disconnected/);
});

test('a_broadcast_is_ended_and_its_name_refused_for_as_long_as_was_chosen', async () => {
  const { page, control } = await openConsole('#/streams/live/demo');
  await page.getByRole('button', { name: 'End broadcast' }).click();
  await page.getByLabel('Refuse publishers of this name').selectOption({ label: '1 hour' });
  await page.getByRole('dialog').getByRole('button', { name: 'End broadcast' }).click();
  await page.getByText('Nothing is live here now').waitFor();
  assert.deepEqual(control.bans, [['live/demo', '3600']]);
});

test('signed_addresses_are_made_copied_and_shown_as_codes', async () => {
  const { page } = await openConsole('#/streams/live/demo', { browser: { permissions: ['clipboard-read', 'clipboard-write'] } });
  await page.getByRole('button', { name: 'Make addresses' }).click();
  await page.getByText('Good until').waitFor();
  await page.getByRole('button', { name: 'Copy Stream key' }).click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^demo\?txSecret=[0-9a-f]{32}&txTime=[0-9A-F]+$/);
  await page.getByRole('button', { name: 'QR code of Player page' }).click();
  await page.getByRole('img', { name: 'QR code of Player page' }).waitFor();
  assert.deepEqual(await findProblems(page), []);
  await page.getByRole('button', { name: 'Close' }).click();
  assert.equal(await page.getByRole('dialog').count(), 0);
});

test('a_renewed_key_is_shown_once_and_a_token_is_made', async () => {
  const { page } = await openConsole('#/keys');
  await page.getByRole('button', { name: 'Renew: publish-live' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Renew' }).click();
  await page.getByText('This is the new secret of “publish-live”').waitFor();
  assert.deepEqual(await findProblems(page), []);
  await page.getByRole('button', { name: 'I have copied it' }).click();
  assert.equal(await page.getByText('This is the new secret').count(), 0);
  await page.getByLabel('Publish', { exact: true }).check();
  await page.getByLabel('For the stream (app/name) or the app').fill('live/demo');
  await page.getByRole('button', { name: 'Make token' }).click();
  await page.getByRole('textbox', { name: 'Token' }).waitFor();
  assert.match(await page.getByRole('textbox', { name: 'Token' }).innerText(), /^eyJ\.publish\+play\./);
});

test('a_hook_is_tested_and_the_outcome_said', async () => {
  const { page } = await openConsole('#/hooks');
  await page.getByRole('button', { name: 'Test: accounts' }).click();
  await page.getByText('The test reached “accounts”.').waitFor();
  await page.getByRole('button', { name: 'Test: billing' }).click();
  await page.getByText('The test did not reach “billing”.').waitFor();
  await page.getByText('connection refused').first().waitFor();
  assert.deepEqual(await findProblems(page), []);
});

test('the_configuration_is_read_again_and_the_result_said', async () => {
  const { page, control } = await openConsole('#/node');
  const reload = page.getByRole('button', { name: 'Read again' });
  await reload.click();
  await page.getByText('2 settings have changed:').waitFor();
  await page.getByText('rtmp.listen').first().waitFor();
  control.reload = 'same';
  await reload.click();
  await page.getByText('nothing has changed').waitFor();
  control.reload = 'broken';
  await reload.click();
  await page.getByText('unknown field `lisen`').waitFor();
  await page.getByText('The configuration in force was kept.').waitFor();
});

test('usage_is_downloaded_as_a_file_without_a_token_in_its_address', async () => {
  const { page, control } = await openConsole('#/node');
  await page.getByRole('combobox', { name: 'By', exact: true }).selectOption('app,protocol');
  await page.getByText('live · RTMP').waitFor();
  const coming = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download CSV' }).click();
  const download = await coming;
  assert.equal(download.suggestedFilename(), 'openmic-usage-app-protocol.csv');
  assert.ok(!download.url().includes(control.token));
  assert.match(readFileSync(await download.path(), 'utf8'), /^app,protocol,action,sessions,seconds,bytes\r\nlive,flv,play,1204,/);
});

test('every_page_is_worked_by_keyboard_with_focus_that_is_seen', async () => {
  const { page } = await openConsole('#/streams/live/demo');
  await page.locator('om-sessions tbody tr').nth(4).waitFor();
  const seen = new Set();
  for (let at = 0; at < 45; at += 1) {
    await page.keyboard.press('Tab');
    const focus = await page.evaluate(() => {
      let active = document.activeElement;
      while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
      const { outlineStyle } = getComputedStyle(active);
      return { tag: active.localName, name: active.getAttribute('aria-label') ?? active.textContent.trim(), outlineStyle };
    });
    if (focus.tag === 'body') continue;
    seen.add(focus.name.replace(/\s+/g, ' '));
    assert.notEqual(focus.outlineStyle, 'none', `focus is seen on ${focus.name}`);
  }
  for (const name of ['Keys', 'End broadcast', 'Refresh', 'Disconnect: 203.0.113.80:49200', 'Make addresses']) {
    assert.ok(seen.has(name), `${name} in ${[...seen].join(' | ')}`);
  }
});

test('the_console_weighs_less_than_150_kb_without_charts', async (context) => {
  const server = await openServer({ mock: true, guarded: false });
  open.push(server);
  const browser = await openBrowser();
  open.push(browser);
  const page = await browser.context.newPage();
  const answers = [];
  page.on('response', (response) => answers.push(response));
  await page.goto(server.origin);
  await until(() => readPlayer(page), ({ view }) => view.kind === 'playing');
  let total = 0;
  for (const answer of answers) {
    const { pathname } = new URL(answer.url());
    if (!/^\/(assets\/|$)/.test(pathname) || /mpegts|hls/.test(pathname)) continue;
    assert.ok(!/chart|browser/.test(pathname), `${pathname} is not loaded before it is wanted`);
    total += gzipSync(await answer.body()).length;
  }
  context.diagnostic(`first load of the console: ${total} bytes gzipped`);
  assert.ok(total > 20_000 && total < FIRST_LOAD_BYTES_MAX, `${total} bytes`);
});
