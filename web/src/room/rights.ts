//! Who may do what, so that a page offers what will not be refused. The server decides; docs/signalling/rights.json has its table.

import type { All, Own } from './tracks.ts';

const GUEST = ['chat', 'react', 'hand'] as const;
const SPEAKER = ['sound', 'picture', 'chat', 'react'] as const;
const COHOST = [
  'sound', 'picture', 'screen', 'chat', 'react', 'draw', 'step_up', 'invite', 'mute', 'move', 'allow', 'remove',
  'moderate', 'configure',
] as const;
const HOST = [...COHOST, 'appoint', 'end'] as const;

export type Right = (typeof GUEST)[number] | (typeof SPEAKER)[number] | (typeof HOST)[number];
/** A role, guests told apart by their place. */
export type Standing = 'host' | 'cohost' | 'speaker' | 'audience';

const TABLE: Readonly<Record<Standing, readonly Right[]>> = {
  host: HOST,
  cohost: COHOST,
  speaker: SPEAKER,
  audience: GUEST,
};

/** What templates add. */
const GRANTS: Readonly<Record<string, Partial<Record<Standing, readonly Right[]>>>> = {
  call: { speaker: ['screen', 'draw'], audience: ['step_up'] },
  meeting: { speaker: ['screen', 'draw'], audience: ['step_up'] },
  'class-small': { speaker: ['draw'], audience: ['step_up'] },
};

/** Whether a standing has a right in rooms of this template. */
export function holds(right: Right, standing: Standing, template: string): boolean {
  const granted = Object.hasOwn(GRANTS, template) ? GRANTS[template]?.[standing] : undefined;
  return TABLE[standing].includes(right) || (granted?.includes(right) ?? false);
}

/** Whether this member may do it now, with what a host allowed or forbade. */
export function may(own: Own, all: All, right: Right): boolean {
  const exception = own.exceptions.find((exception) => exception.right === right);
  if (exception !== undefined) return exception.allowed;
  const onStage = all.stage.some(({ member }) => member === own.id);
  const standing = own.role !== 'guest' ? own.role : onStage ? 'speaker' : 'audience';
  return holds(right, standing, all.about.template);
}
