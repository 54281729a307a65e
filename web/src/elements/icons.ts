//! The icons in use, from lucide, as inline SVG in the colour of their text.

import { type TemplateResult, html } from 'lit';
import { unsafeHTML } from 'lit/directives/unsafe-html.js';
import arrowLeft from 'lucide-static/icons/arrow-left.svg?raw';
import camera from 'lucide-static/icons/camera.svg?raw';
import check from 'lucide-static/icons/check.svg?raw';
import chevronDown from 'lucide-static/icons/chevron-down.svg?raw';
import chevronLeft from 'lucide-static/icons/chevron-left.svg?raw';
import chevronRight from 'lucide-static/icons/chevron-right.svg?raw';
import alert from 'lucide-static/icons/circle-alert.svg?raw';
import copy from 'lucide-static/icons/copy.svg?raw';
import download from 'lucide-static/icons/download.svg?raw';
import externalLink from 'lucide-static/icons/external-link.svg?raw';
import key from 'lucide-static/icons/key.svg?raw';
import languages from 'lucide-static/icons/languages.svg?raw';
import signOut from 'lucide-static/icons/log-out.svg?raw';
import maximize from 'lucide-static/icons/maximize.svg?raw';
import micVocal from 'lucide-static/icons/mic-vocal.svg?raw';
import mic from 'lucide-static/icons/mic.svg?raw';
import micOff from 'lucide-static/icons/mic-off.svg?raw';
import video from 'lucide-static/icons/video.svg?raw';
import videoOff from 'lucide-static/icons/video-off.svg?raw';
import switchCamera from 'lucide-static/icons/switch-camera.svg?raw';
import screenShare from 'lucide-static/icons/monitor-up.svg?raw';
import sparkles from 'lucide-static/icons/sparkles.svg?raw';
import minimize from 'lucide-static/icons/minimize.svg?raw';
import stop from 'lucide-static/icons/octagon-x.svg?raw';
import pause from 'lucide-static/icons/pause.svg?raw';
import pictureInPicture from 'lucide-static/icons/picture-in-picture-2.svg?raw';
import play from 'lucide-static/icons/play.svg?raw';
import qr from 'lucide-static/icons/qr-code.svg?raw';
import radio from 'lucide-static/icons/radio.svg?raw';
import retry from 'lucide-static/icons/rotate-cw.svg?raw';
import search from 'lucide-static/icons/search.svg?raw';
import send from 'lucide-static/icons/send.svg?raw';
import server from 'lucide-static/icons/server.svg?raw';
import smartphone from 'lucide-static/icons/smartphone.svg?raw';
import warning from 'lucide-static/icons/triangle-alert.svg?raw';
import users from 'lucide-static/icons/users.svg?raw';
import volume from 'lucide-static/icons/volume-2.svg?raw';
import volumeOff from 'lucide-static/icons/volume-x.svg?raw';
import webhook from 'lucide-static/icons/webhook.svg?raw';
import close from 'lucide-static/icons/x.svg?raw';

const ICONS = {
  alert,
  arrowLeft,
  camera,
  check,
  chevronDown,
  chevronLeft,
  chevronRight,
  close,
  copy,
  download,
  externalLink,
  key,
  languages,
  maximize,
  micVocal,
  mic,
  micOff,
  video,
  videoOff,
  switchCamera,
  screenShare,
  sparkles,
  minimize,
  pause,
  pictureInPicture,
  play,
  qr,
  radio,
  retry,
  search,
  send,
  server,
  signOut,
  smartphone,
  stop,
  users,
  volume,
  volumeOff,
  warning,
  webhook,
} as const;

export type IconName = keyof typeof ICONS;

/** An icon of 1.25 em without a name of its own: the control around it carries the label. */
export function icon(name: IconName): TemplateResult {
  // The markup comes from the package at build time, never from the network.
  const markup = ICONS[name].replace(/<!--[\s\S]*?-->/g, '');
  return html`<span class="icon icon-${name}" aria-hidden="true">${unsafeHTML(markup)}</span>`;
}
