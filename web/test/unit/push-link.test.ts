//! A WHIP connection through outages and changes of the network, in virtual time.

import { describe, expect, it } from 'vitest';
import { AWAY_MS, DISCONNECTED_MS, HEAL_MS, PROBE_EVERY_MS, PushLink, QUIET_MS, RESTARTING_MS, SILENT_MS } from '../../src/publish/push-link.ts';

const TICK_MS = 200;

function outputsOf(link: PushLink): string[] {
  const found: string[] = [];
  for (let output = link.poll(); output !== undefined; output = link.poll()) found.push(output.do);
  return found;
}

/** Ticks until `toMs`, with ICE in this state; probes are answered by `reach`. */
function run(link: PushLink, fromMs: number, toMs: number, ice: 'connected' | 'disconnected' | 'failed', reach?: boolean): string[] {
  const all: string[] = [];
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += TICK_MS) {
    link.handleStates(ice, ice === 'connected' ? 'connected' : ice, nowMs);
    link.handleTick(nowMs);
    const outputs = outputsOf(link);
    all.push(...outputs);
    if (reach !== undefined && outputs.includes('probe')) {
      link.handleProbed(reach, nowMs);
      all.push(...outputsOf(link));
    }
  }
  return all;
}

describe('PushLink', () => {
  it('says_nothing_while_all_is_well', () => {
    expect(run(new PushLink(0), 0, 60_000, 'connected')).toEqual([]);
  });

  it('waits_out_a_short_gap_without_asking_the_server', () => {
    const link = new PushLink(0);
    expect(run(link, 1_000, 1_000 + DISCONNECTED_MS - TICK_MS, 'disconnected')).toEqual(['interrupted']);
    expect(run(link, 2_200, 3_000, 'connected')).toEqual(['healed']);
  });

  it('asks_again_and_again_during_an_outage_and_lets_ice_heal_without_a_restart', () => {
    const link = new PushLink(0);
    const outputs = run(link, 1_000, 21_000, 'disconnected', false);
    expect(outputs[0]).toBe('interrupted');
    const probes = outputs.filter((each) => each === 'probe').length;
    expect(probes).toBeGreaterThan(15);
    expect(probes).toBeLessThanOrEqual(20_000 / PROBE_EVERY_MS);
    expect(outputs).not.toContain('restart');
    expect(run(link, 21_200, 22_000, 'connected')).toEqual(['healed']);
  });

  it('restarts_ice_when_the_server_answers_and_the_path_does_not_heal', () => {
    const link = new PushLink(0);
    const outputs = run(link, 1_000, 1_000 + DISCONNECTED_MS + HEAL_MS + TICK_MS, 'disconnected', true);
    expect(outputs).toEqual(['interrupted', 'probe', 'restart']);
    link.handleRestarted(true, 3_000);
    expect(run(link, 3_200, 4_000, 'connected')).toEqual(['healed']);
  });

  it('restarts_at_once_when_the_browser_says_that_the_network_has_changed_though_ice_believes_in_it', () => {
    const link = new PushLink(0);
    run(link, 0, 5_000, 'connected');
    link.handleNetworkChange(5_100);
    expect(outputsOf(link)).toEqual(['interrupted', 'probe']);
    link.handleProbed(true, 5_200);
    expect(run(link, 5_300, 5_800, 'connected')).toEqual(['restart']);
    // The old path counts for nothing until the server has agreed to the new one.
    expect(run(link, 6_000, 6_200, 'connected')).toEqual([]);
    link.handleRestarted(true, 6_300);
    expect(run(link, 6_400, 6_600, 'connected')).toEqual(['healed']);
  });

  it('restarts_ice_when_nothing_comes_from_a_server_that_answers_and_not_when_it_is_heard_again', () => {
    const link = new PushLink(0);
    link.handleSilence(QUIET_MS - 1, 900);
    expect(run(link, 1_000, 1_200, 'connected')).toEqual([]);
    link.handleSilence(SILENT_MS, 1_400);
    expect(outputsOf(link)).toEqual(['interrupted', 'probe']);
    link.handleProbed(true, 1_500);
    expect(run(link, 1_600, 1_600, 'connected')).toEqual(['restart']);
    const spared = new PushLink(0);
    spared.handleSilence(SILENT_MS, 1_000);
    spared.handleProbed(true, 1_100);
    spared.handleSilence(20, 1_200);
    expect([...outputsOf(spared), ...run(spared, 1_300, 3_000, 'connected')]).toEqual(['interrupted', 'probe', 'healed']);
  });

  it('asks_the_server_while_it_is_only_quiet_and_restarts_at_once_when_the_path_is_given_up', () => {
    const link = new PushLink(0);
    link.handleSilence(QUIET_MS, 1_000);
    link.handleSilence(QUIET_MS + 100, 1_100);
    expect(outputsOf(link)).toEqual(['probe']);
    link.handleProbed(true, 1_150);
    expect(run(link, 1_200, 1_200, 'connected')).toEqual([]);
    link.handleSilence(SILENT_MS, 1_300);
    expect(outputsOf(link)).toEqual(['interrupted', 'restart']);
    link.handleRestarted(true, 1_500);
    // ICE still calls the old path connected, and nothing comes by it: browsers learn of a new address two seconds later.
    for (let nowMs = 1_600; nowMs < 3_300; nowMs += 100) {
      expect(run(link, nowMs, nowMs, 'connected')).toEqual([]);
      link.handleSilence(nowMs - 700, nowMs);
    }
    link.handleSilence(40, 3_300);
    expect(outputsOf(link)).toEqual(['healed']);
  });

  it('waits_for_the_answer_that_it_has_asked_for_and_asks_again_where_there_was_none', () => {
    const waiting = new PushLink(0);
    waiting.handleSilence(QUIET_MS, 1_000);
    waiting.handleSilence(SILENT_MS, 1_300);
    expect(outputsOf(waiting)).toEqual(['probe', 'interrupted']);
    waiting.handleProbed(true, 1_400);
    expect(run(waiting, 1_500, 1_500, 'connected')).toEqual(['restart']);
    waiting.handleSilence(50, 1_550);
    expect(outputsOf(waiting)).toEqual([]);
    const away = new PushLink(0);
    away.handleSilence(QUIET_MS, 1_000);
    away.handleProbed(false, 1_200);
    away.handleSilence(SILENT_MS, 1_300);
    expect(outputsOf(away)).toEqual(['probe', 'interrupted', 'probe']);
  });

  it('asks_once_for_each_quiet_time_and_changes_nothing_when_it_is_heard_again', () => {
    const link = new PushLink(0);
    for (const quietMs of [QUIET_MS, 20, QUIET_MS, QUIET_MS + 200]) link.handleSilence(quietMs, 1_000);
    expect(outputsOf(link)).toEqual(['probe']);
    link.handleProbed(true, 1_100);
    link.handleSilence(20, 1_200);
    link.handleSilence(QUIET_MS, 2_000);
    expect(outputsOf(link)).toEqual(['probe']);
    link.handleProbed(true, 2_100);
    link.handleSilence(20, 2_200);
    expect(run(link, 2_300, 5_000, 'connected')).toEqual([]);
  });

  it('keeps_a_path_that_works_where_the_server_does_not_answer_http', () => {
    const link = new PushLink(0);
    link.handleNetworkChange(1_000);
    outputsOf(link);
    link.handleProbed(false, 2_500);
    expect(run(link, 2_600, 3_000, 'connected')).toEqual(['healed']);
  });

  it('is_lost_when_the_server_refuses_the_restart_or_nothing_comes_of_it', () => {
    const refused = new PushLink(0);
    run(refused, 0, 3_000, 'disconnected', true);
    refused.handleRestarted(false, 3_000);
    expect(outputsOf(refused)).toEqual(['lost']);
    const silent = new PushLink(0);
    run(silent, 0, 3_000, 'disconnected', true);
    expect(run(silent, 3_200, 3_200 + RESTARTING_MS, 'disconnected')).toEqual(['lost']);
    expect(run(silent, 20_000, 60_000, 'disconnected', true)).toEqual([]);
  });

  it('is_lost_when_the_server_has_been_away_for_longer_than_it_keeps_a_session', () => {
    const link = new PushLink(0);
    const outputs = run(link, 0, AWAY_MS + TICK_MS, 'failed', false);
    expect(outputs.at(-1)).toBe('lost');
    expect(outputs.filter((each) => each === 'lost')).toHaveLength(1);
  });

  it('takes_a_peer_that_failed_before_its_ice_for_an_outage_and_restarts_at_once_when_the_server_is_back', () => {
    const link = new PushLink(0);
    link.handleStates('disconnected', 'failed', 1_000);
    expect(outputsOf(link)).toEqual(['interrupted']);
    expect(run(link, 1_200, 8_000, 'failed', false)).not.toContain('lost');
    // At most one interval to the next probe, and no wait for what cannot heal.
    const outputs = run(link, 8_200, 8_200 + PROBE_EVERY_MS + TICK_MS, 'failed', true);
    expect(outputs).toEqual(['probe', 'restart']);
  });

  it('is_lost_at_once_when_dtls_fails', () => {
    const link = new PushLink(0);
    link.handleStates('connected', 'failed', 1_000);
    expect(outputsOf(link)).toEqual(['lost']);
  });
});
