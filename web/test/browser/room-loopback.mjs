//! The media of a room inside the page: `fetch` of a WHIP address of a room is answered by a peer connection that
//! receives, that of `/rooms/{room}/stage` by one that fills slots as docs/control-channel.md says, with a moving
//! picture and a tone for each member. Tests steer and read it by `window.stage`.

/** Installs it before any script of the page runs. */
export async function installRoomLoopback(context) {
  await context.addInitScript(() => {
    const VOICES = 6;
    const stage = {
      requests: [],
      /** What was asked for last. */
      asked: [],
      /** Members whose picture does not come: `waiting` or `paused`. */
      states: {},
      /** The peers of the other side. */
      up: undefined,
      down: undefined,
      channel: undefined,
      /** ICE restarts that were asked for. */
      restarts: 0,
      /** A status to refuse with, while set. */
      refuses: undefined,
      speak(...members) {
        const speakers = members.map((member, at) => ({ member, level: -20 - at }));
        stage.channel.send(JSON.stringify({ type: 'speakers', speakers }));
        members.slice(0, VOICES).forEach((member, at) => {
          stage.channel.send(JSON.stringify({ type: 'voice', mid: String(at), member }));
          void stage.senders.get(String(at)).replaceTrack(soundOf(member));
        });
      },
    };
    window.stage = stage;

    const pictures = new Map();
    const pictureOf = (member) => {
      if (pictures.has(member)) return pictures.get(member);
      const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
      const context = canvas.getContext('2d');
      let frame = 0;
      const draw = () => {
        frame += 1;
        const hue = (member * 67) % 360;
        const wall = context.createLinearGradient(0, 0, 640, 360);
        wall.addColorStop(0, `hsl(${hue} 28% 30%)`);
        wall.addColorStop(1, `hsl(${(hue + 40) % 360} 30% 52%)`);
        context.fillStyle = wall;
        context.fillRect(0, 0, 640, 360);
        const [x, y] = [320 + 12 * Math.sin(frame / 20), 4 * Math.cos(frame / 14)];
        context.fillStyle = `hsl(${(hue + 180) % 360} 30% 36%)`;
        context.beginPath();
        context.ellipse(x, 400 + y, 150, 150, 0, 0, 7);
        context.fill();
        context.fillStyle = '#d9b596';
        context.beginPath();
        context.ellipse(x, 175 + y, 62, 78, 0, 0, 7);
        context.fill();
      };
      setInterval(draw, 1000 / 15);
      draw();
      const [track] = canvas.captureStream(15).getTracks();
      pictures.set(member, track);
      return track;
    };
    let audio;
    const soundOf = (member) => {
      audio ??= new AudioContext();
      const sink = audio.createMediaStreamDestination();
      const tone = new OscillatorNode(audio, { frequency: 300 + 100 * member });
      tone.connect(sink);
      tone.start();
      return sink.stream.getAudioTracks()[0];
    };

    const gathered = (peer) =>
      new Promise((resolve) => {
        const look = () => peer.iceGatheringState === 'complete' && resolve();
        peer.addEventListener('icegatheringstatechange', look);
        look();
      });
    const answered = async (peer, sdp) => {
      await peer.setLocalDescription(await peer.createAnswer());
      await gathered(peer);
      return peer.localDescription.sdp;
    };

    const fill = (text) => {
      const message = JSON.parse(text);
      if (message.type !== 'tiles') return;
      const before = new Map(stage.asked.map((tile) => [tile.mid, tile]));
      stage.asked = message.tiles;
      for (const { mid, member, width, height } of message.tiles) {
        if (before.get(mid)?.member === member && stage.states[member] === undefined) continue;
        const state = stage.states[member] ?? 'playing';
        void stage.senders.get(mid).replaceTrack(state === 'playing' ? pictureOf(member) : null);
        const reason = state === 'paused' ? { reason: 'bandwidth' } : {};
        stage.channel.send(JSON.stringify({ type: 'tile', mid, member, width, height, state, ...reason }));
      }
    };

    const openDown = async (sdp) => {
      const peer = new RTCPeerConnection();
      stage.down = peer;
      stage.asked = [];
      peer.addEventListener('datachannel', ({ channel }) => {
        stage.channel = channel;
        channel.addEventListener('message', ({ data }) => fill(data));
      });
      await peer.setRemoteDescription({ type: 'offer', sdp });
      for (const transceiver of peer.getTransceivers()) transceiver.direction = 'sendonly';
      stage.senders = new Map(peer.getTransceivers().map(({ mid, sender }) => [mid, sender]));
      return answered(peer);
    };

    const openUp = async (sdp) => {
      const peer = new RTCPeerConnection();
      stage.up = peer;
      // What nobody plays is not decoded, and has no loudness.
      peer.addEventListener('track', ({ track }) => track.kind === 'audio' && void Object.assign(new Audio(), { srcObject: new MediaStream([track]) }).play());
      await peer.setRemoteDescription({ type: 'offer', sdp });
      const own = await answered(peer);
      // A browser answers no simulcast; the sender believes us that it is wanted.
      const layers = /^a=simulcast:send (\S+)/m.exec(sdp)?.[1];
      const rids = layers?.split(';').map((rid) => `a=rid:${rid} recv\r\n`).join('');
      return layers === undefined ? own : own.replace(/(m=video[\s\S]*?a=mid:.*\r\n)/, `$1${rids}a=simulcast:recv ${layers}\r\n`);
    };

    /** The earlier offer with the credentials of the fragment; the answer's come back. */
    const restarted = async (peer, fragment) => {
      const read = (name) => new RegExp(`^a=${name}:.*$`, 'm').exec(fragment)[0].trim();
      let sdp = peer.remoteDescription.sdp.replace(/^a=candidate:.*\r\n/gm, '');
      for (const name of ['ice-ufrag', 'ice-pwd']) sdp = sdp.replace(new RegExp(`^a=${name}:.*$`, 'gm'), read(name));
      await peer.setRemoteDescription({ type: 'offer', sdp });
      const own = await answered(peer);
      return own.split('\r\n').filter((line) => /^a=(ice-ufrag|ice-pwd|candidate)/.test(line)).join('\r\n');
    };

    const fetchBefore = window.fetch;
    /** An offer is sent to our server packed. */
    const unpacked = ({ headers, body }) =>
      headers?.['content-encoding'] === 'gzip' ? new Response(new Blob([body]).stream().pipeThrough(new DecompressionStream('gzip'))).text() : body;

    /** An offer that comes again is answered as before, and counts once. */
    const answers = new Map();
    const once = (offer, open) => {
      if (!answers.has(offer)) answers.set(offer, open(offer));
      return answers.get(offer);
    };

    window.fetch = async (input, init = {}) => {
      const url = new URL(typeof input === 'string' ? input : input.url ?? String(input), location.href);
      const isDown = /^\/rooms\/[^/]+\/stage/.test(url.pathname);
      const isUp = /^\/room\/[^/]+\/[^/]+\/whip/.test(url.pathname);
      if (!isDown && !isUp) return fetchBefore(input, init);
      const { method = 'GET', headers } = init;
      const body = await unpacked(init);
      if (!answers.has(body)) stage.requests.push({ method, url: url.pathname + url.search, authorization: headers?.authorization });
      if (method === 'DELETE') return new Response(null, { status: 200 });
      if (method === 'PATCH' && headers['if-match'] === '*') {
        const fragment = await restarted(isDown ? stage.down : stage.up, body);
        stage.restarts += 1;
        return new Response(fragment, { headers: { etag: '"2"', 'content-type': 'application/trickle-ice-sdpfrag' } });
      }
      if (method === 'PATCH') return new Response(null, { status: 204 });
      if (stage.refuses !== undefined) return new Response(null, { status: stage.refuses });
      const answer = await once(body, isDown ? openDown : openUp);
      return new Response(answer, { status: 201, headers: { 'content-type': 'application/sdp', location: `${url.pathname}/1`, etag: '"1"' } });
    };
  });
}
