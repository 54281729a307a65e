//! A WHEP and WHIP server inside the page: `fetch` of `/whep` is answered by a second peer connection that
//! publishes a moving canvas and a tone, that of `/whip` by one that receives. Tests steer them by `window.whep`.

/** Installs it before any script of the page runs. */
export async function installLoopback(context) {
  await context.addInitScript(() => {
    const Peer = window.RTCPeerConnection;
    const players = [];
    /** Peer connections that the page makes, for tests that break them. */
    window.RTCPeerConnection = class extends Peer {
      constructor(...args) {
        super(...args);
        if (!window.whep.making) players.push(this);
      }
    };

    const whep = {
      making: false,
      /** `ok`, a status to refuse with, or `mute`: an answer without a way to the server. */
      behaviour: 'ok',
      requests: [],
      players,
      server: undefined,
      ingest: undefined,
      /** While true, encoded frames are thrown away before they are sent; the connection stays. */
      hushed: false,
    };
    window.whep = whep;

    let source;
    const startSource = () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
      const context = canvas.getContext('2d');
      let frame = 0;
      setInterval(() => {
        frame += 1;
        const hue = (frame * 2) % 360;
        const sky = context.createLinearGradient(0, 0, 640, 360);
        sky.addColorStop(0, `hsl(${hue} 70% 30%)`);
        sky.addColorStop(1, `hsl(${(hue + 80) % 360} 70% 60%)`);
        context.fillStyle = sky;
        context.fillRect(0, 0, 640, 360);
        context.fillStyle = '#fff';
        context.beginPath();
        context.arc(320 + 220 * Math.cos(frame / 20), 180 + 110 * Math.sin(frame / 14), 36, 0, 7);
        context.fill();
        context.font = '28px sans-serif';
        context.fillText(String(frame).padStart(6, '0'), 24, 48);
      }, 1000 / 30);
      const audio = new AudioContext();
      const tone = new OscillatorNode(audio, { frequency: 440 });
      const sink = audio.createMediaStreamDestination();
      tone.connect(sink);
      tone.start();
      return new MediaStream([...canvas.captureStream(30).getTracks(), ...sink.stream.getTracks()]);
    };

    const gathered = (peer) =>
      new Promise((resolve) => {
        const look = () => peer.iceGatheringState === 'complete' && resolve();
        peer.addEventListener('icegatheringstatechange', look);
        look();
      });

    const open = async (sdp) => {
      source ??= startSource();
      whep.making = true;
      const peer = new window.RTCPeerConnection({ encodedInsertableStreams: true });
      whep.making = false;
      whep.server?.close();
      whep.server = peer;
      for (const track of source.getTracks()) {
        const { readable, writable } = peer.addTrack(track, source).createEncodedStreams();
        const gate = new TransformStream({ transform: (frame, to) => void (whep.hushed || to.enqueue(frame)) });
        void readable.pipeThrough(gate).pipeTo(writable);
      }
      await peer.setRemoteDescription({ type: 'offer', sdp });
      await peer.setLocalDescription(await peer.createAnswer());
      await gathered(peer);
      return peer.localDescription.sdp;
    };

    /** The earlier offer with the credentials of the fragment; the answer's come back. */
    const restart = async (fragment) => {
      const peer = whep.server;
      const read = (text, name) => new RegExp(`^a=${name}:.*$`, 'm').exec(text)[0].trim();
      let sdp = peer.remoteDescription.sdp.replace(/^a=candidate:.*\r\n/gm, '');
      for (const name of ['ice-ufrag', 'ice-pwd']) sdp = sdp.replace(new RegExp(`^a=${name}:.*$`, 'gm'), read(fragment, name));
      await peer.setRemoteDescription({ type: 'offer', sdp });
      await peer.setLocalDescription(await peer.createAnswer());
      await gathered(peer);
      return peer.localDescription.sdp
        .split('\r\n')
        .filter((line) => /^a=(ice-ufrag|ice-pwd|candidate)/.test(line))
        .join('\r\n');
    };

    const answer = async (method, headers, body) => {
      const { behaviour } = whep;
      if (method === 'DELETE') return new Response(null, { status: 200 });
      if (method === 'PATCH' && headers['if-match'] === '*') {
        return new Response(await restart(body), { headers: { etag: '"2"', 'content-type': 'application/trickle-ice-sdpfrag' } });
      }
      if (method === 'PATCH') return new Response(null, { status: 204 });
      if (typeof behaviour === 'number') {
        const problem = JSON.stringify({ title: 'No common codec', detail: 'the stream is HEVC' });
        return new Response(problem, { status: behaviour, headers: { 'content-type': 'application/problem+json' } });
      }
      const sdp = await open(body);
      const shown = behaviour === 'mute' ? sdp.replace(/^a=candidate:.*\r\n/gm, '') : sdp;
      if (behaviour === 'mute') whep.server.close();
      const told = { location: '/live/demo/whep/1', etag: '"1"', 'accept-patch': 'application/trickle-ice-sdpfrag' };
      return new Response(shown, { status: 201, headers: { 'content-type': 'application/sdp', ...told } });
    };

    const take = async (method, sdp) => {
      if (method !== 'POST') return new Response(null, { status: method === 'DELETE' ? 200 : 204 });
      whep.making = true;
      const peer = new window.RTCPeerConnection();
      whep.making = false;
      whep.ingest = peer;
      peer.addEventListener('datachannel', ({ channel }) => (whep.control = channel));
      await peer.setRemoteDescription({ type: 'offer', sdp });
      await peer.setLocalDescription(await peer.createAnswer());
      await gathered(peer);
      // A browser answers no simulcast; the sender believes us that it is wanted, and its layers are received apart.
      const layers = /^a=simulcast:send (\S+)/m.exec(sdp)?.[1];
      const rids = layers?.split(';').map((rid) => `a=rid:${rid} recv\r\n`).join('');
      const { sdp: own } = peer.localDescription;
      const told = layers === undefined ? own : own.replace(/(m=video[\s\S]*?a=mid:.*\r\n)/, `$1${rids}a=simulcast:recv ${layers}\r\n`);
      return new Response(told, { status: 201, headers: { location: '/live/mine/whip/1' } });
    };

    /** An offer is sent to our server packed. */
    const unpacked = ({ headers, body }) =>
      headers?.['content-encoding'] === 'gzip' ? new Response(new Blob([body]).stream().pipeThrough(new DecompressionStream('gzip'))).text() : body;

    const answers = new Map();
    const fetch = window.fetch.bind(window);
    window.fetch = async (to, init = {}) => {
      const { pathname } = new URL(to, location.href);
      if (!/\/wh[ei]p(\/1)?$/.test(pathname)) return fetch(to, init);
      const { method, headers } = init;
      const body = await unpacked(init);
      const answered = () => (pathname.includes('/whip') ? take(method, body) : answer(method, headers, body));
      if (method !== 'POST' || !body) {
        whep.requests.push({ method, pathname, body });
        return answered();
      }
      // An offer that comes again is answered as before, and counts once.
      if (!answers.has(body)) {
        whep.requests.push({ method, pathname, body });
        answers.set(body, answered());
      }
      return (await answers.get(body)).clone();
    };
  });
}
