//! A page with nothing but a `<live-pusher>`, which is `window.pusher`.

/** Puts one with these attributes into a page of the server's, which then has no other element. */
export async function placePusher(page, origin, attributes) {
  await page.goto(`${origin}/publish/none/none`);
  await page.evaluate(async (attributes) => {
    document.body.replaceChildren();
    await import('/assets/openmic.js');
    const pusher = document.createElement('live-pusher');
    for (const [name, value] of Object.entries(attributes)) pusher.setAttribute(name, value);
    document.body.append(pusher);
    window.pusher = pusher;
  }, attributes);
}
