//! A WHEP connection on a simulated clock: when it falls on, when it mends itself, how much it buffers.

import { describe, expect, it } from 'vitest';
import type { RtcSample, TrackSample } from '../../src/play/rtc-stats.ts';
import type { EngineEvent } from '../../src/play/session.ts';
import { DISCONNECTED_MS, ICE_MS, PICTURE_MS, RESTART_MS, SECURE_MS, WhepLink } from '../../src/play/whep-link.ts';

const TICK_MS = 250;
const TRACK: TrackSample = {
  bytes: 0,
  headerBytes: 0,
  packets: 0,
  lost: 0,
  resent: 0,
  jitterS: 0.005,
  bufferedS: 0,
  emitted: 0,
  frames: 0,
  keyframes: 0,
};

interface Arrivals {
  readonly arriving?: boolean;
  readonly frames?: boolean;
  readonly lossShare?: number;
  readonly jitterS?: number;
}

/** A link with a simulated network: what arrives and gets lost in each tick. */
class Stage {
  readonly link = new WhepLink(100);
  nowMs = 0;
  events: EngineEvent[] = [];
  restarts = 0;
  targets: number[] = [];
  sample: RtcSample = { video: TRACK, audio: TRACK, roundTripS: 0.04 };

  drain(): void {
    for (let output = this.link.poll(); output !== undefined; output = this.link.poll()) {
      if (output.do === 'emit') this.events.push(output.event);
      if (output.do === 'restart') this.restarts += 1;
      if (output.do === 'target') this.targets.push(output.ms);
    }
  }

  states(...states: Parameters<WhepLink['handleStates']> extends [infer I, infer P, number] ? [I, P] : never): void {
    this.link.handleStates(...states, this.nowMs);
    this.drain();
  }

  run(ms: number, { arriving = false, frames = arriving, lossShare = 0, jitterS = 0.005 }: Arrivals = {}): void {
    for (let end = this.nowMs + ms; this.nowMs < end; ) {
      this.nowMs += TICK_MS;
      const { video = TRACK } = this.sample;
      const sent = 40;
      const lost = Math.round(sent * lossShare);
      const next = {
        ...video,
        jitterS,
        bytes: video.bytes + 1000 * (sent - lost),
        packets: video.packets + sent - lost,
        lost: video.lost + lost,
        frames: video.frames + (frames ? 8 : 0),
        keyframes: frames ? 1 : video.keyframes,
      };
      if (arriving) this.sample = { ...this.sample, video: next };
      this.link.handleSample(this.sample, this.nowMs);
      this.link.handleTick(this.nowMs);
      this.drain();
    }
  }

  up(): void {
    this.link.handleAnswer(true, this.nowMs);
    this.states('checking', 'connecting');
    this.states('connected', 'connecting');
    this.states('connected', 'connected');
  }

  get types(): readonly string[] {
    return this.events.map((event) => (event.type === 'failed' ? `failed ${event.failure.kind}` : event.type));
  }
}

