//! Rooms with the real server (OPENMIC_BIN): two browsers in a call, each decoding the other's picture and hearing the
//! other's tone and not its own; a class whose audience watches and is brought up.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FAKE_DEVICES, openBrowser, openPage, outputFile, until } from './harness.mjs';
import { serveBundle, skip, startRealServer } from './real-server.mjs';

const TONES = [440, 700];
/** FFT bins are 23 Hz wide. */
const TOLERANCE_HZ = 25;

let server;
let work;

before(async () => {
  if (skip) return;
  server = await startRealServer('[rooms]\ndemo = true\n');
  work = mkdtempSync(join(tmpdir(), 'openmic-tones-'));
  for (const hz of TONES) {
    const tone = ['-f', 'lavfi', '-i', `sine=frequency=${hz}:sample_rate=48000:duration=10`, '-filter:a', 'volume=6dB'];
    execFileSync('ffmpeg', ['-v', 'error', ...tone, join(work, `${hz}.wav`)]);
  }
});

after(async () => {
  await server?.close();
  if (work !== undefined) rmSync(work, { recursive: true });
});

/** Somebody with a browser whose microphone hums, unprocessed: a tone is noise to what clears speech. */
async function openMember(hz) {
  const file = `--use-file-for-fake-audio-capture=${join(work, `${hz}.wav`)}`;
  // The bundle is put in the server's place by the test, and what comes from nowhere may not reach this machine.
  const reach = '--disable-features=WebRtcHideLocalIpsWithMdns,LocalNetworkAccessChecks';
  const browser = await openBrowser({ flags: [...FAKE_DEVICES, file, reach], permissions: ['camera', 'microphone'], viewport: { width: 900, height: 600 } });
  await serveBundle(browser.context, server.origin);
  await browser.context.addInitScript(() => {
    const media = navigator.mediaDevices;
    const open = media.getUserMedia.bind(media);
    media.getUserMedia = ({ audio, video }) => {
      const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      return open({ ...(audio && { audio: plain }), ...(video && { video: { width: 320, height: 180, frameRate: 10 } }) });
    };
  });
  return browser;
}

const roomOf = (page) => page.locator('live-room');

/** The pictures of others: decoded frames by member. */
const decoded = (page) =>
  roomOf(page).evaluate((room) =>
    Object.fromEntries(
      [...room.shadowRoot.querySelectorAll('.tile:not(.own)')].map((tile) => [tile.dataset.member, tile.querySelector('video').getVideoPlaybackQuality().totalVideoFrames]),
    ),
  );

/** The loudest frequency of all voices together, and how loud it is in dB. */
const heard = (page) =>
  roomOf(page).evaluate(async (room) => {
    window.listening ??= new AudioContext();
    const analyser = new AnalyserNode(window.listening, { fftSize: 2_048 });
    const sources = room.session.media.down.voices.map((track) => window.listening.createMediaStreamSource(new MediaStream([track])));
    for (const source of sources) source.connect(analyser);
    await new Promise((done) => setTimeout(done, 500));
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    for (const source of sources) source.disconnect();
    const at = bins.reduce((best, level, index) => (level > bins[best] ? index : best), 0);
    return { hz: (at * window.listening.sampleRate) / 2_048, db: bins[at], bins: [...bins] };
  });

const levelAt = ({ bins }, hz) => Math.max(...bins.slice(Math.round((hz * 2_048) / 48_000) - 1, Math.round((hz * 2_048) / 48_000) + 2));

async function openByLobby(context, kind) {
  const { page, complaints } = await openPage(context, `${server.origin}/demo`);
  await page.getByRole('radio', { name: kind }).check();
  await page.getByRole('textbox', { name: 'Your name' }).fill('Ann');
  await page.getByRole('button', { name: 'Open the room' }).click();
  const link = await page.getByRole('link', { name: 'Go in' }).getAttribute('href');
  await page.getByRole('link', { name: 'Go in' }).click();
  await page.getByRole('button', { name: 'Join', exact: true }).click();
  return { page, complaints, link };
}

