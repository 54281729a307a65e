//! Keeps a screen from going dark while somebody is on air: a phone in its sleep has no camera.

/** Returns what lets it go dark again. Browsers release the lock of a hidden page, so it is asked for again. */
export function keepAwake(): () => void {
  const ends = new AbortController();
  let lock: WakeLockSentinel | undefined;
  const ask = async (): Promise<void> => {
    if (document.hidden) return;
    // Refused at low battery, for one: then there is nothing to do about it.
    lock = await (navigator as { readonly wakeLock?: WakeLock }).wakeLock?.request('screen').catch(() => undefined);
    if (ends.signal.aborted) void lock?.release();
  };
  document.addEventListener('visibilitychange', () => void ask(), { signal: ends.signal });
  void ask();
  return () => {
    ends.abort();
    void lock?.release();
  };
}
