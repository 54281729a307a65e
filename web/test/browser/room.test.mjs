//! Rooms in a browser, against a stand-in that speaks the signalling and peer connections inside the page: coming in,
//! seeing others, hands, chat, muting, invitations, and what a lost connection must not cost.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Rooms } from '../mock/rooms.mjs';
import { FAKE_DEVICES, openBrowser, openPage, openServer, outputFile, until } from './harness.mjs';
import { installRoomLoopback } from './room-loopback.mjs';
import { framesOf, joinRoom, phaseOf, sentFrames, sentLevel, stageOf, waitUp } from './room-page.mjs';

const ON = { sound: true, picture: true, screen: false };
const SILENT = { sound: false, picture: false, screen: false };

let server;
let count = 0;

before(async () => {
  server = await openServer({ mock: true });
});

after(() => server?.close());

const openRoom = (template) => server.mock.rooms.open(`test-${(count += 1)}`, template);
const button = (page, name) => page.getByRole('button', { name, exact: true });
/** Controls rest after a while; whoever moves finds them. */
const wake = (page) => page.mouse.move(200 + Math.random() * 100, 300);
const asked = (page) => page.evaluate(() => window.stage.asked.map(({ member }) => member));

async function inRoom(template, claims, story, prepare = () => undefined) {
  const room = openRoom(template);
  prepare(room);
  const { browser, page, complaints } = await joinRoom({ server, room, claims });
  try {
    await until(() => phaseOf(page), (phase) => phase === 'in');
    await story({ room, page, browser });
    assert.deepEqual(complaints.filter((line) => !/WebSocket|whep|40[45]/.test(line)), []);
  } finally {
    await browser.close();
  }
}

test('somebody_who_joins_a_meeting_is_sent_and_sees_the_others', () =>
  inRoom(
    'meeting',
    { name: 'Ann' },
    async ({ room, page }) => {
      await waitUp(page);
      await until(() => asked(page), (members) => members.join() === '1,2');
      await until(() => framesOf(page), (frames) => frames[1] > 10 && frames[2] > 10);
      const before = await sentFrames(page);
      await until(() => sentFrames(page), (frames) => frames > before + 10);
      await until(() => sentLevel(page), (level) => level > 0.01);
      const requests = await page.evaluate(() => window.stage.requests);
      assert.deepEqual(
        requests.filter(({ method }) => method === 'POST').map(({ url }) => url).sort(),
        [`/room/${room.id}/3/whip`, `/rooms/${room.id}/stage?member=3`],
      );
      assert.ok(requests.every(({ authorization }) => authorization?.startsWith('Bearer ')));
      // Each tile asks for what it shows, and no more.
      const tiles = await page.evaluate(() => window.stage.asked);
      for (const { width, height } of tiles) assert.ok(width > 300 && width < 1_000 && height < 800, `${width}×${height}`);
    },
    (room) => {
      room.addGhost('Bo', { up: true, sending: ON });
      room.addGhost('Cai', { up: true, sending: ON });
    },
  ));

test('a_hand_is_raised_brought_up_and_then_one_is_seen_and_heard', () =>
  inRoom(
    'class-large',
    { name: 'Bo' },
    async ({ room, page }) => {
      assert.equal(await page.evaluate(() => window.stage.requests.length), 0);
      await page.locator('live-player').waitFor();
      await wake(page);
      await button(page, 'Raise hand').click();
      await button(page, 'Take the hand down. You are next').waitFor();
      room.put('all', { name: 'title', to: 'Fractions' });
      assert.equal(room.hosts.state.hands.length, 1);
      // Where one has only just come in, a place is nothing to tell.
      await page.waitForTimeout(1_000);
      room.bringUp(2);
      await page.getByText('You are on the stage').first().waitFor();
      await waitUp(page);
      await until(() => sentFrames(page), (frames) => frames > 10, 20_000);
      assert.deepEqual(room.heard.filter(({ command }) => command.name === 'publish').map(({ command }) => command.sending), [ON]);
      await until(() => asked(page), (members) => members.join() === '1');
      room.takeDown(2);
      await page.getByText('You are off the stage; nobody sees or hears you').first().waitFor();
      await page.locator('live-player').waitFor();
      const deleted = await page.evaluate(() => window.stage.requests.filter(({ method }) => method === 'DELETE').length);
      assert.equal(deleted, 2);
    },
    (room) => room.addGhost('Teacher', { role: 'host', up: true, sending: ON }),
  ));

