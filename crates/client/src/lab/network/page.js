// Installed in a page of the server before the link becomes bad: publishes a picture that carries its own age and the speech
// of a fake microphone, or watches and listens. `code.rs` says what the blocks mean. Calls return what they found.
(() => {
  const SAMPLE_MS = 250;
  const HEARD_HZ = 10_000;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  // Whoever makes connections in this page makes them here.
  const peers = [];
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...given) {
      super(...given);
      peers.push(this);
    }
  };
  // A member of a room has one that sends and one that receives; what this page is asked for goes by one of them.
  const goes = (direction) => (peer) => peer.getTransceivers().some((each) => each.currentDirection?.includes(direction));
  const live = () => peers.findLast((peer) => peer.connectionState !== 'closed' && goes(lab.direction)(peer));

  // --- publishing ---------------------------------------------------------------------------------------------------------

  const paintCode = (paint, { width, height }, number) => {
    const ticks = Math.floor(wall() * 10) >>> 0;
    const bytes = [ticks, ticks >>> 8, ticks >>> 16, ticks >>> 24, number, (number >>> 8) & 0x7f].map((each) => each & 0xff);
    const crc = checksum(bytes);
    const all = [...bytes, crc & 0xff, crc >>> 8];
    const [across, down] = [Math.floor(width / 2 / SIDE), Math.floor(height / SIDE)];
    paint.fillStyle = '#000';
    paint.fillRect(0, 0, across * SIDE, down * SIDE);
    paint.fillStyle = '#fff';
    all.forEach((byte, y) => {
      for (let x = 0; x < SIDE; x += 1) if ((byte >> x) & 1) paint.fillRect(x * across, y * down, across, down);
    });
  };

  const grain = (side) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: side, height: side });
    const paint = canvas.getContext('2d');
    const image = paint.createImageData(side, side);
    for (let at = 0; at < image.data.length; at += 1) image.data[at] = at % 4 === 3 ? 60 : Math.random() * 256;
    paint.putImageData(image, 0, 0);
    return canvas;
  };

  /** The code on the left; on the right a picture that moves and has the grain of a camera. */
  const picture = ({ width, height, fps }) => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const paint = canvas.getContext('2d', { alpha: false });
    const film = grain(512);
    const begun = performance.now();
    let number = 0;
    const draw = () => {
      const turn = number / 40;
      const sky = paint.createLinearGradient(width / 2, 0, width, height);
      sky.addColorStop(0, `hsl(${number % 360} 60% 40%)`);
      sky.addColorStop(1, `hsl(${(number + 90) % 360} 60% 60%)`);
      paint.fillStyle = sky;
      paint.fillRect(width / 2, 0, width / 2, height);
      paint.fillStyle = '#fff8';
      paint.beginPath();
      paint.arc(width * (0.75 + 0.15 * Math.cos(turn)), height * (0.5 + 0.3 * Math.sin(turn)), height / 6, 0, 7);
      paint.fill();
      const shift = () => Math.floor(Math.random() * (512 - height));
      paint.drawImage(film, shift() / 2, shift(), width / 2, height, width / 2, 0, width / 2, height);
      paintCode(paint, canvas, number);
      number += 1;
      const next = begun + (number * 1000) / fps;
      // A page that was held up leaves pictures out instead of drawing them late.
      if (performance.now() > next + 1000 / fps) number = Math.ceil(((performance.now() - begun) * fps) / 1000);
      setTimeout(draw, Math.max(0, begun + (number * 1000) / fps - performance.now()));
    };
    draw();
    return { track: canvas.captureStream(fps).getVideoTracks()[0], drawn: () => number };
  };

  const offerTo = async (peer, url) => {
    await peer.setLocalDescription(await peer.createOffer());
    const headers = { 'content-type': 'application/sdp' };
    const answer = await fetch(url, { method: 'POST', headers, body: peer.localDescription.sdp });
    if (!answer.ok) throw new Error(`HTTP ${answer.status} from ${url}`);
    await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  };

  /** Waits for one that sends and was made since there were so many. */
  const connected = async (limitMs, before) => {
    const until = performance.now() + limitMs;
    while (!peers.slice(before).some((peer) => peer.connectionState === 'connected' && goes('send')(peer))) {
      if (performance.now() > until) throw new Error(`not connected within ${limitMs / 1000} s`);
      await pause(5);
    }
  };

  /** As a page of somebody else's would, with all that the browser does of its own accord. */
  const publishPlainly = async (url, stream) => {
    const peer = new RTCPeerConnection();
    for (const track of stream.getTracks()) {
      const transceiver = peer.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
      if (track.kind !== 'video') continue;
      const { codecs } = RTCRtpSender.getCapabilities('video');
      const isH264 = ({ mimeType }) => mimeType.toLowerCase() === 'video/h264';
      transceiver.setCodecPreferences([...codecs.filter(isH264), ...codecs.filter((codec) => !isH264(codec))]);
    }
    await offerTo(peer, url);
    return () => peer.close();
  };

  // As fast and as good as a browser left to itself sends, or figures with and without it could not be compared.
  const publishByElement = async (stream, { url, simulcast, width, height, fps }) => {
    const element = document.createElement('live-pusher');
    const wished = { url, fps, 'video-width': width, 'video-height': height, 'max-bitrate': 2500 };
    for (const [name, value] of Object.entries(wished)) element.setAttribute(name, value);
    if (simulcast) element.setAttribute('simulcast', '');
    document.body.replaceChildren(element);
    await element.updateComplete;
    element.stream = stream;
    void element.start();
    return () => (void element.stop(), element.remove());
  };

  /** Opens a room, whose element finds the picture and the microphone where it looks for them. */
  const publishInRoom = async (stream, { width, height, fps }) => {
    navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
      const wanted = [...(video ? stream.getVideoTracks() : []), ...(audio ? stream.getAudioTracks() : [])];
      return new MediaStream(wanted.map((track) => track.clone()));
    };
    return enterRoom(null, { 'video-width': width, 'video-height': height, fps });
  };

  let source;
  const publishOnce = async (options) => {
    const { url, subject, limitMs } = options;
    const [asked, before] = [wall(), peers.length];
    let [stop, room] = [undefined, null];
    if (subject === 'room') ({ stop, room } = await publishInRoom(source.stream, options));
    else if (subject === 'plain') stop = await publishPlainly(url, source.stream);
    else if (customElements.get('live-pusher')) stop = await publishByElement(source.stream, options);
    else stop = await (await import('/assets/openmic.js')).publish(url, source.stream).then((made) => () => made.stop());
    await connected(limitMs, before);
    return { asked, connected: wall(), room, stop };
  };

  const publish = async (options) => {
    lab.direction = 'send';
    if (options.subject === 'room') await loadRoom();
    if (source === undefined) {
      const sound = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      const { track, drawn } = picture(options);
      const microphone = await navigator.mediaDevices.getUserMedia({ audio: sound });
      source = { stream: new MediaStream([track, ...microphone.getAudioTracks()]), drawn };
    }
    const { stop, ...times } = await publishOnce(options);
    lab.stop = stop;
    lab.before = peers.length;
    return times;
  };

  // --- watching -----------------------------------------------------------------------------------------------------------

  let seen = { pictures: [], heard: [], heardAt: null };

  /** Follows every picture that `find()` shows, even when it becomes another element. */
  const follow = (find) => {
    let [video, presented] = [undefined, 0];
    const look = (which) => (now, { expectedDisplayTime, presentedFrames }) => {
      if (which !== video) return;
      which.requestVideoFrameCallback(look(which));
      const shown = wall(Math.max(now, expectedDisplayTime));
      const code = codeOf(which);
      const age = code === undefined ? null : ((Math.floor((shown * 10) % 2 ** 32) - code.ticks) | 0) / 10;
      // A busy page is not told of each picture, but of how many there were.
      const fresh = presented === 0 || presentedFrames <= presented ? 1 : presentedFrames - presented;
      presented = presentedFrames;
      seen.pictures.push([shown, age, fresh]);
    };
    const attach = () => {
      const found = find();
      if (!found || found === video) return;
      [video, presented] = [found, 0];
      found.requestVideoFrameCallback(look(found));
    };
    attach();
    return setInterval(attach, 20);
  };

  const WORKLET = `registerProcessor('ear', class extends AudioWorkletProcessor {
    constructor() { super(); this.kept = new Float32Array(2000); this.at = 0; }
    process([[samples]]) {
      for (let n = 0; n < 128; n += 1) {
        this.kept[this.at++] = samples ? samples[n] : 0;
        if (this.at === this.kept.length) { this.port.postMessage(this.kept.slice()); this.at = 0; }
      }
      return true;
    }
  });`;

  /** Records what is heard, at the rate that is compared. */
  const listen = async (hears) => {
    // Into nothing: the element plays it already, and a second device would only cost.
    const context = new AudioContext({ sampleRate: HEARD_HZ, sinkId: { type: 'none' } });
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([WORKLET], { type: 'text/javascript' })));
    const ear = new AudioWorkletNode(context, 'ear', { channelCount: 1, channelCountMode: 'explicit' });
    ear.connect(context.destination);
    ear.port.onmessage = ({ data }) => {
      seen.heardAt ??= wall() - (data.length * 1000) / HEARD_HZ;
      seen.heard.push(Int16Array.from(data, (sample) => Math.max(-1, Math.min(1, sample)) * 32767));
    };
    let [track, node] = [undefined, undefined];
    return setInterval(() => {
      const found = hears();
      if (!found || found === track) return;
      node?.disconnect();
      track = found;
      node = context.createMediaStreamSource(new MediaStream([track]));
      node.connect(ear);
    }, 20);
  };

  const shownBy = (find) => ({ find, hears: () => find()?.srcObject?.getAudioTracks?.()[0] });

  const watchPlainly = async (url) => {
    const video = Object.assign(document.createElement('video'), { autoplay: true, playsInline: true });
    document.body.replaceChildren(video);
    const peer = new RTCPeerConnection();
    const stream = new MediaStream();
    peer.ontrack = ({ track }) => {
      stream.addTrack(track);
      video.srcObject = stream;
    };
    for (const kind of ['audio', 'video']) peer.addTransceiver(kind, { direction: 'recvonly' });
    await offerTo(peer, url);
    return { ...shownBy(() => video), used: () => 'plain', stop: () => (peer.close(), video.remove()) };
  };

  const watchByElement = async (url) => {
    const player = document.createElement('live-player');
    Object.entries({ src: url, mode: 'RTC', autoplay: '', controls: 'none', 'min-cache': 0, 'max-cache': 0.5 })
      .forEach(([name, value]) => player.setAttribute(name, value));
    player.style.cssText = 'display:block;width:640px;height:360px';
    document.body.replaceChildren(player);
    await player.updateComplete;
    const stop = () => player.remove();
    return { ...shownBy(() => player.shadowRoot?.querySelector('video')), used: () => player.transport ?? null, stop };
  };

  const watchInRoom = async (room) => {
    const { element, stop } = await enterRoom(room, { 'camera-off': '' });
    return { ...otherOf(element), used: () => 'room', stop };
  };

  const watchOnce = async ({ url, subject, room, limitMs }) => {
    seen.pictures = [];
    const asked = wall();
    const ways = { room: () => watchInRoom(room), plain: () => watchPlainly(url), ours: () => watchByElement(url) };
    const { find, hears, used, stop } = await ways[subject]();
    const pictures = follow(find);
    while (seen.pictures.length === 0) {
      if (wall() - asked > limitMs) throw new Error(`no picture within ${limitMs / 1000} s`);
      await pause(5);
    }
    const stopAll = () => (clearInterval(pictures), stop());
    return { asked, first: seen.pictures[0][0], hears, used, stop: stopAll };
  };

  const watch = async (options) => {
    lab.direction = 'recv';
    if (options.subject === 'room') await loadRoom();
    const { asked, first, hears, used, stop } = await watchOnce(options);
    if (options.listens) await listen(hears);
    lab.stop = stop;
    lab.used = used;
    lab.before = peers.length;
    return { asked, first };
  };

  // --- both ---------------------------------------------------------------------------------------------------------------

  const KEPT = {
    'inbound-rtp': ['bytesReceived', 'packetsReceived', 'packetsLost', 'nackCount', 'framesDecoded', 'framesDropped', 'freezeCount',
      'frameWidth', 'concealedSamples', 'totalSamplesReceived', 'jitterBufferDelay', 'jitterBufferEmittedCount', 'decoderImplementation'],
    'outbound-rtp': ['bytesSent', 'framesSent', 'retransmittedPacketsSent', 'targetBitrate', 'frameWidth', 'qualityLimitationReason',
      'framesPerSecond', 'encoderImplementation'],
    'candidate-pair': ['currentRoundTripTime', 'availableOutgoingBitrate', 'bytesSent', 'bytesReceived'],
  };
  const samples = [];
  setInterval(async () => {
    const peer = live();
    if (peer?.connectionState !== 'connected' && peer?.connectionState !== 'disconnected') return;
    const at = wall();
    const report = await peer.getStats();
    const row = { at, peer: peers.indexOf(peer) };
    for (const each of report.values()) {
      const names = KEPT[each.type];
      if (names === undefined || (each.type === 'candidate-pair' && !each.nominated)) continue;
      const key = each.kind === undefined ? 'pair' : each.rid === undefined ? each.kind : `${each.kind}-${each.rid}`;
      // Of the many streams of a stage one comes.
      if (each.type === 'inbound-rtp' && row[key]?.bytesReceived >= each.bytesReceived) continue;
      row[key] = Object.fromEntries(names.filter((name) => each[name] !== undefined).map((name) => [name, each[name]]));
    }
    samples.push(row);
  }, SAMPLE_MS);

  const base64 = (bytes) => {
    let text = '';
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
  };

  /** All there is to tell; `again` is how often a connection was made anew. */
  const collect = () => {
    const heard = new Int16Array(seen.heard.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of seen.heard) {
      heard.set(part, at);
      at += part.length;
    }
    return {
      pictures: seen.pictures,
      samples,
      heard: base64(new Uint8Array(heard.buffer)),
      heardAt: seen.heardAt,
      again: peers.length - (lab.before ?? peers.length),
      used: lab.used?.() ?? null,
      drawn: source?.drawn() ?? null,
    };
  };

  const stop = async () => {
    lab.stop?.();
    lab.stop = undefined;
    await pause(300);
    return true;
  };

  const lab = { direction: undefined, before: undefined, used: undefined, stop: undefined };
  window.openmicLab = {
    publish: (options) => publish(options),
    watch: (options) => watch(options),
    collect: () => collect(),
    stop: () => stop(),
  };
  return true;
})()
