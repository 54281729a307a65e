//! What the drivers of browsers share: whatever was started is undone, and pages come from another origin.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const require = createRequire(new URL('../../web/package.json', import.meta.url));

/** A profile, a page server: undone in reverse order, whatever happens. */
export const undo = [];
process.on('SIGTERM', () => void end(1));

export async function end(code) {
  for (const step of undo.splice(0).reverse()) await Promise.resolve(step()).catch(() => {});
  process.exit(code);
}

export function temporary(name) {
  const dir = mkdtempSync(join(tmpdir(), name));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Asks a child to stop, and kills it when it does not. */
export function stopped(child) {
  if (child.exitCode !== null || child.signalCode !== null) return undefined;
  const gone = new Promise((done) => child.on('exit', done));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 2_000);
  return gone.finally(() => clearTimeout(late));
}

/** Serves these pages and scripts; `report` gets the JSON that pages post. */
export function serve(files, report) {
  const server = createServer((request, response) => {
    if (request.method === 'POST') {
      let body = '';
      request.on('data', (piece) => (body += piece));
      request.on('end', () => {
        response.end();
        report?.(JSON.parse(body));
      });
      return;
    }
    const [type, body] = files[new URL(request.url, 'http://x').pathname] ?? [];
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type ?? 'text/plain' });
    response.end(body);
  });
  undo.push(() => server.close());
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`));
  });
}

/**
 * A Chromium that plays and publishes unasked; resolves with what opens a page in it. Each page is somebody's own: those of one
 * profile share the six connections that a browser opens to a server by HTTP/1.1, and whoever comes last to a few players
 * waits until one of them stops.
 */
export async function launch(browser, more = []) {
  const flags = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--mute-audio', '--autoplay-policy=no-user-gesture-required',
    '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows', '--disable-background-timer-throttling',
    // The server under test listens on loopback alone.
    '--allow-loopback-in-peer-connection'];
  const { chromium: driver } = require('playwright-core');
  const running = await driver.launch({ executablePath: browser, headless: true, args: [...flags, ...more], handleSIGTERM: false });
  undo.push(() => running.close());
  return async () => (await running.newContext()).newPage();
}
