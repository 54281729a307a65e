//! The shaders of the picture's filters. Skin is smoothed on a smaller copy, edges kept, and mixed in where the
//! colour is that of skin; then everything else is done in one pass.

/** A triangle that covers everything; `v_at` runs from 0 to 1. */
export const VERTEX = `#version 300 es
out vec2 v_at;
void main() {
  vec2 at = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  v_at = at;
  gl_Position = vec4(at * 2.0 - 1.0, 0.0, 1.0);
}`;

/** One direction of a blur that stops at edges: neighbours of another brightness count little. */
export const SMOOTH = `#version 300 es
precision mediump float;
uniform sampler2D u_picture;
uniform vec2 u_step;
in vec2 v_at;
out vec4 color;
const vec3 LUMA = vec3(0.299, 0.587, 0.114);
void main() {
  vec3 middle = texture(u_picture, v_at).rgb;
  float light = dot(middle, LUMA);
  vec3 sum = middle;
  float total = 1.0;
  for (int at = 1; at <= 4; at += 1) {
    float reach = exp(-float(at * at) / 10.0);
    for (int side = -1; side <= 1; side += 2) {
      vec3 other = texture(u_picture, v_at + u_step * float(at * side)).rgb;
      float apart = (dot(other, LUMA) - light) * 9.0;
      float weight = reach * exp(-apart * apart);
      sum += other * weight;
      total += weight;
    }
  }
  color = vec4(sum / total, 1.0);
}`;

export const FINISH = `#version 300 es
precision mediump float;
uniform sampler2D u_picture;
uniform sampler2D u_smooth;
uniform float u_beauty;
uniform float u_detail;
uniform float u_whiteness;
uniform bool u_mirror;
uniform vec3 u_tint;
uniform float u_tintShare;
uniform float u_saturation;
uniform float u_contrast;
uniform float u_brightness;
uniform float u_warmth;
uniform float u_fade;
in vec2 v_at;
out vec4 color;
const vec3 LUMA = vec3(0.299, 0.587, 0.114);

/* Skin of every shade lies in one small region of chroma. */
float skin(vec3 c) {
  float cb = 0.5 - 0.168736 * c.r - 0.331264 * c.g + 0.5 * c.b;
  float cr = 0.5 + 0.5 * c.r - 0.418688 * c.g - 0.081312 * c.b;
  float far = length(vec2((cb - 0.43) / 0.10, (cr - 0.59) / 0.09));
  return 1.0 - smoothstep(0.8, 1.8, far);
}

void main() {
  vec2 at = vec2(u_mirror ? 1.0 - v_at.x : v_at.x, v_at.y);
  vec3 c = texture(u_picture, at).rgb;
  if (u_beauty > 0.0) {
    vec3 soft = texture(u_smooth, at).rgb;
    vec3 kept = soft + (c - soft) * u_detail;
    c = mix(c, kept, u_beauty * skin(soft));
  }
  if (u_whiteness > 0.0) c = log(1.0 + c * u_whiteness) / log(1.0 + u_whiteness);
  c = mix(c, c * u_tint, u_tintShare);
  c = mix(vec3(dot(c, LUMA)), c, u_saturation);
  c = (c - 0.5) * u_contrast + 0.5 + u_brightness;
  c += vec3(u_warmth, 0.0, -u_warmth);
  c = c * (1.0 - u_fade) + u_fade;
  color = vec4(clamp(c, 0.0, 1.0), 1.0);
}`;
