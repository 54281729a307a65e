//! Simplified Chinese of `<live-pusher>` and of the page to publish from.

import type { BeautyStyle, FilterName } from '../publish/filters.ts';
import type { Notice } from '../publish/notices.ts';
import type { Device, RefusalKind } from '../publish/refusals.ts';
import type { Failure } from '../play/policy.ts';
import type { PushMessages } from './push.en.ts';

type Help = PushMessages['noAddress'];

const ALLOW = '请点地址栏左侧的摄像头、麦克风或锁形图标，选择允许，然后重试。在手机上，还要在系统设置里允许这个浏览器。';
const NAMES: Readonly<Record<Device, string>> = { camera: '摄像头', microphone: '麦克风', screen: '屏幕' };

function refusal(device: Device, kind: RefusalKind): Help {
  const name = NAMES[device];
  switch (kind) {
    case 'denied':
      return device === 'screen'
        ? { title: '没有共享屏幕', help: '您没有选择画面，或系统不允许这个浏览器录屏。' }
        : { title: `浏览器不让本页使用${name}`, help: ALLOW };
    case 'insecure':
      return { title: `只有安全的网页才能打开${name}`, help: '请用 https 地址打开本页。在局域网里，请看本服务器的 /trust 页面。' };
    case 'absent':
      return { title: `没有找到${name}`, help: `请接上${name}后重试，也可以不用${name}直接开播。` };
    case 'busy':
      return { title: `${name}正在被占用`, help: '请关闭占用它的程序或网页，然后重试。' };
    case 'unsupported':
      return { title: `这个浏览器在这里用不了${name}`, help: '请使用新版 Chrome、Edge、Firefox 或 Safari。' };
    case 'failed':
      return { title: `${name}打不开`, help: '请重新插拔设备，或重启浏览器。' };
  }
}

const NOTICES: Readonly<Record<Notice, string>> = {
  'video-base': '网络较弱：正在发送小画面',
  'video-off': '网络很弱：只发送声音',
  'video-back': '网络好转：画面已恢复',
  'beauty-off': '这台设备跟不上磨皮，已关闭',
  'half-size': '这台设备较慢：带滤镜的画面减半发送',
  'filters-off': '这台设备跟不上滤镜，已关闭',
  'filters-lost': '显卡驱动停止了工作，滤镜已关闭',
  'camera-switched': '摄像头断开了，已换用另一个',
  'camera-lost': '摄像头断开了，观众看到的是等待画面',
  'microphone-switched': '麦克风断开了，已换用另一个',
  'microphone-lost': '麦克风断开了，观众听不到声音',
  'voice-lost': '变声加载失败，观众听不到您；请改用原声',
  'screen-ended': '已停止共享屏幕',
  'file-ended': '文件播放完了',
};

const FAILURES: Readonly<Partial<Record<Failure['kind'], Help>>> = {
  refused: { title: '这个地址不能开播', help: '地址可能已过期，请向给您地址的人要一个新的。' },
  connect: { title: '连接不上服务器', help: '请检查网络，然后重试。' },
  lost: { title: '连接断开了', help: '请检查网络，然后重试。' },
  codec: { title: '服务器不支持这个浏览器的编码', help: '请换一个浏览器。' },
};
const FAILURE: Help = { title: '服务器返回了错误', help: '请稍后重试。如果一直这样，请告诉服务器管理员。' };

const QUALITIES = ['很好', '良好', '一般', '较弱', '很差', '几乎没有'] as const;

const FILTER_NAMES: Readonly<Record<FilterName, string>> = {
  standard: '无',
  pink: '粉嫩',
  nostalgia: '怀旧',
  blues: '蓝调',
  romantic: '浪漫',
  cool: '清凉',
  fresher: '清新',
  solor: '日系',
  aestheticism: '唯美',
  whitening: '美白',
  cerisered: '樱红',
};

const STYLES: Readonly<Record<BeautyStyle, string>> = { smooth: '光滑', nature: '自然' };

export const pushZhCN: PushMessages = {
  preview: '您的画面',
  goLive: '开播',
  end: '结束',
  cameraOn: '打开摄像头',
  cameraOff: '关闭摄像头',
  microphoneOn: '打开麦克风',
  microphoneOff: '关闭麦克风',
  switchCamera: '切换摄像头',
  shareScreen: '共享屏幕',
  stopScreen: '停止共享屏幕',
  opening: '正在打开摄像头和麦克风…浏览器询问时请选择允许。',
  connecting: '正在连接…',
  live: '直播中',
  liveSaid: '您正在直播',
  ready: '准备就绪',
  interrupted: (seconds) => `网络中断，已等待 ${seconds} 秒`,
  interruptedSaid: '网络中断，正在等待',
  reconnecting: (attempt) => `连接断开，正在重新连接（第 ${attempt} 次）…`,
  paused: '已暂停：观众看到的是等待画面',
  noAddress: { title: '没有地址', help: '请把 url 属性设为 WHIP 地址，例如 https://host/live/demo/whip' },
  noSupport: { title: '这个浏览器不能开播', help: '请使用新版 Chrome、Edge、Firefox 或 Safari。' },
  refusal,
  failure: (kind) => FAILURES[kind] ?? FAILURE,
  notice: (notice) => NOTICES[notice],
  dismiss: '知道了',
  quality: (level) => QUALITIES[level - 1] ?? QUALITIES[5],

  pageTitle: '开播',
  checkTitle: '摄像头和麦克风',
  checkHelp: '看看自己的画面，说句话，看看音量条。',
  camera: '摄像头',
  microphone: '麦克风',
  cameraNumber: (n) => `摄像头 ${n}`,
  microphoneNumber: (n) => `麦克风 ${n}`,
  byDefault: '由浏览器选择',
  level: '音量',
  silent: '还没有声音。请说句话，或换一个麦克风。',
  heard: '能听到您的声音。',
  muted: '麦克风已关闭。',
  startCheck: '打开摄像头和麦克风',
  startCheckHelp: '开播之前，没有人看得到或听得到您。',
  pictureTitle: '画面',
  sharpness: '清晰度',
  beauty: '磨皮',
  whiteness: '美白',
  beautyStyle: '磨皮方式',
  beautyStyleName: (style) => STYLES[style],
  filter: '滤镜',
  filterName: (filter) => FILTER_NAMES[filter],
  more: '画面和滤镜',
  duration: '已直播',
  uplink: '上传',
  network: '网络',
  watch: '观众在这里观看',
  watchPage: '播放页',
  onPhone: '用手机开播',
  onPhoneHelp: '请用手机相机扫一扫。',
  qrOf: '本页的二维码',
  leave: '您正在直播。',
  noSuchStream: '地址里需要写明是哪路流，例如 /publish/live/demo',
};
