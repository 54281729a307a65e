//! The console's catalogues, apart from what players say: a page with a player alone does not load them.

import { type ConsoleMessages, consoleEn } from './console-en.ts';
import { consoleZhCN } from './console-zh-CN.ts';
import type { Language } from './index.ts';

export type { ConsoleMessages } from './console-en.ts';

const CATALOGUES: Readonly<Record<Language, ConsoleMessages>> = { en: consoleEn, 'zh-CN': consoleZhCN };

export function consoleMessagesOf(language: Language): ConsoleMessages {
  return CATALOGUES[language];
}
