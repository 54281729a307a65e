//! The FLV walker against streams built byte by byte, cut everywhere.

import { describe, expect, it } from 'vitest';
import { FlvScanner } from '../../src/play/flv-scan.ts';

const HEADER = [0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0];

function tag(type: number, timestampMs: number, payload: readonly number[]): number[] {
  const { length } = payload;
  const u24 = (value: number): number[] => [(value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff];
  const previous = 11 + length;
  return [type, ...u24(length), ...u24(timestampMs & 0xff_ffff), (timestampMs >>> 24) & 0xff, 0, 0, 0, ...payload, 0, ...u24(previous)];
}

const key = (ms: number): number[] => tag(9, ms, [0x17, 1, 0, 0, 0, ...Array<number>(95).fill(7)]);
const delta = (ms: number): number[] => tag(9, ms, [0x27, 1, 0, 0, 0, 1, 2, 3]);
const sound = (ms: number): number[] => tag(8, ms, [0xaf, 1, 5, 6]);

const STREAM = Uint8Array.from([
  ...HEADER,
  ...tag(18, 0, [2, 0, 1, 65]),
  ...tag(9, 0, [0x17, 0, 0, 0, 0, 1, 2]),
  ...tag(8, 0, [0xaf, 0, 0x11, 0x90]),
  ...key(0),
  ...sound(10),
  ...delta(40),
  ...key(2000),
  ...delta(2040),
]);

function scan(...chunks: readonly Uint8Array[]): FlvScanner {
  const scanner = new FlvScanner();
  for (const chunk of chunks) scanner.handleInput(chunk, 0);
  return scanner;
}

describe('FlvScanner', () => {
  it('counts_bytes_by_kind_pictures_keyframes_and_their_distance', () => {
    expect(scan(STREAM).counts).toMatchObject({
      videoBytes: 7 + 100 + 8 + 100 + 8,
      audioBytes: 4 + 4,
      videoFrames: 4,
      keyframes: 2,
      groupS: 2,
      discontinuities: 0,
    });
  });

  it('gives_the_same_counts_however_the_input_is_cut', () => {
    const whole = scan(STREAM).counts;
    for (let at = 0; at <= STREAM.length; at += 1) {
      expect(scan(STREAM.subarray(0, at), STREAM.subarray(at)).counts).toEqual(whole);
    }
    expect(scan(...Array.from(STREAM, (byte) => Uint8Array.of(byte))).counts).toEqual(whole);
  });

  it('never_throws_on_a_truncated_or_foreign_stream', () => {
    for (let at = 0; at < STREAM.length; at += 1) expect(() => scan(STREAM.subarray(0, at))).not.toThrow();
    const noise = Uint8Array.from({ length: 4096 }, (_, at) => (at * 2654435761) & 0xff);
    expect(() => scan(noise)).not.toThrow();
  });

  it('knows_pictures_of_enhanced_rtmp_and_of_the_older_hevc', () => {
    const enhancedKey = tag(9, 0, [0x91, 0x68, 0x76, 0x63, 0x31]);
    const enhancedStart = tag(9, 0, [0x90, 0x68, 0x76, 0x63, 0x31]);
    const oldHevcKey = tag(9, 0, [0x1c, 1, 0, 0, 0]);
    const { counts } = scan(Uint8Array.from([...HEADER, ...enhancedStart, ...enhancedKey, ...oldHevcKey]));
    expect(counts).toMatchObject({ videoFrames: 2, keyframes: 2 });
  });

  it('sees_a_jump_of_the_media_clock_and_timestamps_beyond_24_bits', () => {
    const late = 0x0100_0000;
    const jump = Uint8Array.from([...HEADER, ...key(0), ...delta(40), ...key(late), ...delta(late + 40)]);
    expect(scan(jump).counts).toMatchObject({ discontinuities: 1, videoFrames: 4 });
  });

  it('measures_jitter_against_the_media_clock', () => {
    const scanner = new FlvScanner();
    scanner.handleInput(Uint8Array.from(HEADER), 0);
    for (let at = 0; at < 200; at += 1) scanner.handleInput(Uint8Array.from(delta(at * 40)), at * 40);
    expect(scanner.counts.jitterMs).toBe(0);
    for (let at = 200; at < 400; at += 1) {
      scanner.handleInput(Uint8Array.from(delta(at * 40)), at * 40 + (at % 2) * 50);
    }
    expect(scanner.counts.jitterMs).toBeGreaterThan(45);
    expect(scanner.counts.jitterMs).toBeLessThanOrEqual(50);
  });
});
