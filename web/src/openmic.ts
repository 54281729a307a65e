//! The stable entry `/assets/openmic.js`: defines the elements, and nothing else happens.

import { LivePlayer } from './elements/live-player.ts';
import { LivePusher } from './elements/live-pusher.ts';

export { LivePlayer, LivePusher };
export { Code, type StateCode } from './play/codes.ts';
export type { NetStatus } from './play/netstatus.ts';
export type { Phase } from './play/session.ts';
export { PushCode, PushError, type PushErrorCode, type PushStateCode } from './publish/codes.ts';
export type { Notice } from './publish/notices.ts';
export { publish, PublishError, type Publication, type PublishOptions } from './publish/whip.ts';

// Two copies of the script on one page must not end in an exception.
if (customElements.get('live-player') === undefined) customElements.define('live-player', LivePlayer);
if (customElements.get('live-pusher') === undefined) customElements.define('live-pusher', LivePusher);
