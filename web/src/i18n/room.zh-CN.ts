//! Simplified Chinese of `<live-room>` and of the pages at /demo.

import type { Layout } from '../room/layout.ts';
import type { RoomNotice } from '../room/notices.ts';
import type { Media, Reaction, Role } from '../room/tracks.ts';
import { pushZhCN } from './push.zh-CN.ts';
import type { RoomMessages } from './room.en.ts';

const REFUSALS: Readonly<Record<string, string>> = {
  bad_name: '这个名字不能用。请用 1 到 64 个可见字符。',
  bad_text: '这段文字不能发送：为空、过长，或含有看不见的字符。',
  bad_token: '这份邀请无效或已过期，请索取新的邀请。',
  bad_value: '这个值不能保存。',
  banned: '您已被禁止进入这个房间。',
  chat_closed: '聊天已关闭。',
  data_full: '房间里的数据已满。',
  ended: '房间已结束。',
  full: '房间已满。',
  hand_is_up: '您已经举手了。',
  hands_closed: '现在不能举手。',
  hands_full: '举手的人太多了，请稍后再试。',
  invited: '已经邀请过，对方还没有回应。',
  invitations_full: '邀请太多了，请等待回应。',
  locked: '房间已锁定。',
  message_too_long: '太长了，无法发送。',
  no_hand: '对方已经放下手了。',
  no_invitation: '邀请已过期。',
  no_right: '您在这里没有这个权限。',
  not_a_member: '您不在这个房间里。',
  not_found: '已经不存在了。',
  not_on_stage: '只有在台上才可以。',
  not_ringing: '通话已结束。',
  on_stage: '对方已经在台上了。',
  outranked: '您不能对这位成员这样做。',
  room_busy: '房间很忙，请稍后再试。',
  screen_taken: '已有人在共享屏幕。',
  second_device: '您已用另一台设备进入这个房间。',
  stage_full: '台上已满。',
  too_fast: '太快了，请稍等。',
  unknown_member: '对方已经离开。',
  unsupported_version: '这个页面太旧了，请重新载入。',
  wrong_room: '这份邀请属于另一个房间。',
};

const AGAIN = '您可以再次进入。';
const ENDINGS: Readonly<Record<string, { title: string; help: string }>> = {
  left: { title: '您已离开房间', help: AGAIN },
  lost: { title: '连接断开太久', help: AGAIN },
  replaced: { title: '您已在另一台设备上进入', help: '在那里继续。您也可以回到这里。' },
  resumed: { title: '您已在另一个窗口回来', help: '在那里继续。' },
  removed: { title: '您已被移出房间', help: '主持人请您离开。' },
  banned: { title: '您已被禁止进入房间', help: '主持人不再让您进入。' },
  flooding: { title: '操作太多', help: '页面发送了过多的指令。您可以再次进入。' },
  ended_by_host: { title: '主持人结束了房间', help: '感谢您的参与。' },
  ended_by_backend: { title: '房间已关闭', help: '感谢您的参与。' },
  host_left: { title: '主持人已离开', help: '房间随之结束。感谢您的参与。' },
  no_answer: { title: '无人接听', help: '请稍后再拨。' },
  call_declined: { title: '对方拒绝了通话', help: '请稍后再拨。' },
  hung_up: { title: '通话已结束', help: '对方已挂断。' },
  empty: { title: '所有人都离开了', help: '房间已结束。' },
  declined: { title: '您拒绝了通话', help: '已告知对方。' },
  locked: { title: '房间已锁定', help: '请主持人开门后再试。' },
  full: { title: '房间已满', help: '有人离开后再试。' },
  ended: { title: '房间已结束', help: '请索取新的链接。' },
  second_device: { title: '您已用另一台设备进入这个房间', help: '请先在那里离开，再试一次。' },
  wrong_room: { title: '这份邀请属于另一个房间', help: '请索取新的链接。' },
  bad_name: { title: '这个名字不能用', help: '请用 1 到 64 个可见字符。' },
};

const MEDIA: Readonly<Record<Media, string>> = { sound: '麦克风', picture: '摄像头', screen: '屏幕共享' };
const ROLES: Readonly<Record<Role, string>> = { host: '主持人', cohost: '协助主持', guest: '' };
const LAYOUTS: Readonly<Record<Layout, string>> = { speaker: '发言人', gallery: '画廊', teacher: '课堂' };
const REACTIONS: Readonly<Record<Reaction, string>> = {
  like: '点赞',
  love: '爱心',
  laugh: '大笑',
  wow: '惊讶',
  sad: '难过',
  clap: '鼓掌',
  flower: '鲜花',
  rocket: '火箭',
};