test('two_in_a_call_see_and_hear_each_other', { skip }, async () => {
  const [ann, bo] = [await openMember(TONES[0]), await openMember(TONES[1])];
  try {
    const { page: first, complaints, link } = await openByLobby(ann.context, /Call/);
    await first.getByRole('heading', { name: 'Calling…' }).waitFor();
    const { page: second, complaints: others } = await openPage(bo.context, link);
    await second.getByRole('heading', { name: 'Ann is calling' }).waitFor();
    await second.getByRole('textbox', { name: 'Your name' }).fill('Bo');
    const startMs = performance.now();
    await second.getByRole('button', { name: 'Accept' }).click();
    await until(() => decoded(second), (frames) => frames[1] > 0, 30_000);
    console.log(`# first remote picture after ${Math.round(performance.now() - startMs)} ms`);
    for (const [page, other] of [[first, 2], [second, 1]]) await until(() => decoded(page), (frames) => frames[other] > 20, 30_000);
    for (const [page, own, theirs] of [[first, ...TONES], [second, ...TONES.toReversed()]]) {
      const sound = await until(() => heard(page), ({ hz, db }) => Math.abs(hz - theirs) < TOLERANCE_HZ && db > -60, 20_000).catch((error) => {
        throw new Error(error.message.slice(0, 200));
      });
      assert.ok(levelAt(sound, own) < sound.db - 30, `one's own ${own} Hz at ${levelAt(sound, own)} dB, theirs at ${sound.db} dB`);
    }
    await first.screenshot({ path: outputFile('room-server-call.png') });
    await second.mouse.move(300, 300);
    await second.getByRole('button', { name: 'Turn the microphone off' }).click();
    await until(() => heard(first), ({ db }) => db < -90, 20_000).catch((error) => {
      throw new Error(error.message.slice(0, 200));
    });
    // Loaded anew, the page is back in the call by itself, and as silent as it was.
    const reloadMs = performance.now();
    await second.reload();
    await until(() => decoded(second), (frames) => frames[1] > 5, 30_000);
    console.log(`# back in the call ${Math.round(performance.now() - reloadMs)} ms after loading the page anew`);
    await second.mouse.move(300, 300);
    await second.getByRole('button', { name: 'Turn the microphone on' }).waitFor();
    const before = (await decoded(first))[2];
    await until(() => decoded(first), (frames) => frames[2] > before + 10, 20_000);
    await first.mouse.move(300, 300);
    await first.getByRole('button', { name: 'Hang up' }).click();
    await second.getByText('The call is over').waitFor();
    // Sessions that ended with the call are gone when pages take leave of them.
    const isGone = (complaint) => /status of 404 .*\/(whip|stage)\/[0-9a-f]+$/.test(complaint);
    assert.deepEqual([...complaints, ...others].filter((complaint) => !isGone(complaint)), []);
  } finally {
    await ann.close();
    await bo.close();
  }
});

/** Two in a meeting who see each other. */
async function meet(ann, bo) {
  const { page: first, link } = await openByLobby(ann.context, /Meeting/);
  const { page: second } = await openPage(bo.context, link);
  await second.getByRole('textbox', { name: 'Your name' }).fill('Bo');
  await second.getByRole('button', { name: 'Join', exact: true }).click();
  for (const [page, other] of [[first, 2], [second, 1]]) await until(() => decoded(page), (frames) => frames[other] > 20, 30_000);
  return [first, second];
}

test('a_lost_websocket_leaves_the_call_as_it_is', { skip }, async () => {
  const [ann, bo] = [await openMember(TONES[0]), await openMember(TONES[1])];
  try {
    // Sockets go through here, to be cut.
    const sockets = [];
    await ann.context.routeWebSocket(/\/ws$/, (socket) => void sockets.push(socket) || void socket.connectToServer());
    const [first, second] = await meet(ann, bo);
    const before = { first: (await decoded(first))[2], second: (await decoded(second))[1] };
    const cutMs = performance.now();
    await sockets[0].close({ code: 4_000 });
    await until(() => roomOf(first).evaluate((room) => room.session.phase.kind), (kind) => kind === 'away', 2_000);
    await until(() => roomOf(first).evaluate((room) => room.session.phase.kind), (kind) => kind === 'in', 5_000);
    console.log(`# back after ${Math.round(performance.now() - cutMs)} ms`);
    await first.waitForTimeout(1_000);
    const passed = { first: (await decoded(first))[2] - before.first, second: (await decoded(second))[1] - before.second };
    assert.ok(passed.first > 5 && passed.second > 5, JSON.stringify(passed));
    assert.equal(sockets.length, 2);
  } finally {
    await ann.close();
    await bo.close();
  }
});

