// Runs in a page that knows <live-player>: joins a stream a few times, then watches it, and tells when each picture was shown
// and each beep heard. `code.rs` says what the blocks mean.
async (options) => {
  const { src, mode, minCache, maxCache, transport, joins, pauseMs, settleMs, watchMs, firstMaxMs } = options;
  /** `beep.rs` has the same. */
  const [ONSET, QUIET_S] = [0.2, 0.3];
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  let seen;
  const forget = () => (seen = { pictures: [], marks: [], beeps: [], unreadable: 0 });
  forget();
  const open = async () => {
    const player = document.createElement('live-player');
    Object.entries({ src, mode, autoplay: '', controls: 'none', 'min-cache': minCache, 'max-cache': maxCache })
      .forEach(([name, value]) => player.setAttribute(name, value));
    player.style.cssText = 'display:block;width:640px;height:360px';
    const begun = performance.now();
    document.body.replaceChildren(player);
    await player.updateComplete;
    const video = player.shadowRoot.querySelector('video');
    const joined = new Promise((done, fail) => {
      setTimeout(() => fail(new Error(`no picture within ${firstMaxMs / 1000} s`)), firstMaxMs);
      const look = (now, { expectedDisplayTime }) => {
        video.requestVideoFrameCallback(look);
        const shown = wall(Math.max(now, expectedDisplayTime));
        const code = codeOf(video);
        if (code === undefined) {
          seen.unreadable += 1;
          return;
        }
        done(Math.max(now, expectedDisplayTime) - begun);
        seen.pictures.push([shown, ((Math.floor((shown * 10) % 2 ** 32) - code.ticks) | 0) / 10]);
        if (code.marked) seen.marks.push(shown);
      };
      video.requestVideoFrameCallback(look);
    });
    return { player, video, joinedMs: await joined };
  };

  /** Listens to what the element plays, and tells when that is heard. */
  const listen = (video) => {
    const context = new AudioContext();
    const ear = new AnalyserNode(context, { fftSize: 8192 });
    const source = video.srcObject instanceof MediaStream
      ? context.createMediaStreamSource(video.srcObject) : context.createMediaElementSource(video);
    source.connect(ear).connect(context.destination);
    const samples = new Float32Array(ear.fftSize);
    let [heardS, loudS] = [0, 0];
    return setInterval(() => {
      ear.getFloatTimeDomainData(samples);
      const [endS, now] = [context.currentTime, performance.now()];
      samples.forEach((sample, at) => {
        const s = endS - (samples.length - at) / context.sampleRate;
        if (s <= heardS || Math.abs(sample) < ONSET) return;
        if (loudS > 0 && s - loudS >= QUIET_S) seen.beeps.push(wall(now - (endS - s) * 1000));
        loudS = s;
      });
      heardS = endS;
    }, 20);
  };

  // The first time loads what plays this kind.
  await open();
  const joinsMs = [];
  for (let join = 0; join < joins; join += 1) {
    await pause(pauseMs);
    joinsMs.push((await open()).joinedMs);
  }
  const { player, video } = await open();
  const ear = listen(video);
  await pause(settleMs);
  forget();
  await pause(watchMs);
  clearInterval(ear);
  const used = player.transport;
  document.body.replaceChildren();
  if (used !== transport) throw new Error(`the player took ${used ?? 'nothing'} instead of ${transport}`);
  return { joins: joinsMs, ...seen };
}
