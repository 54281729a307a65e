//! What we change in and read from session descriptions (RFC 8866) and their ICE fragments
//! (RFC 8840). Lines are kept as they are but for the few that are named here.

/** The media type of ICE fragments in PATCH, RFC 8840 §9. */
export const FRAGMENT_TYPE = 'application/trickle-ice-sdpfrag';

/** Both sides of an Opus stream must say these, or browsers play mono and repair nothing. */
const OPUS_PARAMETERS: readonly (readonly [name: string, value: string])[] = [
  ['stereo', '1'],
  ['useinbandfec', '1'],
];

/**
 * Asks for sound that survives a weak network: Opus in stereo with in-band FEC and NACK. Browsers
 * honour NACK for sound but never offer it. RED is left where the browser put it.
 */
export function askForRobustSound(description: string): string {
  return joined(sectionsOf(description).map((section) => (kindOf(section) === 'audio' ? robustOpus(section) : section)));
}

function robustOpus(section: readonly string[]): readonly string[] {
  const types = section.flatMap((line) => /^a=rtpmap:(\d+) opus\/48000/i.exec(line)?.[1] ?? []);
  return section.flatMap((line) => {
    const type = types.find((each) => line.startsWith(`a=rtpmap:${each} `) || line.startsWith(`a=fmtp:${each} `));
    if (type === undefined) return [line];
    if (line.startsWith('a=fmtp:')) return [withParameters(line)];
    const has = (start: string): boolean => section.some((each) => each === start || each.startsWith(`${start} `));
    const nack = has(`a=rtcp-fb:${type} nack`) ? [] : [`a=rtcp-fb:${type} nack`];
    const fmtp = has(`a=fmtp:${type}`) ? [] : [withParameters(`a=fmtp:${type} `)];
    return [line, ...nack, ...fmtp];
  });
}

function withParameters(fmtp: string): string {
  const [head = '', ...rest] = fmtp.split(' ');
  const kept = rest
    .join(' ')
    .split(';')
    .map((each) => each.trim())
    .filter((each) => each !== '' && !OPUS_PARAMETERS.some(([name]) => each.startsWith(`${name}=`)));
  return `${head} ${[...kept, ...OPUS_PARAMETERS.map(([name, value]) => `${name}=${value}`)].join(';')}`;
}

/**
 * Chromium decodes a keyframe of H.264 whose parameter sets came late or not at all by the sets of before: after a
 * change of layer the picture stands still, with nobody told, until the next keyframe. By this parameter it waits for them.
 */
const WHOLE_KEYFRAMES = 'sps-pps-idr-in-keyframe=1';

/** Asks to be shown no keyframe of H.264 without its parameter sets. */
export function askForWholeKeyframes(description: string): string {
  return joined(sectionsOf(description).map((section) => (kindOf(section) === 'video' ? wholeH264(section) : section)));
}

function wholeH264(section: readonly string[]): readonly string[] {
  const types = section.flatMap((line) => /^a=rtpmap:(\d+) H264\/90000/i.exec(line)?.[1] ?? []);
  return section.map((line) => {
    const isOfH264 = types.some((type) => line.startsWith(`a=fmtp:${type} `));
    return isOfH264 && !line.includes(WHOLE_KEYFRAMES) ? `${line};${WHOLE_KEYFRAMES}` : line;
  });
}

/** Whether the answer promises a picture: a stream of sound alone must not be waited for in vain. */
export function promisesVideo(answer: string): boolean {
  return sectionsOf(answer).some(
    (section) => kindOf(section) === 'video' && !isRejected(section) && !section.includes('a=inactive'),
  );
}

/**
 * Puts all tracks of an answer into one stream. Browsers keep lips and voice together only within a
 * stream, and some servers name one for each track.
 */
export function inOneStream(answer: string): string {
  const stream = /^a=msid:(\S+)/m.exec(answer)?.[1];
  if (stream === undefined || stream === '-') return answer;
  return answer.replace(/^(a=msid:|a=ssrc:\d+ msid:)\S+/gm, (_, head: string) => head + stream);
}

/** A full ICE agent that speaks trickle can use our candidates; a lite one finds us by our checks. */
export function wantsCandidates(answer: string): boolean {
  const lines = linesOf(answer);
  return lines.some((line) => /^a=ice-options:.*\btrickle\b/.test(line)) && !lines.includes('a=ice-lite');
}