describe('WhepLink', () => {
  it('tells_connection_bytes_and_keyframe_in_order', () => {
    const stage = new Stage();
    stage.up();
    stage.run(1_000, { arriving: true });
    expect(stage.types).toEqual(['connected', 'first-bytes', 'keyframe']);
    expect(stage.targets).toEqual([100]);
  });

  it('falls_on_when_ice_does_not_connect_in_three_seconds_or_fails_before', () => {
    const stage = new Stage();
    stage.link.handleAnswer(true, stage.nowMs);
    stage.states('checking', 'connecting');
    stage.run(ICE_MS - TICK_MS);
    expect(stage.types).toEqual([]);
    stage.run(TICK_MS);
    expect(stage.types).toEqual(['failed connect']);
    const early = new Stage();
    early.link.handleAnswer(true, 0);
    early.states('failed', 'failed');
    expect(early.types).toEqual(['failed connect']);
  });

  it('falls_on_when_ice_connects_and_dtls_does_not', () => {
    const stage = new Stage();
    stage.link.handleAnswer(true, stage.nowMs);
    stage.run(2_000);
    stage.states('connected', 'connecting');
    stage.run(SECURE_MS - TICK_MS);
    expect(stage.types).toEqual([]);
    stage.run(TICK_MS);
    expect(stage.types).toEqual(['failed connect']);
  });

  it('falls_on_when_media_arrives_and_no_picture_is_decoded_in_three_seconds', () => {
    const stage = new Stage();
    stage.up();
    stage.run(PICTURE_MS, { arriving: true, frames: false });
    expect(stage.types).toEqual(['connected', 'first-bytes']);
    stage.run(TICK_MS, { arriving: true, frames: false });
    expect(stage.types.at(-1)).toBe('failed silent');
  });

  it('does_not_wait_for_a_picture_where_there_is_sound_alone', () => {
    const stage = new Stage();
    stage.link.handleAnswer(false, 0);
    stage.states('connected', 'connected');
    stage.sample = { video: undefined, audio: { ...TRACK, bytes: 10 }, roundTripS: 0 };
    stage.run(PICTURE_MS * 2);
    expect(stage.types).toEqual(['connected', 'first-bytes']);
  });

  it('lets_a_short_gap_heal_and_restarts_ice_after_two_seconds', () => {
    const stage = new Stage();
    stage.up();
    stage.run(1_000, { arriving: true });
    stage.states('disconnected', 'disconnected');
    stage.run(DISCONNECTED_MS - TICK_MS);
    stage.states('connected', 'connected');
    stage.run(5_000);
    expect(stage.restarts).toBe(0);
    stage.states('disconnected', 'disconnected');
    stage.run(DISCONNECTED_MS);
    expect(stage.restarts).toBe(1);
    expect(stage.types.at(-1)).toBe('interrupted');
    stage.link.handleRestarted(true);
    stage.states('connected', 'connected');
    stage.run(RESTART_MS * 2);
    expect(stage.types.at(-1)).toBe('interrupted');
  });

  it('restarts_at_once_when_ice_has_failed_or_the_page_is_shown_again', () => {
    for (const hit of [
      (stage: Stage) => stage.states('failed', 'failed'),
      (stage: Stage) => {
        stage.states('disconnected', 'disconnected');
        stage.link.handleShown(stage.nowMs);
        stage.drain();
      },
    ]) {
      const stage = new Stage();
      stage.up();
      hit(stage);
      expect(stage.restarts).toBe(1);
    }
  });

  it('is_lost_when_the_server_refuses_the_restart_or_it_takes_too_long_or_dtls_has_ended', () => {
    const refused = new Stage();
    refused.up();
    refused.states('failed', 'failed');
    refused.link.handleRestarted(false);
    refused.drain();
    expect(refused.types.at(-1)).toBe('failed lost');

    const slow = new Stage();
    slow.up();
    slow.states('failed', 'failed');
    slow.run(RESTART_MS);
    expect(slow.types.at(-1)).toBe('failed lost');

    const ended = new Stage();
    ended.up();
    ended.states('connected', 'failed');
    expect(ended.restarts).toBe(0);
    expect(ended.types.at(-1)).toBe('failed lost');
  });

  it('says_nothing_after_it_has_failed', () => {
    const stage = new Stage();
    stage.link.handleFailure({ kind: 'offline', detail: 'HTTP 404' });
    stage.states('connected', 'connected');
    stage.run(20_000, { arriving: true });
    expect(stage.types).toEqual(['failed offline']);
  });

  it('buffers_more_under_loss_up_to_half_a_second_and_little_again_after_ten_calm_seconds', () => {
    const stage = new Stage();
    stage.up();
    stage.run(2_500, { arriving: true });
    stage.run(5_000, { arriving: true, lossShare: 0.3 });
    expect(stage.targets).toEqual([100, 200, 400, 500]);
    stage.run(10_000, { arriving: true });
    expect(stage.link.targetMs).toBe(500);
    stage.run(6_000, { arriving: true });
    expect(stage.targets).toEqual([100, 200, 400, 500, 400, 300, 200, 100]);
  });

  it('buffers_more_when_packets_scatter', () => {
    const stage = new Stage();
    stage.up();
    stage.run(2_500, { arriving: true });
    stage.run(1_250, { arriving: true, jitterS: 0.08 });
    expect(stage.link.targetMs).toBe(200);
  });

  it('does_not_take_the_rush_of_the_start_or_a_single_gust_for_the_weather', () => {
    const stage = new Stage();
    stage.up();
    stage.run(2_000, { arriving: true, jitterS: 0.2 });
    stage.run(3_000, { arriving: true });
    stage.run(750, { arriving: true, jitterS: 0.2 });
    stage.run(3_000, { arriving: true });
    expect(stage.targets).toEqual([100]);
  });

  it('keeps_its_target_through_an_outage_so_that_the_delay_is_back_at_once', () => {
    const stage = new Stage();
    stage.up();
    stage.run(5_000, { arriving: true });
    stage.run(4_000);
    // What was sent meanwhile is gone and counted as lost with the first packet that comes through.
    const { video = TRACK } = stage.sample;
    stage.sample = { ...stage.sample, video: { ...video, lost: video.lost + 600, jitterS: 0.2 } };
    stage.run(1_500, { arriving: true, jitterS: 0.2 });
    stage.run(5_000, { arriving: true });
    expect(stage.targets).toEqual([100]);
  });

  it('holds_what_comes_as_long_as_the_server_asks_and_no_shorter_than_its_own_network_wants', () => {
    const stage = new Stage();
    stage.up();
    stage.link.handleHold(60);
    stage.run(2_000, { arriving: true });
    expect(stage.targets).toEqual([100]);
    stage.link.handleHold(240);
    stage.link.handleHold(240);
    stage.run(2_000, { arriving: true });
    stage.link.handleHold(0);
    stage.run(500, { arriving: true });
    expect(stage.targets).toEqual([100, 240, 100]);
  });
});
