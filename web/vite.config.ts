//! Builds the pages (console, player, publisher, demo rooms, and how to trust the server), the elements alone under
//! the stable addresses `/assets/openmic.js` and `/assets/openmic-room.js`, and beside them what runs on the audio
//! thread. Everything else is hashed, so that a server may let it be cached for ever.
import { defineConfig } from 'vitest/config';
import { chunkGroups } from './chunks.ts';

/** The addresses that developers paste; their content changes between versions, their names do not. */
const STABLE_ENTRY = 'openmic';
const ROOM_ENTRY = 'openmic-room';
/** Found by name from wherever the elements were loaded. */
const WORKLET_ENTRY = 'openmic-worklet';

export default defineConfig({
  build: {
    target: 'es2022',
    // Preload helpers would write absolute addresses into `openmic.js` and break it on other origins.
    modulePreload: false,
    license: { fileName: 'assets/licenses.md' },
    chunkSizeWarningLimit: 600,
    rolldownOptions: {
      input: {
        ...{ index: 'index.html', play: 'play.html', publish: 'publish.html', trust: 'trust.html', demo: 'demo.html' },
        ...{ [STABLE_ENTRY]: 'src/openmic.ts', [ROOM_ENTRY]: 'src/room.ts', [WORKLET_ENTRY]: 'src/worklet.ts' },
      },
      preserveEntrySignatures: 'exports-only',
      output: {
        entryFileNames: (chunk) =>
          [STABLE_ENTRY, ROOM_ENTRY, WORKLET_ENTRY].includes(chunk.name) ? 'assets/[name].js' : 'assets/[name]-[hash].js',
        codeSplitting: { groups: chunkGroups },
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  test: { include: ['test/unit/**/*.test.ts'], environment: 'node' },
});
