//! Asks again and again while somebody looks, never two questions at once.

/** How a page learns of changes until the server pushes them. */
export const POLL_MS = 2_000;

export interface Poll {
  /** Whether to ask at all; a hidden page does not. Asking resumes at once. */
  set active(active: boolean);
  stop(): void;
}

/** Calls `ask` at once and then `everyMs` after each answer. `ask` must not throw. */
export function startPoll(ask: () => Promise<void>, everyMs = POLL_MS): Poll {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let active = true;
  let asking = false;
  let stopped = false;
  const round = async (): Promise<void> => {
    timer = undefined;
    asking = true;
    await ask();
    asking = false;
    if (active && !stopped) timer = setTimeout(() => void round(), everyMs);
  };
  void round();
  return {
    set active(next: boolean) {
      const resumed = next && !active;
      active = next;
      clearTimeout(timer);
      if (resumed && !asking && !stopped) void round();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
