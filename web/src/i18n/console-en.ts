//! What the console says, in English.

import type { Key, Scope } from '../api/access.ts';
import type { GroupKind, LineKind } from '../api/addresses.ts';
import type { Track } from '../api/broadcasts.ts';
import type { Measure } from '../api/feed.ts';
import type { Delivery, Hook } from '../api/hooks.ts';
import type { SortBy } from '../api/listing.ts';
import type { UsageBy } from '../api/node.ts';
import type { Route } from '../api/route.ts';

export type Place = Exclude<Route['page'], 'push' | 'stream'>;

const PLACES: Readonly<Record<Place, string>> = { live: 'Live', keys: 'Keys', hooks: 'Hooks', node: 'Node' };

const SORTS: Readonly<Record<SortBy, string>> = { viewers: 'Most viewers', name: 'Name', since: 'Newest' };

const MEASURES: Readonly<Record<Measure, string>> = {
  bitrate_bps: 'Bitrate',
  fps: 'Frame rate',
  group_ms: 'Keyframe distance',
  viewers: 'Viewers',
  delay_ms: 'Delay',
};

const TRACKS: Readonly<Record<Track['kind'], string>> = { video: 'Video', audio: 'Sound', data: 'Data' };

const KEYS: Readonly<Record<Key['kind'], string>> = {
  publish: 'Publishing key',
  play: 'Playback key',
  jwt: 'Token key (JWT)',
  admin: 'Administrator’s key',
};

const SCOPES: Readonly<Record<Scope, string>> = {
  publish: 'Publish',
  play: 'Watch',
  room: 'Rooms',
  admin: 'Administer',
};

const DELIVERIES: Readonly<Record<Delivery['status'], string>> = {
  delivered: 'Delivered',
  retrying: 'Trying again',
  dead: 'Given up',
};

const USAGE_BY: Readonly<Record<UsageBy, string>> = {
  app: 'App',
  stream: 'Stream',
  protocol: 'Protocol',
  'app,protocol': 'App and protocol',
};

const GROUPS: Readonly<Record<GroupKind, { name: string; help: string }>> = {
  publishPage: { name: 'Browser', help: 'A page to open or send on, and a publisher for a page of your own.' },
  obs: { name: 'OBS Studio', help: 'Settings → Stream → Service “Custom…”, then:' },
  whip: {
    name: 'OBS Studio 30 or newer, with less delay',
    help: 'Settings → Stream → Service “WHIP”; leave the bearer token empty unless you were given one.',
  },
  ffmpeg: { name: 'ffmpeg', help: 'A command for a terminal.' },
  miniPush: { name: 'Mini Program and other phones', help: 'The tag for a page, or the bare address for an app.' },
  browser: { name: 'Browser', help: 'A page to open or send on, and a player for a page of your own.' },
  players: { name: 'Other players', help: 'ffplay, VLC, hls.js, mpegts.js and devices.' },
  miniPlay: { name: 'Mini Program', help: 'The tag for a page.' },
};

const LINES: Readonly<Record<LineKind, string>> = {
  publishPage: 'Page to publish from',
  embedPusher: 'Publisher to embed',
  obsServer: 'Server',
  obsKey: 'Stream key',
  whipServer: 'WHIP server',
  ffmpegTest: 'A test picture with sound',
  ffmpegFile: 'A file, in real time',
  rtmpPush: 'RTMP address',
  livePusher: 'live-pusher',
  page: 'Player page',
  embed: 'Player to embed',
  flv: 'HTTP-FLV',
  wsFlv: 'WebSocket-FLV',
  hls: 'HLS',
  rtmpPlay: 'RTMP',
  whep: 'WebRTC (WHEP)',
  livePlayer: 'live-player',
};

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;

