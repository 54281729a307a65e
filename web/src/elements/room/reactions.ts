//! Reactions and their signs.

import type { Reaction } from '../../room/tracks.ts';

export const REACTIONS: readonly Reaction[] = ['like', 'love', 'laugh', 'wow', 'sad', 'clap', 'flower', 'rocket'];

export const EMOJI: Readonly<Record<Reaction, string>> = {
  like: '👍',
  love: '❤️',
  laugh: '😂',
  wow: '😮',
  sad: '😢',
  clap: '👏',
  flower: '🌹',
  rocket: '🚀',
};
