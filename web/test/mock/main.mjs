//! `npm run mock`: the mock server for working on the pages, at the port of PORT or a free one.

import { startMock } from './server.mjs';

const streams = process.env.STREAMS?.split(',');
const guarded = process.env.GUARDED !== undefined;
const mock = await startMock({ port: Number(process.env.PORT ?? 0), streams, guarded });
console.log(mock.origin);
const close = () => void mock.close().then(() => process.exit(0));
process.on('SIGINT', close);
process.on('SIGTERM', close);
