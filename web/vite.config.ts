//! Builds four entries: the console (`index.html`), the player page (`play.html`), the page that tells
//! devices how to trust the server (`trust.html`), and the elements
//! alone under the stable address `/assets/openmic.js`. Everything else is hashed, so that a server
//! may let it be cached for ever.
import { defineConfig } from 'vitest/config';

/** The one address that developers paste; its content changes between versions, its name does not. */
const STABLE_ENTRY = 'openmic';

export default defineConfig({
  build: {
    target: 'es2022',
    // Preload helpers would write absolute addresses into `openmic.js` and break it on other origins.
    modulePreload: false,
    license: { fileName: 'assets/licenses.md' },
    chunkSizeWarningLimit: 600,
    rolldownOptions: {
      input: { index: 'index.html', play: 'play.html', trust: 'trust.html', [STABLE_ENTRY]: 'src/openmic.ts' },
      preserveEntrySignatures: 'exports-only',
      output: {
        entryFileNames: (chunk) =>
          chunk.name === STABLE_ENTRY ? 'assets/[name].js' : 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  test: { include: ['test/unit/**/*.test.ts'], environment: 'node' },
});
