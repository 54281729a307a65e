//! uPlot in our colours, apart from everything else so that it is loaded with the first chart alone.

import uPlot from 'uplot';
import sheet from 'uplot/dist/uPlot.min.css?inline';
import type { Line } from '../../api/series.ts';

export { sheet };

export interface ChartOptions {
  readonly mount: HTMLElement;
  /** Where colours and the font come from. */
  readonly host: HTMLElement;
  readonly height: number;
  readonly format: (value: number) => string;
  /** A time on the axis, in seconds since 1970. */
  readonly formatTime: (seconds: number) => string;
  /** The cursor stands on this sample, of this chart or its neighbours; undefined when it is gone. */
  readonly handleCursor: (at: number | undefined) => void;
}

/** Charts of one page share their cursor. */
const SYNC = 'openmic';
const AXIS_WIDTH = 76;
const AXIS_HEIGHT = 26;
/** Half a label of the time axis reaches beyond the line's end. */
const RIGHT = 24;
const TICK_SPACE_X = 90;
/** Labels of the time axis are minutes. */
const TIMES_S = [60, 120, 300, 600, 1_200, 3_600];
const TICK_SPACE_Y = 36;
/** Steps of the values' axis: none of our measures has a part smaller than one. */
const STEPS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();
/** Room above the highest value. */
const HEADROOM = 1.12;

export class Chart {
  readonly #plot: uPlot;
  readonly #height: number;

  constructor({ mount, host, height, format, formatTime, handleCursor }: ChartOptions) {
    const colour = (name: string) => (): string => getComputedStyle(host).getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: colour('--om-muted'),
      grid: { stroke: colour('--om-line'), width: 1 },
      ticks: { show: false },
      font: `12px ${getComputedStyle(host).fontFamily}`,
    };
    this.#height = height;
    this.#plot = new uPlot(
      {
        width: Math.max(1, mount.clientWidth),
        height,
        legend: { show: false },
        padding: [8, RIGHT, 0, 0],
        cursor: { sync: { key: SYNC }, drag: { x: false, y: false }, points: { size: 7 }, y: false },
        scales: {
          x: { time: true, range: (_, min, max) => [min, max] },
          y: { range: (_, __, max) => [0, Math.max(1, (max ?? 0) * HEADROOM)] },
        },
        axes: [
          { ...axis, space: TICK_SPACE_X, incrs: TIMES_S, size: AXIS_HEIGHT, values: (_, ticks) => ticks.map(formatTime) },
          { ...axis, space: TICK_SPACE_Y, incrs: STEPS, size: AXIS_WIDTH, values: (_, ticks) => ticks.map(format) },
        ],
        series: [
          {},
          {
            stroke: colour('--om-accent'),
            fill: colour('--om-accent-soft'),
            width: 1.75,
            points: { show: false },
            spanGaps: false,
          },
        ],
        hooks: { setCursor: [(plot) => handleCursor(plot.cursor.idx ?? undefined)] },
      },
      [[], []],
      mount,
    );
  }

  /** `from` and `to` are seconds since 1970. */
  show([xs, ys]: Line, from: number, to: number): void {
    this.#plot.batch(() => {
      this.#plot.setData([[...xs], [...ys]], false);
      this.#plot.setScale('x', { min: from, max: to });
      const highest = ys.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
      this.#plot.setScale('y', { min: 0, max: highest });
    });
  }

  resize(width: number): void {
    if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: this.#height });
  }

  /** Colours have changed. */
  redraw(): void {
    this.#plot.redraw(false);
  }

  /** Puts the cursor on a sample, for this chart and its neighbours; undefined takes it away. */
  point(at: number | undefined): void {
    const x = at === undefined ? undefined : this.#plot.data[0][at];
    const left = x === undefined ? -10 : this.#plot.valToPos(x, 'x');
    // The types leave out the third argument: whether the neighbours follow.
    const setCursor: (at: { left: number; top: number }, fire: boolean, publish: boolean) => void = this.#plot.setCursor;
    setCursor({ left, top: left < 0 ? -10 : 10 }, true, true);
  }

  destroy(): void {
    this.#plot.destroy();
  }
}
