//! Which words of the server are the last: whether a client comes back after them, and how.

/** What a member does about a `bye`, or about a refusal before it was welcomed. */
export type Next =
  /** Nothing by itself: it is over, or somebody has to decide. */
  | 'stop'
  /** The place is gone and the room goes on: join anew. */
  | 'join'
  /** It was the moment, not the member: the same again, later. */
  | 'retry';

export function afterBye(reason: string): Next {
  return reason === 'lost' ? 'join' : 'stop';
}

/** `unknown_member` is said to one that wanted to resume. */
export function afterRefusal(code: string): Next {
  if (code === 'unknown_member') return 'join';
  return code === 'room_busy' || code === 'too_fast' ? 'retry' : 'stop';
}
