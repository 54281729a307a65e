//! The icons of rooms, from lucide, apart from those of players: a page with a player alone does not load them.

import { type TemplateResult, html } from 'lit';
import { unsafeHTML } from 'lit/directives/unsafe-html.js';
import down from 'lucide-static/icons/arrow-down.svg?raw';
import check from 'lucide-static/icons/check.svg?raw';
import chevron from 'lucide-static/icons/chevron-down.svg?raw';
import left from 'lucide-static/icons/chevron-left.svg?raw';
import right from 'lucide-static/icons/chevron-right.svg?raw';
import more from 'lucide-static/icons/ellipsis.svg?raw';
import hand from 'lucide-static/icons/hand.svg?raw';
import gallery from 'lucide-static/icons/layout-grid.svg?raw';
import lock from 'lucide-static/icons/lock.svg?raw';
import leave from 'lucide-static/icons/log-out.svg?raw';
import chat from 'lucide-static/icons/message-circle.svg?raw';
import mic from 'lucide-static/icons/mic.svg?raw';
import micOff from 'lucide-static/icons/mic-off.svg?raw';
import screen from 'lucide-static/icons/monitor-up.svg?raw';
import phone from 'lucide-static/icons/phone.svg?raw';
import phoneOff from 'lucide-static/icons/phone-off.svg?raw';
import teacher from 'lucide-static/icons/presentation.svg?raw';
import qr from 'lucide-static/icons/qr-code.svg?raw';
import retry from 'lucide-static/icons/rotate-cw.svg?raw';
import send from 'lucide-static/icons/send-horizontal.svg?raw';
import smile from 'lucide-static/icons/smile.svg?raw';
import flip from 'lucide-static/icons/switch-camera.svg?raw';
import trash from 'lucide-static/icons/trash-2.svg?raw';
import share from 'lucide-static/icons/share.svg?raw';
import speaker from 'lucide-static/icons/user.svg?raw';
import users from 'lucide-static/icons/users.svg?raw';
import video from 'lucide-static/icons/video.svg?raw';
import videoOff from 'lucide-static/icons/video-off.svg?raw';
import volumeOff from 'lucide-static/icons/volume-x.svg?raw';
import close from 'lucide-static/icons/x.svg?raw';

const ICONS = {
  ...{ chat, check, chevron, close, down, flip, gallery, hand, leave, left, lock, mic, micOff, more, phone, phoneOff, retry, right },
  ...{ qr, screen, send, share, smile, speaker, teacher, trash, users, video, videoOff, volumeOff },
} as const;

export type RoomIcon = keyof typeof ICONS;

/** An icon without a name of its own: the control around it carries the label. */
export function roomIcon(name: RoomIcon): TemplateResult {
  // The markup comes from the package at build time, never from the network.
  const markup = ICONS[name].replace(/<!--[\s\S]*?-->/g, '');
  return html`<span class="icon icon-${name}" aria-hidden="true">${unsafeHTML(markup)}</span>`;
}
