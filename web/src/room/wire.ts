//! What a connection needs of a WebSocket, so that tests and other runtimes can bring their own.

export interface WireListener {
  handleOpen(): void;
  handleText(text: string): void;
  /** It never opened, or it is closed; told once. */
  handleClose(): void;
}

export interface Wire {
  send(text: string): void;
  /** Nothing is told after it. */
  close(): void;
}

export type Dial = (url: string, listener: WireListener) => Wire;

/** A WebSocket of the browser. */
export const dialWebSocket: Dial = (url, listener) => {
  const socket = new WebSocket(url);
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    listener.handleClose();
  };
  socket.addEventListener('open', () => isOver || listener.handleOpen());
  socket.addEventListener('message', ({ data }) => isOver || typeof data !== 'string' || listener.handleText(data));
  socket.addEventListener('close', end);
  return {
    send: (text) => void (socket.readyState === WebSocket.OPEN && socket.send(text)),
    close: () => {
      isOver = true;
      socket.close();
    },
  };
};

/** The address of a room's WebSocket; pages say it with http, https or relative to themselves as well. */
export function socketUrl(url: string, base: string): string {
  const absolute = new URL(url, base);
  if (absolute.protocol === 'http:') absolute.protocol = 'ws:';
  if (absolute.protocol === 'https:') absolute.protocol = 'wss:';
  return absolute.href;
}
