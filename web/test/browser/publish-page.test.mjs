//! The page to publish from, as a person meets it: what it says before, while and after, what it says when a browser
//! refuses, accessibility, targets for fingers, and pictures of every look for us to see.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FAKE_DEVICES, findProblems, openBrowser, openPage, openServer, outputFile, smallTargets, until } from './harness.mjs';
import { installLoopback } from './whep-loopback.mjs';

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 900 } };
const PAGE = '/publish/live/mine';

let server;

before(async () => {
  server = await openServer({ mock: true });
});

after(() => server?.close());

const pusherOf = (page) => page.locator('live-pusher');
const viewOf = (page) => pusherOf(page).evaluate((pusher) => pusher.view.kind);

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ['light', 'dark']) {
    for (const locale of ['en-US', 'zh-CN']) {
      test(`looks_and_works_on_${size}_${colorScheme}_${locale}`, async () => {
        const isPhone = size === 'phone';
        const browser = await openBrowser({
          ...{ viewport, colorScheme, locale, hasTouch: isPhone, isMobile: isPhone, flags: FAKE_DEVICES },
          ...{ deviceScaleFactor: isPhone ? 2 : 1, bypassCSP: false },
        });
        const words = locale === 'zh-CN' ? { live: '开播', end: '结束', facts: '网络' } : { live: 'Go live', end: 'End', facts: 'Network' };
        try {
          await installLoopback(browser.context);
          const { page, complaints } = await openPage(browser.context, server.origin + PAGE);
          const shoot = (name) => page.screenshot({ path: outputFile(`publish-${name}-${size}-${colorScheme}-${locale}.png`) });
          await until(() => viewOf(page), (kind) => kind === 'preview');
          await page.getByText(locale === 'zh-CN' ? '能听到您的声音。' : 'You can be heard.').waitFor();
          await shoot('check');
          assert.deepEqual(await findProblems(page), [], 'before');
          await page.getByRole('button', { name: words.live }).click();
          await until(() => viewOf(page), (kind) => kind === 'live', 20_000);
          await page.getByText(words.facts, { exact: true }).waitFor();
          await page.waitForTimeout(2_500);
          await shoot('live');
          await page.locator('summary').click();
          await page.locator('summary').scrollIntoViewIfNeeded();
          await page.evaluate(() => scrollBy(0, 400));
          await shoot('options');
          assert.deepEqual(await findProblems(page), [], 'live');
          assert.deepEqual(await smallTargets(page), []);
          const overflow = (await page.evaluate(() => document.documentElement.scrollWidth)) - viewport.width;
          assert.ok(overflow <= 0, `${overflow} px too wide`);
          await page.evaluate(() => scrollTo(0, 0));
          await page.getByRole('button', { name: words.end }).click();
          await until(() => viewOf(page), (kind) => kind === 'preview');
          assert.deepEqual(complaints, []);
        } finally {
          await browser.close();
        }
      });
    }
  }
}

test('asks_for_camera_and_microphone_by_a_button_that_says_why', async () => {
  // Neither allowed nor refused: the browser would ask a person, whom these tests do not have.
  const browser = await openBrowser({ flags: ['--use-fake-device-for-media-stream'] });
  try {
    const { page } = await openPage(browser.context, server.origin + PAGE);
    await page.getByRole('button', { name: 'Turn camera and microphone on' }).waitFor();
    await page.getByText('Nobody sees or hears you until you go live.').waitFor();
    assert.equal(await viewOf(page), 'idle');
    await page.screenshot({ path: outputFile('publish-start-desktop.png') });
    assert.deepEqual(await findProblems(page), []);
  } finally {
    await browser.close();
  }
});

