//! Draws a picture's filters with WebGL2: textures and programs are made once for a size and used for every frame,
//! made anew when the graphics context was lost, and given back at the end.

import { LOOKS, type PictureWish } from '../../publish/filters.ts';
import type { Effort } from '../../publish/governor.ts';
import { FINISH, SMOOTH, VERTEX } from './shaders.ts';

/** Skin is smoothed on a copy of this share of the width: pores are gone either way, and a fourth is to be done. */
const SMOOTH_SHARE = 0.5;
/** How much of the fine structure stays: `nature` keeps pores, `smooth` hardly any. */
const DETAIL = { smooth: 0.08, nature: 0.4 } as const;
/** WeChat counts beauty and whiteness from 0 to 9. */
const LEVEL_MAX = 9;
/** The curve of whiteness at its most. */
const WHITENESS_MAX = 3;

interface Target {
  readonly texture: WebGLTexture;
  readonly frame: WebGLFramebuffer;
}

interface Resources {
  readonly smooth: WebGLProgram;
  readonly finish: WebGLProgram;
  readonly picture: WebGLTexture;
  readonly across: Target;
  readonly down: Target;
  readonly uniforms: ReadonlyMap<string, WebGLUniformLocation | null>;
}

export class Painter {
  readonly canvas: HTMLCanvasElement;
  readonly #gl: WebGL2RenderingContext;
  readonly #listeners = new AbortController();
  #made: Resources | undefined;
  /** Size of the picture texture, and of the smaller ones. */
  #size = '';
  #lostMs: number | undefined;

