//! State codes of `<live-player>`: the numbers and meanings of WeChat's tag, so that code written
//! for a Mini Program reads the same events here.

/** Codes carried by the `statechange` event. Positive numbers inform, negative numbers are final. */
export const Code = {
  Connected: 2001,
  Pulling: 2002,
  FirstKeyframe: 2003,
  Playing: 2004,
  Ended: 2006,
  Loading: 2007,
  DecoderStart: 2008,
  Resolution: 2009,
  Message: 2012,
  AudioDevice: 2030,
  FirstFrame: 2032,
  VideoDecodeFailed: 2101,
  AudioDecodeFailed: 2102,
  Reconnecting: 2103,
  UnstableInput: 2104,
  Stalled: 2105,
  Discontinuity: 2107,
  FirstKeyframeFailed: 2108,
  ConnectFailed: 3002,
  HandshakeFailed: 3003,
  ReadFailed: 3005,
  GaveUp: -2301,
} as const;

export type StateCode = (typeof Code)[keyof typeof Code];

/** What each code means, for logs. Words for people come from the catalogues in `i18n/`. */
const MESSAGES: Readonly<Record<StateCode, string>> = {
  2001: 'connected to the server',
  2002: 'media data is arriving',
  2003: 'first keyframe received',
  2004: 'playing',
  2006: 'the stream ended',
  2007: 'loading',
  2008: 'decoder started',
  2009: 'resolution changed',
  2012: 'SEI message',
  2030: 'audio device changed',
  2032: 'first frame rendered',
  2101: 'video decoding failed',
  2102: 'audio decoding failed',
  2103: 'disconnected, reconnecting',
  2104: 'the input is unstable',
  2105: 'playback stalled',
  2107: 'discontinuity, frames were skipped',
  2108: 'no keyframe arrived',
  3002: 'connecting failed',
  3003: 'the server refused',
  3005: 'reading failed',
  [-2301]: 'gave up reconnecting',
};

/** The English log message of a code; details are appended after a colon. */
export function messageOf(code: StateCode, detail = ''): string {
  const text = MESSAGES[code];
  return detail === '' ? text : `${text}: ${detail}`;
}
