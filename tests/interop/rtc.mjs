//! WebRTC with nothing but what browsers have, in functions that are sent into a page: each stands alone.

/**
 * Watches by WHEP until it has played what is asked, not counting what it jumped over, and resolves with what it did, in
 * the words of `watch` in browser.mjs. The marks of the test picture and sound are timed where they are seen and heard.
 */
export async function whep({ url, times: [startMs, watchMs, limitMs] }) {
  /** White, and not the test picture; the tone, and not what codecs smear. */
  const BRIGHT = 200, LOUD = 0.1;
  /** What lies further apart was jumped over. */
  const STEP_MAX_S = 0.5;
  /** Marks to compare, where there are any. */
  const MARKS = 4;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const errors = [];
  const pc = new RTCPeerConnection();
  const video = Object.assign(document.createElement('video'), { autoplay: true, playsInline: true, width: 320 });
  document.body.append(video);
  const stream = new MediaStream();
  video.srcObject = stream;
  for (const kind of ['video', 'audio']) pc.addTransceiver(kind, { direction: 'recvonly' });
  pc.addEventListener('track', ({ track }) => stream.addTrack(track));
  const begin = performance.now();

  // How much the browser lets the sound lag by its own reckoning, which begins with the second of the sender's reports: a
  // busy one does for long, and that is not what is asked here.
  const lags = [];

  const flashes = [], tones = [];
  const seen = { firstMs: null, playedS: 0, gapS: 0 };
  const small = Object.assign(document.createElement('canvas'), { width: 32, height: 18 });
  const paint = small.getContext('2d', { willReadFrequently: true });
  let last, wasBright = true;
  const look = (_, { rtpTimestamp, expectedDisplayTime }) => {
    video.requestVideoFrameCallback(look);
    seen.firstMs ??= performance.now() - begin;
    const stepS = last === undefined ? 0 : ((rtpTimestamp - last) | 0) / 90_000;
    last = rtpTimestamp;
    seen.playedS += stepS > STEP_MAX_S ? 0 : Math.max(0, stepS);
    seen.gapS = Math.max(seen.gapS, stepS);
    paint.drawImage(video, 0, 0, 32, 18);
    const { data } = paint.getImageData(0, 0, 32, 18);
    let sum = 0;
    for (let at = 0; at < data.length; at += 4) sum += data[at + 1];
    const isBright = sum / (data.length / 4) > BRIGHT;
    if (isBright && !wasBright && lags.length > 0) flashes.push(expectedDisplayTime);
    wasBright = isBright;
  };
  video.requestVideoFrameCallback(look);

  /** Tells when samples in which a tone begins are handed out to be played. */
  const listen = async () => {
    const [track] = stream.getAudioTracks();
    if (!('MediaStreamTrackProcessor' in window)) return hear();
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (let quiet = 0; ; ) {
      const { value: piece, done } = await reader.read();
      if (done) return;
      const samples = new Float32Array(piece.numberOfFrames);
      piece.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
      const isLoud = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length) > LOUD;
      if (isLoud && quiet > 5) tones.push(piece.timestamp / 1000);
      quiet = isLoud ? 0 : quiet + 1;
      piece.close();
    }
  };

  /** The same where tracks cannot be read, and Web Audio waits for a loudspeaker: what the receiver counts of each 10 ms. */
  const hear = async () => {
    const receiver = pc.getReceivers().find(({ track }) => track.kind === 'audio');
    const heard = async () => {
      const { totalAudioEnergy = 0, totalSamplesDuration = 0 } = [...(await receiver.getStats()).values()].find(({ type }) => type === 'inbound-rtp') ?? {};
      return [totalAudioEnergy, totalSamplesDuration];
    };
    for (let quiet = 0, last = await heard(); pc.connectionState !== 'closed'; await pause(10)) {
      const now = await heard();
      if (now[1] === last[1]) continue;
      const isLoud = Math.sqrt((now[0] - last[0]) / (now[1] - last[1])) > LOUD;
      if (isLoud && quiet > 5) tones.push(performance.now());
      quiet = isLoud ? 0 : quiet + 1;
      last = now;
    }
  };

  const noteLag = (picture, sound) => {
    if (!picture.estimatedPlayoutTimestamp || !sound.estimatedPlayoutTimestamp) return;
    lags.push([performance.now(), picture.estimatedPlayoutTimestamp - sound.estimatedPlayoutTimestamp]);
  };
  const nearest = (times, at, key = (time) => time) =>
    times.reduce((best, each) => (best === undefined || Math.abs(key(each) - at) < Math.abs(key(best) - at) ? each : best), undefined);

  const sample = async () => {
    const all = [...(await pc.getStats()).values()];
    const inbound = (kind) => all.find((each) => each.type === 'inbound-rtp' && each.kind === kind) ?? {};
    const [picture, sound] = [inbound('video'), inbound('audio')];
    noteLag(picture, sound);
    const transport = all.find((each) => each.type === 'transport') ?? {};
    const pair = all.find((each) => each.id === transport.selectedCandidatePairId) ?? {};
    return {
      position: video.currentTime,
      frames: picture.framesDecoded ?? 0,
      audioBytes: sound.bytesReceived ?? 0,
      energy: sound.totalAudioEnergy ?? 0,
      heardS: ((sound.totalSamplesReceived ?? 0) - (sound.concealedSamples ?? 0)) / 48_000,
      width: video.videoWidth,
      height: video.videoHeight,
      protocol: all.find((each) => each.id === pair.remoteCandidateId)?.protocol ?? null,
    };
  };

  await pc.setLocalDescription();
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: pc.localDescription.sdp });
  const answer = await response.text();
  if (response.status === 201) await pc.setRemoteDescription({ type: 'answer', sdp: answer });
  else errors.push(`${response.status} ${answer}`);
  const isAnswered = (kind) => new RegExp(`^m=${kind} [1-9]`, 'm').test(answer);
  const isPicture = isAnswered('video');
  if (errors.length === 0 && isAnswered('audio')) void listen();
  pc.addEventListener('connectionstatechange', () => pc.connectionState === 'failed' && errors.push('the connection failed'));

  const played = (now) => (isPicture ? seen.playedS : now.heardS);
  let from = await sample();
  const isWaiting = () => errors.length === 0 && performance.now() - begin < startMs;
  for (; played(from) < 0.3 && isWaiting(); await pause(100)) from = await sample();
  const started = played(from) >= 0.3;
  const [since, beforeS] = [performance.now(), played(from)];
  seen.gapS = 0;
  let to = from;
  const isDone = () => (played(to) - beforeS) * 1000 >= watchMs && !(isPicture && tones.length > 1 && flashes.length < MARKS);
  while (started && errors.length === 0 && !isDone() && performance.now() - since < limitMs) {
    await pause(100);
    to = await sample();
  }
  if (started && isAnswered('audio') && to.energy <= from.energy) errors.push('the sound is silence');
  // There is a mark each second. A picture that the browser plays far ahead of its sound is nearer to the tone before its own.
  const marks = flashes.flatMap((at) => {
    const lagMs = nearest(lags, at, ([when]) => when)?.[1];
    return lagMs === undefined ? [] : [[at, nearest(tones, at + lagMs) - at, lagMs]];
  });
  const apart = marks.filter(([, apartMs, lagMs]) => Math.abs(apartMs - lagMs) < 500);
  pc.close();
  return {
    playedS: played(to) - beforeS, tookS: (performance.now() - since) / 1000, started, from, to, errors, error: null,
    rtc: { firstMs: seen.firstMs, gapS: seen.gapS, heardS: apart.map(([, apartMs]) => apartMs / 1000), offsetsS: apart.map(([, apartMs, lagMs]) => (apartMs - lagMs) / 1000), protocol: to.protocol },
  };
}