test('five_seconds_without_any_network_are_outlived_without_a_new_connection', { skip }, async () => {
  const [ann, bo] = [await openMember(TONES[0]), await openMember(TONES[1])];
  try {
    const pages = await meet(ann, bo);
    for (const page of pages) await roomOf(page).evaluate(({ session }) => (window.before = { member: session.own.id, peer: session.media.down.peer }));
    await server.pause(5_000);
    const healedMs = performance.now();
    const frames = await Promise.all(pages.map(decoded));
    await Promise.all(pages.map((page, at) => until(() => decoded(page), (now) => now[2 - at] > frames[at][2 - at] + 5, 15_000)));
    console.log(`# both see each other again after ${Math.round(performance.now() - healedMs)} ms`);
    const sound = await until(() => heard(pages[0]), ({ hz, db }) => Math.abs(hz - TONES[1]) < TOLERANCE_HZ && db > -60, 20_000).catch((error) => {
      throw new Error(error.message.slice(0, 200));
    });
    assert.ok(levelAt(sound, TONES[0]) < sound.db - 30, 'nobody hears an echo');
    for (const page of pages) {
      const isSame = await roomOf(page).evaluate(({ session }) => session.own.id === window.before.member && session.media.down.peer === window.before.peer);
      assert.ok(isSame, 'the same member on the same connection');
    }
  } finally {
    await ann.close();
    await bo.close();
  }
});

/** The colour in the middle of a member's picture. */
const colourOf = (page, member) =>
  roomOf(page).evaluate((room, of) => {
    const video = room.shadowRoot.querySelector(`.tile[data-member="${of}"] video`);
    if (!video?.videoWidth) return [0, 0, 0];
    const paint = new OffscreenCanvas(1, 1).getContext('2d');
    paint.drawImage(video, video.videoWidth / 2, video.videoHeight / 2, 1, 1, 0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }, member);

const isScreen = ([red, green, blue]) => red > 150 && blue > 150 && green < 90;

test('a_shared_screen_takes_the_place_of_the_camera_until_it_ends', { skip }, async () => {
  const [ann, bo] = [await openMember(TONES[0]), await openMember(TONES[1])];
  try {
    // There is no screen to choose here: what the browser would give is one in a colour that no camera here has.
    await ann.context.addInitScript(() => {
      navigator.mediaDevices.getDisplayMedia = async () => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 1_280, height: 720 });
        const paint = canvas.getContext('2d');
        let n = 0;
        const draw = () => {
          paint.fillStyle = '#d000d0';
          paint.fillRect(0, 0, 1_280, 720);
          paint.fillStyle = '#fff';
          paint.fillRect((n += 8) % 1_280, 0, 40, 40);
        };
        draw();
        setInterval(draw, 100);
        const stream = canvas.captureStream(10);
        window.endSharing = () => stream.getTracks().forEach((track) => (track.stop(), track.dispatchEvent(new Event('ended'))));
        return stream;
      };
    });
    const [first, second] = await meet(ann, bo);
    await first.mouse.move(300, 300);
    await first.getByRole('button', { name: 'Show the screen' }).click();
    await second.locator('.tile.main').getByText('Ann’s screen').waitFor();
    await until(() => colourOf(second, 1), isScreen, 20_000);
    await second.screenshot({ path: outputFile('room-server-screen.png') });
    await first.mouse.move(320, 320);
    await first.getByRole('button', { name: 'Stop showing the screen' }).click();
    await until(() => colourOf(second, 1), (colour) => !isScreen(colour), 20_000);
    assert.equal(await second.locator('.tile').getByText('Ann’s screen').count(), 0);
    // Ended by the browser's own button, it is the same.
    await first.getByRole('button', { name: 'Show the screen' }).click();
    await until(() => colourOf(second, 1), isScreen, 20_000);
    await first.evaluate(() => window.endSharing());
    await until(() => colourOf(second, 1), (colour) => !isScreen(colour), 20_000);
  } finally {
    await ann.close();
    await bo.close();
  }
});

