//! Which catalogue speaks: the page's choice, else the reader's languages.

import { type Messages, en } from './en.ts';
import { zhCN } from './zh-CN.ts';

export type { Messages } from './en.ts';

/** A language we have a catalogue for, as a BCP 47 tag. */
export type Language = 'en' | 'zh-CN';

export const LANGUAGES: readonly Language[] = ['en', 'zh-CN'];

const CATALOGUES: Readonly<Record<Language, Messages>> = { en, 'zh-CN': zhCN };

export function messagesOf(language: Language): Messages {
  return CATALOGUES[language];
}

/** The first of `wanted` (BCP 47 tags, best first) that we speak, else English. */
export function pickLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const primary = tag.toLowerCase().split('-')[0];
    if (primary === 'zh') return 'zh-CN';
    if (primary === 'en') return 'en';
  }
  return 'en';
}
