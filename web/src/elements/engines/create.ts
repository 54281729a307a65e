//! The one place that knows which class plays which kind of address.

import type { EngineKind } from '../../play/address.ts';
import type { Engine, EngineContext } from './engine.ts';
import { FlvEngine } from './flv.ts';
import { HlsEngine } from './hls.ts';
import { NativeEngine } from './native.ts';

export function createEngine(kind: EngineKind, context: EngineContext): Engine {
  switch (kind) {
    case 'http-flv':
    case 'ws-flv':
      return new FlvEngine(context);
    case 'hls':
      return new HlsEngine(context);
    case 'native-hls':
      return new NativeEngine(context);
  }
}
