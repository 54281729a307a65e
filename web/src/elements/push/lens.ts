//! What some cameras can do besides: a lamp, and zoom. Phones mostly, through constraints of their own.

interface Lens extends MediaTrackCapabilities {
  readonly torch?: boolean;
  readonly zoom?: { readonly min: number; readonly max: number };
}
interface LensSettings extends MediaTrackSettings {
  readonly torch?: boolean;
}

/** The other way round than it is. */
export async function setTorch(camera: MediaStreamTrack | undefined): Promise<void> {
  if (camera === undefined || lensOf(camera).torch !== true) throw new DOMException('this camera has no lamp', 'NotSupportedError');
  const torch = (camera.getSettings() as LensSettings).torch !== true;
  await camera.applyConstraints({ advanced: [{ torch } as MediaTrackConstraintSet] });
}

/** 1 is the widest, as in WeChat. */
export async function setZoom(camera: MediaStreamTrack | undefined, zoom: number): Promise<{ readonly maxZoom: number }> {
  const range = camera === undefined ? undefined : lensOf(camera).zoom;
  if (camera === undefined || range === undefined) throw new DOMException('this camera has no zoom', 'NotSupportedError');
  const wanted = Math.min(range.max, Math.max(range.min, zoom * range.min));
  await camera.applyConstraints({ advanced: [{ zoom: wanted } as MediaTrackConstraintSet] });
  return { maxZoom: range.max / range.min };
}

function lensOf(camera: MediaStreamTrack): Lens {
  // Firefox came to it late.
  return (camera as { getCapabilities?: () => Lens }).getCapabilities?.call(camera) ?? {};
}
