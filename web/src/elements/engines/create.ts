//! The one place that knows which class plays which kind of address.

import type { EngineKind } from '../../play/address.ts';
import type { Engine, EngineContext } from './engine.ts';
import { FlvEngine } from './flv.ts';
import { HlsEngine } from './hls.ts';
import { NativeEngine } from './native.ts';
import { WhepEngine } from './whep.ts';

export function createEngine(kind: EngineKind, context: EngineContext): Engine {
  switch (kind) {
    case 'whep':
      return new WhepEngine(context);
    case 'http-flv':
    case 'ws-flv':
      return new FlvEngine(context);
    case 'hls':
      return new HlsEngine(context);
    case 'native-hls':
      return new NativeEngine(context);
  }
}