test('chat_with_script_in_names_and_lines_is_text', () => {
  const evil = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';
  return inRoom(
    'meeting',
    { name: 'Ann' },
    async ({ room, page }) => {
      await waitUp(page);
      room.put('all', { name: 'said', said: { id: 900, member: 1, by: evil, at: Date.now(), text: evil } });
      await wake(page);
      await button(page, 'Chat, 1 new message').click();
      await page.locator('.panel .text').getByText(evil, { exact: true }).waitFor();
      await page.locator('figcaption').getByText(evil, { exact: true }).waitFor();
      await page.getByRole('textbox', { name: 'Message to everybody' }).fill('hello\\n <b>all</b>');
      await page.keyboard.press('Enter');
      await page.locator('.panel .text').getByText('hello\\n <b>all</b>', { exact: true }).waitFor();
      assert.equal(await page.evaluate(() => window.hacked), undefined);
      assert.equal(await page.locator('live-room').evaluate((element) => element.shadowRoot.querySelectorAll('img, script').length), 0);
      await page.getByRole('button', { name: 'Delete this message of You' }).click();
      await until(() => page.locator('.panel .text').count(), (lines) => lines === 1);
      room.refuses = (_, { name }) => (name === 'chat' ? 'too_fast' : undefined);
      await page.getByRole('textbox', { name: 'Message to everybody' }).fill('again');
      await page.keyboard.press('Enter');
      await page.getByText('Too fast. Wait a moment.').first().waitFor();
      assert.equal(await page.getByRole('textbox', { name: 'Message to everybody' }).inputValue(), 'again');
    },
    (room) => room.addGhost(evil, { up: true, sending: ON }),
  );
});

test('a_host_mutes_and_asks_and_nothing_goes_on_by_itself', () =>
  inRoom(
    'meeting',
    { name: 'Bo' },
    async ({ room, page }) => {
      await waitUp(page);
      await until(() => sentLevel(page), (level) => level > 0.01);
      room.put('all', { name: 'sending', member: 2, sending: { ...ON, sound: false } });
      await page.getByText('A host turned your microphone off').first().waitFor();
      await until(() => sentLevel(page), (level) => level < 0.001);
      room.putOwn(2, { name: 'asked', media: 'sound' });
      await page.getByText('A host asks you to turn your microphone on').waitFor();
      await page.waitForTimeout(1_000);
      assert.ok((await sentLevel(page)) < 0.001, 'nobody is unmuted by others');
      await page.locator('.card').getByRole('button', { name: 'Turn the microphone on' }).click();
      await until(() => sentLevel(page), (level) => level > 0.01);
      await page.locator('.card').waitFor({ state: 'detached' });
      await wake(page);
      await button(page, 'Turn the camera off').click();
      await until(() => stageOf(page), (stage) => stage[1].sending.picture === false && stage[1].sending.sound);
      assert.equal(await page.locator('live-room').evaluate((element) => element.session.media.hasCamera), false);
    },
    (room) => room.addGhost('Ann', { role: 'host', up: true, sending: ON }),
  ));

test('an_invitation_is_accepted_and_another_declined', () =>
  inRoom(
    'show',
    { name: 'Bo' },
    async ({ room, page }) => {
      room.put('hosts', { name: 'invited', invitation: { member: 2, until: Date.now() + 30_000 } });
      room.putOwn(2, { name: 'invited', until: Date.now() + 30_000 });
      await button(page, 'Not now').click();
      await page.locator('.card').waitFor({ state: 'detached' });
      assert.deepEqual(await stageOf(page).then((stage) => stage.map(({ member }) => member)), [1]);
      room.putOwn(2, { name: 'invited', until: Date.now() + 30_000 });
      await button(page, 'Go to the stage').click();
      await waitUp(page);
    },
    (room) => room.addGhost('Ann', { role: 'host', up: true, sending: ON }),
  ));

