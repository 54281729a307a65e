//! What it means when a browser does not give a camera, microphone or screen: for the code of the event, and for
//! the words that tell a person what to do.

export type Device = 'camera' | 'microphone' | 'screen';

/**
 * - `denied`: the person or the browser's settings said no.
 * - `insecure`: browsers give devices to pages of https and localhost only.
 * - `absent`: there is no such device; `busy`: another program has it.
 * - `unsupported`: this browser cannot do it; `failed`: anything else.
 */
export type RefusalKind = 'denied' | 'insecure' | 'absent' | 'busy' | 'unsupported' | 'failed';

export interface Refusal {
  readonly device: Device;
  readonly kind: RefusalKind;
  readonly detail: string;
}

/** Reads a `DOMException` of `getUserMedia` or `getDisplayMedia` by its name. */
export function refusalOf(device: Device, error: unknown, isSecure: boolean): Refusal {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  return { device, kind: isSecure ? kindOf(name) : 'insecure', detail: message === '' ? name : message };
}

function kindOf(name: string): RefusalKind {
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'absent';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    case 'TypeError':
    case 'NotSupportedError':
      return 'unsupported';
    default:
      return 'failed';
  }
}