/**
 * The ICE part of a description as a fragment: credentials and candidates of the first section, which
 * stands for the bundle (RFC 9725 §4.3).
 */
export function fragmentOf(description: string): string {
  const [session = [], ...media] = sectionsOf(description);
  const section = media.find((each) => !isRejected(each)) ?? [];
  const pick = (name: string): readonly string[] =>
    [...section, ...session].filter((line) => line.startsWith(`a=${name}:`)).slice(0, 1);
  return joined([
    session.filter((line) => line.startsWith('a=group:BUNDLE')),
    pick('ice-options'),
    section.slice(0, 1),
    pick('mid'),
    pick('ice-ufrag'),
    pick('ice-pwd'),
    section.filter((line) => line.startsWith('a=candidate:')),
  ]);
}

/** The earlier answer with the credentials and candidates of the server's fragment, for an ICE restart. */
export function withFragment(answer: string, fragment: string): string | undefined {
  const lines = linesOf(fragment);
  const ufrag = lines.find((line) => line.startsWith('a=ice-ufrag:'));
  const password = lines.find((line) => line.startsWith('a=ice-pwd:'));
  if (ufrag === undefined || password === undefined) return undefined;
  const candidates = [...new Set(lines.filter((line) => line.startsWith('a=candidate:')))];
  const sections = sectionsOf(answer).map((section) =>
    section
      .filter((line) => !/^a=(candidate:|end-of-candidates)/.test(line))
      .map((line) => (line.startsWith('a=ice-ufrag:') ? ufrag : line.startsWith('a=ice-pwd:') ? password : line)),
  );
  const bundle = sections.findIndex((section, at) => at > 0 && !isRejected(section));
  return joined(sections.map((section, at) => (at === bundle ? [...section, ...candidates] : section)));
}

/** kbit/s that Chromium's congestion control keeps to, in the words of its own SDP parameters. */
export interface RateHints {
  readonly minKbps: number;
  readonly startKbps: number;
  readonly maxKbps: number;
}

/** The answer with these hints on every codec of pictures, in place of the server's own. */
export function withRateHints(answer: string, { minKbps, startKbps, maxKbps }: RateHints): string {
  const hints = `x-google-min-bitrate=${minKbps};x-google-start-bitrate=${startKbps};x-google-max-bitrate=${maxKbps}`;
  return joined(sectionsOf(answer).map((section) => (kindOf(section) === 'video' ? hinted(section, hints) : section)));
}

function hinted(section: readonly string[], hints: string): readonly string[] {
  const types = section.flatMap((line) => /^a=rtpmap:(\d+) (?:H264|H265|VP8|VP9|AV1)\//i.exec(line)?.[1] ?? []);
  return section.flatMap((line) => {
    const type = types.find((each) => line.startsWith(`a=rtpmap:${each} `) || line.startsWith(`a=fmtp:${each} `));
    if (type === undefined) return [line];
    const head = `a=fmtp:${type} `;
    if (!line.startsWith(head)) return section.some((each) => each.startsWith(head)) ? [line] : [line, head + hints];
    const kept = line.slice(head.length).split(';').map((each) => each.trim()).filter((each) => !each.startsWith('x-google-'));
    return [head + [...kept, hints].join(';')];
  });
}

/** The session part first, then one section for each `m=` line. */
function sectionsOf(description: string): readonly (readonly string[])[] {
  const sections: string[][] = [[]];
  for (const line of linesOf(description)) {
    if (line.startsWith('m=')) sections.push([]);
    sections.at(-1)?.push(line);
  }
  return sections;
}

function linesOf(text: string): readonly string[] {
  return text.split(/\r?\n/).filter((line) => line !== '');
}

function joined(sections: readonly (readonly string[])[]): string {
  return sections
    .flat()
    .map((line) => `${line}\r\n`)
    .join('');
}

function kindOf(section: readonly string[]): string | undefined {
  return /^m=(\w+)/.exec(section[0] ?? '')?.[1];
}

/** Port 0 rejects a section (RFC 8829 §5.3.1), unless it rides on another one's bundle. */
function isRejected(section: readonly string[]): boolean {
  return /^m=\w+ 0 /.test(section[0] ?? '') && !section.includes('a=bundle-only');
}
