//! Session descriptions as browsers write them: what is changed, what is kept.

import { describe, expect, it } from 'vitest';
import { askForRobustSound, askForWholeKeyframes, fragmentOf, inOneStream, promisesVideo, wantsCandidates, withFragment, withRateHints } from '../../src/signal/sdp.ts';

const lines = (...all: string[]): string => all.map((line) => `${line}\r\n`).join('');

const SESSION = ['v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1'];
const AUDIO = [
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9',
  'a=ice-ufrag:AbCd',
  'a=ice-pwd:secretsecretsecretsecret',
  'a=ice-options:trickle',
  'a=mid:0',
  'a=recvonly',
  'a=rtpmap:111 opus/48000/2',
  'a=rtcp-fb:111 transport-cc',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'a=rtpmap:63 red/48000/2',
  'a=fmtp:63 111/111',
  'a=rtpmap:9 G722/8000',
];
const VIDEO = [
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=ice-ufrag:AbCd',
  'a=ice-pwd:secretsecretsecretsecret',
  'a=mid:1',
  'a=recvonly',
  'a=rtpmap:96 H264/90000',
];
const OFFER = lines(...SESSION, ...AUDIO, ...VIDEO);

describe('askForRobustSound', () => {
  it('asks_for_stereo_fec_and_nack_of_opus_and_leaves_all_else_alone', () => {
    const expected = OFFER.replace(
      'a=rtpmap:111 opus/48000/2\r\n',
      'a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 nack\r\n',
    ).replace('minptime=10;useinbandfec=1', 'minptime=10;stereo=1;useinbandfec=1');
    expect(askForRobustSound(OFFER)).toBe(expected);
    expect(expected).toContain('a=rtpmap:63 red/48000/2');
  });

  it('changes_nothing_the_second_time', () => {
    const once = askForRobustSound(OFFER);
    expect(askForRobustSound(once)).toBe(once);
  });

  it('writes_parameters_where_there_were_none_and_overrides_those_that_say_no', () => {
    const bare = lines('v=0', 'm=audio 9 X 109', 'a=rtpmap:109 opus/48000/2');
    expect(askForRobustSound(bare)).toContain('a=fmtp:109 stereo=1;useinbandfec=1\r\n');
    const mono = lines('v=0', 'm=audio 9 X 109', 'a=rtpmap:109 opus/48000/2', 'a=fmtp:109 stereo=0;maxplaybackrate=48000');
    expect(askForRobustSound(mono)).toContain('a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\n');
  });

  it('leaves_a_description_without_opus_as_it_is', () => {
    const other = lines('v=0', ...VIDEO);
    expect(askForRobustSound(other)).toBe(other);
    expect(askForRobustSound('')).toBe('');
  });

  it('survives_being_cut_anywhere', () => {
    for (let at = 0; at <= OFFER.length; at += 1) {
      const cut = OFFER.slice(0, at);
      expect(askForRobustSound(cut).length).toBeGreaterThanOrEqual(cut.trimEnd().length);
    }
  });
});

describe('askForWholeKeyframes', () => {
  const H264 = ['m=video 9 X 102 103 96', 'a=rtpmap:102 H264/90000', 'a=fmtp:102 packetization-mode=1;profile-level-id=42e01f',
    'a=rtpmap:103 rtx/90000', 'a=fmtp:103 apt=102', 'a=rtpmap:96 VP9/90000', 'a=fmtp:96 profile-id=0'];

  it('asks_so_of_h264_alone_and_once', () => {
    const once = askForWholeKeyframes(lines('v=0', ...H264));
    expect(once).toBe(lines('v=0', ...H264).replace('42e01f', '42e01f;sps-pps-idr-in-keyframe=1'));
    expect(askForWholeKeyframes(once)).toBe(once);
    expect(askForWholeKeyframes('')).toBe('');
  });
});

