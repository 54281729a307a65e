//! Looks of `<live-room>`. Pages theme it by the `--live-*` properties of `theme.ts` and by `::part()`.

import { busyStyles } from '../../busy.styles.ts';
import { selectStyles } from '../../select.styles.ts';
import { barStyles } from './bars.ts';
import { panelStyles } from './panel.ts';
import { screenStyles } from './screens.ts';
import { settingsStyles } from './settings.ts';
import { stageStyles } from './stage.ts';
import { themeStyles } from './theme.ts';

export const roomStyles = [themeStyles, busyStyles, stageStyles, barStyles, panelStyles, settingsStyles, selectStyles, screenStyles];
