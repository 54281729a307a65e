//! One's invitation to a room, on the way from the lobby into it, and how one is in it when the page is loaded anew; gone
//! with the window.

export interface Kept {
  readonly token: string;
  readonly name: string;
}

/** How somebody comes in. */
export interface Choice extends Kept {
  readonly muted: boolean;
  readonly cameraOff: boolean;
  readonly cameraId: string | undefined;
  readonly microphoneId: string | undefined;
}

export function keepInvitation(room: string, invitation: Kept): void {
  keep(`openmic-room-${room}`, invitation);
}

/** One is in the room as this; or, without it, no longer. */
export function keepPresence(room: string, choice: Choice | undefined): void {
  keep(`openmic-presence-${room}`, choice);
}

/** How one was in the room when the page was left. */
export function keptPresence(room: string): Choice | undefined {
  const { muted, cameraOff, cameraId, microphoneId, ...kept } = read<Choice>(`openmic-presence-${room}`);
  const invitation = invitationOf(kept);
  // What is not known to be on stays off.
  return invitation && { ...invitation, muted: muted !== false, cameraOff: cameraOff !== false, cameraId, microphoneId };
}

export function keptInvitation(room: string): Kept | undefined {
  return invitationOf(read<Kept>(`openmic-room-${room}`));
}

function invitationOf({ token, name }: Partial<Kept>): Kept | undefined {
  return typeof token === 'string' && typeof name === 'string' ? { token, name } : undefined;
}

function keep(key: string, value: object | undefined): void {
  try {
    if (value === undefined) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Without storage one joins by name, as everybody else.
  }
}

function read<Value extends object>(key: string): Partial<Value> {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? '{}') as Partial<Value>;
  } catch {
    return {};
  }
}