describe('what an answer says', () => {
  it('promises_a_picture_unless_video_is_rejected_or_inactive', () => {
    expect(promisesVideo(OFFER)).toBe(true);
    expect(promisesVideo(OFFER.replace('m=video 9', 'm=video 0'))).toBe(false);
    expect(promisesVideo(lines(...SESSION, ...AUDIO, ...VIDEO.slice(0, -2), 'a=inactive'))).toBe(false);
    expect(promisesVideo(lines(...SESSION, ...AUDIO))).toBe(false);
  });

  it('belongs_together_however_many_streams_it_names', () => {
    const answer = lines('v=0', 'm=audio 9', 'a=msid:one a', 'a=ssrc:1 msid:one a', 'm=video 9', 'a=msid:two v', 'a=ssrc:2 msid:two v');
    expect(inOneStream(answer)).toBe(answer.replaceAll('two', 'one'));
    expect(inOneStream(OFFER)).toBe(OFFER);
    const none = lines('v=0', 'm=audio 9', 'a=msid:- a', 'm=video 9', 'a=msid:- v');
    expect(inOneStream(none)).toBe(none);
  });

  it('wants_candidates_when_it_trickles_and_is_no_lite_agent', () => {
    expect(wantsCandidates(OFFER)).toBe(true);
    expect(wantsCandidates(OFFER.replace('a=ice-options:trickle\r\n', ''))).toBe(false);
    expect(wantsCandidates(OFFER.replace('s=-\r\n', 's=-\r\na=ice-lite\r\n'))).toBe(false);
  });
});

describe('fragments', () => {
  it('carry_the_credentials_and_candidates_of_the_bundle', () => {
    const candidate = 'a=candidate:1 1 udp 2130706431 10.0.0.1 5000 typ host';
    const offer = lines(...SESSION, ...AUDIO, candidate, ...VIDEO);
    expect(fragmentOf(offer)).toBe(
      lines(
        'a=group:BUNDLE 0 1',
        'a=ice-options:trickle',
        'm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9',
        'a=mid:0',
        'a=ice-ufrag:AbCd',
        'a=ice-pwd:secretsecretsecretsecret',
        candidate,
      ),
    );
  });

  it('replace_credentials_and_candidates_of_the_earlier_answer', () => {
    const answer = lines(...SESSION, ...AUDIO, 'a=candidate:old', 'a=end-of-candidates', ...VIDEO);
    const fragment = 'a=ice-ufrag:new\na=ice-pwd:newsecret\nm=audio 9 X 0\na=candidate:2 new\na=end-of-candidates\n';
    const next = withFragment(answer, fragment) ?? '';
    expect(next.match(/a=ice-ufrag:new\r\n/g)).toHaveLength(2);
    expect(next.match(/a=ice-pwd:newsecret\r\n/g)).toHaveLength(2);
    expect(next).not.toContain('old');
    expect(next.indexOf('a=candidate:2 new')).toBeLessThan(next.indexOf('m=video'));
    expect(next.match(/a=candidate/g)).toHaveLength(1);
  });

  it('without_credentials_restart_nothing', () => {
    expect(withFragment(OFFER, 'a=candidate:1\r\n')).toBeUndefined();
  });
});

describe('withRateHints', () => {
  const HINTS = { minKbps: 600, startKbps: 700, maxKbps: 1_800 };
  const SAID = 'x-google-min-bitrate=600;x-google-start-bitrate=700;x-google-max-bitrate=1800';
  const answer = (...video: string[]): string => lines(...SESSION, ...AUDIO, ...VIDEO, ...video);

  it('puts_them_on_codecs_of_pictures_and_on_nothing_else', () => {
    const given = answer('a=fmtp:96 packetization-mode=1', 'a=rtpmap:97 rtx/90000', 'a=fmtp:97 apt=96');
    const expected = given.replace('packetization-mode=1', `packetization-mode=1;${SAID}`);
    expect(withRateHints(given, HINTS)).toBe(expected);
  });

  it('adds_a_line_where_a_codec_has_none', () => {
    const bare = answer();
    expect(withRateHints(bare, HINTS)).toBe(bare.replace('H264/90000\r\n', `H264/90000\r\na=fmtp:96 ${SAID}\r\n`));
  });

  it('replaces_the_servers_own_and_comes_to_the_same_when_said_twice', () => {
    const own = answer('a=fmtp:96 packetization-mode=1;x-google-min-bitrate=300;profile-level-id=42e01f');
    const once = withRateHints(own, HINTS);
    expect(once).toContain(`a=fmtp:96 packetization-mode=1;profile-level-id=42e01f;${SAID}\r\n`);
    expect(withRateHints(once, HINTS)).toBe(once);
    const alone = answer('a=fmtp:96 x-google-min-bitrate=300');
    expect(withRateHints(alone, HINTS).match(/x-google-min-bitrate/g)).toHaveLength(1);
  });
});
