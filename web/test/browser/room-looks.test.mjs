//! Rooms as people meet them, in every size, scheme and language: pictures for us to look at, accessibility, targets
//! for fingers, and nothing that is wider than the screen.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findProblems, openServer, outputFile, smallTargets, until } from './harness.mjs';
import { joinRoom, waitUp } from './room-page.mjs';

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 900 } };
const ON = { sound: true, picture: true, screen: false };
const OFF = { sound: false, picture: false, screen: false };
const TALK = {
  'en-US': ['Good morning, everybody.', 'Can you hear me?', 'Yes, well!', 'Then let us begin with what we left open last week.', '<b>bold</b> is only text here'],
  'zh-CN': ['大家早上好。', '能听到我吗？', '听得很清楚！', '那我们从上周没讲完的地方开始。', '<b>粗体</b> 在这里只是文字'],
};
const NAMES = { 'en-US': ['Ann Zhao', 'Maximilian von Habsburg-Lothringen', 'Bo', 'Cai'], 'zh-CN': ['赵安', '李雷', '韩梅梅', '小明'] };

let server;
let count = 0;

before(async () => {
  server = await openServer({ mock: true });
});

after(() => server?.close());

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const [locale, colorScheme] of [['en-US', 'light'], ['zh-CN', 'dark']]) {
    const isPhone = size === 'phone';
    const options = { viewport, colorScheme, hasTouch: isPhone, isMobile: isPhone, deviceScaleFactor: isPhone ? 2 : 1, bypassCSP: false };
    const names = NAMES[locale];

    test(`meeting_${size}_${colorScheme}_${locale}`, async () => {
      const room = server.mock.rooms.open(`look-${(count += 1)}`, 'meeting');
      names.forEach((name, at) => room.addGhost(name, { role: at === 0 ? 'cohost' : 'guest', up: true, sending: at === 2 ? OFF : ON }));
      const { browser, page, complaints } = await joinRoom({ server, room, claims: { name: 'Me', role: 'host' }, locale, options });
      try {
        const shoot = (name) => page.screenshot({ path: outputFile(`room-${name}-${size}-${colorScheme}-${locale}.png`) });
        await waitUp(page);
        TALK[locale].forEach((text, at) => room.put('all', { name: 'said', said: { id: 100 + at, member: (at % 3) + 1, by: names[at % 3], at: Date.now(), text } }));
        room.put('all', { name: 'reacted', counts: [{ reaction: 'clap', count: 5 }] });
        await page.waitForTimeout(1_500);
        await page.evaluate(() => window.stage.speak(2, 1));
        await page.waitForTimeout(400);
        await shoot('gallery');
        assert.deepEqual(await findProblems(page), [], 'gallery');
        assert.deepEqual(await smallTargets(page), [], 'gallery');
        const word = (en, zh) => (locale === 'zh-CN' ? zh : en);
        const button = (name) => page.getByRole('button', { name, exact: false });
        const wake = () => (isPhone ? page.touchscreen.tap(viewport.width / 2, viewport.height / 2) : page.mouse.move(300 + Math.random() * 99, 300));
        await wake();
        await button(word('Chat', '聊天')).click();
        await page.waitForTimeout(400);
        await shoot('chat');
        assert.deepEqual(await findProblems(page), [], 'chat');
        await page.locator('live-room .panel .head button').click();
        await page.locator('live-room').evaluate((each) => each.shadowRoot.querySelector('.count').click());
        await page.locator('live-room .panel .person .round').first().click();
        await page.waitForTimeout(400);
        await shoot('people');
        assert.deepEqual(await findProblems(page), [], 'people');
        assert.deepEqual(await smallTargets(page), [], 'people');
        await page.keyboard.press('Escape');
        await wake();
        await button(word('More', '更多')).first().click();
        await page.waitForTimeout(400);
        await shoot('settings');
        assert.deepEqual(await findProblems(page), [], 'settings');
        assert.deepEqual(await smallTargets(page), [], 'settings');
        await page.keyboard.press('Escape');
        await page.locator('live-room').evaluate((each) => each.shadowRoot.querySelector('.top .round.small').click());
        await page.waitForTimeout(1_500);
        await shoot('speaker');
        assert.deepEqual(await findProblems(page), [], 'speaker');
        const overflow = (await page.evaluate(() => document.documentElement.scrollWidth)) - viewport.width;
        assert.ok(overflow <= 0, `${overflow} px too wide`);
        assert.deepEqual(complaints, []);
      } finally {
        await browser.close();
      }
    });

    test(`call_${size}_${colorScheme}_${locale}`, async () => {
      const room = server.mock.rooms.open(`look-${(count += 1)}`, 'call');
      const { browser, page, complaints } = await joinRoom({ server, room, claims: { name: names[0], role: 'host' }, locale, options, goIn: false });
      try {
        const shoot = (name) => page.screenshot({ path: outputFile(`room-${name}-${size}-${colorScheme}-${locale}.png`) });
        await page.waitForTimeout(1_500);
        await shoot('check');
        assert.deepEqual(await findProblems(page), [], 'check');
        assert.deepEqual(await smallTargets(page), [], 'check');
        await page.locator('button[type=submit]').click();
        await waitUp(page);
        await page.waitForTimeout(1_000);
        await shoot('calling');
        assert.deepEqual(await findProblems(page), [], 'calling');
        assert.deepEqual(await smallTargets(page), [], 'calling');
        const other = room.addGhost(names[1], { up: true, sending: ON });
        room.put('all', { name: 'ringing', until: null });
        await until(() => page.evaluate(() => window.stage.asked.length), (asked) => asked === 1);
        await page.waitForTimeout(1_500);
        await shoot('call');
        assert.deepEqual(await findProblems(page), [], 'call');
        room.put('all', { name: 'away', member: other, away: true });
        room.cut();
        room.isAway = true;
        await page.waitForTimeout(2_500);
        await shoot('call-cut');
        room.isAway = false;
        await until(() => page.locator('live-room').evaluate((each) => each.session.phase.kind), (kind) => kind === 'in');
        room.end('hung_up');
        await page.waitForTimeout(500);
        await shoot('call-over');
        assert.deepEqual(await findProblems(page), [], 'over');
        assert.deepEqual(complaints.filter((line) => !/WebSocket/.test(line)), []);
      } finally {
        await browser.close();
      }
    });

    test(`class_${size}_${colorScheme}_${locale}`, async () => {
      const room = server.mock.rooms.open(`look-${(count += 1)}`, 'class-large');
      const teacher = room.addGhost(names[0], { role: 'host', up: true, sending: ON });
      names.slice(1).forEach((name) => room.addGhost(name));
      room.put('all', { name: 'audience', count: 1_284 });
      room.put('all', { name: 'title', to: locale === 'zh-CN' ? '分数的加减法' : 'Fractions, part 2' });
      const { browser, page, complaints } = await joinRoom({ server, room, claims: { name: 'Me' }, locale, options });
      try {
        const shoot = (name) => page.screenshot({ path: outputFile(`room-${name}-${size}-${colorScheme}-${locale}.png`) });
        await page.locator('live-player').waitFor();
        TALK[locale].forEach((text, at) => room.put('all', { name: 'said', said: { id: 100 + at, member: 2, by: names[1], at: Date.now(), text } }));
        await page.waitForTimeout(3_000);
        await shoot('audience');
        assert.deepEqual(await findProblems(page), [], 'audience');
        assert.deepEqual(await smallTargets(page), [], 'audience');
        room.putOwn(5, { name: 'invited', until: Date.now() + 30_000 });
        await page.waitForTimeout(400);
        await shoot('invited');
        assert.deepEqual(await findProblems(page), [], 'invited');
        assert.ok(teacher > 0);
        assert.deepEqual(complaints.filter((line) => !/40[04]|whep/.test(line)), []);
      } finally {
        await browser.close();
      }
    });

    test(`lobby_${size}_${colorScheme}_${locale}`, async () => {
      const { openBrowser, openPage, FAKE_DEVICES } = await import('./harness.mjs');
      const browser = await openBrowser({ flags: FAKE_DEVICES, locale, ...options });
      try {
        const shoot = (name) => page.screenshot({ path: outputFile(`room-${name}-${size}-${colorScheme}-${locale}.png`) });
        const { page, complaints } = await openPage(browser.context, `${server.origin}/demo`);
        await page.locator('input[name=name]').fill(names[0]);
        await shoot('lobby');
        assert.deepEqual(await findProblems(page), [], 'lobby');
        assert.deepEqual(await smallTargets(page), [], 'lobby');
        await page.locator('button[type=submit]').click();
        await page.locator('om-share svg.code').waitFor();
        await shoot('opened');
        assert.deepEqual(await findProblems(page), [], 'opened');
        const overflow = (await page.evaluate(() => document.documentElement.scrollWidth)) - viewport.width;
        assert.ok(overflow <= 0, `${overflow} px too wide`);
        assert.deepEqual(complaints, []);
      } finally {
        await browser.close();
      }
    });
  }
}
