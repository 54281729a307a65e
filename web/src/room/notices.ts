//! What a member should be told when it happens; the words are the page's.

import type { Notice } from '../publish/notices.ts';
import type { Refusal } from '../publish/refusals.ts';
import type { Media } from './tracks.ts';

export type RoomNotice =
  /** The server did not do what was asked. */
  | { readonly kind: 'refused'; readonly code: string; readonly sentence: string }
  | { readonly kind: 'up' | 'down' | 'hand-refused' | 'chat-refused' | 'back' }
  /** A host switched it off. */
  | { readonly kind: 'muted'; readonly media: Media }
  /** To hosts. */
  | { readonly kind: 'hand'; readonly name: string }
  /** The browser did not give a device. */
  | { readonly kind: 'device'; readonly refusal: Refusal }
  /** From capturing and sending. */
  | { readonly kind: 'sending'; readonly notice: Notice };
