//! Somebody who is called and does not want to: the one message of a connection that never joins.

import { VERSION, writeUp } from './messages.ts';
import type { Dial } from './wire.ts';

/** The server hears it, answers and closes; it is not waited for longer. */
const WAIT_MS = 5_000;

export function declineCall(url: string, token: string, dial: Dial): void {
  const text = writeUp({ type: 'decline_call', v: VERSION, token });
  const wire = dial(url, {
    handleOpen: () => text !== undefined && wire.send(text),
    handleText: () => end(),
    handleClose: () => end(),
  });
  const timer = setTimeout(() => end(), WAIT_MS);
  const end = (): void => {
    clearTimeout(timer);
    wire.close();
  };
}
