//! Fans one FLV byte stream out to many viewers: parameters and the newest group first, as the real
//! server does. Small on purpose; it serves the web tests only.

const FILE_HEADER_BYTES = 9 + 4;
const TAG_HEADER_BYTES = 11;
const VIDEO = 9;
const SCRIPT = 18;

export class FlvRelay {
  #rest = Buffer.alloc(0);
  #header;
  #parameters = new Map();
  #group = [];
  #viewers = new Set();
  #offsetMs = 0;
  #lastMs = 0;
  #firstMs;
  /** While held, nothing is passed on: the publisher is away. */
  held = false;

  /** A new publisher: its timestamps go on where the last one stopped. */
  restart() {
    this.#rest = Buffer.alloc(0);
    this.#header = undefined;
    this.#firstMs = undefined;
    this.#offsetMs = this.#lastMs + 40;
    this.#group = [];
  }

  add(viewer) {
    if (this.#header !== undefined) {
      viewer.write(Buffer.concat([this.#header, ...this.#parameters.values(), ...this.#group]));
    }
    this.#viewers.add(viewer);
  }

  remove(viewer) {
    this.#viewers.delete(viewer);
  }

  /** The network breaks: no orderly end. */
  cutAll() {
    for (const viewer of this.#viewers) viewer.cut();
    this.#viewers.clear();
  }

  closeAll() {
    for (const viewer of this.#viewers) viewer.end();
    this.#viewers.clear();
  }

  handleInput(data) {
    this.#rest = Buffer.concat([this.#rest, data]);
    if (this.#header === undefined) {
      if (this.#rest.length < FILE_HEADER_BYTES) return;
      const first = this.#parameters.size === 0;
      this.#header = Buffer.from(this.#rest.subarray(0, FILE_HEADER_BYTES));
      this.#rest = this.#rest.subarray(FILE_HEADER_BYTES);
      if (first) this.#send(this.#header);
    }
    for (;;) {
      if (this.#rest.length < TAG_HEADER_BYTES) return;
      const bytes = TAG_HEADER_BYTES + this.#rest.readUIntBE(1, 3) + 4;
      if (this.#rest.length < bytes) return;
      this.#handleTag(Buffer.from(this.#rest.subarray(0, bytes)));
      this.#rest = this.#rest.subarray(bytes);
    }
  }

  #handleTag(tag) {
    const type = tag[0] & 0x1f;
    if (tag.readUIntBE(1, 3) === 0) return;
    const mediaMs = tag.readUIntBE(4, 3) + tag[7] * 0x1000000;
    this.#firstMs ??= mediaMs;
    const ms = mediaMs - this.#firstMs + this.#offsetMs;
    tag.writeUIntBE(ms & 0xffffff, 4, 3);
    tag[7] = ms >>> 24;
    this.#lastMs = Math.max(this.#lastMs, ms);
    const isParameters = type === SCRIPT || (tag[12] === 0 && (type === VIDEO ? (tag[11] & 0x0f) === 7 : tag[11] >> 4 === 10));
    if (isParameters) this.#parameters.set(type, tag);
    else {
      if (type === VIDEO && tag[11] >> 4 === 1) this.#group = [];
      this.#group.push(tag);
    }
    this.#send(tag);
  }

  #send(bytes) {
    if (this.held) return;
    for (const viewer of this.#viewers) viewer.write(bytes);
  }
}
