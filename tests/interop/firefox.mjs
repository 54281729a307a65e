//! Firefox as its packagers ship it, which Playwright cannot drive: a profile of its own, and as much of WebDriver BiDi as
//! opening a page and calling a function in it take.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { require, stopped, temporary, undo } from './driver.mjs';

/** A first start writes its profile, on a machine that may be busy with a dozen players. */
const START_MS = 30_000;

const PREFERENCES = {
  // The server under test listens on loopback alone, and no name is looked up for a candidate.
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  // A page that may capture nothing gathers candidates of the default route alone, and loopback is none.
  'permissions.default.microphone': 1,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'media.volume_scale': '0.01',
  // Drawing by timers goes on whatever it thinks of its window.
  'dom.min_background_timeout_value': 4,
  'dom.timeout.enable_budget_timer_throttling': false,
  'widget.windows.window_occlusion_tracking.enabled': false,
  // Nothing is fetched that no test asked for.
  'media.gmp-manager.updateEnabled': false,
  'media.gmp-gmpopenh264.autoupdate': false,
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.getAddons.cache.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'toolkit.telemetry.reportingpolicy.firstRun': false,
};

/** Starts one and answers with `open(URL)`, which answers with `call(FUNCTION, ARGUMENT)` in the page it opened. */
export async function launchFirefox(browser, more = {}) {
  const profile = temporary('openmic-firefox-');
  const line = ([key, value]) => `user_pref(${JSON.stringify(key)}, ${JSON.stringify(value)});\n`;
  writeFileSync(join(profile, 'user.js'), Object.entries({ ...PREFERENCES, ...more }).map(line).join(''));
  const flags = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'];
  const child = spawn(browser, flags, { env: { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: '1' }, stdio: ['ignore', 'ignore', 'pipe'] });
  undo.push(() => stopped(child));
  const command = await connect(await listening(child));
  await command('session.new', { capabilities: {} });
  return {
    open: async (url) => {
      const { contexts } = await command('browsingContext.getTree', {});
      const { context } = contexts[0];
      await command('browsingContext.navigate', { context, url, wait: 'complete' });
      return { call: (run, argument) => call(command, context, run, argument) };
    },
  };
}

/** Arguments and results go as JSON, which BiDi has no type for. */
async function call(command, context, run, argument = null) {
  const { type, result, exceptionDetails } = await command('script.callFunction', {
    functionDeclaration: `async (text) => JSON.stringify(await (${run})(JSON.parse(text)))`,
    arguments: [{ type: 'string', value: JSON.stringify(argument) }],
    target: { context },
    awaitPromise: true,
    resultOwnership: 'none',
  });
  if (type === 'exception') throw new Error(exceptionDetails.text);
  return result.type === 'string' ? JSON.parse(result.value) : undefined;
}

/** The address it says it listens at. */
function listening(child) {
  return new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error('Firefox did not start')), START_MS);
    child.on('error', fail);
    child.on('exit', (code) => fail(new Error(`Firefox ended with ${code}`)));
    createInterface({ input: child.stderr }).on('line', (text) => {
      const [, url] = /listening on (ws:\S+)/.exec(text) ?? [];
      if (url === undefined) return;
      clearTimeout(late);
      done(`${url}/session`);
    });
  });
}

/** Answers with `command(METHOD, PARAMETERS)`; commands of which nothing came back fail with the connection. */
async function connect(url) {
  const { WebSocket } = require('ws');
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const waiting = new Map();
  socket.on('message', (text) => {
    const { id, type, result, error, message } = JSON.parse(text);
    const answer = waiting.get(id);
    if (answer === undefined) return;
    waiting.delete(id);
    if (type === 'success') answer.done(result);
    else answer.fail(new Error(`${error}: ${message}`));
  });
  socket.on('close', () => waiting.forEach(({ fail }) => fail(new Error('Firefox hung up'))));
  await new Promise((done, fail) => socket.on('open', done).on('error', fail));
  let last = 0;
  return (method, params) => new Promise((done, fail) => {
    last += 1;
    waiting.set(last, { done, fail });
    socket.send(JSON.stringify({ id: last, method, params }));
  });
}
