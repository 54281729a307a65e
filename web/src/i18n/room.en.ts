//! English of `<live-room>` and of the pages at /demo.

import type { Layout } from '../room/layout.ts';
import type { RoomNotice } from '../room/notices.ts';
import type { Media, Reaction, Role } from '../room/tracks.ts';
import { pushEn } from './push.en.ts';

const REFUSALS: Readonly<Record<string, string>> = {
  bad_name: 'This name cannot be used. Take one of 1 to 64 visible characters.',
  bad_text: 'This text cannot be sent. It is empty, too long or has characters that cannot be seen.',
  bad_token: 'This invitation is not valid, or has run out. Ask for a new one.',
  bad_value: 'This value cannot be kept.',
  banned: 'You were banned from this room.',
  chat_closed: 'The chat is closed.',
  data_full: 'The room holds as much data as it may.',
  ended: 'The room has ended.',
  full: 'The room is full.',
  hand_is_up: 'Your hand is up already.',
  hands_closed: 'Hands cannot be raised now.',
  hands_full: 'Too many hands are up. Try again in a moment.',
  invited: 'They have been invited and have not answered yet.',
  invitations_full: 'Too many invitations are open. Wait for answers.',
  locked: 'The room is locked.',
  message_too_long: 'This is too long to be sent.',
  no_hand: 'This hand is down already.',
  no_invitation: 'The invitation has run out.',
  no_right: 'You may not do this here.',
  not_a_member: 'You are not in this room.',
  not_found: 'It is not there any more.',
  not_on_stage: 'Only from the stage.',
  not_ringing: 'The call is over.',
  on_stage: 'They are on the stage already.',
  outranked: 'You cannot do this to them.',
  room_busy: 'The room is very busy. Try again in a moment.',
  screen_taken: 'Somebody else is showing a screen.',
  second_device: 'You are in this room with another device.',
  stage_full: 'The stage is full.',
  too_fast: 'Too fast. Wait a moment.',
  unknown_member: 'They have left.',
  unsupported_version: 'This page is too old for the server. Load it again.',
  wrong_room: 'This invitation is for another room.',
};

interface Help {
  readonly title: string;
  readonly help: string;
}

const AGAIN = 'You may come in again.';
const ENDINGS: Readonly<Record<string, Help>> = {
  left: { title: 'You left the room', help: AGAIN },
  lost: { title: 'The connection was lost for too long', help: AGAIN },
  replaced: { title: 'You joined with another device', help: 'It goes on there. You may come back here.' },
  resumed: { title: 'You came back in another window', help: 'It goes on there.' },
  removed: { title: 'You were removed from the room', help: 'A host asked you to go.' },
  banned: { title: 'You were banned from the room', help: 'A host does not let you in again.' },
  flooding: { title: 'Too much at once', help: 'Your page sent far too many commands. You may come in again.' },
  ended_by_host: { title: 'The host ended the room', help: 'Thank you for being here.' },
  ended_by_backend: { title: 'The room was closed', help: 'Thank you for being here.' },
  host_left: { title: 'The host has left', help: 'That ends the room. Thank you for being here.' },
  no_answer: { title: 'Nobody answered', help: 'You may call again later.' },
  call_declined: { title: 'The call was declined', help: 'You may call again later.' },
  hung_up: { title: 'The call is over', help: 'The other side hung up.' },
  empty: { title: 'Everybody has left', help: 'The room is over.' },
  declined: { title: 'You declined the call', help: 'The caller is told.' },
  locked: { title: 'The room is locked', help: 'Ask a host to open it, then try again.' },
  full: { title: 'The room is full', help: 'Try again when somebody has left.' },
  ended: { title: 'The room has ended', help: 'Ask for a new link.' },
  second_device: { title: 'You are in this room with another device', help: 'Leave there first, then try again.' },
  wrong_room: { title: 'This invitation is for another room', help: 'Ask for a new link.' },
  bad_name: { title: 'This name cannot be used', help: 'Take one of 1 to 64 visible characters.' },
};

const MEDIA: Readonly<Record<Media, string>> = { sound: 'microphone', picture: 'camera', screen: 'screen' };
const ROLES: Readonly<Record<Role, string>> = { host: 'Host', cohost: 'Co-host', guest: '' };
const LAYOUTS: Readonly<Record<Layout, string>> = { speaker: 'Speaker', gallery: 'Gallery', teacher: 'Class' };
const REACTIONS: Readonly<Record<Reaction, string>> = {
  like: 'Like',
  love: 'Love',
  laugh: 'Laugh',
  wow: 'Wow',
  sad: 'Sad',
  clap: 'Clap',
  flower: 'Flower',
  rocket: 'Rocket',
};