/**
 * Publishes by WHIP, without end: a picture of 25 frames a second and a sound, each second of which begins with a fifth of
 * white and of a tone. `codec` is the only one offered for the picture, where it is given.
 */
export async function whip({ url, codec }) {
  const FPS = 25, MARK_S = 0.2;
  /** By Web Audio. */
  const synthesized = () => {
    const context = new AudioContext({ sampleRate: 48_000 });
    const [tone, gate, out] = [context.createOscillator(), context.createGain(), context.createMediaStreamDestination()];
    tone.frequency.value = 1000;
    gate.gain.value = 0;
    tone.connect(gate).connect(out);
    tone.start();
    let second = Math.ceil(context.currentTime) + 1;
    setInterval(() => {
      for (; second < context.currentTime + 10; second += 1) {
        gate.gain.setValueAtTime(0.5, second);
        gate.gain.setValueAtTime(0, second + MARK_S);
      }
    }, 500);
    return [out.stream.getAudioTracks()[0], context];
  };
  /** By a file that is played: Firefox's Web Audio waits for a loudspeaker. */
  const recorded = async () => {
    const RATE = 16_000, SECONDS = 300;
    const samples = Int16Array.from({ length: RATE * SECONDS }, (_, at) => ((at % RATE) / RATE < MARK_S ? 16_384 * Math.sin((2 * Math.PI * 1000 * at) / RATE) : 0));
    const head = new DataView(new ArrayBuffer(44));
    [...'RIFF    WAVEfmt             '].forEach((letter, at) => head.setUint8(at, letter.charCodeAt(0)));
    [...'data'].forEach((letter, at) => head.setUint8(36 + at, letter.charCodeAt(0)));
    for (const [at, value] of [[4, 36 + samples.byteLength], [16, 16], [24, RATE], [28, RATE * 2], [40, samples.byteLength]]) head.setUint32(at, value, true);
    for (const [at, value] of [[20, 1], [22, 1], [32, 2], [34, 16]]) head.setUint16(at, value, true);
    const player = new Audio(URL.createObjectURL(new Blob([head, samples], { type: 'audio/wav' })));
    player.loop = true;
    await player.play();
    return [player.mozCaptureStream().getAudioTracks()[0], player];
  };
  const [sound, timed] = 'mozCaptureStream' in HTMLMediaElement.prototype ? await recorded() : synthesized();
  // Its time moves in steps: it was right when it was furthest ahead, of late.
  const aheads = [];
  const clock = () => {
    const nowS = performance.now() / 1000;
    aheads.push(timed.currentTime - nowS);
    if (aheads.length > 2 * FPS) aheads.shift();
    return nowS + Math.max(...aheads);
  };

  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
  document.body.append(canvas);
  const paint = canvas.getContext('2d');
  const captured = canvas.captureStream(0);
  const [picture] = captured.getVideoTracks();
  picture.contentHint = 'motion';
  // Firefox asks the stream.
  const source = 'requestFrame' in picture ? picture : captured;
  let frame = 0;
  const draw = () => {
    const now = clock();
    frame = Math.max(frame + 1, Math.floor(now * FPS + 0.2));
    const isMark = (frame / FPS) % 1 < MARK_S - 0.001;
    paint.fillStyle = isMark ? 'white' : `hsl(${frame % 360} 60% 40%)`;
    paint.fillRect(0, 0, 320, 180);
    paint.fillStyle = isMark ? 'white' : 'black';
    paint.fillRect((frame * 4) % 280, 60, 40, 60);
    source.requestFrame();
    setTimeout(draw, Math.max(0, ((frame + 1) / FPS - clock()) * 1000));
  };
  draw();

  const pc = new RTCPeerConnection();
  const streams = [new MediaStream([picture, sound])];
  const [video] = [picture, sound].map((track) => pc.addTransceiver(track, { direction: 'sendonly', streams }));
  if (codec !== undefined) {
    const kept = (each) => each.mimeType.toLowerCase() === `video/${codec}` || each.mimeType === 'video/rtx';
    video.setCodecPreferences(RTCRtpSender.getCapabilities('video').codecs.filter(kept));
  }
  await pc.setLocalDescription();
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: pc.localDescription.sdp });
  const answer = await response.text();
  if (response.status !== 201) throw new Error(`${response.status} ${answer}`);
  await pc.setRemoteDescription({ type: 'answer', sdp: answer });
  // A busy machine loses pictures, not their size.
  const parameters = video.sender.getParameters();
  parameters.degradationPreference = 'maintain-resolution';
  await video.sender.setParameters(parameters);
  await new Promise((_, fail) => {
    pc.addEventListener('connectionstatechange', () => pc.connectionState === 'failed' && fail(new Error('the connection failed')));
  });
}
