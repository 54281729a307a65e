//! What the console says, in Simplified Chinese.

import type { Key, Scope } from '../api/access.ts';
import type { GroupKind, LineKind } from '../api/addresses.ts';
import type { Track } from '../api/broadcasts.ts';
import type { Measure } from '../api/feed.ts';
import type { Delivery } from '../api/hooks.ts';
import type { SortBy } from '../api/listing.ts';
import type { UsageBy } from '../api/node.ts';
import type { ConsoleMessages, Place } from './console-en.ts';

const PLACES: Readonly<Record<Place, string>> = { live: '直播', keys: '密钥', hooks: '回调', node: '节点' };

const SORTS: Readonly<Record<SortBy, string>> = { viewers: '观众最多', name: '名称', since: '最新开播' };

const MEASURES: Readonly<Record<Measure, string>> = {
  bitrate_bps: '码率',
  fps: '帧率',
  group_ms: '关键帧间隔',
  viewers: '观众',
  delay_ms: '延迟',
};

const TRACKS: Readonly<Record<Track['kind'], string>> = { video: '视频', audio: '声音', data: '数据' };

const KEYS: Readonly<Record<Key['kind'], string>> = {
  publish: '推流密钥',
  play: '播放密钥',
  jwt: '令牌密钥（JWT）',
  admin: '管理员密钥',
};

const SCOPES: Readonly<Record<Scope, string>> = { publish: '推流', play: '观看', room: '房间', admin: '管理' };

const DELIVERIES: Readonly<Record<Delivery['status'], string>> = { delivered: '已送达', retrying: '重试中', dead: '已放弃' };

const USAGE_BY: Readonly<Record<UsageBy, string>> = {
  app: '应用',
  stream: '流',
  protocol: '协议',
  'app,protocol': '应用和协议',
};

const GROUPS: Readonly<Record<GroupKind, { name: string; help: string }>> = {
  publishPage: { name: '浏览器', help: '可以打开或转发的开播页，以及放进您自己网页的推流组件。' },
  obs: { name: 'OBS Studio', help: '设置 → 直播 → 服务选“自定义…”，然后填写：' },
  whip: {
    name: 'OBS Studio 30 及以上，延迟更低',
    help: '设置 → 直播 → 服务选“WHIP”；没有给您令牌时，不记名令牌留空。',
  },
  ffmpeg: { name: 'ffmpeg', help: '在终端里运行的命令。' },
  miniPush: { name: '小程序和其他手机应用', help: '页面里用的标签，或应用里填的地址。' },
  browser: { name: '浏览器', help: '可以打开或转发的页面，以及放进您自己网页的播放器。' },
  players: { name: '其他播放器', help: 'ffplay、VLC、hls.js、mpegts.js 和各种设备。' },
  miniPlay: { name: '小程序', help: '页面里用的标签。' },
};

const LINES: Readonly<Record<LineKind, string>> = {
  publishPage: '开播页',
  embedPusher: '嵌入推流组件',
  obsServer: '服务器',
  obsKey: '推流码',
  whipServer: 'WHIP 服务器',
  ffmpegTest: '推带声音的测试画面',
  ffmpegFile: '按实时速度推一个文件',
  rtmpPush: 'RTMP 地址',
  livePusher: 'live-pusher',
  page: '播放页',
  embed: '嵌入播放器',
  flv: 'HTTP-FLV',
  wsFlv: 'WebSocket-FLV',
  hls: 'HLS',
  rtmpPlay: 'RTMP',
  whep: 'WebRTC（WHEP）',
  livePlayer: 'live-player',
};

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;

