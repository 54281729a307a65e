//! Publishes in three layers from Chromium by WHIP, watches by WHEP in another page, and tells as a line of JSON which sizes
//! came when the viewer said what it shows.
//!
//! node simulcast.mjs ORIGIN STREAM BROWSER

import { end, launch, serve } from './driver.mjs';

const [origin, stream, browser] = process.argv.slice(2);

/** Sent into the page: publishes a canvas and a tone, rests what it is told to, and counts that. */
async function publish({ url }) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 960, height: 544 });
  document.body.append(canvas);
  const paint = canvas.getContext('2d');
  let frame = 0;
  setInterval(() => {
    frame += 1;
    paint.fillStyle = '#333';
    paint.fillRect(0, 0, 960, 544);
    for (let at = 0; at < 60; at += 1) {
      paint.fillStyle = `hsl(${(frame * 3 + at * 20) % 360} 80% 50%)`;
      paint.fillRect((at * 97 + frame * 5) % 960, (at * 61 + frame * 3) % 544, 60, 40);
    }
  }, 40);
  const context = new AudioContext();
  const [tone, out] = [context.createOscillator(), context.createMediaStreamDestination()];
  tone.connect(out);
  tone.start();
  const media = new MediaStream([canvas.captureStream(25).getVideoTracks()[0], out.stream.getAudioTracks()[0]]);
  const peer = new RTCPeerConnection();
  const channel = peer.createDataChannel('openmic');
  peer.addTransceiver(media.getAudioTracks()[0], { direction: 'sendonly', streams: [media] });
  const video = peer.addTransceiver(media.getVideoTracks()[0], {
    direction: 'sendonly',
    streams: [media],
    sendEncodings: [
      { rid: 'l', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
      { rid: 'm', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
      { rid: 'h', maxBitrate: 1_200_000 },
    ],
  });
  // A machine that is busy with other tests would have it shrink all three, and then another is the one that is shown.
  const kept = video.sender.getParameters();
  await video.sender.setParameters({ ...kept, degradationPreference: 'maintain-resolution' });
  if (video.sender.getParameters().degradationPreference !== 'maintain-resolution') throw new Error('sizes cannot be kept');
  const { codecs } = RTCRtpSender.getCapabilities('video');
  video.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === 'video/H264'));
  window.told = [];
  channel.addEventListener('message', async ({ data }) => {
    const { type, active } = JSON.parse(data);
    if (type !== 'layers') return;
    window.told.push(active);
    const parameters = video.sender.getParameters();
    for (const encoding of parameters.encodings) encoding.active = active.includes(encoding.rid);
    await video.sender.setParameters(parameters);
  });
  await peer.setLocalDescription(await peer.createOffer());
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: peer.localDescription.sdp });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  window.peer = peer;
}

/** Sent into the page: watches, and keeps what it sees. */
async function watch({ url }) {
  const peer = new RTCPeerConnection();
  const channel = peer.createDataChannel('openmic');
  const video = Object.assign(document.createElement('video'), { autoplay: true, muted: true, playsInline: true });
  document.body.append(video);
  video.srcObject = new MediaStream();
  for (const kind of ['audio', 'video']) peer.addTransceiver(kind, { direction: 'recvonly' });
  peer.addEventListener('track', ({ track }) => video.srcObject.addTrack(track));
  window.said = [];
  channel.addEventListener('message', ({ data }) => window.said.push(JSON.parse(data)));
  await peer.setLocalDescription(await peer.createOffer());
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: peer.localDescription.sdp });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  const session = new URL(answer.headers.get('location'), url);
  window.leave = () => fetch(session, { method: 'DELETE' });
  window.view = (width, height) => channel.send(JSON.stringify({ type: 'view', width, height, visible: true }));
  window.until = async (height, limitMs) => {
    const begin = performance.now();
    while (video.videoHeight !== height) {
      if (performance.now() - begin > limitMs) return undefined;
      await new Promise((done) => setTimeout(done, 50));
    }
    return performance.now() - begin;
  };
  window.gap = () => {
    let last, longest = 0;
    const look = (now) => {
      video.requestVideoFrameCallback(look);
      if (last !== undefined) longest = Math.max(longest, now - last);
      last = now;
    };
    video.requestVideoFrameCallback(look);
    return () => longest;
  };
  window.longest = window.gap();
}

try {
  const pages = await serve({ '/': ['text/html', '<!doctype html><title>layers</title>'] });
  const newPage = await launch(browser);
  const publisher = await newPage();
  await publisher.goto(pages);
  await publisher.evaluate(publish, { url: `${origin}/${stream}/whip` });
  const viewer = await newPage();
  await viewer.goto(pages);
  // A browser begins with its smallest layer: the others come as it has reckoned its own way.
  const live = async () => (await fetch(`${origin}/api/v1/broadcasts/${stream}`)).json();
  let layers;
  for (let tries = 0; tries < 150 && layers?.filter(({ active }) => active).length !== 3; tries += 1) {
    await new Promise((done) => setTimeout(done, 200));
    ({ layers } = await live());
  }
  await viewer.evaluate(watch, { url: `${origin}/${stream}/whep` });
  const steps = [];
  for (const [width, height, expected] of [[960, 544, 544], [240, 136, 136], [480, 272, 272], [960, 544, 544]]) {
    if (steps.length > 0) await viewer.evaluate(([w, h]) => window.view(w, h), [width, height]);
    steps.push({ height: expected, tookMs: await viewer.evaluate((h) => window.until(h, 30_000), expected) });
  }
  const longestMs = await viewer.evaluate(() => window.longest());
  const said = await viewer.evaluate(() => window.said);
  await viewer.evaluate(() => window.leave());
  await viewer.close();
  let told = [];
  for (let tries = 0; tries < 100 && told.at(-1)?.length !== 1; tries += 1) {
    await new Promise((done) => setTimeout(done, 200));
    told = await publisher.evaluate(() => window.told);
  }
  console.log(JSON.stringify({ layers, steps, longestMs, said, told }));
  await end(0);
} catch (error) {
  console.error(error);
  await end(1);
}
