//! English of `<live-pusher>` and of the page to publish from.

import type { BeautyStyle, FilterName } from '../publish/filters.ts';
import type { Notice } from '../publish/notices.ts';
import type { Device, RefusalKind } from '../publish/refusals.ts';
import type { Failure } from '../play/policy.ts';

interface Help {
  readonly title: string;
  readonly help: string;
}

const ALLOW =
  'Press the camera, microphone or lock sign at the left of the address bar, allow it, then try again. On a phone, also look in the system’s settings for this browser.';
const NAMES: Readonly<Record<Device, string>> = { camera: 'camera', microphone: 'microphone', screen: 'screen' };

function refusal(device: Device, kind: RefusalKind): Help {
  const name = NAMES[device];
  switch (kind) {
    case 'denied':
      return device === 'screen'
        ? { title: 'The screen is not shared', help: 'Nothing was chosen, or the system does not let this browser record the screen.' }
        : { title: `The browser does not let this page use the ${name}`, help: ALLOW };
    case 'insecure':
      return {
        title: `Browsers open the ${name} on secure pages only`,
        help: 'Open this page by its https address. On a local network, the page /trust of this server tells how.',
      };
    case 'absent':
      return { title: `There is no ${name}`, help: `Plug one in, then try again; or go live without a ${name}.` };
    case 'busy':
      return { title: `The ${name} is in use`, help: 'Close the other program or tab that has it, then try again.' };
    case 'unsupported':
      return { title: `This browser cannot use the ${name} here`, help: 'Try a recent Chrome, Edge, Firefox or Safari.' };
    case 'failed':
      return { title: `The ${name} cannot be opened`, help: 'Unplug it and plug it in again, or restart the browser.' };
  }
}

const NOTICES: Readonly<Record<Notice, string>> = {
  'video-base': 'The network is weak: the picture is sent small',
  'video-off': 'The network is very weak: only sound is sent',
  'video-back': 'The network is better: the picture is back',
  'beauty-off': 'This device is too slow for smoothing; it is off',
  'half-size': 'This device is slow: the picture with filters is sent at half size',
  'filters-off': 'This device is too slow for filters; they are off',
  'filters-lost': 'The graphics driver gave up; filters are off',
  'camera-switched': 'The camera is gone; another one has taken over',
  'camera-lost': 'The camera is gone; viewers see the waiting picture',
  'microphone-switched': 'The microphone is gone; another one has taken over',
  'microphone-lost': 'The microphone is gone; viewers hear nothing',
  'voice-lost': 'The voice changer cannot be loaded, and you are not heard; choose your own voice',
  'screen-ended': 'The screen is no longer shared',
  'file-ended': 'The file is over',
};

const FAILURES: Readonly<Partial<Record<Failure['kind'], Help>>> = {
  refused: { title: 'This address may not publish', help: 'It may have expired. Ask for a new one where you got it.' },
  connect: { title: 'The server cannot be reached', help: 'Check your network, then try again.' },
  lost: { title: 'The connection broke', help: 'Check your network, then try again.' },
  codec: { title: 'The server takes none of this browser’s codecs', help: 'Try another browser.' },
};
const FAILURE: Help = { title: 'The server answered with an error', help: 'Try again in a moment. If it stays, tell whoever runs the server.' };

/** By `netQualityLevel`, from 1. */
const QUALITIES = ['Excellent', 'Good', 'Fair', 'Weak', 'Bad', 'Hardly any'] as const;

const FILTER_NAMES: Readonly<Record<FilterName, string>> = {
  standard: 'None',
  pink: 'Pink',
  nostalgia: 'Nostalgia',
  blues: 'Blues',
  romantic: 'Romantic',
  cool: 'Cool',
  fresher: 'Fresh',
  solor: 'Sunny',
  aestheticism: 'Aesthetic',
  whitening: 'Bright',
  cerisered: 'Cherry',
};

const STYLES: Readonly<Record<BeautyStyle, string>> = { smooth: 'Smooth', nature: 'Natural' };

export const pushEn = {
  // <live-pusher>
  preview: 'Your picture',
  goLive: 'Go live',
  end: 'End',
  cameraOn: 'Turn the camera on',
  cameraOff: 'Turn the camera off',
  microphoneOn: 'Turn the microphone on',
  microphoneOff: 'Turn the microphone off',
  switchCamera: 'Switch camera',
  shareScreen: 'Share the screen',
  stopScreen: 'Stop sharing the screen',
  opening: 'Waiting for camera and microphone… Allow them when the browser asks.',
  connecting: 'Connecting…',
  live: 'Live',
  liveSaid: 'You are live',
  ready: 'Ready',
  interrupted: (seconds: number): string => `The network is interrupted; waiting ${seconds} s`,
  interruptedSaid: 'The network is interrupted; waiting',
  reconnecting: (attempt: number): string => `Connection lost; connecting again (${attempt})…`,
  paused: 'Paused: viewers see the waiting picture',
  noAddress: { title: 'No address', help: 'Set the url attribute to a WHIP address, such as https://host/live/demo/whip' },
  noSupport: { title: 'This browser cannot publish', help: 'Try a recent Chrome, Edge, Firefox or Safari.' },
  refusal,
  failure: (kind: Failure['kind']): Help => FAILURES[kind] ?? FAILURE,
  notice: (notice: Notice): string => NOTICES[notice],
  dismiss: 'Dismiss',
  quality: (level: number): string => QUALITIES[level - 1] ?? QUALITIES[5],

  // The page
  pageTitle: 'Go live',
  checkTitle: 'Camera and microphone',
  checkHelp: 'Look at your picture, say something and watch the bar.',
  camera: 'Camera',
  microphone: 'Microphone',
  cameraNumber: (n: number): string => `Camera ${n}`,
  microphoneNumber: (n: number): string => `Microphone ${n}`,
  byDefault: 'Chosen by the browser',
  level: 'Sound level',
  silent: 'No sound yet. Say something, or choose another microphone.',
  heard: 'You can be heard.',
  muted: 'The microphone is off.',
  startCheck: 'Turn camera and microphone on',
  startCheckHelp: 'Nobody sees or hears you until you go live.',
  pictureTitle: 'Picture',
  sharpness: 'Quality',
  beauty: 'Smooth skin',
  whiteness: 'Brighten skin',
  beautyStyle: 'Smoothing',
  beautyStyleName: (style: BeautyStyle): string => STYLES[style],
  filter: 'Filter',
  filterName: (filter: FilterName): string => FILTER_NAMES[filter],
  more: 'Picture and filters',
  duration: 'Live for',
  uplink: 'Upload',
  network: 'Network',
  watch: 'Viewers watch here',
  watchPage: 'Player page',
  onPhone: 'Go live from a phone',
  onPhoneHelp: 'Scan this with the phone’s camera.',
  qrOf: 'QR code of this page',
  leave: 'You are live.',
  noSuchStream: 'This page needs a stream in its address, like /publish/live/demo',
};

export type PushMessages = typeof pushEn;