function refusal(code: string, sentence: string): string {
  return REFUSALS[code] ?? sentence;
}

function notice(told: RoomNotice): string {
  switch (told.kind) {
    case 'refused':
      return refusal(told.code, told.sentence);
    case 'up':
      return 'You are on the stage';
    case 'down':
      return 'You are off the stage; nobody sees or hears you';
    case 'hand-refused':
      return 'Not now: your hand was taken down';
    case 'chat-refused':
      return 'A message of yours was not let through';
    case 'back':
      return 'You are back';
    case 'muted':
      return `A host turned your ${MEDIA[told.media]} off`;
    case 'hand':
      return `${told.name} raises a hand`;
    case 'device':
      return pushEn.refusal(told.refusal.device, told.refusal.kind).title;
    case 'sending':
      return pushEn.notice(told.notice);
  }
}

export const roomEn = {
  room: 'Room',
  untitled: { call: 'Call', 'class-small': 'Class', 'class-large': 'Class', show: 'Show', meeting: 'Meeting' } as Readonly<Record<string, string>>,
  you: 'You',
  close: 'Close',
  cancel: 'Cancel',
  tryAgain: 'Try again',
  comeBack: 'Come in again',

  // States
  joining: 'Joining the room…',
  joiningAgain: (attempt: number): string => `The room cannot be reached; trying again (${attempt})…`,
  away: (seconds: number): string => `Chat and controls are cut off; sound and pictures go on. Coming back… ${seconds} s`,
  awaySaid: 'The connection to the room is lost; coming back. Sound and pictures go on.',
  back: 'You are back',
  connectingStage: 'Connecting sound and pictures…',
  stageInterrupted: 'The network is interrupted; waiting for it',
  stageAgain: (attempt: number): string => `Sound and pictures are cut off; connecting again (${attempt})…`,
  hostAway: (seconds: number): string => `The host is away; waiting ${seconds} s`,
  hostAwaySaid: 'The host is away; waiting.',
  locked: 'Locked',
  ending: (code: string, sentence: string): Help => ENDINGS[code] ?? { title: REFUSALS[code] ?? sentence, help: '' },
  refusal,
  notice,
  noAddress: { title: 'No room', help: 'Set the url attribute to the address of a room, and token to an invitation.' },
  noSupport: { title: 'This browser cannot talk', help: 'It has no WebRTC. Try a recent Chrome, Edge, Firefox or Safari.' },

  // Stage
  stage: 'Stage',
  waitingFor: (name: string): string => `Waiting for ${name}’s picture`,
  pausedFor: 'Weak network: sound only',
  personAway: 'Connection lost; waiting',
  speaking: 'speaking',
  micIsOff: 'microphone off',
  screenOf: (name: string): string => `${name}’s screen`,
  emptyStage: 'Nobody is on the stage yet',
  tapForSound: 'Tap for sound',
  nextPage: 'More people',
  previousPage: 'Back',
  page: (page: number, of: number): string => `${page} of ${of}`,
  audience: 'You watch with the audience',

  // Call
  calling: 'Calling…',
  callingHelp: (seconds: number): string => `Rings for ${seconds} s. Share the link with whom you call.`,
  hangUp: 'Hang up',
  incoming: (name: string): string => (name === '' ? 'You are called' : `${name} is calling`),
  incomingHelp: 'Camera and microphone go on when you accept.',
  accept: 'Accept',
  decline: 'Decline',

  // Own controls
  controls: 'Controls',
  micOn: 'Turn the microphone on',
  micOff: 'Turn the microphone off',
  cameraOn: 'Turn the camera on',
  cameraOff: 'Turn the camera off',
  shareScreen: 'Show the screen',
  stopScreen: 'Stop showing the screen',
  flipCamera: 'Switch the camera',
  raiseHand: 'Raise hand',
  lowerHand: 'Take the hand down',
  handAhead: (ahead: number): string => (ahead === 0 ? 'You are next' : ahead === 1 ? '1 hand before you' : `${ahead} hands before you`),
  stepUp: 'Go to the stage',
  stepDown: 'Leave the stage',
  react: 'React',
  reaction: (reaction: Reaction): string => REACTIONS[reaction],
  more: 'More',
  leave: 'Leave',

  // Chat
  chat: 'Chat',
  unread: (count: number): string => (count === 1 ? '1 new message' : `${count} new messages`),
  message: 'Message to everybody',
  send: 'Send',
  chatEmpty: 'Nothing has been said yet.',
  deleteLine: (name: string): string => `Delete this message of ${name}`,
  toNewest: 'Newest',

  // People
  people: 'People',
  peopleCount: (count: number): string => (count === 1 ? '1 person' : `${count} people`),
  hands: 'Hands',
  handsCount: (count: number): string => (count === 1 ? '1 hand is up' : `${count} hands are up`),
  nextHand: 'Bring up the next',
  bringUp: 'Bring up',
  notNow: 'Not now',
  onStage: 'On the stage',
  inRoom: 'In the room',
  counted: (count: number): string => (count === 1 ? 'and 1 more in the audience' : `and ${count} more in the audience`),
  bans: 'Banned',
  unban: 'Lift the ban',
  role: (role: Role): string => ROLES[role],
  isAway: 'away',
  isInvited: 'invited',
  actionsFor: (name: string): string => `What to do with ${name}`,
  invite: 'Invite to the stage',
  withdraw: 'Take the invitation back',
  mute: 'Turn the microphone off',
  stopPicture: 'Turn the camera off',
  stopTheirScreen: 'Stop the screen',
  askSound: 'Ask to unmute',
  askPicture: 'Ask for the picture',
  takeDown: 'Take down from the stage',
  focus: 'Show large for all',
  unfocus: 'Do not show large',
  appoint: 'Make a co-host',
  dismiss: 'No longer a co-host',
  handOver: 'Hand the room over',
  remove: 'Remove',
  ban: 'Ban',
  forbidChat: 'Forbid to chat',
  allowChat: 'Allow to chat',

  // Cards
  invitedTitle: 'You are invited to the stage',
  invitedHelp: 'Everybody will see and hear you.',
  secondsLeft: (seconds: number): string => `${seconds} s`,
  askedTitle: (media: Media): string => `A host asks you to turn your ${MEDIA[media]} on`,
  later: 'Leave it off',

  // Settings
  settings: 'Settings',
  layout: 'Layout',
  layoutName: (layout: Layout): string => LAYOUTS[layout],
  flyingChat: 'Chat flies over the picture',
  devices: 'Devices',
  camera: 'Camera',
  microphone: 'Microphone',
  byDefault: 'Automatic',
  cameraNumber: (n: number): string => `Camera ${n}`,
  microphoneNumber: (n: number): string => `Microphone ${n}`,
  forHosts: 'For hosts',
  title: 'Title',
  rename: 'Your name',
  save: 'Save',
  door: 'New people may come in',
  chatOpen: 'People may chat',
  handsOpen: 'People may raise hands',
  muteAll: 'Turn all guests’ microphones off',
  endRoom: 'End the room for all',

  // Questions
  sureEnd: { title: 'End the room for all?', text: 'Everybody is shown out. It cannot be opened again.' },
  sureRemove: (name: string): Readonly<{ title: string; text: string }> => ({ title: `Remove ${name}?`, text: 'They may come back with their invitation.' }),
  sureBan: (name: string): Readonly<{ title: string; text: string }> => ({ title: `Ban ${name}?`, text: 'They cannot come back, with any name, until you lift it.' }),
  sureHandOver: (name: string): Readonly<{ title: string; text: string }> => ({ title: `Hand the room over to ${name}?`, text: 'They lead from now on, and you help.' }),

  // Lobby at /demo
  lobbyTitle: 'Talk, teach, perform',
  lobbyText: 'A room opens at once, and a link brings the others in.',
  kinds: {
    call: { name: 'Call', text: 'Two people. It rings.' },
    meeting: { name: 'Meeting', text: 'Everybody speaks.' },
    'class-large': { name: 'Class', text: 'One teaches, hands are raised.' },
    show: { name: 'Show', text: 'A host on the stage, an audience that cheers.' },
  },
  kind: 'What shall it be?',
  yourName: 'Your name',
  openRoom: 'Open the room',
  opening: 'Opening…',
  roomReady: 'The room is open',
  roomReadyText: 'Send this link, or let a phone scan the code.',
  link: 'Link to the room',
  qrOf: 'QR code of the link',
  qr: 'QR code',
  shareLink: 'Share',
  enter: 'Go in',
  demoOff: 'This server has no demo rooms',
  demoOffText: 'Whoever runs it may switch them on: [rooms] demo = true.',
  demoBusy: 'Too many rooms were opened. Try again in a minute.',
  demoFailed: 'The server did not answer as expected. Try again in a moment.',
  demoAway: 'The server cannot be reached. Check your network, then try again.',

  // Joining at /demo/{room}
  joinTitle: 'Join the room',
  joinText: 'This is how the others will see you.',
  join: 'Join',
  joinSilent: 'Join without camera and microphone',
  noRoom: 'There is no such room',
  noRoomText: 'It may have ended. Open a new one.',
  newRoom: 'Open a new room',
  inviteOthers: 'Bring others in',
  checkOn: 'Check camera and microphone',
  checkHelp: 'Nobody sees or hears you until you join.',
};

export type RoomMessages = typeof roomEn;
