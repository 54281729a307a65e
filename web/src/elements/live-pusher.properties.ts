//! Attributes of `<live-pusher>` under WeChat's names, and how their texts are read.

/** Attributes of a Mini Program arrive as `"false"` too; in HTML, presence means true. */
const flag = (attribute: string, byDefault = false) => ({
  attribute,
  converter: {
    fromAttribute: (value: string | null): boolean => (value === null ? byDefault : value !== 'false'),
    toAttribute: (value: boolean): string | null => (value === byDefault ? null : String(value)),
  },
});

const text = (attribute: string) => ({ attribute });
/** Nothing at all where the attribute is missing or says no number. */
const number = (attribute: string, byDefault?: number) => ({
  attribute,
  converter: {
    fromAttribute: (value: string | null): number | undefined => {
      const read = value === null || value.trim() === '' ? NaN : Number(value);
      return Number.isFinite(read) ? read : byDefault;
    },
  },
});

/** A whole number within a scale of WeChat's. */
const step = (attribute: string, max: number) => ({
  attribute,
  converter: {
    fromAttribute: (value: string | null): number => Math.min(max, Math.max(0, Math.round(Number(value ?? 0)) || 0)),
  },
});

export const pusherProperties = {
  url: {},
  token: { attribute: false },
  mode: {},
  autopush: flag('autopush'),
  muted: flag('muted'),
  enableCamera: flag('enable-camera', true),
  enableMic: flag('enable-mic', true),
  orientation: { reflect: true },
  devicePosition: text('device-position'),
  mirror: flag('mirror'),
  remoteMirror: flag('remote-mirror'),
  localMirror: text('local-mirror'),
  aspect: {},
  minBitrate: number('min-bitrate'),
  maxBitrate: number('max-bitrate'),
  videoWidth: number('video-width'),
  videoHeight: number('video-height'),
  fps: number('fps'),
  audioQuality: text('audio-quality'),
  waitingImage: text('waiting-image'),
  backgroundMute: flag('background-mute'),
  beauty: step('beauty', 9),
  whiteness: step('whiteness', 9),
  beautyStyle: text('beauty-style'),
  filter: {},
  zoom: flag('zoom'),
  audioReverbType: step('audio-reverb-type', 7),
  voiceChangerType: step('voice-changer-type', 11),
  enableAgc: flag('enable-agc'),
  enableAns: flag('enable-ans'),
  enableAec: flag('enable-aec', true),
  simulcast: flag('simulcast'),
  source: {},
  cameraId: text('camera-id'),
  microphoneId: text('microphone-id'),
  autoResume: flag('auto-resume'),
  controls: {},
  debug: flag('debug'),
  file: { attribute: false },
  loop: flag('loop'),
  stream: { attribute: false },
};
