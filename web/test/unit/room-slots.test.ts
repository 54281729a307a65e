//! Slots of the stage session and the layouts: who is where, and what is asked for.

import { describe, expect, it } from 'vitest';
import { LeadSpeaker, type Performer, arrange, gridOf, layoutOf } from '../../src/room/layout.ts';
import { roomUsAt } from '../../src/room/clock.ts';
import { ASK_EVERY_MS, Slots, TILES } from '../../src/room/slots.ts';

const MIDS = Array.from({ length: TILES }, (_, at) => String(at + 6));
const wanted = (member: number, width = 320, height = 180) => ({ member, width, height });
const asked = (text: string | undefined) => (JSON.parse(text ?? '{"tiles":null}') as { tiles: object[] }).tiles;
const tile = (mid: string, member: number | null, state = 'playing') => JSON.stringify({ type: 'tile', mid, member, width: 320, height: 180, state });

describe('Slots', () => {
  it('asks_for_the_whole_list_in_order_of_importance', () => {
    const slots = new Slots(MIDS);
    expect(slots.poll(0)).toBeUndefined();
    slots.want([wanted(3, 1279, 720), wanted(5)]);
    expect(asked(slots.poll(0))).toEqual([
      { mid: '6', member: 3, width: 1280, height: 720 },
      { mid: '7', member: 5, width: 320, height: 192 },
    ]);
    slots.want([wanted(5), wanted(3)]);
    expect(asked(slots.poll(ASK_EVERY_MS)).map((each) => (each as { mid: string }).mid)).toEqual(['7', '6']);
  });

  it('says_nothing_twice_and_nothing_too_often', () => {
    const slots = new Slots(MIDS);
    slots.want([wanted(3)]);
    expect(slots.poll(0)).toBeDefined();
    slots.want([wanted(3, 318, 179)]);
    expect(slots.poll(1_000)).toBeUndefined();
    slots.want([wanted(4)]);
    expect(slots.poll(ASK_EVERY_MS - 1)).toBeUndefined();
    expect(slots.poll(ASK_EVERY_MS)).toBeDefined();
    slots.want([]);
    expect(asked(slots.poll(1_000))).toEqual([]);
  });

  it('a_member_keeps_its_slot_while_others_come_and_go', () => {
    const slots = new Slots(MIDS);
    slots.want([wanted(1), wanted(2), wanted(3)]);
    slots.poll(0);
    slots.want([wanted(3), wanted(4)]);
    expect(asked(slots.poll(1_000))).toMatchObject([{ mid: '8', member: 3 }, { mid: '6', member: 4 }]);
  });

  it('somebody_new_gets_a_slot_that_shows_nobody_rather_than_the_picture_of_another', () => {
    const slots = new Slots(['6', '7', '8']);
    slots.want([wanted(1)]);
    slots.handleMessage(tile('6', 1));
    slots.want([wanted(2)]);
    expect(asked(slots.poll(0))).toMatchObject([{ mid: '7', member: 2 }]);
    slots.want([wanted(1)]);
    expect(asked(slots.poll(1_000))).toMatchObject([{ mid: '6', member: 1 }]);
  });

  it('knows_which_moment_an_rtp_time_is_while_the_same_member_feeds_the_slot', () => {
    const slots = new Slots(MIDS);
    const mapping = { rtp: 90_000, rate: 90_000, at_us: 1_790_000_000_000_000 };
    expect(slots.handleMessage(JSON.stringify({ type: 'clock', mid: '6', member: 3, ...mapping }))).toBe(false);
    expect(roomUsAt(slots.mapping('6', 3) ?? { rtp: 0, rate: 1, at_us: 0 }, 135_000)).toBe(mapping.at_us + 500_000);
    expect(slots.mapping('6', 4)).toBeUndefined();
    expect(slots.mapping('7', 3)).toBeUndefined();
    slots.handleMessage(JSON.stringify({ type: 'clock', mid: '7', member: 3, rtp: 'x' }));
    expect(slots.mapping('7', 3)).toBeUndefined();
  });

  it('shows_whom_the_server_says_and_not_whom_it_asked_for', () => {
    const slots = new Slots(MIDS);
    slots.want([wanted(3)]);
    expect(slots.tileOf(3)).toBeUndefined();
    expect(slots.handleMessage(tile('6', 3, 'waiting'))).toBe(true);
    expect(slots.tileOf(3)).toMatchObject({ mid: '6', state: 'waiting' });
    slots.handleMessage('{"type":"tile","mid":"6","member":3,"width":0,"height":0,"state":"paused","reason":"bandwidth"}');
    expect(slots.tileOf(3)).toMatchObject({ state: 'paused', reason: 'bandwidth' });
    slots.handleMessage(tile('6', null));
    expect(slots.tileOf(3)).toBeUndefined();
  });

  it('more_are_wanted_than_there_are_slots', () => {
    const slots = new Slots(MIDS);
    slots.want(Array.from({ length: 20 }, (_, at) => wanted(at + 1)));
    const message = slots.poll(0);
    expect(asked(message)).toHaveLength(TILES);
    expect(message?.length).toBeLessThanOrEqual(1_024);
  });

  it('knows_voices_and_speakers_and_passes_over_the_rest', () => {
    const slots = new Slots(MIDS);
    slots.handleMessage('{"type":"voice","mid":"0","member":3}');
    slots.handleMessage('{"type":"voice","mid":"1","member":4}');
    slots.handleMessage('{"type":"voice","mid":"0","member":null}');
    expect([...slots.voices]).toEqual([['1', 4]]);
    slots.handleMessage('{"type":"speakers","speakers":[{"member":3,"level":-23},{"member":"x"},null]}');
    expect(slots.speakers).toEqual([{ member: 3, level: -23 }]);
    expect(slots.handleMessage('{"type":"hold","ms":240}')).toBe(true);
    expect(slots.handleMessage('{"type":"hold","ms":240}')).toBe(false);
    expect(slots.holdMs).toBe(240);
    for (const bad of ['', 'null', '{}', '{"type":"tile"}', '{"type":"voice","mid":1}', '{"type":"speakers"}', 7, `"${'x'.repeat(2_000)}"`]) {
      expect(slots.handleMessage(bad)).toBe(false);
    }
  });
});

