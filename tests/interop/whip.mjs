//! Publishes from a real browser by WHIP until it is told to stop.
//!
//! node whip.mjs chromium|firefox ORIGIN STREAM BROWSER [CODEC]

import { end, launch, serve } from './driver.mjs';
import { launchFirefox } from './firefox.mjs';
import { whip } from './rtc.mjs';

const [kind, origin, stream, browser, codec] = process.argv.slice(2);

try {
  const pages = await serve({ '/': ['text/html', '<!doctype html><title>publisher</title>'] });
  const asked = { url: `${origin}/${stream}/whip`, codec };
  if (kind === 'firefox') {
    await (await (await launchFirefox(browser)).open(pages)).call(whip, asked);
  } else {
    const page = await (await launch(browser))();
    await page.goto(pages);
    await page.evaluate(whip, asked);
  }
} catch (error) {
  console.error(error);
  await end(1);
}