test('says_what_to_do_when_the_browser_refuses_both_and_goes_on_with_one_of_them', async () => {
  const browser = await openBrowser({ flags: ['--use-fake-device-for-media-stream'], viewport: SIZES.phone });
  try {
    await browser.context.addInitScript(() => {
      window.seen = [];
      for (const type of ['error', 'statechange']) addEventListener(type, ({ detail }) => detail && window.seen.push(detail.errCode ?? detail.code));
      const media = navigator.mediaDevices;
      window.allowed = [];
      media.getUserMedia = async (wanted) => {
        const names = ['video', 'audio'].filter((kind) => wanted[kind]);
        if (!names.every((kind) => window.allowed.includes(kind))) throw new DOMException('Permission denied', 'NotAllowedError');
        // Allowed in this story, whatever this browser without a person says.
        const audio = new AudioContext().createMediaStreamDestination().stream;
        const canvas = document.createElement('canvas');
        canvas.getContext('2d').fillRect(0, 0, 10, 10);
        const tracks = [...(wanted.audio ? audio.getTracks() : []), ...(wanted.video ? canvas.captureStream(5).getTracks() : [])];
        return new MediaStream(tracks);
      };
    });
    await installLoopback(browser.context);
    const { page } = await openPage(browser.context, server.origin + PAGE);
    await page.getByRole('button', { name: 'Turn camera and microphone on' }).click();
    await page.locator('live-pusher [part=status]').getByText('The browser does not let this page use the camera').waitFor();
    await page.getByText(/allow it, then try again/).first().waitFor();
    for (const code of [10001, 10002, -1301, -1302]) assert.ok((await page.evaluate(() => window.seen)).includes(code), `${code}`);
    await page.screenshot({ path: outputFile('publish-refused-phone.png') });
    assert.deepEqual(await findProblems(page), []);
    await page.getByRole('button', { name: 'Go live' }).click();
    await page.waitForTimeout(500);
    assert.equal(await pusherOf(page).evaluate((pusher) => pusher.isLive), false, 'there is nothing to send');

    await page.evaluate(() => (window.allowed = ['audio']));
    await page.getByRole('button', { name: 'Try again' }).click();
    await until(() => pusherOf(page).evaluate((pusher) => pusher.hasMicrophone), (has) => has);
    await page.getByRole('button', { name: 'Go live' }).click();
    await until(() => viewOf(page), (kind) => kind === 'live', 20_000);
    await page.locator('live-pusher [part=status]').getByText('The browser does not let this page use the camera').waitFor();
    await page.screenshot({ path: outputFile('publish-refused-live-phone.png') });
  } finally {
    await browser.close();
  }
});

test('switches_camera_and_microphone_off_and_on_by_keyboard', async () => {
  const browser = await openBrowser({ flags: FAKE_DEVICES });
  try {
    const { page } = await openPage(browser.context, server.origin + PAGE);
    await until(() => viewOf(page), (kind) => kind === 'preview');
    await page.getByRole('button', { name: 'Turn the microphone off' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('The microphone is off.').waitFor();
    await page.getByRole('button', { name: 'Turn the microphone on' }).press('Enter');
    await page.getByRole('button', { name: 'Turn the camera off' }).press('Enter');
    await page.getByRole('button', { name: 'Turn the camera on' }).waitFor();
    await until(() => pusherOf(page).evaluate((pusher) => pusher.hasCamera), (has) => !has);
    await page.screenshot({ path: outputFile('publish-camera-off-desktop.png') });
    await page.getByRole('button', { name: 'Turn the camera on' }).press('Enter');
    await until(() => pusherOf(page).evaluate((pusher) => pusher.hasCamera), (has) => has);
    const cameras = page.getByRole('combobox', { name: 'Camera', exact: true });
    await until(() => cameras.locator('option').count(), (count) => count >= 2);
    await cameras.selectOption({ index: 1 });
    await until(() => pusherOf(page).evaluate((pusher) => pusher.cameraId), (id) => id !== undefined);
    await until(() => pusherOf(page).evaluate((pusher) => pusher.hasCamera), (has) => has);
  } finally {
    await browser.close();
  }
});
