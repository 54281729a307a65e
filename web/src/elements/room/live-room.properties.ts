//! Attributes of `<live-room>`, and how their texts are read.

import type { Layout } from '../../room/layout.ts';

const LAYOUTS: readonly Layout[] = ['speaker', 'gallery', 'teacher'];

const flag = (attribute: string) => ({
  attribute,
  converter: { fromAttribute: (value: string | null): boolean => value !== null && value !== 'false' },
});

const number = (attribute: string, byDefault?: number) => ({
  attribute,
  converter: {
    fromAttribute: (value: string | null): number | undefined => {
      const read = value === null || value.trim() === '' ? NaN : Number(value);
      return Number.isFinite(read) ? read : byDefault;
    },
  },
});

export const roomProperties = {
  url: {},
  token: {},
  name: {},
  muted: flag('muted'),
  cameraOff: flag('camera-off'),
  cameraId: { attribute: 'camera-id' },
  microphoneId: { attribute: 'microphone-id' },
  layout: { converter: { fromAttribute: (value: string | null): Layout | undefined => LAYOUTS.find((layout) => layout === value) } },
  ring: flag('ring'),
  caller: {},
  app: {},
  videoWidth: number('video-width'),
  videoHeight: number('video-height'),
  fps: number('fps', 24),
};
