//! Where one is in the console, as the part of the address behind `#`: the server sends one page for all.

import { decodePath, encodePath } from './broadcasts.ts';

export type Route =
  | { readonly page: 'live' }
  | { readonly page: 'push' }
  | { readonly page: 'stream'; readonly path: string }
  | { readonly page: 'keys' }
  | { readonly page: 'hooks' }
  | { readonly page: 'node' };

const STREAM = '#/streams/';

export function hashOf(route: Route): string {
  switch (route.page) {
    case 'live':
      return '#/';
    case 'stream':
      return STREAM + encodePath(route.path);
    case 'push':
    case 'keys':
    case 'hooks':
    case 'node':
      return `#/${route.page}`;
  }
}

/** What is no address of ours is the list of what is live. */
export function routeOf(hash: string): Route {
  if (hash.startsWith(STREAM)) {
    const path = decodePath(hash.slice(STREAM.length));
    return path !== undefined && path.includes('/') ? { page: 'stream', path } : { page: 'live' };
  }
  const page = hash.slice(2);
  if (page === 'push' || page === 'keys' || page === 'hooks' || page === 'node') return { page };
  return { page: 'live' };
}
