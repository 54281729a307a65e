//! The one table of picture filters: what each of WeChat's names does to colour, as numbers for the shader.

export const FILTERS = [
  'standard',
  'pink',
  'nostalgia',
  'blues',
  'romantic',
  'cool',
  'fresher',
  'solor',
  'aestheticism',
  'whitening',
  'cerisered',
] as const;

export type FilterName = (typeof FILTERS)[number];
export type BeautyStyle = 'smooth' | 'nature';

/** A colour, each part 0 … 1. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** Applied in this order: tint, saturation, contrast, brightness, warmth, fade. */
export interface Look {
  /** Multiplied with the picture, mixed in by `tintShare`. */
  readonly tint: Rgb;
  readonly tintShare: number;
  /** 0 is grey, 1 leaves it. */
  readonly saturation: number;
  readonly contrast: number;
  /** Added. */
  readonly brightness: number;
  /** Positive is redder, negative bluer. */
  readonly warmth: number;
  /** Lifts the dark parts, as old paper does. */
  readonly fade: number;
}

const PLAIN: Look = { tint: [1, 1, 1], tintShare: 0, saturation: 1, contrast: 1, brightness: 0, warmth: 0, fade: 0 };

export const LOOKS: Readonly<Record<FilterName, Look>> = {
  standard: PLAIN,
  pink: { ...PLAIN, tint: [1, 0.82, 0.88], tintShare: 0.55, saturation: 1.08, brightness: 0.03, warmth: 0.03 },
  nostalgia: { ...PLAIN, tint: [1, 0.86, 0.62], tintShare: 0.75, saturation: 0.45, contrast: 0.94, warmth: 0.05, fade: 0.06 },
  blues: { ...PLAIN, tint: [0.78, 0.9, 1], tintShare: 0.65, saturation: 0.85, contrast: 1.05, warmth: -0.05 },
  romantic: { ...PLAIN, tint: [1, 0.84, 0.92], tintShare: 0.45, saturation: 0.92, contrast: 0.92, brightness: 0.04, fade: 0.05 },
  cool: { ...PLAIN, tint: [0.86, 0.95, 1], tintShare: 0.5, saturation: 0.95, contrast: 1.04, warmth: -0.03 },
  fresher: { ...PLAIN, tint: [0.92, 1, 0.94], tintShare: 0.4, saturation: 1.18, contrast: 1.03, brightness: 0.03 },
  solor: { ...PLAIN, tint: [1, 0.97, 0.86], tintShare: 0.35, saturation: 1.25, contrast: 1.1, warmth: 0.02 },
  aestheticism: { ...PLAIN, tint: [1, 0.94, 0.96], tintShare: 0.35, saturation: 0.8, contrast: 0.9, brightness: 0.05, fade: 0.08 },
  whitening: { ...PLAIN, saturation: 0.96, contrast: 0.97, brightness: 0.08 },
  cerisered: { ...PLAIN, tint: [1, 0.78, 0.8], tintShare: 0.5, saturation: 1.22, contrast: 1.04, warmth: 0.06 },
};

/** What is asked of the picture; `beauty` and `whiteness` 0 … 9 as WeChat counts. */
export interface PictureWish {
  readonly beauty: number;
  readonly whiteness: number;
  readonly style: BeautyStyle;
  readonly filter: FilterName;
  /** Mirrored for everybody, not only in the preview. */
  readonly mirror: boolean;
}

/** Whether the camera's picture has to be drawn anew at all. */
export function needsDrawing({ beauty, whiteness, filter, mirror }: PictureWish): boolean {
  return beauty > 0 || whiteness > 0 || filter !== 'standard' || mirror;
}

export function filterNamed(name: string): FilterName {
  return FILTERS.find((each) => each === name) ?? 'standard';
}
