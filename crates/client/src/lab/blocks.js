// Before every page of the lab: this machine's clock, and the block code read from a video. `code.rs` says what the blocks mean.
const SIDE = 8;
const CONTRAST_MIN = 60;

// Date.now() is cut to milliseconds: its greatest distance from the fine clock is the true one.
let epoch = -Infinity;
const wall = (fine = performance.now()) => {
  epoch = Math.max(epoch, Date.now() - performance.now());
  return epoch + fine;
};

const canvas = Object.assign(document.createElement('canvas'), { width: 2 * SIDE * SIDE, height: SIDE * SIDE });
const paint = canvas.getContext('2d', { willReadFrequently: true });
const checksum = (bytes) =>
  bytes.reduce((crc, byte) => {
    let sum = crc ^ (byte << 8);
    for (let bit = 0; bit < 8; bit += 1) sum = (sum & 0x8000 ? (sum << 1) ^ 0x1021 : sum << 1) & 0xffff;
    return sum;
  }, 0xffff);
const codeOf = (video) => {
  paint.drawImage(video, 0, 0, canvas.width, canvas.height);
  const { data } = paint.getImageData(0, 0, SIDE * SIDE, SIDE * SIDE);
  const lights = Array.from({ length: SIDE * SIDE }, (_, block) => {
    const [x, y] = [(block % SIDE) * SIDE + 3, Math.floor(block / SIDE) * SIDE + 3];
    const at = (dx, dy) => data[((y + dy) * SIDE * SIDE + x + dx) * 4];
    return (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1)) / 4;
  });
  const [dark, bright] = [Math.min(...lights), Math.max(...lights)];
  if (bright - dark < CONTRAST_MIN) return undefined;
  const middle = (dark + bright) / 2;
  const bytes = Array.from({ length: 8 }, (_, byte) =>
    lights.slice(byte * 8, byte * 8 + 8).reduce((sum, light, bit) => sum | (light > middle ? 1 << bit : 0), 0));
  if (checksum(bytes.slice(0, 6)) !== (bytes[6] | (bytes[7] << 8))) return undefined;
  return { ticks: bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24), marked: bytes[5] >> 7 === 1 };
};
