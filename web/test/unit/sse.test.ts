//! The reader of server-sent events: the standard's examples, and any cut of them.

import { describe, expect, it } from 'vitest';
import { SseError, SseParser, type ServerEvent } from '../../src/api/sse.ts';

const GOLDEN = [
  '\uFEFFretry: 2500\n',
  ': ping\n\n',
  'event: broadcasts\ndata: {"broadcasts":[]}\n\n',
  'data: first\r\ndata: second\r\n\r\n',
  'event:stats\rdata:{"path":"课/三"}\r\r',
  'id: 7\ndata\ndata:  spaced\n\n',
  'event: empty\n\n',
  'unknown: field\ndata: last 🎤\n\n',
  'data: cut off before its end\n',
].join('');
const EVENTS: readonly ServerEvent[] = [
  { event: 'broadcasts', data: '{"broadcasts":[]}' },
  { event: 'message', data: 'first\nsecond' },
  { event: 'stats', data: '{"path":"课/三"}' },
  { event: 'message', data: '\n spaced' },
  { event: 'message', data: 'last 🎤' },
];

function read(...pieces: readonly Uint8Array[]): readonly ServerEvent[] {
  const parser = new SseParser();
  const events: ServerEvent[] = [];
  for (const piece of pieces) {
    parser.handleInput(piece);
    for (let event = parser.pollEvent(); event !== undefined; event = parser.pollEvent()) events.push(event);
  }
  expect(parser.retryMs).toBe(2_500);
  return events;
}

describe('SseParser', () => {
  const bytes = new TextEncoder().encode(GOLDEN);

  it('reads_the_golden_stream_with_every_kind_of_line_end', () => {
    expect(read(bytes)).toEqual(EVENTS);
  });

  it('reads_the_same_whatever_the_cut', () => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(read(bytes.slice(0, cut), bytes.slice(cut)), `cut at ${cut}`).toEqual(EVENTS);
    }
    expect(read(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(EVENTS);
  });

  it('gives_only_whole_events_of_a_truncated_stream', () => {
    for (let end = 0; end <= bytes.length; end += 1) {
      const parser = new SseParser();
      parser.handleInput(bytes.slice(0, end));
      const events: ServerEvent[] = [];
      for (let event = parser.pollEvent(); event !== undefined; event = parser.pollEvent()) events.push(event);
      expect(EVENTS.slice(0, events.length), `ended at ${end}`).toEqual(events);
    }
  });

  it('refuses_an_event_without_an_end', () => {
    const parser = new SseParser();
    const piece = new TextEncoder().encode(`data: ${'x'.repeat(1 << 20)}\n`);
    expect(() => {
      for (let at = 0; at < 40; at += 1) parser.handleInput(piece);
    }).toThrow(SseError);
  });
});