const performer = (member: number, more: Partial<Performer> = {}): Performer => ({
  ...{ member, isOwn: false, isHost: false, sharesScreen: false },
  ...more,
});
const three = [performer(1, { isHost: true }), performer(2, { isOwn: true }), performer(3)];
const scene = (more: Partial<Parameters<typeof arrange>[0]>) =>
  arrange({ layout: 'speaker', performers: three, focus: null, lead: undefined, hasSlides: false, ...more });

describe('arrange', () => {
  it('shows_another_large_and_oneself_last', () => {
    expect(scene({})).toEqual({ main: 1, others: [3, 2] });
    expect(scene({ lead: 3 })).toEqual({ main: 3, others: [1, 2] });
    expect(scene({ lead: 2 }).main).toBe(1);
    expect(scene({ performers: [performer(2, { isOwn: true })] })).toEqual({ main: 2, others: [] });
    expect(scene({ performers: [] })).toEqual({ main: undefined, others: [] });
  });

  it('the_hosts_choice_comes_before_a_screen_and_a_screen_before_who_speaks', () => {
    const performers = [performer(1), performer(2, { sharesScreen: true }), performer(3)];
    expect(scene({ performers, lead: 3 }).main).toBe(2);
    expect(scene({ performers, lead: 3, focus: 1 }).main).toBe(1);
    expect(scene({ performers, lead: 3, focus: 9 }).main).toBe(2);
  });

  it('a_class_looks_at_the_teacher_or_at_the_slides', () => {
    expect(scene({ layout: 'teacher', lead: 3 }).main).toBe(1);
    expect(scene({ layout: 'teacher', hasSlides: true })).toEqual({ main: undefined, others: [1, 2, 3] });
  });

  it('a_gallery_has_everybody', () => {
    expect(scene({ layout: 'gallery', focus: 3 })).toEqual({ main: undefined, others: [1, 3, 2] });
    expect(['call', 'class-large', 'class-small', 'meeting', 'show', '?'].map((template) => layoutOf(template, false))).toEqual([
      ...['speaker', 'teacher', 'gallery', 'gallery', 'speaker', 'gallery'],
    ]);
    expect(layoutOf('meeting', true)).toBe('speaker');
  });
});

it('a_grid_makes_tiles_as_large_as_the_space_allows', () => {
  expect(gridOf(1, 1600, 900)).toEqual({ columns: 1, rows: 1 });
  expect(gridOf(2, 1600, 900)).toEqual({ columns: 2, rows: 1 });
  expect(gridOf(2, 390, 844)).toEqual({ columns: 1, rows: 2 });
  expect(gridOf(4, 1600, 900)).toEqual({ columns: 2, rows: 2 });
  expect(gridOf(9, 1600, 900)).toEqual({ columns: 3, rows: 3 });
  expect(gridOf(6, 390, 700)).toEqual({ columns: 2, rows: 3 });
  expect(gridOf(0, 0, 0)).toEqual({ columns: 1, rows: 1 });
});

describe('LeadSpeaker', () => {
  it('is_taken_by_who_speaks_for_a_while_and_kept_for_a_while', () => {
    const lead = new LeadSpeaker();
    expect(lead.handleLoudest(3, 0)).toBe(true);
    expect(lead.handleLoudest(4, 100)).toBe(false);
    expect(lead.handleLoudest(3, 1_000)).toBe(false);
    expect(lead.handleLoudest(4, 2_000)).toBe(false);
    expect(lead.handleLoudest(4, 3_400)).toBe(false);
    expect(lead.handleLoudest(4, 3_500)).toBe(true);
    expect(lead.handleLoudest(undefined, 9_000)).toBe(false);
    expect(lead.member).toBe(4);
    lead.handleDown(4);
    expect(lead.handleLoudest(3, 9_001)).toBe(true);
  });
});