export const consoleEn = {
  // Frame
  places: 'Places',
  placeName: (place: Place): string => PLACES[place],
  skip: 'Skip to the content',
  reconnecting: 'The server does not answer; trying again…',
  versionOf: (version: string): string => `openmic ${version}`,
  uptime: (duration: string): string => `up ${duration}`,
  cancel: 'Cancel',
  close: 'Close',
  refresh: 'Refresh',
  actions: 'Actions',
  yes: 'yes',
  no: 'no',
  none: 'none',
  asOf: (time: string): string => `As of ${time}.`,
  spanName: (seconds: number): string => {
    if (seconds < DAY_S) return seconds === HOUR_S ? '1 hour' : `${Math.round(seconds / HOUR_S)} hours`;
    return seconds === DAY_S ? '1 day' : `${Math.round(seconds / DAY_S)} days`;
  },
  failure: (status: number): string => {
    if (status === 0) return 'The server does not answer. Check the network, then try again.';
    if (status === 401) return 'The token is not taken any more. Sign in again.';
    if (status === 403) return 'This token gives no right to do that.';
    if (status === 404) return 'It is not there any more, or this server does not have it.';
    if (status === 429) return 'Too many requests. Wait a moment, then try again.';
    if (status >= 500) return 'The server could not do it.';
    return 'The server refused.';
  },

  // Sign-in
  signInTitle: 'Sign in',
  signInHelp: 'This server is guarded. Whoever runs it makes a token on the machine itself: openmic token make --admin --seconds 86400',
  token: 'Token',
  signIn: 'Sign in',
  signingIn: 'Signing in…',
  signInKept: 'It is kept for this tab alone and forgotten when you close it.',
  signInExpired: 'You were signed out: the token has expired or was taken back. Sign in with a new one.',
  signInFailure: (status: number): string => {
    if (status === 0) return 'The server does not answer. Check the network, then try again.';
    if (status === 401) return 'This token is wrong or has expired. Check that all of it was copied.';
    if (status === 403) return 'This token is valid, but not an administrator’s.';
    if (status === 429) return 'Too many attempts. Wait a minute, then try again.';
    return 'The server could not check the token. Try again in a moment.';
  },
  signOut: 'Sign out',

  // Live
  consoleTitle: 'Live now',
  consoleEmpty: 'Nothing is live yet',
  consoleEmptyHelp: 'Push a stream as told below; it appears here by itself.',
  search: 'Search streams',
  searchHint: 'Search (press /)',
  sortBy: 'Order',
  sortName: (sort: SortBy): string => SORTS[sort],
  found: (count: number): string => (count === 1 ? '1 stream found' : `${count} streams found`),
  listFull: (shown: number, total: number): string => `The first ${shown} of ${total} streams by name are listed.`,
  nothingFound: (search: string): string => `No stream has “${search}” in its name.`,
  pages: 'Pages',
  pageBefore: 'Previous',
  pageAfter: 'Next',
  pageOf: (page: number, of: number): string => `Page ${page} of ${of}`,
  pushIntro: 'Any RTMP or WHIP encoder will do. Pick a name for the stream; it appears under “Live” by itself.',
  pushStream: 'Name of the stream (app/name)',

  // Addresses
  toPublish: 'To publish',
  toWatch: 'To watch',
  groupName: (kind: GroupKind): string => GROUPS[kind].name,
  groupHelp: (kind: GroupKind): string => GROUPS[kind].help,
  lineName: (kind: LineKind): string => LINES[kind],
  addressesHelp: 'This server is guarded: addresses are signed for one stream and a time. Whoever has one may use it until it ends.',
  nobodyMay: 'The policy of this app lets nobody.',
  validFor: 'Good for',
  validUntil: (time: string): string => `Good until ${time}.`,
  makeAddresses: 'Make addresses',
  qrTooLong: 'This is too long for a QR code. Copy it instead.',

  // Stream
  openPlayer: 'Player page',
  notLive: 'Nothing is live here now; this page follows when it is.',
  madeOf: 'At a glance',
  publisher: 'Source',
  publisherDemo: 'Built-in test stream',
  program: 'Program',
  started: 'Started',
  conversions: 'Converted',
  conversionsHelp: 'Computed once for all viewers who cannot take the stream as it is.',
  coreShare: (percent: string): string => `${percent} % of a core`,
  tracks: 'Tracks',
  track: 'Track',
  trackKind: (kind: Track['kind']): string => TRACKS[kind],
  trackNumber: (id: number): string => `number ${id}`,
  codec: 'Codec',
  trackDetails: 'Format',
  groupLength: 'Keyframe every',
  noTracks: 'No tracks have arrived yet.',
  charts: 'How it has been doing',
  chartWindow: 'Last',
  measureName: (measure: Measure): string => MEASURES[measure],
  chartRange: (least: string, most: string): string => (least === most ? `always ${least}` : `${least} to ${most}`),
  chartEmpty: 'nothing measured yet',
  chartFailed: 'The chart could not be loaded.',
  chartKeys: 'Arrow keys move through time, Escape returns to now.',
  endBroadcast: 'End broadcast',
  endTitle: (path: string): string => `End ${path}?`,
  endText: 'The publisher and every viewer are disconnected at once. This cannot be undone.',
  banLabel: 'Refuse publishers of this name',
  banNone: 'not at all: it may come back at once',
  endedSaid: (path: string): string => `${path} has ended`,
  sessions: 'Sessions',
  noSessions: 'Nobody is here.',
  address: 'Address',
  builtIn: 'built in',
  does: 'Does',
  publishes: 'publishes',
  watches: 'watches',
  protocol: 'Protocol',
  connectedFor: 'For',
  bytes: 'Data',
  lag: 'Behind',
  firstOf: (shown: number, total: number): string => ` The first ${shown} of ${total}.`,
  kick: 'Disconnect',
  kickTitle: (address: string): string => `Disconnect ${address}?`,
  kickText: 'It cannot be undone. The peer may connect again, unless its key is changed.',
  kicked: (address: string): string => `${address} is disconnected`,

  // Keys
  keysTitle: 'Keys and tokens',
  keysHelp: 'Keys are what this server signs and proves rights with. Renew one when somebody may know it who should not.',
  keys: 'Keys',
  noKeys: 'This server has no keys.',
  keyKind: 'Key',
  keyName: (kind: Key['kind']): string => KEYS[kind] ?? kind,
  app: 'App',
  allApps: 'all',
  created: 'Made',
  previous: 'Previous value',
  until: (time: string): string => `taken until ${time}`,
  rotate: 'Renew',
  rotateTitle: (name: string, id: string): string => `Renew the ${name[0]?.toLowerCase() ?? ''}${name.slice(1)} “${id}”?`,
  rotateText: 'A new secret is made and shown once. Running sessions go on. This cannot be undone.',
  rotateKeep: 'The present one is taken for',
  rotateKeepNone: 'no longer: somebody may know it who should not',
  secretOnce: (id: string): string => `This is the new secret of “${id}”. Copy it now: it is never shown again.`,
  secret: 'Secret',
  secretDone: 'I have copied it',
  openServer: 'This server is open: everybody who reaches it may publish, watch and administer. Tokens and signed addresses are made once it has keys (openmic token init).',
  tokenTitle: 'Make a token',
  tokenHelp: 'For a back-end, a player or another administrator. It is not kept here: copy it.',
  tokenScope: 'It may be used to',
  scopeName: (scope: Scope): string => SCOPES[scope],
  tokenFor: 'For the stream (app/name) or the app',
  makeToken: 'Make token',
  addressesTitle: 'Make addresses',

  // Hooks
  hooksTitle: 'Hooks',
  hooksHelp: 'The server tells these addresses what happens, and asks those with a veto before it lets somebody in.',
  hooks: 'Hooks',
  noHooks: 'No hooks are configured. They stand in the configuration file under [[hooks]].',
  hook: 'Hook',
  hookEvents: 'Events',
  hookVeto: 'Veto',
  hookFailure: 'When it fails',
  onFailure: (what: Hook['on_failure']): string => (what === 'allow' ? 'let in' : 'refuse'),
  hookWaiting: 'Waiting',
  hookTest: 'Test',
  hookTesting: 'Testing…',
  testArrived: (name: string): string => `The test reached “${name}”.`,
  testFailed: (name: string): string => `The test did not reach “${name}”.`,
  deliveries: 'Recent deliveries',
  noDeliveries: 'Nothing has been delivered yet.',
  event: 'Event',
  outcome: 'Outcome',
  attempts: 'Attempts',
  took: 'Took',
  at: 'When',
  answered: (status: number): string => `answered ${status}`,
  deliveryName: (status: Delivery['status']): string => DELIVERIES[status] ?? status,

  // Node
  nodeTitle: 'This node',
  health: 'Health',
  cpu: 'Processor',
  cpuOf: (cores: number): string => (cores === 1 ? 'of one core' : `of ${cores} cores`),
  memory: 'Memory',
  ring: 'Media held',
  connections: 'Connections',
  fileDescriptors: 'File descriptors',
  noLimit: 'no limit known',
  ofLimit: (limit: string): string => `of ${limit}`,
  uptimeName: 'Up',
  version: 'Version',
  received: 'Received',
  sent: 'Sent',
  broadcasts: 'Streams',
  panics: 'Errors caught',
  certificate: 'Certificate',
  noCertificate: 'none',
  expiresIn: (duration: string): string => `ends in ${duration}`,
  expired: 'has ended',
  usage: 'Usage',
  usageBy: 'By',
  usageByName: (by: UsageBy): string => USAGE_BY[by],
  usageTime: 'Time',
  usageAll: 'all of it',
  lastSpan: (span: string): string => `last ${span}`,
  usageSeconds: 'Time',
  noUsage: 'Nothing was carried in this time.',
  downloadCsv: 'Download CSV',
  config: 'Configuration',
  configHelp: 'The settings in force. Secrets are left out.',
  configGeneral: 'General',
  reload: 'Read again',
  reloading: 'Reading…',
  reloadedSame: 'Read again; nothing has changed.',
  reloadedChanged: (count: number): string => (count === 1 ? 'Read again; one setting has changed:' : `Read again; ${count} settings have changed:`),
  needsRestart: 'These take effect with the next start:',
  configKept: 'The configuration in force was kept.',
};

export type ConsoleMessages = typeof consoleEn;
