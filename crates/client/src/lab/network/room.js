// Members of a room of the server's own, as a page of `/demo` has them: whoever knows no room opens one.
const askForRoom = async (path, body) => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`HTTP ${answer.status} from ${path}`);
  return answer.json();
};

/** A page has its code before anybody asks to come in. */
const loadRoom = () => import('/assets/openmic-room.js');

/** Comes in by an element with these attributes. */
const enterRoom = async (known, attributes) => {
  const { room = known, token } =
    known === null
      ? await askForRoom('/demo/rooms', { template: 'meeting', name: 'Publisher' })
      : await askForRoom(`/demo/rooms/${known}/tokens`, { name: 'Viewer', role: 'guest' });
  const element = document.createElement('live-room');
  for (const [name, value] of Object.entries({ url: `/rooms/${room}/ws`, token, ...attributes })) element.setAttribute(name, value);
  element.style.cssText = 'display:block;width:960px;height:540px';
  document.body.replaceChildren(element);
  await element.updateComplete;
  return { room, element, stop: () => (element.leave(), element.remove()) };
};

/** What the one other member shows and says. */
const otherOf = (element) => ({
  find: () => element.shadowRoot?.querySelector('.tile:not(.own) video'),
  hears: () => element.session?.media?.down?.voices.find((track) => !track.muted),
});
