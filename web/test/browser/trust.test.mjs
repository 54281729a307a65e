//! The page that tells devices how to trust a server that is its own certificate authority.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findProblems, openBrowser, openPage, openServer, outputFile, until } from './harness.mjs';

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 900 } };
const PHONE_AGENT =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1';

let server;

before(async () => {
  server = await openServer({ streams: [], mock: true });
});

after(() => server?.close());

/** What is on the page, through the shadow root. */
function read(page) {
  return page.evaluate(() => {
    const root = document.querySelector('om-trust').shadowRoot;
    const open = root.querySelector('details[open] summary');
    return {
      title: root.querySelector('h1')?.textContent,
      first: open?.textContent.trim(),
      links: [...root.querySelectorAll('a')].map((link) => link.getAttribute('href')),
      // Of another element's shadow root, which would go unnoticed here.
      fields: [...root.querySelectorAll('om-copy')].map((field) => field.value),
      code: root.querySelector('img')?.checkVisibility() ?? false,
    };
  });
}

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const locale of ['en-US', 'zh-CN']) {
    for (const colorScheme of ['light', 'dark']) {
      test(`the_page_is_sound_on_${size}_${locale}_${colorScheme}`, async () => {
        const isPhone = size === 'phone';
        const browser = await openBrowser({
          ...{ viewport, locale, colorScheme, hasTouch: isPhone, isMobile: isPhone, deviceScaleFactor: isPhone ? 2 : 1 },
          ...(isPhone ? { userAgent: PHONE_AGENT } : {}),
        });
        try {
          const { page, complaints } = await openPage(browser.context, `${server.origin}/trust`);
          const { title, first, links, fields, code } = await until(
            () => read(page),
            ({ fields }) => fields.length === 2,
          );
          await page.screenshot({ path: outputFile(`trust-${size}-${colorScheme}-${locale}.png`), fullPage: true });
          assert.equal(title, locale === 'zh-CN' ? '信任这台服务器' : 'Trust this server');
          assert.match(first, isPhone ? /^iPhone/ : /^Linux/);
          assert.equal(links.includes('/trust/openmic-ca.crt'), true);
          assert.equal(links.includes('/trust/openmic-ca.mobileconfig'), true);
          assert.equal(links.includes('https://192.168.1.5:8443/'), true);
          assert.equal(fields.includes('http://192.168.1.5:8080/trust'), true);
          assert.equal(fields.some((field) => /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/.test(field)), true);
          assert.equal(code, !isPhone, 'a phone needs no code to find the page it shows');
          assert.deepEqual(await findProblems(page), []);
          assert.deepEqual(complaints, []);
          const overflow = (await page.evaluate(() => document.documentElement.scrollWidth)) - viewport.width;
          assert.ok(overflow <= 0, `${overflow} px too wide`);
        } finally {
          await browser.close();
        }
      });
    }
  }
}

test('the_language_follows_the_switch', async () => {
  const browser = await openBrowser();
  try {
    const { page } = await openPage(browser.context, `${server.origin}/trust`);
    await until(() => read(page), ({ title }) => title === 'Trust this server');
    await page.locator('om-header select').selectOption('zh-CN');
    await until(() => read(page), ({ title }) => title === '信任这台服务器');
  } finally {
    await browser.close();
  }
});

test('a_server_without_an_authority_or_without_a_network_says_so', async () => {
  const browser = await openBrowser();
  try {
    server.mock.control.trust = { about: undefined };
    const none = await openPage(browser.context, `${server.origin}/trust`);
    await until(() => read(none.page), ({ title }) => title === 'Nothing has to be installed');
    server.mock.control.trust = { about: { fingerprint: '00', addresses: [] } };
    const alone = await openPage(browser.context, `${server.origin}/trust`);
    await until(
      () => alone.page.evaluate(() => document.querySelector('om-trust').shadowRoot.textContent),
      (text) => text.includes('http.tls_listen'),
    );
    assert.deepEqual(alone.complaints, []);
  } finally {
    server.mock.control.trust = undefined;
    await browser.close();
  }
});