test('a_lost_websocket_costs_no_frame_and_what_was_pressed_meanwhile_is_done_once', () =>
  inRoom(
    'meeting',
    { name: 'Ann' },
    async ({ room, page }) => {
      await waitUp(page);
      await until(() => framesOf(page), (frames) => frames[1] > 10);
      const peers = await page.locator('live-room').evaluate((element) => {
        window.peers = [element.session.media.up.peer, element.session.media.down.peer];
        window.shown = element.shadowRoot.querySelector('.tile[data-member="1"] video');
        return window.peers.length;
      });
      assert.equal(peers, 2);
      room.isAway = true;
      room.cut();
      await page.locator('[part=state]').getByText('sound and pictures go on').waitFor();
      await page.screenshot({ path: outputFile('room-away-desktop.png') });
      const [sent, shown] = [await sentFrames(page), (await framesOf(page))[1]];
      await page.locator('live-room').evaluate((element) => void element.session.command({ name: 'chat', text: 'written while away' }));
      await page.waitForTimeout(2_000);
      const passed = { sent: (await sentFrames(page)) - sent, shown: (await framesOf(page))[1] - shown };
      assert.ok(passed.sent > 20 && passed.shown > 15, JSON.stringify(passed));
      room.put('all', { name: 'said', said: { id: 901, member: 1, by: 'Bo', at: Date.now(), text: 'missed' } });
      room.isAway = false;
      await until(() => phaseOf(page), (phase) => phase === 'in');
      const lines = () => page.locator('live-room').evaluate((element) => element.session.all.chat.map(({ text }) => text));
      assert.deepEqual(await until(lines, (said) => said.length === 2), ['missed', 'written while away']);
      assert.equal(room.heard.filter(({ command }) => command.name === 'chat').length, 1);
      const kept = await page.locator('live-room').evaluate((element) => {
        const { up, down } = element.session.media;
        const video = element.shadowRoot.querySelector('.tile[data-member="1"] video');
        return [up.peer === window.peers[0], down.peer === window.peers[1], video === window.shown];
      });
      assert.deepEqual(kept, [true, true, true]);
      assert.equal(await page.evaluate(() => window.stage.requests.filter(({ method }) => method === 'POST').length), 2);
    },
    (room) => room.addGhost('Bo', { up: true, sending: ON }),
  ));

test('another_network_restarts_ice_both_ways_and_the_pictures_go_on', () =>
  inRoom(
    'meeting',
    { name: 'Ann' },
    async ({ page }) => {
      await waitUp(page);
      await until(() => framesOf(page), (frames) => frames[1] > 10);
      await page.evaluate(() => window.dispatchEvent(new Event('online')));
      await until(() => page.evaluate(() => window.stage.restarts), (restarts) => restarts === 2);
      const [sent, shown] = [await sentFrames(page), (await framesOf(page))[1]];
      await until(() => sentFrames(page), (frames) => frames > sent + 10);
      await until(() => framesOf(page), (frames) => frames[1] > shown + 10);
      const phases = () => page.locator('live-room').evaluate(({ session }) => [session.media.upPhase.kind, session.media.downPhase.kind].join());
      await until(phases, (kinds) => kinds === 'live,up');
    },
    (room) => room.addGhost('Bo', { up: true, sending: ON }),
  ));

test('a_stage_that_is_refused_is_asked_for_again_and_said', () =>
  inRoom(
    'meeting',
    { name: 'Ann' },
    async ({ room, page }) => {
      await waitUp(page);
      room.takeDown(2);
      await button(page, 'Go to the stage').waitFor();
      await page.evaluate(() => (window.stage.refuses = 503));
      await wake(page);
      await button(page, 'Go to the stage').click();
      await page.locator('[part=state]').getByText('Sound and pictures are cut off; connecting again').waitFor();
      await page.evaluate(() => delete window.stage.refuses);
      await until(() => page.locator('live-room').evaluate(({ session }) => [session.media.upPhase.kind, session.media.downPhase.kind].join()), (kinds) => kinds === 'live,up', 20_000);
    },
    (room) => room.addGhost('Bo', { up: true, sending: ON }),
  ));

