//! Streams of the mock as the API tells them; no two alike, so that lists look as they do in life.

/** The `at`th stream. The second one's publisher is away, the third has sound alone. */
export function describeStream(path, at, { control, startedMs, viewers }) {
  const counts = { ...viewers, rtmp: at, hls: (at * 37) % 150, whep: at % 5 };
  const tracks = at === 2 ? [sound(0)] : [picture(at), sound(1)];
  return {
    path,
    state: at === 1 ? 'waiting' : control.state,
    since: new Date(startedMs - at * 4_000_000).toISOString(),
    viewers: counts,
    viewers_total: Object.values(counts).reduce((sum, count) => sum + count, 0),
    bitrate_bps: tracks.reduce((sum, { bitrate_bps }) => sum + bitrate_bps, 0),
    tracks,
    conversions: at === 1 ? [] : [{ what: 'Opus from AAC', viewers: ['whep'], cores: 0.0084 }],
    publisher:
      at === 1 ? null : { protocol: 'rtmp', address: '192.0.2.14:52114', agent: 'FMLE/3.0 (compatible; FMSc/1.0)' },
  };
}

function picture(at) {
  const [width, height] = at % 3 === 0 ? [1280, 720] : [1920, 1080];
  return {
    ...{ id: 0, kind: 'video', codec: 'avc1.42c01f', name: 'H.264', width, height },
    ...{ sample_rate: null, channels: null, bitrate_bps: 1_500_000 + at * 10_000, fps: 30, group_ms: 2000 },
  };
}

function sound(id) {
  return {
    ...{ id, kind: 'audio', codec: 'mp4a.40.2', name: 'AAC', width: null, height: null },
    ...{ sample_rate: 48000, channels: 2, bitrate_bps: 96_000, fps: null, group_ms: null },
  };
}
