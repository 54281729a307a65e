//! Bytes of a live FLV over HTTP or WebSocket, with the reasons of a failure told apart: mpegts.js's
//! own loaders report a refused WebSocket and a lost one alike.

import type { Failure } from './policy.ts';

export interface SourceHandler {
  handleConnected(): void;
  handleData(data: Uint8Array<ArrayBuffer>): void;
  /** The server closed in order: the stream has ended. */
  handleEnd(): void;
  handleFailure(failure: Failure): void;
}

/** An open connection; dropping it is `close()`. */
export interface Source {
  close(): void;
}

/** RFC 6455 §7.4.1: what a server sends at an explicit end. 1001 is a server going down: reconnect. */
const WS_NORMAL_CLOSURE = 1000;
const WS_NO_STATUS = 1005;
/** Our server's close codes carry the HTTP status above this base (4404: nothing is live). */
const WS_APPLICATION_BASE = 4000;

export function openSource(url: string, referrerPolicy: ReferrerPolicy, handler: SourceHandler): Source {
  return /^wss?:/.test(url) ? openWebSocket(url, handler) : openHttp(url, referrerPolicy, handler);
}

function openHttp(url: string, referrerPolicy: ReferrerPolicy, handler: SourceHandler): Source {
  const abort = new AbortController();
  void pump(url, referrerPolicy, handler, abort.signal);
  return { close: () => abort.abort() };
}

async function pump(
  url: string,
  referrerPolicy: ReferrerPolicy,
  handler: SourceHandler,
  signal: AbortSignal,
): Promise<void> {
  let begun = false;
  try {
    const answer = await fetch(url, { signal, referrerPolicy, cache: 'no-store' });
    if (!answer.ok || answer.body === null) {
      handler.handleFailure(failureOfStatus(answer.status));
      return;
    }
    handler.handleConnected();
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      if (done) break;
      begun = true;
      handler.handleData(value);
    }
    handler.handleEnd();
  } catch (error) {
    if (signal.aborted) return;
    const detail = error instanceof Error ? error.message : String(error);
    handler.handleFailure({ kind: begun ? 'lost' : 'connect', detail });
  }
}

function openWebSocket(url: string, handler: SourceHandler): Source {
  let opened = false;
  let closed = false;
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    opened = true;
    handler.handleConnected();
  };
  socket.onmessage = (event: MessageEvent<unknown>) => {
    if (event.data instanceof ArrayBuffer) handler.handleData(new Uint8Array(event.data));
  };
  // An `error` is always followed by `close`, which alone knows the code.
  socket.onclose = (event) => {
    if (closed) return;
    closed = true;
    if (opened && isOrderly(event)) handler.handleEnd();
    else handler.handleFailure(failureOfClose(event, opened));
  };
  return {
    close: () => {
      closed = true;
      socket.close();
    },
  };
}

function isOrderly(event: CloseEvent): boolean {
  return event.wasClean && [WS_NORMAL_CLOSURE, WS_NO_STATUS].includes(event.code);
}

function failureOfClose(event: CloseEvent, opened: boolean): Failure {
  if (event.code >= WS_APPLICATION_BASE) return failureOfStatus(event.code - WS_APPLICATION_BASE);
  return { kind: opened ? 'lost' : 'connect', detail: `WebSocket closed with ${event.code}` };
}

/** What an HTTP status other than success means for a viewer. */
export function failureOfStatus(status: number): Failure {
  const detail = `HTTP ${status}`;
  if (status === 404 || status === 410) return { kind: 'offline', detail, status };
  if (status === 401 || status === 403) return { kind: 'refused', detail, status };
  return { kind: 'handshake', detail, status };
}
