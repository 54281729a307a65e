//! The administrator's token, for as long as the tab lives: never in an address, a cookie or lasting storage.

const KEY = 'openmic-token';

/** Storage may be forbidden; then the token lasts as long as the page. */
let held: string | undefined;

export function readToken(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? held;
  } catch {
    return held;
  }
}

export function keepToken(token: string): void {
  held = token;
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // See above.
  }
}

export function forgetToken(): void {
  held = undefined;
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // See above.
  }
}
