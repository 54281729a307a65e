//! What follows a failure.

import { describe, expect, it } from 'vitest';
import type { Candidate } from '../../src/play/address.ts';
import { type Failure, Policy, RESUME_DELAYS_MS, RETRY_DELAYS_MS } from '../../src/play/policy.ts';

const HTTP: Candidate = { kind: 'http-flv', url: 'http://h/a/b.flv' };
const WHEP: Candidate = { kind: 'whep', url: 'http://h/a/b/whep' };
const WS: Candidate = { kind: 'ws-flv', url: 'ws://h/a/b.flv' };
const HLS: Candidate = { kind: 'hls', url: 'http://h/a/b.m3u8' };
const NATIVE: Candidate = { kind: 'native-hls', url: 'http://h/a/b.m3u8' };

function failure(kind: Failure['kind']): Failure {
  return { kind, detail: kind };
}

describe('Policy', () => {
  it('goes_through_the_transports_when_connecting_fails_and_then_starts_over_after_a_wait', () => {
    const policy = new Policy([HTTP, WS, HLS], false);
    expect(policy.handleFailure(failure('connect'))).toEqual({ kind: 'switch', candidate: WS });
    expect(policy.handleFailure(failure('silent'))).toEqual({ kind: 'switch', candidate: HLS });
    const third = policy.handleFailure(failure('handshake'));
    expect(third).toEqual({ kind: 'retry', candidate: HTTP, afterMs: RETRY_DELAYS_MS[0], attempt: 1 });
  });

  it('reconnects_three_times_on_the_same_transport_after_a_loss_and_then_gives_up', () => {
    const policy = new Policy([HTTP, WS], false);
    const lost = failure('lost');
    const waits = [1, 2, 3].map(() => policy.handleFailure(lost));
    expect(waits.map((each) => (each.kind === 'retry' ? [each.attempt, each.afterMs, each.candidate] : each))).toEqual([
      [1, 500, HTTP],
      [2, 1500, HTTP],
      [3, 3000, HTTP],
    ]);
    expect(policy.handleFailure(lost)).toEqual({ kind: 'give-up', failure: lost, resumeAfterMs: undefined });
  });

  it('does_not_try_other_transports_where_nothing_is_live', () => {
    const decision = new Policy([HTTP, WS], false).handleFailure(failure('offline'));
    expect(decision.kind === 'retry' && decision.candidate).toBe(HTTP);
  });

  it('forgets_failures_once_it_plays', () => {
    const policy = new Policy([HTTP], false);
    policy.handleFailure(failure('lost'));
    policy.handleFailure(failure('lost'));
    policy.handlePlaying();
    const next = policy.handleFailure(failure('lost'));
    expect(next.kind === 'retry' && next.attempt).toBe(1);
  });

  it('leaves_a_codec_that_media_source_cannot_decode_to_the_native_player_alone', () => {
    const policy = new Policy([HTTP, WS, HLS, NATIVE], false);
    expect(policy.handleFailure(failure('codec'))).toEqual({ kind: 'switch', candidate: NATIVE });
    expect(policy.handleFailure(failure('codec')).kind).toBe('give-up');
    expect(new Policy([HTTP, WS], true).handleFailure(failure('codec'))).toMatchObject({ kind: 'give-up' });
  });

  it('tries_another_library_where_one_does_not_know_the_codec_and_gives_up_when_none_does', () => {
    const policy = new Policy([HTTP, WS, HLS, NATIVE], true);
    expect(policy.handleFailure(failure('engine'))).toEqual({ kind: 'switch', candidate: HLS });
    const lost = policy.handleFailure(failure('lost'));
    expect(lost.kind === 'retry' && lost.candidate).toBe(HLS);
    expect(policy.restart()).toBe(HLS);
    expect(policy.handleFailure(failure('engine'))).toEqual({ kind: 'switch', candidate: NATIVE });
    expect(policy.handleFailure(failure('engine')).kind).toBe('give-up');
    expect(new Policy([WS, HTTP], true).handleFailure(failure('engine'))).toMatchObject({ kind: 'give-up' });
  });

  it('believes_the_browser_when_it_refuses_what_another_library_brings', () => {
    const policy = new Policy([HTTP, WS, HLS], true);
    policy.handleFailure(failure('engine'));
    expect(policy.handleFailure(failure('codec'))).toMatchObject({ kind: 'give-up' });
  });

  it('goes_from_webrtc_to_flv_when_there_is_no_common_codec_and_back_when_media_source_cannot_decode', () => {
    const policy = new Policy([WHEP, HTTP, HLS], false);
    expect(policy.handleFailure(failure('codec'))).toEqual({ kind: 'switch', candidate: HTTP });
    expect(policy.handleFailure(failure('codec')).kind).toBe('give-up');
    const other = new Policy([WHEP, HTTP, HLS], false);
    expect(other.handleFailure(failure('connect'))).toEqual({ kind: 'switch', candidate: HTTP });
    expect(other.handleFailure(failure('codec'))).toEqual({ kind: 'switch', candidate: WHEP });
  });

  it('does_not_leave_a_transport_that_has_played_because_the_stream_is_silent', () => {
    const policy = new Policy([WHEP, HTTP], false);
    policy.handlePlaying();
    expect(policy.handleFailure(failure('silent'))).toMatchObject({ kind: 'retry', candidate: WHEP });
    expect(policy.handleFailure(failure('connect'))).toEqual({ kind: 'switch', candidate: HTTP });
  });

  it('gives_up_at_once_when_refused_even_with_auto_resume', () => {
    const refused = failure('refused');
    const decision = new Policy([HTTP], true).handleFailure(refused);
    expect(decision).toEqual({ kind: 'give-up', failure: refused, resumeAfterMs: undefined });
  });

  it('looks_again_ever_more_slowly_with_auto_resume', () => {
    const policy = new Policy([HTTP], true);
    const waits = [...RESUME_DELAYS_MS, 0].map(() => policy.nextResumeMs());
    expect(waits).toEqual([...RESUME_DELAYS_MS, RESUME_DELAYS_MS.at(-1)]);
    expect(new Policy([HTTP], false).nextResumeMs()).toBeUndefined();
  });
});
