//! What one may do with another member, from rights and ranks: only what will not be refused is offered.

import type { Command, PersonalRight } from '../../room/messages.ts';
import type { Person, Role, Sending } from '../../room/tracks.ts';
import type { Question } from './ui.ts';
import type { RoomView } from './view.ts';

export interface Action {
  readonly label: string;
  /** It takes something away for good, and asks before. */
  readonly isGrave: boolean;
  readonly act: () => void;
}

const RANKS: Readonly<Record<Role, number>> = { guest: 0, cohost: 1, host: 2 };

export function actionsOn(view: RoomView, person: Person): readonly Action[] {
  const { own, all, session } = view;
  if (person.id === own.id) return [];
  const sending = all.stage.find(({ member }) => member === person.id)?.sending;
  const outranks = RANKS[own.role] > RANKS[person.role];
  return [
    ...(sending === undefined ? belowActions(view, person) : upActions(view, person, sending, outranks)),
    ...(outranks && session.may('allow') ? chatActions(view, person) : []),
    ...(session.may('appoint') ? rankActions(view, person) : []),
    ...(outranks && session.may('remove') ? graveActions(view, person) : []),
  ];
}

function belowActions(view: RoomView, { id }: Person): readonly Action[] {
  const { words, session } = view;
  if (!session.may('invite')) return [];
  const isInvited = session.hosts?.invitations.some(({ member }) => member === id) === true;
  return [isInvited ? plain(view, words.withdraw, { name: 'withdraw', member: id }) : plain(view, words.invite, { name: 'invite', member: id })];
}

function upActions(view: RoomView, { id }: Person, { sound, picture, screen }: Sending, outranks: boolean): readonly Action[] {
  const { words, session, all } = view;
  const mutes = session.may('mute');
  const isFocus = all.focus === id;
  return [
    ...(session.may('configure') ? [plain(view, isFocus ? words.unfocus : words.focus, { name: 'focus', member: isFocus ? null : id })] : []),
    ...(mutes && sound && outranks ? [plain(view, words.mute, { name: 'mute', member: id, media: 'sound' })] : []),
    ...(mutes && !sound ? [plain(view, words.askSound, { name: 'ask_unmute', member: id, media: 'sound' })] : []),
    ...(mutes && picture && outranks ? [plain(view, words.stopPicture, { name: 'mute', member: id, media: 'picture' })] : []),
    ...(mutes && !picture ? [plain(view, words.askPicture, { name: 'ask_unmute', member: id, media: 'picture' })] : []),
    ...(mutes && screen && outranks ? [plain(view, words.stopTheirScreen, { name: 'mute', member: id, media: 'screen' })] : []),
    ...(session.may('move') && outranks ? [plain(view, words.takeDown, { name: 'take_down', member: id })] : []),
  ];
}

/** Whether it was forbidden before is the member's own affair: both are offered. */
function chatActions(view: RoomView, { id }: Person): readonly Action[] {
  const { words } = view;
  const allow = (right: PersonalRight, allowed: boolean): Command => ({ name: 'allow', member: id, right, allowed });
  return [plain(view, words.forbidChat, allow('chat', false)), plain(view, words.allowChat, allow('chat', true))];
}

function rankActions(view: RoomView, { id, name, role }: Person): readonly Action[] {
  const { words } = view;
  const other = role === 'cohost' ? ({ label: words.dismiss, role: 'guest' } as const) : ({ label: words.appoint, role: 'cohost' } as const);
  return [
    plain(view, other.label, { name: 'appoint', member: id, role: other.role }),
    grave(view, words.sureHandOver(name), words.handOver, { name: 'hand_over', member: id }),
  ];
}

function graveActions(view: RoomView, { id, name }: Person): readonly Action[] {
  const { words } = view;
  return [
    grave(view, words.sureRemove(name), words.remove, { name: 'remove', member: id }),
    grave(view, words.sureBan(name), words.ban, { name: 'ban', member: id }),
  ];
}

function plain({ session }: RoomView, label: string, command: Command): Action {
  return { label, isGrave: false, act: () => void session.command(command) };
}

function grave({ session, ui }: RoomView, question: Pick<Question, 'title' | 'text'>, label: string, command: Command): Action {
  const act = (): void => void session.command(command);
  return { label, isGrave: true, act: () => ui.set({ question: { ...question, doIt: label, act } }) };
}
