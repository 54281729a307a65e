//! The picture that stands in for a camera that is off: an image of the page's choice, or a plain card, sent a few
//! times a second, which costs next to nothing.

/** Often enough that a viewer who joins sees it at once. */
const EVERY_MS = 500;
const GROUND = '#15191a';
const INK = '#7e8a86';
/** A crossed-out camera (lucide's `video-off`), in a box of 24. */
const GLYPH =
  'M10.66 6H14a2 2 0 0 1 2 2v2.5l5.248-3.062A.5.5 0 0 1 22 7.87v8.196 M16 16a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2h2 M2 2l20 20';
const GLYPH_BOX = 24;

export class WaitingPicture {
  readonly track: MediaStreamTrack;
  readonly #canvas = document.createElement('canvas');
  readonly #ticker: ReturnType<typeof setInterval>;
  #image: HTMLImageElement | undefined;
  #turn = 0;

  constructor(width: number, height: number) {
    this.#canvas.width = width;
    this.#canvas.height = height;
    this.#draw();
    this.track = this.#canvas.captureStream().getVideoTracks()[0] as MediaStreamTrack;
    this.#ticker = setInterval(() => this.#draw(), EVERY_MS);
  }

  /** Rejects when the image cannot be loaded, or may not be drawn by this page. */
  async show(url: string): Promise<void> {
    const image = new Image();
    image.crossOrigin = 'anonymous';
    image.src = url;
    await image.decode();
    this.#image = image;
    this.#draw();
  }

  close(): void {
    clearInterval(this.#ticker);
    this.track.stop();
  }

  #draw(): void {
    const context = this.#canvas.getContext('2d');
    if (context === null) return;
    const { width, height } = this.#canvas;
    // A canvas that does not change is not sent: one pixel's shade goes to and fro.
    this.#turn = 1 - this.#turn;
    context.fillStyle = GROUND;
    context.fillRect(0, 0, width, height);
    if (this.#image === undefined) this.#drawCard(context, width, height);
    else drawWithin(context, this.#image, width, height);
    context.fillStyle = `rgb(0 0 0 / ${this.#turn === 0 ? 4 : 8}%)`;
    context.fillRect(0, 0, 2, 2);
  }

  #drawCard(context: CanvasRenderingContext2D, width: number, height: number): void {
    const side = Math.min(width, height) * 0.18;
    context.save();
    context.translate(width / 2 - side / 2, height / 2 - side / 2);
    context.scale(side / GLYPH_BOX, side / GLYPH_BOX);
    context.strokeStyle = INK;
    context.lineWidth = 1.6;
    context.lineCap = 'round';
    context.lineJoin = 'round';
    context.stroke(new Path2D(GLYPH));
    context.restore();
  }
}

function drawWithin(context: CanvasRenderingContext2D, image: HTMLImageElement, width: number, height: number): void {
  const scale = Math.min(width / image.naturalWidth, height / image.naturalHeight);
  const [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale];
  context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
}
