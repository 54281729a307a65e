//! Publishes from a real browser by WHIP until it is told to stop.
//!
//! node whip.mjs ORIGIN STREAM BROWSER [CODEC]

import { end, launch, serve } from './driver.mjs';
import { whip } from './rtc.mjs';

const [origin, stream, browser, codec] = process.argv.slice(2);

try {
  const pages = await serve({ '/': ['text/html', '<!doctype html><title>publisher</title>'] });
  const page = await (await launch(browser)).newPage();
  await page.goto(pages);
  await page.evaluate(whip, { url: `${origin}/${stream}/whip`, codec });
} catch (error) {
  console.error(error);
  await end(1);
}
