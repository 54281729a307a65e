//! Simplified Chinese.

import type { Failure } from '../play/policy.ts';
import type { EngineKind, Mode } from '../play/address.ts';
import type { Messages } from './en.ts';
import { pushZhCN } from './push.zh-CN.ts';
import { trustZhCN } from './trust.zh-CN.ts';

const ENGINES: Readonly<Record<EngineKind, string>> = {
  whep: 'WebRTC',
  'http-flv': 'HTTP-FLV',
  'ws-flv': 'WebSocket-FLV',
  hls: 'HLS',
  'native-hls': 'HLS（浏览器自带）',
};

const CODEC = { title: '这个浏览器播放不了', help: '不支持这路流的编码。请换一个浏览器，或让主播改用 H.264 和 AAC。' };

const FAILURES: Readonly<Record<Failure['kind'], { title: string; help: string }>> = {
  offline: { title: '这里没有直播', help: '请检查地址，或等主播开播后再来。' },
  refused: { title: '这个地址无效', help: '地址可能已过期，请向给您地址的人要一个新的。' },
  connect: { title: '连接不上服务器', help: '请检查网络，然后重试。' },
  handshake: { title: '服务器返回了错误', help: '请稍后重试。如果一直这样，请告诉服务器管理员。' },
  silent: { title: '已连接，但没有数据', help: '中间的网络可能拦住了直播流，请换一个网络试试。' },
  lost: { title: '连接断开了', help: '请检查网络，然后重试。' },
  codec: CODEC,
  engine: CODEC,
  decode: { title: '无法解码', help: '请重试。如果一直这样，可能是主播的编码器有问题。' },
};

const MODES: Readonly<Record<Mode, { name: string; help: string }>> = {
  live: { name: '流畅优先', help: '晚 1 到 3 秒，网络不好也能播' },
  RTC: { name: '延迟最低', help: '晚不到半秒，走 WebRTC' },
};

export const zhCN: Messages = {
  language: '简体中文',
  switchLanguage: '语言',

  player: '直播播放器',
  play: '播放',
  pause: '暂停',
  mute: '静音',
  unmute: '打开声音',
  volume: '音量',
  tapForSound: '点击打开声音',
  fullScreen: '全屏',
  exitFullScreen: '退出全屏',
  pictureInPicture: '画中画',
  exitPictureInPicture: '退出画中画',
  tryAgain: '重试',
  startPlaying: '观看直播',
  delay: (seconds) => `${seconds} 秒`,
  delayMs: (milliseconds) => `${milliseconds} 毫秒`,
  delayLabel: (badge) => `${badge}前的直播画面。点击回到直播。`,
  transportName: (kind) => ENGINES[kind],
  connecting: (transport) => `正在通过 ${transport} 连接…`,
  loading: '正在加载…',
  playing: '正在播放',
  paused: '已暂停',
  soundOnly: '网络不好，暂时只有声音',
  waitingPublisher: (seconds) => `主播暂时离开，已等待 ${seconds} 秒`,
  waitingPublisherSaid: '主播暂时离开，正在等待',
  waitingData: (seconds) => `没有收到数据，已等待 ${seconds} 秒`,
  waitingDataSaid: '没有收到数据，正在等待',
  reconnecting: (attempt, of) => `连接断开，正在重试（第 ${attempt} 次，共 ${of} 次）…`,
  lookingAgain: (attempt, of) => `这里还没有直播，正在再次查看（第 ${attempt} 次，共 ${of} 次）…`,
  ended: '直播已结束',
  endedHelp: '感谢观看。',
  startsByItself: '开播后会在这里自动开始。',
  resumesByItself: '直播恢复后会在这里自动继续。',
  noAddress: { title: '没有地址', help: '请把 src 属性设为直播地址。' },
  badAddress: { title: '这不是直播地址', help: '地址的样子应像 https://host/live/demo.flv' },
  rtmpElsewhere: { title: '浏览器不能播放 RTMP', help: '请使用同一路流的 HTTP-FLV 或 HLS 地址。' },
  noSupport: { title: '这个浏览器不能播放直播', help: '请更新浏览器，或使用新版 Chrome、Edge、Firefox 或 Safari。' },
  failure: (kind) => FAILURES[kind],
  debugTitle: '数据',

  streams: (count) => `${count} 路`,
  showPreview: '显示预览',
  stateLive: '直播中',
  stateWaiting: '主播暂离',
  since: (duration) => `已 ${duration}`,
  video: '视频',
  audio: '声音',
  noVideo: '无视频',
  noAudio: '无声音',
  bitrate: '码率',
  viewers: '观众',
  viewersNone: '还没有人',
  viewersCount: (count) => `${count} 位观众`,
  mono: '单声道',
  stereo: '立体声',
  channels: (count) => `${count} 声道`,
  addresses: '地址',
  playHttpFlv: 'HTTP-FLV',
  playHls: 'HLS',
  playRtmp: 'RTMP',
  playWhep: 'WebRTC（WHEP）',
  copyOf: (name) => `复制${name}`,
  qrCode: (name) => `${name}的二维码`,
  copied: '已复制',
  copyFailed: '请选中文字自行复制',
  pushTitle: '开播',

  backToConsole: '全部直播',
  details: '详情',
  embed: '把播放器放进网页',
  watchElsewhere: '用其他播放器观看',
  behindLive: (delay) => `落后直播 ${delay}`,
  chooseMode: '观看方式',
  modeName: (mode) => MODES[mode].name,
  modeHelp: (mode) => MODES[mode].help,
  modeFellBack: (transport) => `这里用不了 WebRTC，正在通过 ${transport} 观看。`,
  transport: '传输方式',
  unknown: '–',
  noSuchStream: '地址里需要写明是哪路流，例如 /play/live/demo',

  push: pushZhCN,

  trust: trustZhCN,

  seconds: (n) => `${n} 秒`,
  minutes: (n) => `${n} 分钟`,
  hours: (h, m) => (m === 0 ? `${h} 小时` : `${h} 小时 ${m} 分钟`),
  days: (d, h) => (h === 0 ? `${d} 天` : `${d} 天 ${h} 小时`),
};
