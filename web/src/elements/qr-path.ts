//! An address as the dark modules of a QR code. The library is loaded when one is first wanted.

/** Light modules around the code (ISO/IEC 18004 §6.3.8). */
export const QUIET = 4;

export interface QrCode {
  readonly size: number;
  /** An SVG path of the dark modules. */
  readonly path: string;
}

/** Undefined for what is too long: a code holds some 2,300 bytes; addresses are shorter, code snippets may not be. */
export async function qrOf(value: string): Promise<QrCode | undefined> {
  const { create } = await import('qrcode');
  try {
    const { size, data } = create(value, { errorCorrectionLevel: 'M' }).modules;
    return { size, path: pathOf(size, data) };
  } catch {
    return undefined;
  }
}

/** One rectangle for each run of dark modules in a row. */
function pathOf(size: number, data: ArrayLike<number>): string {
  const parts: string[] = [];
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const from = x;
      while (x < size && data[y * size + x]) x += 1;
      if (x > from) parts.push(`M${from} ${y}h${x - from}v1h${from - x}z`);
    }
  }
  return parts.join('');
}
