//! One's invitation to a room, on the way from the lobby into it and when the page is loaded anew; gone with the window.

export interface Kept {
  readonly token: string;
  readonly name: string;
}

export function keepInvitation(room: string, invitation: Kept): void {
  try {
    sessionStorage.setItem(`openmic-room-${room}`, JSON.stringify(invitation));
  } catch {
    // Without storage one joins by name, as everybody else.
  }
}

export function keptInvitation(room: string): Kept | undefined {
  try {
    const { token, name } = JSON.parse(sessionStorage.getItem(`openmic-room-${room}`) ?? '{}') as Partial<Kept>;
    return typeof token === 'string' && typeof name === 'string' ? { token, name } : undefined;
  } catch {
    return undefined;
  }
}