test('a_tile_says_why_it_has_no_picture_and_hidden_ones_are_not_asked_for', () =>
  inRoom(
    'meeting',
    { name: 'Ann' },
    async ({ room, page }) => {
      await waitUp(page);
      await page.evaluate(() => (window.stage.states = { 2: 'paused', 3: 'waiting' }));
      room.addGhost('Bo', { up: true, sending: ON });
      room.addGhost('Cai', { up: true, sending: ON });
      await page.locator('.tile').getByText('Weak network: sound only').waitFor();
      await page.locator('.tile').getByText('Waiting for Cai’s picture').waitFor();
      for (let at = 0; at < 9; at += 1) room.addGhost(`Guest ${at}`, { up: true, sending: ON });
      await page.getByText('1 of 2').waitFor();
      await until(() => asked(page), (members) => members.length === 9);
      await wake(page);
      await button(page, 'More people').click();
      await until(() => asked(page), (members) => members.join() === '11,12');
      await page.setViewportSize({ width: 700, height: 500 });
      await until(() => page.evaluate(() => window.stage.asked[0]?.width), (width) => width < 400);
    },
  ));

test('a_call_rings_is_answered_and_hung_up', () =>
  inRoom('call', { name: 'Ann', role: 'host' }, async ({ room, page }) => {
    await page.getByRole('heading', { name: 'Calling…' }).waitFor();
    await waitUp(page);
    room.addGhost('Bo', { up: true, sending: ON });
    room.put('all', { name: 'ringing', until: null });
    await until(() => framesOf(page), (frames) => frames[2] > 10);
    await wake(page);
    await button(page, 'Hang up').click();
    await page.getByText('You left the room').waitFor();
    assert.deepEqual(room.heard.at(-1).command, { name: 'leave' });
    assert.equal(await page.evaluate(() => window.stage.requests.filter(({ method }) => method === 'DELETE').length), 2);
  }));

test('somebody_who_is_called_sees_who_calls_and_may_decline', async () => {
  const room = openRoom('call');
  const browser = await openBrowser({ flags: FAKE_DEVICES });
  try {
    const { page } = await openPage(browser.context, `${server.origin}/demo/${room.id}?call=${encodeURIComponent('<Ann>')}`);
    await page.getByRole('heading', { name: '<Ann> is calling' }).waitFor();
    await page.getByRole('textbox', { name: 'Your name' }).fill('Bo');
    await button(page, 'Decline').click();
    await page.getByText('You declined the call').waitFor();
    await until(() => room.all.ended?.reason, (reason) => reason === 'call_declined');
  } finally {
    await browser.close();
  }
});

test('hosts_manage_people_with_the_keyboard', () =>
  inRoom(
    'class-large',
    { name: 'Teacher', role: 'host' },
    async ({ room, page }) => {
      await waitUp(page);
      room.raise(1);
      room.raise(2);
      await page.getByText('Cai raises a hand').first().waitFor();
      await page.keyboard.press('Tab');
      await page.getByRole('button', { name: /^People, 3 people, 2 hands are up/ }).press('Enter');
      await button(page, 'Bring up the next').press('Enter');
      await until(() => stageOf(page), (stage) => stage.some(({ member }) => member === 1));
      room.put('all', { name: 'sending', member: 1, sending: ON });
      await button(page, 'What to do with Bo').press('Enter');
      await button(page, 'Turn the microphone off').last().press('Enter');
      await until(() => stageOf(page), (stage) => stage.find(({ member }) => member === 1).sending.sound === false);
      await button(page, 'What to do with Bo').press('Enter');
      await button(page, 'Ban').press('Enter');
      await page.getByRole('dialog').getByText('Ban Bo?').waitFor();
      await page.screenshot({ path: outputFile('room-question-desktop.png') });
      await page.keyboard.press('Escape');
      assert.equal(room.hosts.state.bans.length, 0);
      await button(page, 'What to do with Bo').press('Enter');
      await button(page, 'Ban').press('Enter');
      await page.getByRole('dialog').getByRole('button', { name: 'Ban' }).press('Enter');
      await button(page, 'Lift the ban').waitFor();
      await page.keyboard.press('Escape');
      await until(() => page.locator('.panel').count(), (panels) => panels === 0);
    },
    (room) => {
      room.addGhost('Bo');
      room.addGhost('Cai');
    },
  ));