test('a_class_brings_somebody_up', { skip }, async () => {
  const [ann, bo] = [await openMember(TONES[0]), await openMember(TONES[1])];
  try {
    const { page: first, link } = await openByLobby(ann.context, /Class/);
    await until(() => roomOf(first).evaluate((room) => room.session?.sending.picture), (picture) => picture === true, 20_000);
    const { page: second } = await openPage(bo.context, link);
    await second.getByRole('textbox', { name: 'Your name' }).fill('Bo');
    await second.getByRole('button', { name: 'Join', exact: true }).click();
    await second.getByRole('button', { name: 'Raise hand' }).click();
    await first.mouse.move(300, 300);
    await first.getByRole('button', { name: /1 hand is up/ }).click();
    await first.getByRole('button', { name: 'Bring up the next' }).click();
    await until(() => decoded(second), (frames) => frames[1] > 10, 30_000);
    await until(() => decoded(first), (frames) => frames[2] > 10, 30_000);
    await first.screenshot({ path: outputFile('room-server-class.png') });
  } finally {
    await ann.close();
    await bo.close();
  }
});

/** A request of a back-end, which must be done. */
async function ask(path, wish) {
  const answer = await fetch(`${server.origin}/api/v1/rooms${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(wish),
  });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

/** How loud a stream is around a frequency, in dB: of six seconds, after a second in which it settles. */
function levelOf(url, hz) {
  const filter = `atrim=start=1,bandpass=f=${hz}:width_type=h:width=40,bandpass=f=${hz}:width_type=h:width=40,volumedetect`;
  const { stderr } = spawnSync('ffmpeg', ['-hide_banner', '-nostdin', '-t', '7', '-i', url, '-vn', '-af', filter, '-f', 'null', '-'], { encoding: 'utf8', timeout: 30_000 });
  return Number(/mean_volume: (-?[\d.]+) dB/.exec(stderr)?.[1] ?? assert.fail(stderr.slice(-1_000)));
}

test('a_streaming_program_is_a_member_seen_and_heard_both_ways_without_its_own_voice', { skip }, async () => {
  await ask('', { id: 'studio', template: 'meeting' });
  const { token } = await ask('/studio/tokens', { user: 'ann', name: 'Ann', role: 'host', seconds: 600 });
  const camera = await ask('/studio/members', { user: 'camera', name: 'Camera', role: 'guest' });
  const sound = ['-f', 'lavfi', '-re', '-i', 'sine=frequency=1000:sample_rate=48000'];
  const picture = ['-f', 'lavfi', '-re', '-i', 'testsrc=size=320x180:rate=15'];
  const coded = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '15', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];
  const { server: url, key } = camera.push.rtmp;
  const program = spawn('ffmpeg', ['-v', 'error', '-nostdin', ...sound, ...picture, ...coded, '-f', 'flv', `${url}/${key}`], { stdio: 'ignore' });
  const ann = await openMember(TONES[0]);
  try {
    await ann.context.addInitScript((invitation) => sessionStorage.setItem('openmic-room-studio', invitation), JSON.stringify({ token, name: 'Ann' }));
    const { page } = await openPage(ann.context, `${server.origin}/demo/studio`);
    await page.locator('button[type=submit]').click();
    const member = camera.member.id;
    await until(() => decoded(page), (frames) => frames[member] > 20, 40_000);
    await until(() => heard(page), ({ hz, db }) => Math.abs(hz - 1_000) < TOLERANCE_HZ && db > -60, 20_000).catch((error) => {
      throw new Error(error.message.slice(0, 200));
    });
    await page.screenshot({ path: outputFile('room-server-program.png') });
    const others = levelOf(camera.play.flv, TONES[0]);
    const own = levelOf(camera.play.flv, 1_000);
    console.log(`# the program hears Ann at ${others} dB and itself at ${own} dB`);
    assert.ok(others > -40, `Ann is heard at ${others} dB`);
    assert.ok(own < others - 50, `its own voice comes back at ${own} dB, hers at ${others} dB`);
  } finally {
    await ann.close();
    if (program.exitCode === null && program.kill('SIGKILL')) await once(program, 'exit');
  }
});
