//! Text out of SEI user data: WeChat's `sendMessage` puts UTF-8 text there.

const DECODER = new TextDecoder('utf-8');

/** The text, without the zero bytes some encoders pad with; bad UTF-8 becomes replacement marks. */
export function decodeText(data: Uint8Array): string {
  return DECODER.decode(data).replace(/\0+$/, '');
}
