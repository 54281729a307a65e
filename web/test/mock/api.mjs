//! `/api/v1` of the mock: the contract's every address over a little state that tests steer by `control`.

import { randomBytes } from 'node:crypto';
import { describeStream } from './streams.mjs';

/** As the real server does, each second of a stream that is looked at. */
const TICK_MS = 1_000;

export class ApiMock {
  #control;
  #clients = new Set();
  #timer;
  #startedMs = Date.now();
  #said = '';
  #sessions;
  #deliveries = deliveries();
  #viewers;
  #streams;
  /** Every request: tests look for tokens in addresses. */
  requests = [];

  constructor({ control, viewers, streams }) {
    this.#control = control;
    this.#viewers = viewers;
    this.#streams = streams;
    this.#sessions = sessions(this.#startedMs);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  close() {
    clearInterval(this.#timer);
    this.cutEvents();
  }

  /** Every events connection breaks. */
  cutEvents() {
    for (const { response } of this.#clients) response.destroy();
    this.#clients.clear();
  }

  async answer(request, response) {
    const url = new URL(request.url ?? '/', 'http://mock');
    const { authorization } = request.headers;
    this.requests.push({ method: request.method, url: request.url, authorization });
    const path = url.pathname.slice('/api/v1'.length);
    if (path === '/server') return json(response, this.#server());
    const { guarded, token } = this.#control;
    if (guarded && authorization !== `Bearer ${token}`) {
      const forged = authorization === `Bearer viewer-${token}`;
      return forged ? problem(response, 403, 'an administrative token is needed') : problem(response, 401, 'no valid token was given');
    }
    const body = await readBody(request);
    return this.#route(request.method, path, url.searchParams, { response, body });
  }

  #server() {
    const uptime_s = Math.floor((Date.now() - this.#startedMs) / 1000) + 7_860;
    const ports = { rtmp_port: 1935, rtmps_port: null, http_port: 8080, https_port: null };
    return { version: '0.1.0', ...ports, uptime_s, guarded: this.#control.guarded };
  }

  #broadcasts() {
    const control = this.#control;
    if (control.empty) return [];
    const state = { control, startedMs: this.#startedMs, viewers: this.#viewers };
    const all = this.#streams.map((path, at) => describeStream(path, at, state));
    return all.filter(({ path }) => !control.endedPaths.has(path));
  }

  #list() {
    const broadcasts = this.#broadcasts();
    return { broadcasts, next: null, total: broadcasts.length };
  }

  #route(method, path, query, { response, body }) {
    const routes = {
      'GET /node': () => json(response, node(this.#control, this.#sessions.length)),
      'GET /broadcasts': () => json(response, this.#list()),
      'GET /sessions': () => this.#listSessions(query.get('path'), response),
      'GET /usage': () => usage(query, response),
      'GET /config': () => json(response, CONFIG),
      'POST /config/reload': () => this.#reload(response),
      'GET /events': () => this.#open(query.get('path'), response),
      'GET /keys': () => json(response, { keys: KEYS }),
      'POST /tokens': () => json(response, { token: `eyJ.${body.scope.join('+')}.${randomBytes(60).toString('base64url')}`, expires: later(body.seconds) }),
      'POST /addresses': () => json(response, addresses(body.path, `http://${response.req.headers.host}`)),
      'GET /hooks': () => json(response, { hooks: HOOKS }),
      'GET /hooks/deliveries': () => json(response, { deliveries: this.#deliveries }),
    };
    const exact = routes[`${method} ${path}`];
    if (exact !== undefined) return exact();
    const rotate = /^\/keys\/([^/]+)\/rotate$/.exec(path);
    if (method === 'POST' && rotate !== null) return json(response, { secret: randomBytes(24).toString('base64url'), previous_until: later(body.keep_s) });
    const test = /^\/hooks\/([^/]+)\/test$/.exec(path);
    if (method === 'POST' && test !== null) return this.#test(decodeURIComponent(test[1]), response);
    const session = /^\/sessions\/([^/]+)$/.exec(path);
    if (method === 'DELETE' && session !== null) return this.#kick(session[1], response);
    if (path.startsWith('/broadcasts/')) return this.#one(method, path.slice('/broadcasts/'.length), query, response);
    return problem(response, 404, 'there is nothing at this address');
  }

  #one(method, encoded, query, response) {
    const history = encoded.endsWith('/history');
    const path = decodeURIComponent(history ? encoded.slice(0, -'/history'.length) : encoded);
    const found = this.#broadcasts().find((each) => each.path === path);
    if (found === undefined) return problem(response, 404, 'nothing is live here');
    if (history) return json(response, past(path));
    if (method !== 'DELETE') return json(response, found);
    this.#control.endedPaths.add(path);
    this.#control.bans.push([path, query.get('ban_s')]);
    noContent(response);
    this.#tick();
  }

  #listSessions(path, response) {
    const found = this.#sessions.filter((each) => path === null || path === each.path || each.path === '*');
    json(response, { sessions: found.map((each) => ({ ...each, path })), total: found.length, next: null });
  }

  #kick(id, response) {
    const at = this.#sessions.findIndex((each) => String(each.id) === id);
    if (at === -1) return problem(response, 404, 'there is no such session; it may have ended');
    this.#sessions.splice(at, 1);
    noContent(response);
  }

  #test(hook, response) {
    const works = hook !== 'billing';
    const delivery = {
      ...{ id: `t${this.#deliveries.length}`, hook, event: 'test', path: 'test/test', at: new Date().toISOString(), attempts: 1 },
      ...(works
        ? { status: 'delivered', http_status: 200, error: null, took_ms: 42 }
        : { status: 'dead', http_status: null, error: 'connection refused', took_ms: 3 }),
    };
    this.#deliveries.unshift(delivery);
    json(response, delivery);
  }

  #reload(response) {
    const { reload } = this.#control;
    if (reload === 'broken') {
      return problem(response, 409, 'the old configuration stays: openmic.toml, line 12: unknown field `lisen`, expected `listen`');
    }
    if (reload === 'same') return json(response, { changed: [], needs_restart: [] });
    json(response, { changed: ['publish.idle_ms', 'hls.segments'], needs_restart: ['rtmp.listen'] });
  }

  #open(path, response) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const client = { path, response };
    this.#clients.add(client);
    response.on('close', () => this.#clients.delete(client));
    response.write(': welcome\n\n');
    send(response, 'broadcasts', this.#list());
    send(response, 'node', node(this.#control, this.#sessions.length));
  }

  #tick() {
    const broadcasts = this.#broadcasts();
    const text = JSON.stringify(broadcasts);
    for (const { path, response } of this.#clients) {
      if (text !== this.#said) send(response, 'broadcasts', this.#list());
      send(response, 'node', node(this.#control, this.#sessions.length));
      if (broadcasts.some((each) => each.path === path)) send(response, 'stats', sample(path, Date.now()));
    }
    this.#said = text;
  }
}

function send(response, event, body) {
  response.write(`event: ${event}\ndata: ${JSON.stringify(body)}\n\n`);
}

function json(response, body) {
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

function noContent(response) {
  response.writeHead(204);
  response.end();
}

export function problem(response, status, detail) {
  response.writeHead(status, { 'content-type': 'application/problem+json', 'access-control-allow-origin': '*' });
  response.end(JSON.stringify({ type: 'about:blank', title: String(status), status, detail }));
}

async function readBody(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return text === '' ? {} : JSON.parse(text);
}

const later = (seconds) => new Date(Date.now() + seconds * 1_000).toISOString();

/** A stream that had trouble three minutes ago. */
function sample(path, atMs) {
  const t = atMs / 1_000;
  const trouble = Math.abs(((t / 60) % 10) - 7) < 0.4 ? 0.45 : 1;
  const wave = Math.sin(t / 9) + 0.5 * Math.sin(t / 2.3);
  return {
    ...{ path, bitrate_bps: Math.round((1_600_000 + wave * 160_000) * trouble) },
    ...{ fps: Math.round((30 - (trouble < 1 ? 9 : 0) + wave * 0.04) * 100) / 100, group_ms: 2_000 },
    ...{ viewers: Math.round(24 + 9 * Math.sin(t / 140)), delay_ms: Math.round(120 + (trouble < 1 ? 420 : 0) + wave * 20) },
  };
}

function past(path) {
  const untilMs = Date.now();
  const samples = Array.from({ length: 590 }, (_, at) => sample(path, untilMs - (589 - at) * TICK_MS));
  const column = (name) => samples.map((each) => each[name]);
  return {
    ...{ path, until: new Date(untilMs).toISOString(), step_ms: TICK_MS, bitrate_bps: column('bitrate_bps') },
    ...{ fps: column('fps'), group_ms: column('group_ms'), viewers: column('viewers'), delay_ms: column('delay_ms') },
  };
}

function node({ warnings, certificateDays }, sessions) {
  return {
    ...{ uptime_s: 7_860, cpu_cores: 0.37, cpu_cores_max: 2, memory_bytes: 148_000_000, memory_bytes_max: 2_147_000_000 },
    ...{ file_descriptors: 214, file_descriptors_max: 1_024, connections: 861, connections_max: 1_000 },
    ...{ ring_bytes: 21_400_000, ring_bytes_max: 1_073_741_824, received_bps: 9_600_000, sent_bps: 412_000_000 },
    ...{ broadcasts: 6, publishers: 5, viewers: 436, panics: 0, sessions, tls: { expires: later(certificateDays * 86_400) }, warnings },
  };
}

/** Of the stream that is asked for; the last agent is what a hostile peer sends. */
function sessions(nowMs) {
  const since = (s) => new Date(nowMs - s * 1_000).toISOString();
  const row = (id, action, protocol, address, agent, seconds, bytes, lag_ms) => ({
    ...{ id, path: '*', action, protocol, address, agent, since: since(seconds), bytes, lag_ms },
  });
  return [
    row(1, 'publish', 'rtmp', '192.0.2.14:52114', 'FMLE/3.0 (compatible; FMSc/1.0)', 7_800, 1_420_000_000, null),
    row(2, 'play', 'flv', '198.51.100.7:40122', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36', 640, 128_000_000, 40),
    row(3, 'play', 'hls', '[2001:db8::5:a1]:61200', 'AppleCoreMedia/1.0.0.22F76 (iPhone; U; CPU OS 18_5 like Mac OS X; zh_cn)', 310, 61_000_000, 2_400),
    row(4, 'play', 'whep', '203.0.113.80:49200', 'openmic-web/0.1.0', 75, 15_400_000, 12),
    row(5, 'play', 'ws_flv', '203.0.113.9:33810', '<script>document.title="owned"</script><img src=x onerror=alert(1)>', 12, 2_100_000, null),
  ];
}

const KEYS = [
  { id: 'publish-live', kind: 'publish', app: 'live', created: '2026-09-02T08:00:00Z', previous_until: null },
  { id: 'play-live', kind: 'play', app: 'live', created: '2026-11-20T08:00:00Z', previous_until: '2026-12-04T08:00:00Z' },
  { id: 'jwt-2026-11', kind: 'jwt', app: null, created: '2026-11-01T08:00:00Z', previous_until: null },
  { id: 'admin', kind: 'admin', app: null, created: '2026-09-02T08:00:00Z', previous_until: null },
];

const HOOKS = [
  { name: 'accounts', url: 'https://accounts.example/openmic', events: ['publish', 'play'], veto: true, on_failure: 'refuse', apps: [], waiting: 0 },
  { name: 'billing', url: 'https://billing.example/hooks/live/events', events: ['unpublish', 'stop', 'end'], veto: false, on_failure: 'allow', apps: ['live', 'event'], waiting: 3 },
];

function deliveries() {
  const at = (s) => new Date(Date.now() - s * 1_000).toISOString();
  const row = (id, hook, event, path, seconds, rest) => ({ id, hook, event, path, at: at(seconds), ...rest });
  const good = { attempts: 1, status: 'delivered', http_status: 200, error: null };
  return [
    row('d6', 'accounts', 'play', 'live/demo', 4, { ...good, took_ms: 18 }),
    row('d5', 'accounts', 'publish', 'class/3/piano', 61, { ...good, took_ms: 24 }),
    row('d4', 'billing', 'stop', 'live/demo', 90, { attempts: 3, status: 'retrying', http_status: 503, error: null, took_ms: 1_204 }),
    row('d3', 'billing', 'unpublish', 'live/<b>bold</b>', 4_000, { attempts: 8, status: 'dead', http_status: null, error: 'no answer within 5 s', took_ms: 5_000 }),
    row('d2', 'accounts', 'play', 'live/demo', 90_000, { ...good, took_ms: 21 }),
  ];
}

const CONFIG = {
  http: { listen: '0.0.0.0:8080', hosts: ['live.example'], trusted_proxies: [] },
  rtmp: { listen: '0.0.0.0:1935', chunk_bytes_max: 65_536 },
  publish: { idle_ms: 10_000, grace_ms: 15_000, takeover: 'allow' },
  access: { keys: '/etc/openmic/keys', jwt: { audience: 'live.example', leeway_s: 5 } },
};

function usage(query, response) {
  const by = query.get('by').split(',');
  const all = [
    { app: 'live', stream: 'demo', protocol: 'flv', action: 'play', sessions: 1_204, seconds: 912_000, bytes: 182_400_000_000 },
    { app: 'live', stream: 'demo', protocol: 'rtmp', action: 'publish', sessions: 3, seconds: 71_000, bytes: 14_200_000_000 },
    { app: 'class/3', stream: 'piano', protocol: 'whep', action: 'play', sessions: 88, seconds: 40_100, bytes: 8_020_000_000 },
    { app: 'class/3', stream: 'piano', protocol: 'whip', action: 'publish', sessions: 1, seconds: 3_600, bytes: 720_000_000 },
  ];
  const keep = (row) => {
    const { app, stream, protocol, ...rest } = row;
    if (by[0] === 'stream') return { app, stream, ...rest };
    return { ...(by.includes('app') ? { app } : {}), ...(by.includes('protocol') ? { protocol } : {}), ...rest };
  };
  const rows = all.map(keep);
  if (query.get('format') !== 'csv') return json(response, { rows });
  const names = Object.keys(rows[0]);
  response.writeHead(200, { 'content-type': 'text/csv' });
  response.end([names, ...rows.map((row) => names.map((name) => row[name]))].map((line) => line.join(',')).join('\r\n'));
}

function addresses(path, origin) {
  const [app, stream] = [path.slice(0, path.lastIndexOf('/')), path.slice(path.lastIndexOf('/') + 1)];
  const sign = `txSecret=${randomBytes(16).toString('hex')}&txTime=${Math.floor(Date.now() / 1000 + 3_600).toString(16).toUpperCase()}`;
  const host = new URL(origin).host;
  return {
    publish: { rtmp: { server: `rtmp://127.0.0.1/${app}`, key: `${stream}?${sign}` }, rtmps: null, whip: `${origin}/${path}/whip?${sign}`, ffmpeg: '' },
    play: {
      ...{ flv: `${origin}/${path}.flv?${sign}`, ws_flv: `ws://${host}/${path}.flv?${sign}`, hls: `${origin}/${path}.m3u8?${sign}` },
      ...{ rtmp: `rtmp://127.0.0.1/${path}?${sign}`, whep: `${origin}/${path}/whep?${sign}`, page: `${origin}/play/${path}#auth=v1.6926a5c0.${randomBytes(12).toString('base64url')}` },
    },
  };
}
