// A receiver of openmic's webhooks in plain Node.js: it checks the signature, refuses, and handles each delivery once.
//
//     OPENMIC_HOOK_SECRET=$(cat hook.secret) node receiver.mjs 9000
//
// Put it behind the HTTPS server that you have, or allow its network in [outbound].

import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const SECRET = process.env.OPENMIC_HOOK_SECRET;
if (!SECRET) throw new Error('set OPENMIC_HOOK_SECRET');
// Old calls are refused, so that nobody who has seen one can send it again.
const CLOCK_SKEW_MAX_S = 300;
const BODY_BYTES_MAX = 64 * 1024;
// A real receiver keeps these where they outlive it, beside what it does with the event.
const SEEN_MAX = 10_000;
const seen = new Set();

/** Whether one of the signatures in `openmic-signature: t=...,v1=...` is ours, and fresh. */
function isSigned(header, body) {
  const parts = header.split(',').map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]);
  const times = parts.filter(([name]) => name === 't').map(([, value]) => value);
  if (times.length !== 1 || !/^\d+$/.test(times[0])) return false;
  if (Math.abs(Date.now() / 1000 - Number(times[0])) > CLOCK_SKEW_MAX_S) return false;
  const expected = Buffer.from(createHmac('sha256', SECRET).update(`${times[0]}.`).update(body).digest('hex'));
  const isOurs = (signature) => signature.length === expected.length && timingSafeEqual(signature, expected);
  return parts.some(([name, value]) => name === 'v1' && isOurs(Buffer.from(value)));
}

/** Who may publish and watch: the one place to change. `null` allows; a text refuses, and is shown. */
function decide(event) {
  if (event.event === 'publish' && event.stream.startsWith('blocked')) return 'this stream is blocked';
  return null;
}

async function read(request) {
  const pieces = [];
  let length = 0;
  for await (const piece of request) {
    length += piece.length;
    if (length > BODY_BYTES_MAX) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function receive(request) {
  if (request.method !== 'POST') return [405, { reason: 'only POST' }];
  const body = await read(request);
  if (body === null) return [413, { reason: 'the body is too long' }];
  if (!isSigned(request.headers['openmic-signature'] ?? '', body)) return [401, { reason: 'the signature is not ours' }];
  const event = JSON.parse(body.toString());
  if (!seen.has(event.id)) {
    seen.add(event.id);
    if (seen.size > SEEN_MAX) seen.delete(seen.values().next().value);
    console.log(event.event, event.path, event.protocol ?? '-');
  }
  const reason = decide(event);
  return reason === null ? [200, {}] : [403, { reason }];
}

const server = createServer((request, response) => {
  receive(request)
    .catch(() => [500, { reason: 'the receiver has a bug' }])
    .then(([status, body]) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
});
server.listen(Number(process.argv[2] ?? 9000), '127.0.0.1', () => console.log('listening on', server.address().port));