function refusal(code: string, sentence: string): string {
  return REFUSALS[code] ?? sentence;
}

function notice(told: RoomNotice): string {
  switch (told.kind) {
    case 'refused':
      return refusal(told.code, told.sentence);
    case 'up':
      return '您已上台';
    case 'down':
      return '您已下台，没有人能看到或听到您';
    case 'hand-refused':
      return '暂时不行：您的手已放下';
    case 'chat-refused':
      return '您的一条消息未通过';
    case 'back':
      return '您回来了';
    case 'muted':
      return `主持人关闭了您的${MEDIA[told.media]}`;
    case 'hand':
      return `${told.name} 举手了`;
    case 'device':
      return pushZhCN.refusal(told.refusal.device, told.refusal.kind).title;
    case 'sending':
      return pushZhCN.notice(told.notice);
  }
}

export const roomZhCN: RoomMessages = {
  room: '房间',
  untitled: { call: '通话', 'class-small': '课堂', 'class-large': '课堂', show: '演出', meeting: '会议' },
  you: '您',
  close: '关闭',
  cancel: '取消',
  tryAgain: '重试',
  comeBack: '再次进入',

  joining: '正在进入房间…',
  joiningAgain: (attempt) => `无法连接房间，正在重试（第 ${attempt} 次）…`,
  away: (seconds) => `聊天和操作暂时中断，声音和画面继续。正在恢复… ${seconds} 秒`,
  awaySaid: '与房间的连接已断开，正在恢复。声音和画面继续。',
  back: '您回来了',
  connectingStage: '正在连接声音和画面…',
  stageInterrupted: '网络中断，正在等待恢复',
  stageAgain: (attempt) => `声音和画面中断，正在重新连接（第 ${attempt} 次）…`,
  hostAway: (seconds) => `主持人暂时离开，等待 ${seconds} 秒`,
  hostAwaySaid: '主持人暂时离开，正在等待。',
  locked: '已锁定',
  ending: (code, sentence) => ENDINGS[code] ?? { title: REFUSALS[code] ?? sentence, help: '' },
  refusal,
  notice,
  noAddress: { title: '没有房间', help: '请在 url 属性中填写房间地址，在 token 中填写邀请。' },
  noSupport: { title: '这个浏览器不能通话', help: '它不支持 WebRTC。请使用较新的 Chrome、Edge、Firefox 或 Safari。' },

  stage: '台上',
  waitingFor: (name) => `正在等待 ${name} 的画面`,
  pausedFor: '网络较差，仅有声音',
  personAway: '连接已断开，正在等待',
  speaking: '正在说话',
  micIsOff: '麦克风已关闭',
  screenOf: (name) => `${name} 的屏幕`,
  emptyStage: '台上还没有人',
  tapForSound: '点按开启声音',
  nextPage: '更多成员',
  previousPage: '上一页',
  page: (page, of) => `第 ${page} 页，共 ${of} 页`,
  audience: '您正在与观众一起观看',

  calling: '正在呼叫…',
  callingHelp: (seconds) => `还会响铃 ${seconds} 秒。请把链接发给对方。`,
  hangUp: '挂断',
  incoming: (name) => (name === '' ? '有来电' : `${name} 来电`),
  incomingHelp: '接听后会打开摄像头和麦克风。',
  accept: '接听',
  decline: '拒绝',

  controls: '操作',
  micOn: '打开麦克风',
  micOff: '关闭麦克风',
  cameraOn: '打开摄像头',
  cameraOff: '关闭摄像头',
  shareScreen: '共享屏幕',
  stopScreen: '停止共享屏幕',
  flipCamera: '切换摄像头',
  raiseHand: '举手',
  lowerHand: '放下手',
  handAhead: (ahead) => (ahead === 0 ? '下一位就是您' : `您前面还有 ${ahead} 人`),
  stepUp: '上台',
  stepDown: '下台',
  react: '表情',
  reaction: (reaction) => REACTIONS[reaction],
  more: '更多',
  leave: '离开',

  chat: '聊天',
  unread: (count) => `${count} 条新消息`,
  message: '对所有人说',
  send: '发送',
  chatEmpty: '还没有人说话。',
  deleteLine: (name) => `删除 ${name} 的这条消息`,
  toNewest: '最新',

  people: '成员',
  peopleCount: (count) => `${count} 人`,
  hands: '举手',
  handsCount: (count) => `${count} 人举手`,
  nextHand: '请下一位上台',
  bringUp: '请上台',
  notNow: '暂不',
  onStage: '台上',
  inRoom: '房间里',
  counted: (count) => `另有 ${count} 位观众`,
  bans: '已禁止',
  unban: '解除禁止',
  role: (role) => ROLES[role],
  isAway: '暂离',
  isInvited: '已邀请',
  actionsFor: (name) => `对 ${name} 的操作`,
  invite: '邀请上台',
  withdraw: '撤回邀请',
  mute: '关闭麦克风',
  stopPicture: '关闭摄像头',
  stopTheirScreen: '停止共享屏幕',
  askSound: '请对方打开麦克风',
  askPicture: '请对方打开摄像头',
  takeDown: '请下台',
  focus: '为所有人放大',
  unfocus: '取消放大',
  appoint: '设为协助主持',
  dismiss: '取消协助主持',
  handOver: '移交房间',
  remove: '移出',
  ban: '禁止进入',
  forbidChat: '禁言',
  allowChat: '解除禁言',

  invitedTitle: '邀请您上台',
  invitedHelp: '所有人都会看到和听到您。',
  secondsLeft: (seconds) => `${seconds} 秒`,
  askedTitle: (media) => `主持人请您打开${MEDIA[media]}`,
  later: '保持关闭',

  settings: '设置',
  layout: '布局',
  layoutName: (layout) => LAYOUTS[layout],
  flyingChat: '弹幕',
  devices: '设备',
  camera: '摄像头',
  microphone: '麦克风',
  byDefault: '自动',
  cameraNumber: (n) => `摄像头 ${n}`,
  microphoneNumber: (n) => `麦克风 ${n}`,
  forHosts: '主持人',
  title: '标题',
  rename: '您的名字',
  save: '保存',
  door: '允许新成员进入',
  chatOpen: '允许聊天',
  handsOpen: '允许举手',
  muteAll: '关闭所有成员的麦克风',
  endRoom: '为所有人结束房间',

  sureEnd: { title: '为所有人结束房间？', text: '所有人都会离开，房间不能再打开。' },
  sureRemove: (name) => ({ title: `移出 ${name}？`, text: '对方可以凭邀请再次进入。' }),
  sureBan: (name) => ({ title: `禁止 ${name} 进入？`, text: '对方换名字也不能进入，直到您解除。' }),
  sureHandOver: (name) => ({ title: `把房间移交给 ${name}？`, text: '由对方主持，您协助。' }),

  lobbyTitle: '通话、上课、演出',
  lobbyText: '房间立即打开，一个链接就能请人进来。',
  kinds: {
    call: { name: '通话', text: '两个人，会响铃。' },
    meeting: { name: '会议', text: '每个人都能发言。' },
    'class-large': { name: '课堂', text: '一人讲课，举手发言。' },
    show: { name: '演出', text: '主持人在台上，观众喝彩。' },
  },
  kind: '要开什么样的房间？',
  yourName: '您的名字',
  openRoom: '打开房间',
  opening: '正在打开…',
  roomReady: '房间已打开',
  roomReadyText: '发送这个链接，或用手机扫码。',
  link: '房间链接',
  qrOf: '链接的二维码',
  qr: '二维码',
  shareLink: '分享',
  enter: '进入',
  demoOff: '这台服务器没有演示房间',
  demoOffText: '管理员可以打开：[rooms] demo = true。',
  demoBusy: '打开的房间太多了，请一分钟后再试。',
  demoFailed: '服务器的回应不符合预期，请稍后再试。',
  demoAway: '无法连接服务器。请检查网络后再试。',

  joinTitle: '加入房间',
  joinText: '别人会这样看到您。',
  join: '加入',
  joinSilent: '不开摄像头和麦克风加入',
  noRoom: '没有这个房间',
  noRoomText: '它可能已经结束。请打开新的房间。',
  newRoom: '打开新的房间',
  inviteOthers: '请别人进来',
  checkOn: '检查摄像头和麦克风',
  checkHelp: '加入之前没有人能看到或听到您。',
};
