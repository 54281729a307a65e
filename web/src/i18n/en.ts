//! English. Every text a person reads is here; the other catalogues have the same keys.

import type { Failure } from '../play/policy.ts';
import type { EngineKind, Mode } from '../play/address.ts';
import { pushEn } from './push.en.ts';
import { trustEn } from './trust.en.ts';

const ENGINES: Readonly<Record<EngineKind, string>> = {
  whep: 'WebRTC',
  'http-flv': 'HTTP-FLV',
  'ws-flv': 'WebSocket-FLV',
  hls: 'HLS',
  'native-hls': 'HLS (browser)',
};

/** Whether the browser or the library says so is the same to whoever watches. */
const CODEC = {
  title: 'This browser cannot play the stream',
  help: 'Its codec is not supported here. Try another browser, or ask for H.264 with AAC.',
};

const FAILURES: Readonly<Record<Failure['kind'], { title: string; help: string }>> = {
  offline: {
    title: 'Nothing is live here',
    help: 'Check the address, or come back when the publisher has started.',
  },
  refused: {
    title: 'This address is not valid',
    help: 'It may have expired. Ask for a new one where you got it.',
  },
  connect: {
    title: 'The server cannot be reached',
    help: 'Check your network, then try again.',
  },
  handshake: {
    title: 'The server answered with an error',
    help: 'Try again in a moment. If it stays, tell whoever runs the server.',
  },
  silent: {
    title: 'Connected, but nothing arrives',
    help: 'Something between you and the server may hold the stream back. Try another network.',
  },
  lost: {
    title: 'The connection broke',
    help: 'Check your network, then try again.',
  },
  codec: CODEC,
  engine: CODEC,
  decode: {
    title: 'The stream cannot be decoded',
    help: 'Try again. If it stays, the publisher’s encoder may be at fault.',
  },
};

const MODES: Readonly<Record<Mode, { name: string; help: string }>> = {
  live: { name: 'Smooth', help: '1 to 3 s behind, rides out a weak network' },
  RTC: { name: 'Lowest delay', help: 'under half a second behind, by WebRTC' },
};

export const en = {
  language: 'English',
  switchLanguage: 'Language',

  // Player
  player: 'Live player',
  play: 'Play',
  pause: 'Pause',
  mute: 'Mute',
  unmute: 'Turn sound on',
  volume: 'Volume',
  tapForSound: 'Tap for sound',
  fullScreen: 'Full screen',
  exitFullScreen: 'Leave full screen',
  pictureInPicture: 'Picture in picture',
  exitPictureInPicture: 'Leave picture in picture',
  tryAgain: 'Try again',
  startPlaying: 'Watch live',
  delay: (seconds: string): string => `${seconds} s`,
  delayMs: (milliseconds: number): string => `${milliseconds} ms`,
  // What is seen on the badge has to stand in its label as it is, or voice control cannot name it.
  delayLabel: (badge: string): string => `Live by ${badge} behind. Go to live.`,
  transportName: (kind: EngineKind): string => ENGINES[kind],
  connecting: (transport: string): string => `Connecting by ${transport}…`,
  loading: 'Loading…',
  playing: 'Playing',
  paused: 'Paused',
  soundOnly: 'The network is weak: sound only for now',
  waitingPublisher: (seconds: number): string => `The publisher left; waiting ${seconds} s`,
  waitingPublisherSaid: 'The publisher left; waiting',
  waitingData: (seconds: number): string => `Nothing is arriving; waiting ${seconds} s`,
  waitingDataSaid: 'Nothing is arriving; waiting',
  reconnecting: (attempt: number, of: number): string => `Connection lost; trying again (${attempt} of ${of})…`,
  lookingAgain: (attempt: number, of: number): string => `Nothing is live here yet; looking again (${attempt} of ${of})…`,
  ended: 'The stream has ended',
  endedHelp: 'Thank you for watching.',
  startsByItself: 'It will start here by itself when the stream goes live.',
  resumesByItself: 'It will go on here by itself when the stream is back.',
  noAddress: { title: 'No address', help: 'Set the src attribute to a live address.' },
  badAddress: { title: 'This is not a live address', help: 'It should look like https://host/live/demo.flv' },
  rtmpElsewhere: {
    title: 'Browsers cannot play RTMP',
    help: 'Use the HTTP-FLV or HLS address of the same stream.',
  },
  noSupport: {
    title: 'This browser cannot play live streams',
    help: 'Update it, or try a recent Chrome, Edge, Firefox or Safari.',
  },
  failure: (kind: Failure['kind']): { title: string; help: string } => FAILURES[kind],
  debugTitle: 'Numbers',

  // Console
  streams: (count: number): string => (count === 1 ? '1 stream' : `${count} streams`),
  showPreview: 'Show preview',
  stateLive: 'Live',
  stateWaiting: 'Publisher away',
  since: (duration: string): string => `for ${duration}`,
  video: 'Video',
  audio: 'Sound',
  noVideo: 'no video',
  noAudio: 'no sound',
  bitrate: 'Bitrate',
  viewers: 'Viewers',
  viewersNone: 'nobody yet',
  viewersCount: (count: number): string => (count === 1 ? '1 viewer' : `${count} viewers`),
  mono: 'mono',
  stereo: 'stereo',
  channels: (count: number): string => `${count} channels`,
  addresses: 'Addresses',
  playHttpFlv: 'HTTP-FLV',
  playHls: 'HLS',
  playRtmp: 'RTMP',
  playWhep: 'WebRTC (WHEP)',
  copyOf: (name: string): string => `Copy ${name}`,
  qrCode: (name: string): string => `QR code of ${name}`,
  copied: 'Copied',
  copyFailed: 'Select the text and copy it yourself',
  pushTitle: 'Go live',

  // Player page
  backToConsole: 'All streams',
  details: 'Details',
  embed: 'Put this player on a page',
  watchElsewhere: 'Watch in another player',
  behindLive: (delay: string): string => `${delay} behind live`,
  chooseMode: 'How to watch',
  modeName: (mode: Mode): string => MODES[mode].name,
  modeHelp: (mode: Mode): string => MODES[mode].help,
  modeFellBack: (transport: string): string => `WebRTC does not work here; watching by ${transport}.`,
  transport: 'Transport',
  unknown: '–',
  noSuchStream: 'This page needs a stream in its address, like /play/live/demo',

  // <live-pusher> and the page at /publish
  push: pushEn,

  // The page at /trust
  trust: trustEn,

  // Durations: one or two units, no more.
  seconds: (n: number): string => `${n} s`,
  minutes: (n: number): string => `${n} min`,
  hours: (h: number, m: number): string => (m === 0 ? `${h} h` : `${h} h ${m} min`),
  days: (d: number, h: number): string => (h === 0 ? `${d} d` : `${d} d ${h} h`),
};

export type Messages = typeof en;
