//! A stand-in for the openmic server: the built bundle under the same security policy, the API, and a
//! live stream made by ffmpeg, over HTTP-FLV, WS-FLV and HLS. Tests steer it by `control`.

import { spawn } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { ApiMock, problem } from './api.mjs';
import { FlvRelay } from './flv-relay.mjs';
import { Rooms } from './rooms.mjs';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.md': 'text/markdown',
  '.m3u8': 'application/vnd.apple.mpegurl',
  '.m4s': 'video/iso.segment',
  '.mp4': 'video/mp4',
};
/** The policy the real server sends. */
export const POLICY = [
  "default-src 'self'",
  "media-src 'self' blob:",
  "img-src 'self' data: blob:",
  "style-src 'self'",
  "connect-src 'self' ws: wss:",
].join('; ');

/** Starts the mock; `groupS` is the keyframe distance of its stream. Guarded, its token is `control.token`. */
export async function startMock({ port = 0, groupS = 2, streams = ['live/demo'], guarded = false } = {}) {
  const work = mkdtempSync(join(tmpdir(), 'openmic-mock-'));
  const relay = new FlvRelay();
  const control = {
    ...{ state: 'live', blockFlv: false, blockWs: false, empty: false, exampleOrigin: '' },
    ...{ guarded, token: 'a-token-of-the-administrator', endedPaths: new Set(), bans: [], reload: 'changed' },
    ...{ warnings: [], certificateDays: 61 },
  };
  let ffmpeg = publish(relay, work, groupS);
  const viewers = { flv: 0, ws_flv: 0 };
  const rooms = new Rooms();
  let opened = 0;
  const api = new ApiMock({ control, viewers, streams });

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://mock');
    if (pathname.startsWith('/demo/rooms') && request.method === 'POST') void serveDemo(pathname, request, response);
    // It has no WHEP: a player goes on with FLV.
    else if (/^\/room\/.*\/whep$/.test(pathname)) response.writeHead(405).end();
    else if (pathname.startsWith('/api/')) void api.answer(request, response);
    else if (pathname.endsWith('.flv')) serveFlv(pathname, request, response);
    else if (/\.(m3u8|m4s|mp4)$/.test(pathname)) serveHls(pathname, response);
    else servePage(pathname, response, control);
  });

  /** The demo rooms of docs/live-room.md; `control.demo` set to a status refuses them. */
  async function serveDemo(pathname, request, response) {
    if (control.demo !== undefined) return problem(response, control.demo, 'no demo rooms');
    const { template, name, role } = JSON.parse(Buffer.concat(await request.toArray()).toString());
    const id = /^\/demo\/rooms\/([^/]+)\/tokens$/.exec(pathname)?.[1];
    if (id !== undefined && rooms.find(id) === undefined) return problem(response, 404, 'no such room');
    const room = id ?? `room-${(opened += 1)}`;
    if (id === undefined) rooms.open(room, template);
    const token = Rooms.token({ room, sub: `${name}-${(opened += 1)}`, name, role: id === undefined ? 'host' : role });
    response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ ...(id === undefined && { room }), token }));
  }

  function serveFlv(pathname, request, response) {
    if (control.blockFlv) return void request.socket.destroy();
    if (absent(pathname)) return problem(response, 404, 'nothing is live here');
    response.writeHead(200, { 'content-type': 'video/x-flv', 'access-control-allow-origin': '*' });
    response.flushHeaders();
    viewers.flv += 1;
    const viewer = {
      write: (data) => response.write(data),
      end: () => response.end(),
      cut: () => request.socket.destroy(),
    };
    relay.add(viewer);
    request.on('close', () => {
      viewers.flv -= 1;
      relay.remove(viewer);
    });
  }

  function serveHls(pathname, response) {
    if (absent(pathname) && pathname.endsWith('.m3u8')) return problem(response, 404, 'nothing is live here');
    const name = pathname.endsWith('.m3u8') ? 'live.m3u8' : normalize(pathname).split('/').at(-1);
    sendFile(join(work, name), response, { 'cache-control': 'no-store' });
  }

  function absent(pathname) {
    if (/^\/room\/[^/]+\.flv$/.test(pathname)) return control.empty;
    const path = decodeURIComponent(pathname.replace(/^\/|\.\w+$/g, ''));
    return control.empty || control.endedPaths.has(path) || !streams.includes(path);
  }

  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    const room = /^\/rooms\/([^/]+)\/ws$/.exec(new URL(request.url, 'http://mock').pathname)?.[1];
    if (room !== undefined) {
      const found = rooms.find(room);
      if (found === undefined || found.isAway) return void socket.destroy();
      return sockets.handleUpgrade(request, socket, head, (ws) => found.accept(ws));
    }
    if (control.blockWs) return void socket.destroy();
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const viewer = { write: (data) => ws.send(data), end: () => ws.close(1000), cut: () => ws.terminate() };
      viewers.ws_flv += 1;
      relay.add(viewer);
      ws.on('close', () => {
        viewers.ws_flv -= 1;
        relay.remove(viewer);
      });
    });
  });

  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${server.address().port}`;
  control.exampleOrigin = origin;
  await until(() => existsSync(join(work, 'live.m3u8')));

  return {
    origin,
    control,
    api,
    rooms,
    /** The publisher vanishes; connections stay open and silent. */
    vanish() {
      control.state = 'waiting';
      ffmpeg.kill('SIGKILL');
    },
    comeBack() {
      control.state = 'live';
      relay.restart();
      ffmpeg = publish(relay, work, groupS);
    },
    /** Every viewer's connection breaks; the stream goes on. */
    cut() {
      relay.cutAll();
    },
    /** The publisher says goodbye. */
    end() {
      control.empty = true;
      ffmpeg.kill('SIGKILL');
      relay.closeAll();
    },
    async close() {
      ffmpeg.kill('SIGKILL');
      api.close();
      sockets.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      rmSync(work, { recursive: true, force: true });
    },
  };
}

function publish(relay, work, groupS) {
  const rate = 30;
  const encode = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'];
  const group = ['-g', String(groupS * rate), '-b:v', '1500k', '-c:a', 'aac', '-b:a', '96k', '-ar', '48000', '-ac', '2'];
  const inputs = [
    ...['-re', '-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=${rate}`],
    ...['-re', '-f', 'lavfi', '-i', 'sine=frequency=440:beep_factor=4:sample_rate=48000'],
  ];
  const flv = ['-f', 'flv', '-flvflags', 'no_duration_filesize', '-flush_packets', '1', 'pipe:1'];
  const hls = [
    ...['-f', 'hls', '-hls_time', '1', '-hls_list_size', '8', '-hls_segment_type', 'fmp4'],
    ...['-hls_flags', 'delete_segments+append_list+program_date_time', '-hls_fmp4_init_filename', 'init.mp4'],
    ...['-hls_segment_filename', join(work, 'seg%d.m4s'), join(work, 'live.m3u8')],
  ];
  const maps = ['-map', '0:v', '-map', '1:a'];
  const args = ['-v', 'error', ...inputs, ...maps, ...encode, ...group, ...flv, ...maps, ...encode, ...group, ...hls];
  const child = spawn('ffmpeg', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.on('data', (data) => relay.handleInput(data));
  return child;
}