test('a_refused_camera_is_said_and_the_microphone_goes_on', () =>
  inRoom('meeting', { name: 'Ann' }, async ({ room, page }) => {
    await waitUp(page);
    room.takeDown(1);
    await button(page, 'Go to the stage').waitFor();
    await page.evaluate(() => {
      const media = navigator.mediaDevices;
      const open = media.getUserMedia.bind(media);
      media.getUserMedia = async (wanted) => {
        if (wanted.video) throw new DOMException('Permission denied', 'NotAllowedError');
        return open(wanted);
      };
    });
    await wake(page);
    await button(page, 'Go to the stage').click();
    await page.getByText('The browser does not let this page use the camera').first().waitFor();
    await until(() => stageOf(page), (stage) => stage[0]?.sending.sound === true && stage[0].sending.picture === false);
    assert.deepEqual(room.heard.at(-1).command, { name: 'publish', sending: { ...SILENT, sound: true } });
  }));

test('the_lobby_opens_a_room_and_goes_in', async () => {
  const browser = await openBrowser({ flags: FAKE_DEVICES, permissions: ['camera', 'microphone'] });
  try {
    await installRoomLoopback(browser.context);
    const { page, complaints } = await openPage(browser.context, `${server.origin}/demo`);
    await page.getByRole('radio', { name: /Meeting/ }).check();
    await page.getByRole('textbox', { name: 'Your name' }).fill('Ann');
    await button(page, 'Open the room').click();
    await page.getByRole('link', { name: 'Go in' }).click();
    await button(page, 'Turn the camera off').click();
    await button(page, 'Join').click();
    await until(() => stageOf(page), (stage) => stage[0]?.sending.sound === true);
    assert.equal((await stageOf(page))[0].sending.picture, false, 'what was switched off before stays off');
    assert.deepEqual(complaints, []);
    server.mock.control.demo = 404;
    await page.goto(`${server.origin}/demo`);
    await page.getByRole('textbox', { name: 'Your name' }).fill('Ann');
    await button(page, 'Open the room').click();
    await page.getByText('This server has no demo rooms').waitFor();
  } finally {
    delete server.mock.control.demo;
    await browser.close();
  }
});

test('the_example_joins_by_url_and_token', async () => {
  const room = openRoom('meeting');
  const browser = await openBrowser({ flags: FAKE_DEVICES, permissions: ['camera', 'microphone'] });
  try {
    await installRoomLoopback(browser.context);
    const { page, complaints } = await openPage(browser.context, `${server.origin}/examples/room.html`);
    await page.getByText('Set the url attribute').waitFor();
    await page.getByRole('textbox', { name: 'Room' }).fill(room.id);
    await page.getByRole('textbox', { name: 'Token' }).fill(Rooms.token({ room: room.id, sub: 'u1', name: 'Ann', role: 'host' }));
    await page.getByRole('button', { name: 'Join' }).click();
    await until(() => stageOf(page), (stage) => stage[0]?.sending.picture === true && stage[0].sending.sound === false);
    await page.getByRole('button', { name: 'Turn the microphone on' }).click();
    await until(() => sentLevel(page), (level) => level > 0.01);
    await page.screenshot({ path: outputFile('room-example-desktop.png') });
    assert.deepEqual(complaints.filter((line) => !/favicon/.test(line)), []);
  } finally {
    await browser.close();
  }
});
