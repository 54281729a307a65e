//! The stable entry `/assets/openmic-room.js`: defines `<live-room>` and what it uses, and nothing else happens.

import { LivePlayer } from './elements/live-player.ts';
import { LiveRoom } from './elements/room/live-room.ts';

export { LiveRoom };
export { Connection, type ConnectionListener, type ConnectionOptions, type Ending, type Phase } from './room/connection.ts';
export type { Answer } from './room/commands.ts';
export type { Command } from './room/messages.ts';
export type { RoomNotice } from './room/notices.ts';
export { RoomSession } from './room/session.ts';
export { dialWebSocket } from './room/wire.ts';

// Two copies of the script on one page must not end in an exception.
if (customElements.get('live-player') === undefined) customElements.define('live-player', LivePlayer);
if (customElements.get('live-room') === undefined) customElements.define('live-room', LiveRoom);
