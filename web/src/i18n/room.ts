//! The catalogues of rooms, apart from what players say: a page with a player alone does not load them.

import type { Language } from './index.ts';
import { type RoomMessages, roomEn } from './room.en.ts';
import { roomZhCN } from './room.zh-CN.ts';

export type { RoomMessages } from './room.en.ts';

const CATALOGUES: Readonly<Record<Language, RoomMessages>> = { en: roomEn, 'zh-CN': roomZhCN };

export function roomMessagesOf(language: Language): RoomMessages {
  return CATALOGUES[language];
}