  private constructor(gl: WebGL2RenderingContext, canvas: HTMLCanvasElement) {
    this.#gl = gl;
    this.canvas = canvas;
    const { signal } = this.#listeners;
    canvas.addEventListener('webglcontextlost', (event) => this.#handleLost(event), { signal });
    canvas.addEventListener('webglcontextrestored', () => (this.#lostMs = undefined), { signal });
  }

  /** Undefined where there is no WebGL2. */
  static create(): Painter | undefined {
    const canvas = document.createElement('canvas');
    const gl = canvas.getContext('webgl2', { alpha: false, depth: false, antialias: false, powerPreference: 'high-performance' });
    return gl === null ? undefined : new Painter(gl, canvas);
  }

  /** Since when the graphics context has been away. */
  get lostMs(): number | undefined {
    return this.#lostMs;
  }

  /** Draws a frame; false while there is no context to draw with. `sync` waits until it is drawn, for measuring. */
  draw(frame: TexImageSource, { width, height }: { width: number; height: number }, wish: PictureWish, effort: Effort, sync: boolean): boolean {
    const gl = this.#gl;
    if (gl.isContextLost()) return false;
    const share = effort === 'half-size' ? 0.5 : 1;
    this.#fit(even(width * share), even(height * share), width, height);
    this.#made ??= this.#make(width, height);
    const made = this.#made;
    gl.bindTexture(gl.TEXTURE_2D, made.picture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, frame);
    const beauty = effort === 'all' ? wish.beauty / LEVEL_MAX : 0;
    if (beauty > 0) this.#smooth(made, width, height);
    this.#finish(made, wish, beauty);
    if (sync) gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    return true;
  }

  /** Takes the context away as a driver would; for tests. */
  loseContext(): WEBGL_lose_context | null {
    return this.#gl.getExtension('WEBGL_lose_context');
  }

  dispose(): void {
    this.#listeners.abort();
    this.#release();
    // Browsers keep sixteen contexts at most and would take away somebody else's.
    this.#gl.getExtension('WEBGL_lose_context')?.loseContext();
  }

  #handleLost(event: Event): void {
    // Without this the browser never gives it back.
    event.preventDefault();
    this.#lostMs = performance.now();
    this.#made = undefined;
  }

  #fit(width: number, height: number, sourceWidth: number, sourceHeight: number): void {
    const { canvas } = this;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const size = `${sourceWidth}x${sourceHeight}`;
    if (size !== this.#size) this.#release();
    this.#size = size;
  }

  #smooth({ smooth, picture, across, down, uniforms }: Resources, width: number, height: number): void {
    const gl = this.#gl;
    gl.useProgram(smooth);
    gl.viewport(0, 0, even(width * SMOOTH_SHARE), even(height * SMOOTH_SHARE));
    const pass = (from: WebGLTexture, to: WebGLFramebuffer, x: number, y: number): void => {
      gl.bindFramebuffer(gl.FRAMEBUFFER, to);
      gl.bindTexture(gl.TEXTURE_2D, from);
      gl.uniform2f(uniforms.get('u_step') ?? null, x, y);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    };
    pass(picture, across.frame, 1 / (width * SMOOTH_SHARE), 0);
    pass(across.texture, down.frame, 0, 1 / (height * SMOOTH_SHARE));
  }

  #finish({ finish, picture, down, uniforms }: Resources, wish: PictureWish, beauty: number): void {
    const gl = this.#gl;
    const look = LOOKS[wish.filter];
    gl.useProgram(finish);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, down.texture);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, picture);
    const set = (name: string, value: number): void => gl.uniform1f(uniforms.get(name) ?? null, value);
    gl.uniform1i(uniforms.get('u_smooth') ?? null, 1);
    gl.uniform1i(uniforms.get('u_mirror') ?? null, wish.mirror ? 1 : 0);
    gl.uniform3f(uniforms.get('u_tint') ?? null, ...look.tint);
    set('u_beauty', beauty);
    set('u_detail', DETAIL[wish.style]);
    set('u_whiteness', (wish.whiteness / LEVEL_MAX) * WHITENESS_MAX);
    for (const name of ['tintShare', 'saturation', 'contrast', 'brightness', 'warmth', 'fade'] as const) set(`u_${name}`, look[name]);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #make(width: number, height: number): Resources {
    const gl = this.#gl;
    // Pictures come top row first, and leave the same way.
    gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, true);
    const smooth = this.#program(SMOOTH);
    const finish = this.#program(FINISH);
    const small = [even(width * SMOOTH_SHARE), even(height * SMOOTH_SHARE)] as const;
    const picture = this.#texture(width, height);
    const across = this.#target(...small);
    const down = this.#target(...small);
    const uniforms = new Map([smooth, finish].flatMap((program) => this.#uniformsOf(program)));
    return { smooth, finish, picture, across, down, uniforms };
  }

  #uniformsOf(program: WebGLProgram): readonly (readonly [string, WebGLUniformLocation | null])[] {
    const gl = this.#gl;
    const count: number = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS);
    const names = Array.from({ length: count }, (_, at) => gl.getActiveUniform(program, at)?.name ?? '');
    return names.map((name) => [name, gl.getUniformLocation(program, name)] as const);
  }

  #program(fragment: string): WebGLProgram {
    const gl = this.#gl;
    const program = gl.createProgram();
    for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment]] as const) {
      const shader = gl.createShader(type);
      if (shader === null) continue;
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      // It lives as long as the program does.
      gl.deleteShader(shader);
    }
    gl.linkProgram(program);
    if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true && !gl.isContextLost()) {
      throw new Error(`a shader does not link: ${gl.getProgramInfoLog(program)}`);
    }
    return program;
  }

  #texture(width: number, height: number): WebGLTexture {
    const gl = this.#gl;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, width, height);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.LINEAR);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
    return texture;
  }

  #target(width: number, height: number): Target {
    const gl = this.#gl;
    const texture = this.#texture(width, height);
    const frame = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    return { texture, frame };
  }

  #release(): void {
    const gl = this.#gl;
    if (this.#made === undefined) return;
    const { smooth, finish, picture, across, down } = this.#made;
    for (const program of [smooth, finish]) gl.deleteProgram(program);
    for (const texture of [picture, across.texture, down.texture]) gl.deleteTexture(texture);
    for (const frame of [across.frame, down.frame]) gl.deleteFramebuffer(frame);
    this.#made = undefined;
  }
}

function even(pixels: number): number {
  return Math.max(2, Math.round(pixels / 2) * 2);
}
