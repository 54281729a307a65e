//! Frames of a track in and out of a drawing step. Chromium hands frames over one by one, also while the page is
//! hidden; elsewhere a video element and a canvas stand in, which stand still with the page.

/** Draws one frame and returns the canvas, or undefined to let the frame pass as it is. */
export type Draw = (frame: TexImageSource, width: number, height: number) => HTMLCanvasElement | OffscreenCanvas | undefined;

interface ProcessorConstructor {
  new (options: { track: MediaStreamTrack; maxBufferSize?: number }): { readonly readable: ReadableStream<VideoFrame> };
}
type Generator = MediaStreamTrack & { readonly writable: WritableStream<VideoFrame> };
interface GeneratorConstructor {
  new (options: { kind: 'video' }): Generator;
}
interface BreakoutBox {
  readonly MediaStreamTrackProcessor?: ProcessorConstructor;
  readonly MediaStreamTrackGenerator?: GeneratorConstructor;
}

/** A running step: `track` is what comes out. */
export interface Frames {
  readonly track: MediaStreamTrack;
  stop(): void;
}

/** `canvas` must be the one that `draw` returns, where the browser can only capture canvases. */
export function drawFrames(input: MediaStreamTrack, canvas: HTMLCanvasElement, draw: Draw): Frames {
  const { MediaStreamTrackProcessor: Processor, MediaStreamTrackGenerator: Generator } = globalThis as BreakoutBox;
  if (Processor !== undefined && Generator !== undefined) {
    return byBreakout(new Processor({ track: input, maxBufferSize: 1 }), new Generator({ kind: 'video' }), draw);
  }
  return byElements(input, canvas, draw);
}

function byBreakout(processor: { readonly readable: ReadableStream<VideoFrame> }, generator: Generator, draw: Draw): Frames {
  const reader = processor.readable.getReader();
  const writer = generator.writable.getWriter();
  const run = async (): Promise<void> => {
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) return;
      await writer.ready;
      await writer.write(redrawn(frame, draw));
    }
  };
  // Ended by either side: the owner hears of it from the track itself.
  run().catch(() => undefined);
  const stop = (): void => {
    void reader.cancel().catch(() => undefined);
    void writer.close().catch(() => undefined);
    generator.stop();
  };
  return { track: generator, stop };
}

/** The frame itself, or a new one in its place; a frame that nobody closes would block the camera. */
function redrawn(frame: VideoFrame, draw: Draw): VideoFrame {
  const canvas = draw(frame, frame.displayWidth, frame.displayHeight);
  if (canvas === undefined) return frame;
  const { timestamp, duration } = frame;
  const made = new VideoFrame(canvas, { timestamp, alpha: 'discard', ...(duration !== null && { duration }) });
  frame.close();
  return made;
}

function byElements(input: MediaStreamTrack, canvas: HTMLCanvasElement, draw: Draw): Frames {
  const video = document.createElement('video');
  video.muted = true;
  video.playsInline = true;
  video.srcObject = new MediaStream([input]);
  const flat = canvas.getContext('webgl2') === null ? canvas.getContext('2d') : null;
  let request = 0;
  const step = (): void => {
    const { videoWidth: width, videoHeight: height } = video;
    if (width > 0 && draw(video, width, height) === undefined) flat?.drawImage(video, 0, 0, canvas.width, canvas.height);
    request = video.requestVideoFrameCallback(step);
  };
  request = video.requestVideoFrameCallback(step);
  void video.play().catch(() => undefined);
  const track = canvas.captureStream().getVideoTracks()[0] as MediaStreamTrack;
  const stop = (): void => {
    video.cancelVideoFrameCallback(request);
    video.srcObject = null;
    track.stop();
  };
  return { track, stop };
}
