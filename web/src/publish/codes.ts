//! State and error codes of `<live-pusher>`: the numbers and meanings of WeChat's tag, so that code written
//! for a Mini Program reads the same events here.

/** Codes carried by the `statechange` event. Positive numbers inform, negative numbers are final. */
export const PushCode = {
  Connected: 1001,
  Pushing: 1002,
  CameraOpen: 1003,
  Resolution: 1005,
  Bitrate: 1006,
  FirstFrame: 1007,
  EncoderStart: 1008,
  WeakUplink: 1101,
  Reconnecting: 1102,
  SoftwareEncoder: 1103,
  ConnectFailed: 3002,
  HandshakeFailed: 3003,
  ReadWriteFailed: 3005,
  CameraFailed: -1301,
  MicrophoneFailed: -1302,
  VideoEncodeFailed: -1303,
  GaveUp: -1307,
} as const;

export type PushStateCode = (typeof PushCode)[keyof typeof PushCode];

/** What each code means, for logs. Words for people come from the catalogues in `i18n/`. */
const MESSAGES: Readonly<Record<PushStateCode, string>> = {
  1001: 'connected to the server',
  1002: 'pushing',
  1003: 'camera opened',
  1005: 'resolution adapted',
  1006: 'bitrate adapted',
  1007: 'first frame captured',
  1008: 'encoder started',
  1101: 'the uplink is too small',
  1102: 'disconnected, reconnecting',
  1103: 'encoding in software',
  3002: 'connecting failed',
  3003: 'the server refused',
  3005: 'sending failed',
  [-1301]: 'the camera cannot be opened',
  [-1302]: 'the microphone cannot be opened',
  [-1303]: 'video encoding failed',
  [-1307]: 'gave up reconnecting',
};

/** The English log message of a code; details are appended after a colon. */
export function pushMessageOf(code: PushStateCode, detail = ''): string {
  const text = MESSAGES[code];
  return detail === '' ? text : `${text}: ${detail}`;
}

/** `errCode` of the `error` event. */
export const PushError = { Camera: 10001, Microphone: 10002, Music: 10003, WaitingImage: 10004 } as const;

export type PushErrorCode = (typeof PushError)[keyof typeof PushError];
