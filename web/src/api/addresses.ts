//! Addresses of a stream as people copy them, and the lines that push one.

import { type ServerInfo, encodePath } from './broadcasts.ts';

/** Every way to play a stream, and those to push it. */
export interface Addresses {
  readonly httpFlv: string;
  readonly wsFlv: string;
  readonly hls: string;
  /** WebRTC, to play and to publish. */
  readonly whep: string;
  readonly whip: string;
  readonly rtmp: string | undefined;
  readonly page: string;
  /** What OBS asks for, apart. */
  readonly push: { readonly server: string; readonly key: string } | undefined;
}

/** Ports that need not be written. */
const RTMP_PORT = 1935;
const RTMPS_PORT = 443;

/** Addresses of `path` on the server whose console is open at `origin`. */
export function addressesOf(path: string, origin: string, server: ServerInfo | undefined): Addresses {
  const { protocol, host, hostname } = new URL(origin);
  const encoded = encodePath(path);
  const rtmpBase = rtmpBaseOf(hostname, server);
  const cut = encoded.lastIndexOf('/');
  return {
    httpFlv: `${protocol}//${host}/${encoded}.flv`,
    wsFlv: `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/${encoded}.flv`,
    hls: `${protocol}//${host}/${encoded}.m3u8`,
    whep: `${protocol}//${host}/${encoded}/whep`,
    whip: `${protocol}//${host}/${encoded}/whip`,
    rtmp: rtmpBase === undefined ? undefined : `${rtmpBase}/${encoded}`,
    page: `${protocol}//${host}/play/${encoded}`,
    push:
      rtmpBase === undefined
        ? undefined
        : { server: `${rtmpBase}/${encoded.slice(0, cut)}`, key: encoded.slice(cut + 1) },
  };
}

function rtmpBaseOf(hostname: string, server: ServerInfo | undefined): string | undefined {
  if (server === undefined) return undefined;
  const { rtmp_port: plain, rtmps_port: secure } = server;
  if (plain !== null) return `rtmp://${hostname}${plain === RTMP_PORT ? '' : `:${plain}`}`;
  if (secure !== null) return `rtmps://${hostname}${secure === RTMPS_PORT ? '' : `:${secure}`}`;
  return undefined;
}

/** Pushes a file in real time, again and again, encoded for instant start. */
export function ffmpegFile(url: string): string {
  return `ffmpeg -re -stream_loop -1 -i video.mp4 -c:v libx264 -preset veryfast -tune zerolatency -g 60 -c:a aac -f flv ${url}`;
}

/** Pushes a test picture with a tone: needs nothing but ffmpeg. */
export function ffmpegTest(url: string): string {
  return `ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440 -c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 60 -c:a aac -f flv ${url}`;
}

/** The HTML that puts a player of `path` on any page. */
export function embedCode(path: string, origin: string): string {
  const { httpFlv } = addressesOf(path, origin, undefined);
  return [
    `<script type="module" src="${new URL('/assets/openmic.js', origin).href}"></script>`,
    `<live-player src="${httpFlv}" autoplay></live-player>`,
  ].join('\n');
}
