//! Addresses of a stream as people copy them, and the lines that push and play one elsewhere.

import type { RtmpTarget, SignedAddresses } from './access.ts';
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
  readonly push: RtmpTarget | undefined;
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

/** The addresses of an open server in the form in which a guarded one signs them. */
export function openAddresses(path: string, origin: string, server: ServerInfo | undefined): SignedAddresses {
  const { httpFlv, wsFlv, hls, whep, whip, rtmp, page, push } = addressesOf(path, origin, server);
  return {
    publish: { rtmp: push ?? null, rtmps: null, whip },
    play: { flv: httpFlv, ws_flv: wsFlv, hls, rtmp: rtmp ?? null, whep, page },
  };
}

/** For whom a group of lines is. */
export type GroupKind = 'publishPage' | 'obs' | 'whip' | 'ffmpeg' | 'miniPush' | 'browser' | 'players' | 'miniPlay';

export type LineKind =
  | 'publishPage'
  | 'embedPusher'
  | 'obsServer'
  | 'obsKey'
  | 'whipServer'
  | 'ffmpegTest'
  | 'ffmpegFile'
  | 'rtmpPush'
  | 'livePusher'
  | 'page'
  | 'embed'
  | 'flv'
  | 'wsFlv'
  | 'hls'
  | 'rtmpPlay'
  | 'whep'
  | 'livePlayer';

export interface Line {
  readonly kind: LineKind;
  readonly value: string;
  /** A command or a piece of code, which may take several lines. */
  readonly isCode: boolean;
}

export interface Group {
  readonly kind: GroupKind;
  readonly lines: readonly Line[];
}

const line = (kind: LineKind, value: string): Line => ({ kind, value, isCode: false });
const code = (kind: LineKind, value: string): Line => ({ kind, value, isCode: true });

/** What somebody needs who wants to publish with the program at hand. */
export function publishGroups({ publish }: SignedAddresses): readonly Group[] {
  if (publish === null) return [];
  const target = publish.rtmp ?? publish.rtmps;
  const byPage: Group = {
    kind: 'publishPage',
    lines: [line('publishPage', publishPageOf(publish.whip)), code('embedPusher', embedPusher(publish.whip))],
  };
  const byWhip: Group = { kind: 'whip', lines: [line('whipServer', publish.whip)] };
  if (target === null) return [byPage, byWhip];
  const url = `${target.server}/${target.key}`;
  return [
    byPage,
    { kind: 'obs', lines: [line('obsServer', target.server), line('obsKey', target.key)] },
    byWhip,
    { kind: 'ffmpeg', lines: [code('ffmpegTest', ffmpegTest(url)), code('ffmpegFile', ffmpegFile(url))] },
    { kind: 'miniPush', lines: [code('livePusher', livePusher(url)), line('rtmpPush', url)] },
  ];
}

/** And to watch. */
export function playGroups({ play }: SignedAddresses, origin: string): readonly Group[] {
  if (play === null) return [];
  const rtmp = play.rtmp === null ? [] : [line('rtmpPlay', play.rtmp)];
  return [
    { kind: 'browser', lines: [line('page', play.page), code('embed', embedOf(play.flv, origin))] },
    {
      kind: 'players',
      lines: [line('flv', play.flv), line('wsFlv', play.ws_flv), line('hls', play.hls), ...rtmp, line('whep', play.whep)],
    },
    { kind: 'miniPlay', lines: [code('livePlayer', livePlayer(play.rtmp ?? play.flv))] },
  ];
}

/**
 * The page to publish from, by the address that it publishes to. A signature goes behind the `#`, which browsers send to
 * no server and no other page.
 */
export function publishPageOf(whip: string): string {
  const { origin, pathname, search } = new URL(whip);
  const path = pathname.replace(/\/whip$/, '');
  return `${origin}/publish${path}${search.replace('?', '#')}`;
}

function embedPusher(whip: string): string {
  return [
    `<script type="module" src="${new URL('/assets/openmic.js', whip).href}"></script>`,
    `<live-pusher url="${attribute(whip)}" mode="FHD" orientation="horizontal"></live-pusher>`,
  ].join('\n');
}

/** Pushes a file in real time, again and again, encoded for instant start. */
function ffmpegFile(url: string): string {
  return `ffmpeg -re -stream_loop -1 -i video.mp4 -c:v libx264 -preset veryfast -tune zerolatency -g 60 -c:a aac -f flv ${shellWord(url)}`;
}

/** Pushes a test picture with a tone: needs nothing but ffmpeg. */
function ffmpegTest(url: string): string {
  return `ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440 -c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 60 -c:a aac -f flv ${shellWord(url)}`;
}

/** Quoted where a shell would read more into it than a word: a signature has an ampersand. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** WXML knows no entities in attributes, so an ampersand stands as it is; encoded paths have no quotes. */
function livePusher(url: string): string {
  return `<live-pusher url="${url}" mode="HD" autopush></live-pusher>`;
}

function livePlayer(url: string): string {
  return `<live-player src="${url}" mode="live" autoplay></live-player>`;
}

/** The HTML that puts a player of `path` on any page. */
export function embedCode(path: string, origin: string): string {
  return embedOf(addressesOf(path, origin, undefined).httpFlv, origin);
}

function embedOf(flv: string, origin: string): string {
  return [
    `<script type="module" src="${new URL('/assets/openmic.js', origin).href}"></script>`,
    `<live-player src="${attribute(flv)}" autoplay></live-player>`,
  ].join('\n');
}

function attribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