export const consoleZhCN: ConsoleMessages = {
  places: '导航',
  placeName: (place) => PLACES[place],
  skip: '跳到正文',
  reconnecting: '服务器没有回应，正在重试…',
  versionOf: (version) => `openmic ${version}`,
  uptime: (duration) => `已运行 ${duration}`,
  cancel: '取消',
  close: '关闭',
  refresh: '刷新',
  actions: '操作',
  yes: '是',
  no: '否',
  none: '无',
  asOf: (time) => `截至 ${time}。`,
  spanName: (seconds) =>
    seconds < DAY_S ? `${Math.round(seconds / HOUR_S)} 小时` : `${Math.round(seconds / DAY_S)} 天`,
  failure: (status) => {
    if (status === 0) return '服务器没有回应。请检查网络，然后重试。';
    if (status === 401) return '令牌已失效，请重新登录。';
    if (status === 403) return '这个令牌没有此项权限。';
    if (status === 404) return '它已经不在了，或这台服务器没有它。';
    if (status === 429) return '请求太多。请稍等片刻再试。';
    if (status >= 500) return '服务器没能完成。';
    return '服务器拒绝了。';
  },

  signInTitle: '登录',
  signInHelp: '这台服务器需要令牌。管理员可以在服务器上生成：openmic token make --admin --seconds 86400',
  token: '令牌',
  signIn: '登录',
  signingIn: '正在登录…',
  signInKept: '令牌只留在这个标签页，关闭后即忘记。',
  signInExpired: '您已退出：令牌已过期或被收回。请用新令牌登录。',
  signInFailure: (status) => {
    if (status === 0) return '服务器没有回应。请检查网络，然后重试。';
    if (status === 401) return '令牌不对或已过期。请确认复制完整。';
    if (status === 403) return '这个令牌有效，但不是管理员令牌。';
    if (status === 429) return '尝试次数太多。请等一分钟再试。';
    return '服务器没能验证令牌。请稍后再试。';
  },
  signOut: '退出',

  consoleTitle: '正在直播',
  consoleEmpty: '还没有直播',
  consoleEmptyHelp: '按下面的方法推一路流，它会自动出现在这里。',
  search: '搜索直播',
  searchHint: '搜索（按 /）',
  sortBy: '排序',
  sortName: (sort) => SORTS[sort],
  found: (count) => `找到 ${count} 路`,
  listFull: (shown, total) => `共 ${total} 路，按名称列出前 ${shown} 路。`,
  nothingFound: (search) => `没有名称包含“${search}”的直播。`,
  pages: '分页',
  pageBefore: '上一页',
  pageAfter: '下一页',
  pageOf: (page, of) => `第 ${page} 页，共 ${of} 页`,
  pushIntro: '任何 RTMP 或 WHIP 编码器都可以。给这路流起个名字，它会自动出现在“直播”里。',
  pushStream: '流名（应用/名称）',

  toPublish: '推流',
  toWatch: '观看',
  groupName: (kind) => GROUPS[kind].name,
  groupHelp: (kind) => GROUPS[kind].help,
  lineName: (kind) => LINES[kind],
  addressesHelp: '这台服务器需要授权：地址只对一路流、一段时间签名。拿到地址的人在到期前都可以使用。',
  nobodyMay: '这个应用的策略不允许任何人。',
  validFor: '有效期',
  validUntil: (time) => `有效期至 ${time}。`,
  makeAddresses: '生成地址',
  qrTooLong: '内容太长，放不进二维码，请直接复制。',

  openPlayer: '播放页',
  notLive: '现在没有直播，开播后本页会自动更新。',
  madeOf: '概览',
  publisher: '来源',
  publisherDemo: '内置测试流',
  program: '推流程序',
  started: '开始时间',
  conversions: '转换',
  conversionsHelp: '为无法直接播放的观众统一转换一次。',
  coreShare: (percent) => `占一个核心的 ${percent}%`,
  tracks: '轨道',
  track: '轨道',
  trackKind: (kind) => TRACKS[kind],
  trackNumber: (id) => `编号 ${id}`,
  codec: '编码',
  trackDetails: '格式',
  groupLength: '关键帧间隔',
  noTracks: '还没有收到轨道。',
  charts: '运行走势',
  chartWindow: '最近',
  measureName: (measure) => MEASURES[measure],
  chartRange: (least, most) => (least === most ? `一直是 ${least}` : `${least} 到 ${most}`),
  chartEmpty: '还没有数据',
  chartFailed: '图表加载失败。',
  chartKeys: '用方向键查看各时刻，按 Esc 回到现在。',
  endBroadcast: '结束直播',
  endTitle: (path) => `结束 ${path}？`,
  endText: '主播和所有观众会立即断开。此操作无法撤销。',
  banLabel: '禁止以此流名推流',
  banNone: '不禁止：可以马上重新开播',
  endedSaid: (path) => `${path} 已结束`,
  sessions: '会话',
  noSessions: '这里没有人。',
  address: '地址',
  builtIn: '内置',
  does: '行为',
  publishes: '推流',
  watches: '观看',
  protocol: '协议',
  connectedFor: '时长',
  bytes: '流量',
  lag: '落后',
  firstOf: (shown, total) => `共 ${total} 个，显示前 ${shown} 个。`,
  kick: '断开',
  kickTitle: (address) => `断开 ${address}？`,
  kickText: '此操作无法撤销。除非更换密钥，对方可以重新连接。',
  kicked: (address) => `已断开 ${address}`,

  keysTitle: '密钥和令牌',
  keysHelp: '服务器用密钥签名和验证权限。如果密钥可能泄露，请更换。',
  keys: '密钥',
  noKeys: '这台服务器没有密钥。',
  keyKind: '密钥',
  keyName: (kind) => KEYS[kind] ?? kind,
  app: '应用',
  allApps: '全部',
  created: '创建时间',
  previous: '旧值',
  until: (time) => `${time} 前仍可用`,
  rotate: '更换',
  rotateTitle: (name, id) => `更换${name}“${id}”？`,
  rotateText: '会生成新的密钥，只显示一次。正在进行的会话不受影响。此操作无法撤销。',
  rotateKeep: '现在的密钥继续可用',
  rotateKeepNone: '立即停用：它可能已泄露',
  secretOnce: (id) => `这是“${id}”的新密钥。请立即复制，之后不再显示。`,
  secret: '密钥',
  secretDone: '我已复制',
  openServer: '这台服务器是开放的：任何能访问它的人都可以推流、观看和管理。设置密钥（openmic token init）后才能生成令牌和签名地址。',
  tokenTitle: '生成令牌',
  tokenHelp: '给后端、播放器或另一位管理员使用。这里不会保存，请复制。',
  tokenScope: '用途',
  scopeName: (scope) => SCOPES[scope],
  tokenFor: '流（应用/名称）或应用',
  makeToken: '生成令牌',
  addressesTitle: '生成地址',

  hooksTitle: '回调',
  hooksHelp: '服务器会把发生的事情通知这些地址；有否决权的地址，在放行之前会先被询问。',
  hooks: '回调',
  noHooks: '没有设置回调。它们写在配置文件的 [[hooks]] 里。',
  hook: '回调',
  hookEvents: '事件',
  hookVeto: '否决权',
  hookFailure: '失败时',
  onFailure: (what) => (what === 'allow' ? '放行' : '拒绝'),
  hookWaiting: '待投递',
  hookTest: '测试',
  hookTesting: '正在测试…',
  testArrived: (name) => `测试已送达“${name}”。`,
  testFailed: (name) => `测试没有送达“${name}”。`,
  deliveries: '最近的投递',
  noDeliveries: '还没有投递。',
  event: '事件',
  outcome: '结果',
  attempts: '次数',
  took: '用时',
  at: '时间',
  answered: (status) => `返回 ${status}`,
  deliveryName: (status) => DELIVERIES[status] ?? status,

  nodeTitle: '本节点',
  health: '运行状况',
  cpu: '处理器',
  cpuOf: (cores) => `共 ${cores} 个核心`,
  memory: '内存',
  ring: '媒体缓存',
  connections: '连接',
  fileDescriptors: '文件描述符',
  noLimit: '上限未知',
  ofLimit: (limit) => `上限 ${limit}`,
  uptimeName: '已运行',
  version: '版本',
  received: '接收',
  sent: '发送',
  broadcasts: '直播',
  panics: '捕获的错误',
  certificate: '证书',
  noCertificate: '无',
  expiresIn: (duration) => `${duration}后到期`,
  expired: '已到期',
  usage: '用量',
  usageBy: '分组',
  usageByName: (by) => USAGE_BY[by],
  usageTime: '时间范围',
  usageAll: '全部',
  lastSpan: (span) => `最近 ${span}`,
  usageSeconds: '时长',
  noUsage: '这段时间没有流量。',
  downloadCsv: '下载 CSV',
  config: '配置',
  configHelp: '当前生效的设置，不含密钥。',
  configGeneral: '常规',
  reload: '重新读取',
  reloading: '正在读取…',
  reloadedSame: '已重新读取，没有变化。',
  reloadedChanged: (count) => `已重新读取，${count} 项设置有变化：`,
  needsRestart: '这些要到下次启动才生效：',
  configKept: '当前生效的配置保持不变。',
};