function servePage(pathname, response, control) {
  if (pathname === '/') return sendFile(join(DIST, 'index.html'), response);
  if (pathname.startsWith('/trust')) return serveTrust(pathname, response, control);
  if (pathname.startsWith('/publish/')) return sendFile(join(DIST, 'publish.html'), response);
  if (/^\/demo(\/[^/]+)?$/.test(pathname)) return sendFile(join(DIST, 'demo.html'), response);
  if (pathname.startsWith('/play/')) return sendFile(join(DIST, 'play.html'), response);
  if (pathname.startsWith('/examples/')) return serveExample(pathname, response, control);
  return sendFile(join(DIST, normalize(pathname)), response);
}

/** An example as a developer would host it: no policy, and the server under test in place of its address. */
function serveExample(pathname, response, { exampleOrigin }) {
  const text = readFileSync(join(EXAMPLES, normalize(pathname.slice('/examples/'.length))), 'utf8');
  response.writeHead(200, { 'content-type': TYPES['.html'] });
  response.end(text.replaceAll('http://127.0.0.1:8080', exampleOrigin));
}

function sendFile(file, response, headers = {}) {
  const stream = createReadStream(file);
  stream.on('error', () => problem(response, 404, 'no such file'));
  stream.on('open', () => {
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'access-control-allow-origin': '*',
      'content-security-policy': POLICY,
      ...headers,
    });
    stream.pipe(response);
  });
}

async function until(isTrue) {
  while (!isTrue()) await new Promise((done) => setTimeout(done, 50));
}

/** What a server says that is its own certificate authority; `control.trust` has it say something else. */
function serveTrust(pathname, response, control) {
  if (pathname === '/trust') return sendFile(join(DIST, 'trust.html'), response);
  const { about } = { about: ABOUT, ...control.trust };
  if (about === undefined) return problem(response, 404);
  if (pathname === '/trust/about.json') {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(about));
  } else {
    response.writeHead(200, { 'content-type': 'image/svg+xml' }).end(CODE);
  }
}

const ABOUT = {
  fingerprint: Array.from({ length: 32 }, (_, at) => ((at * 37 + 11) % 256).toString(16).toUpperCase().padStart(2, '0')).join(':'),
  addresses: ['192.168.1.5', '[fd12:3456::7]'].map((host) => ({
    page: `http://${host}:8080/trust`,
    secure: `https://${host}:8443/`,
  })),
};

/** A checkerboard in place of a code. */
const CODE =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><path fill="#fff" d="M0 0h4v4H0z"/>' +
  '<path d="M0 0h1v1H0zM2 0h1v1H2zM1 1h1v1H1zM3 1h1v1H3zM0 2h1v1H0zM2 2h1v1H2zM1 3h1v1H1zM3 3h1v1H3z"/></svg>';
