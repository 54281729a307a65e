//! Gives an element the catalogue of rooms beside the common one.

import { type RoomMessages, roomMessagesOf } from '../../i18n/room.ts';
import { Localized } from '../localized.ts';

export class RoomWords extends Localized {
  /** What only rooms say. */
  get words(): RoomMessages {
    return roomMessagesOf(this.language);
  }
}
