//! A peer connection whose states a test sets; nothing is sent.

export const FAKE_OFFER = [
  'v=0',
  'a=group:BUNDLE 0 1',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 63',
  'a=mid:0',
  'a=ice-ufrag:u1',
  'a=ice-pwd:p1',
  'a=rtpmap:111 opus/48000/2',
  'a=fmtp:111 minptime=10',
  'a=rtpmap:63 red/48000/2',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=mid:1',
  'a=rtpmap:96 H264/90000',
  '',
].join('\r\n');

export const FAKE_ANSWER = FAKE_OFFER.replace('u1', 'u2').replace('p1', 'p2');

/** A data channel that a test opens. */
export class FakeChannel extends EventTarget {
  readyState: RTCDataChannelState = 'connecting';
  readonly sent: string[] = [];

  constructor(readonly label: string) {
    super();
  }

  send(text: string) {
    this.sent.push(text);
  }

  open() {
    this.readyState = 'open';
    this.dispatchEvent(new Event('open'));
  }

  hear(data: unknown) {
    this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }
}

export class FakePeer extends EventTarget {
  iceConnectionState: RTCIceConnectionState = 'new';
  connectionState: RTCPeerConnectionState = 'new';
  iceGatheringState: RTCIceGatheringState = 'new';
  localDescription: RTCSessionDescriptionInit | null = null;
  remoteDescription: RTCSessionDescriptionInit | null = null;
  signalingState: RTCSignalingState = 'stable';
  readonly sendEncodings: (readonly object[] | undefined)[] = [];
  readonly answers: string[] = [];
  readonly transceivers: { kind: string; direction: string; codecs: readonly string[] }[] = [];
  readonly receivers = [{ jitterBufferTarget: null as number | null }, { jitterBufferTarget: null as number | null }];
  readonly offers: (RTCOfferOptions | undefined)[] = [];
  readonly channels: FakeChannel[] = [];
  stats: object[] = [];
  closed = false;

  createDataChannel(label: string) {
    const channel = new FakeChannel(label);
    this.channels.push(channel);
    return channel;
  }

  addTransceiver(of: string | { readonly kind: string }, { direction, sendEncodings }: { direction: string; sendEncodings?: object[] }) {
    this.sendEncodings.push(sendEncodings);
    const made = { kind: typeof of === 'string' ? of : of.kind, direction, codecs: [] as readonly string[] };
    this.transceivers.push(made);
    return {
      setCodecPreferences: (codecs: readonly { mimeType: string }[]) => {
        made.codecs = codecs.map(({ mimeType }) => mimeType);
      },
    };
  }

  getReceivers() {
    return this.receivers;
  }

  async createOffer(options?: RTCOfferOptions) {
    this.offers.push(options);
    return { type: 'offer', sdp: FAKE_OFFER };
  }

  async setLocalDescription(description: RTCSessionDescriptionInit) {
    this.localDescription = description;
  }

  async setRemoteDescription(description: RTCSessionDescriptionInit) {
    this.remoteDescription = description;
    this.answers.push(description.sdp ?? '');
  }

  async getStats() {
    return new Map(this.stats.map((each, at) => [String(at), each]));
  }

  close() {
    this.closed = true;
  }

  become(ice: RTCIceConnectionState, peer: RTCPeerConnectionState) {
    this.iceConnectionState = ice;
    this.connectionState = peer;
    this.dispatchEvent(new Event('iceconnectionstatechange'));
    this.dispatchEvent(new Event('connectionstatechange'));
  }
}
