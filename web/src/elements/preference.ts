//! What a reader chose on a page, kept for the next visit. Storage may be forbidden; then a choice
//! lasts as long as the page.

export function readPreference(name: string): string | null {
  try {
    return localStorage.getItem(`openmic-${name}`);
  } catch {
    return null;
  }
}

export function keepPreference(name: string, value: string): void {
  try {
    localStorage.setItem(`openmic-${name}`, value);
  } catch {
    // See above.
  }
}
