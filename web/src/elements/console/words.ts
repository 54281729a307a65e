//! Gives a console element the console's own catalogue beside the common one.

import { type ConsoleMessages, consoleMessagesOf } from '../../i18n/console.ts';
import { Localized } from '../localized.ts';

export class Words extends Localized {
  /** What only the console says. */
  get words(): ConsoleMessages {
    return consoleMessagesOf(this.language);
  }
}
