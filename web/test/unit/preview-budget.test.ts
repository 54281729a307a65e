//! Only a few previews at a time.

import { expect, it } from 'vitest';
import { PreviewBudget } from '../../src/play/preview-budget.ts';

it('grants_the_first_streams_in_view_and_the_next_when_one_leaves', () => {
  const budget = new PreviewBudget(2);
  for (const key of ['a', 'b', 'c']) budget.handleVisible(key, true);
  expect([...budget.granted]).toEqual(['a', 'b']);
  budget.handleVisible('a', false);
  expect([...budget.granted]).toEqual(['b', 'c']);
});

it('puts_what_was_asked_for_before_the_others', () => {
  const budget = new PreviewBudget(1);
  budget.handleVisible('a', true);
  budget.handleVisible('b', true);
  budget.want('b');
  expect([...budget.granted]).toEqual(['b']);
  budget.forget('b');
  expect([...budget.granted]).toEqual(['a']);
});

it('gives_all_in_view_their_turn_but_keeps_what_was_asked_for', () => {
  const budget = new PreviewBudget(2);
  for (const key of ['a', 'b', 'c']) budget.handleVisible(key, true);
  expect(budget.rotate()).toBe(true);
  expect([...budget.granted]).toEqual(['c', 'a']);
  budget.want('c');
  budget.rotate();
  budget.rotate();
  expect(budget.granted.has('c')).toBe(true);
  budget.handleVisible('a', false);
  expect(budget.rotate()).toBe(false);
});

it('shows_only_what_was_asked_for_where_nothing_may_move_by_itself', () => {
  const budget = new PreviewBudget(0);
  for (const key of ['a', 'b']) budget.handleVisible(key, true);
  expect([...budget.granted]).toEqual([]);
  expect(budget.rotate()).toBe(false);
  budget.want('b');
  expect([...budget.granted]).toEqual(['b']);
});
