//! The real server (OPENMIC_BIN) with the bundle that is in `web/dist` now, whatever the binary was built with.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const LOOPBACK = '127.0.0.1:0';

export const BINARY = process.env.OPENMIC_BIN;
export const skip = BINARY === undefined ? 'OPENMIC_BIN names no server' : false;

/** A server on ports of its own; `config` is TOML. */
export async function startRealServer(config = '') {
  const work = mkdtempSync(join(tmpdir(), 'openmic-real-'));
  const file = join(work, 'openmic.toml');
  writeFileSync(file, config, { mode: 0o600 });
  const listen = ['--http', LOOPBACK, '--rtmp', LOOPBACK, '--rtc', LOOPBACK];
  const server = spawn(BINARY, ['serve', '--config', file, '--data', work, ...listen, '--ready-json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ready = await new Promise((done, failed) => {
    createInterface({ input: server.stdout }).once('line', done);
    server.once('exit', (code) => failed(new Error(`the server ended with ${code}`)));
  });
  const origin = `http://${JSON.parse(ready).http}`;
  return {
    origin,
    /** What the server says about a stream; undefined while nothing is live there. */
    async stream(path) {
      const answer = await fetch(`${origin}/api/v1/broadcasts/${path}`);
      return answer.ok ? answer.json() : undefined;
    },
    /** Neither hears nor says anything for so long, as if every network were away. */
    async pause(ms) {
      server.kill('SIGSTOP');
      await new Promise((done) => setTimeout(done, ms));
      server.kill('SIGCONT');
    },
    async close() {
      if (server.kill('SIGTERM')) await once(server, 'exit');
      rmSync(work, { recursive: true, force: true });
    },
  };
}

/**
 * Pages of `context` get the bundle from `web/dist`, under the server's own policy. What the audio thread loads is not
 * asked for by the page, and comes from the server itself.
 */
export async function serveBundle(context, origin) {
  const policy = (await fetch(origin)).headers.get('content-security-policy') ?? '';
  await context.route(`${origin}/**`, async (route) => {
    const { pathname } = new URL(route.request().url());
    const page = ['publish', 'play', 'demo'].find((name) => pathname === `/${name}` || pathname.startsWith(`/${name}/`));
    const name = page === undefined || route.request().method() !== 'GET' ? pathname.slice(1) : `${page}.html`;
    const isBundled = name.endsWith('.html') || name.startsWith('assets/');
    if (!isBundled || !existsSync(join(DIST, name))) return route.fallback();
    const headers = { 'content-security-policy': policy, 'access-control-allow-origin': '*' };
    const contentType = TYPES[extname(name)] ?? 'text/html; charset=utf-8';
    return route.fulfill({ body: readFileSync(join(DIST, name)), contentType, headers });
  });
}
