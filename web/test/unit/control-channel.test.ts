//! What a viewer tells of what it shows, and what it makes of what the server tells.

import { describe, expect, it } from 'vitest';
import { ControlChannel, HOLD_MAX_MS, VIEW_EVERY_MS } from '../../src/play/control-channel.ts';

const VIEW = { width: 640, height: 360, visible: true };

describe('the control channel', () => {
  it('tells a view once, and a changed one no sooner than a quarter of a second later', () => {
    const channel = new ControlChannel();
    expect(channel.poll(0)).toBeUndefined();
    channel.handleView(VIEW);
    expect(channel.poll(10)).toBe('{"type":"view","width":640,"height":360,"visible":true}');
    expect(channel.poll(5_000)).toBeUndefined();
    channel.handleView({ ...VIEW, visible: false });
    expect(channel.poll(5_001)).toContain('"visible":false');
    channel.handleView(VIEW);
    expect(channel.poll(5_001 + VIEW_EVERY_MS - 1)).toBeUndefined();
    expect(channel.poll(5_001 + VIEW_EVERY_MS)).toContain('"visible":true');
  });

  it('says no more than four things a second while a window is dragged', () => {
    const channel = new ControlChannel();
    let said = 0;
    for (let ms = 0; ms < 10_000; ms += 16) {
      channel.handleView({ ...VIEW, width: 640 + ms });
      if (channel.poll(ms) !== undefined) said += 1;
    }
    expect(said).toBeGreaterThan(30);
    expect(said).toBeLessThanOrEqual(40);
  });

  it('knows the layer it sees, and when there is sound alone', () => {
    const channel = new ControlChannel();
    expect(channel.state).toEqual({ layer: undefined, soundOnly: false, holdMs: 0 });
    expect(channel.handleMessage('{"type":"layer","rid":"m","width":640,"height":360,"reason":"size"}')).toBe(true);
    expect(channel.state.layer).toEqual({ rid: 'm', width: 640, height: 360, reason: 'size' });
    expect(channel.handleMessage('{"type":"video","state":"paused","reason":"bandwidth"}')).toBe(true);
    expect(channel.state.soundOnly).toBe(true);
    expect(channel.handleMessage('{"type":"video","state":"paused","reason":"bandwidth"}')).toBe(false);
    channel.handleMessage('{"type":"video","state":"playing","reason":"bandwidth"}');
    expect(channel.state.soundOnly).toBe(false);
  });

  it('knows how long to hold what comes, within reason', () => {
    const channel = new ControlChannel();
    expect(channel.handleMessage('{"type":"hold","ms":240}')).toBe(true);
    expect(channel.state.holdMs).toBe(240);
    expect(channel.handleMessage('{"type":"hold","ms":240}')).toBe(false);
    expect(channel.handleMessage('{"type":"hold","ms":"9"}')).toBe(false);
    channel.handleMessage('{"type":"hold","ms":99999}');
    expect(channel.state.holdMs).toBe(HOLD_MAX_MS);
    channel.handleMessage('{"type":"layer","rid":"m","width":640,"height":360,"reason":"size"}');
    expect(channel.state.holdMs).toBe(HOLD_MAX_MS);
    channel.handleMessage('{"type":"hold","ms":0}');
    expect(channel.state.holdMs).toBe(0);
  });

  it('makes nothing of what it does not know', () => {
    const channel = new ControlChannel();
    for (const text of ['', '[]', 'null', '1', '{"type":"dance"}', '{', new ArrayBuffer(3)]) {
      expect(channel.handleMessage(text)).toBe(false);
    }
    expect(channel.state).toEqual({ layer: undefined, soundOnly: false, holdMs: 0 });
  });
});
