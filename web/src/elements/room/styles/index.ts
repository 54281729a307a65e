//! Looks of `<live-room>`. Pages theme it by the `--live-*` properties of `theme.ts` and by `::part()`.

import { barStyles } from './bars.ts';
import { panelStyles } from './panel.ts';
import { screenStyles } from './screens.ts';
import { settingsStyles } from './settings.ts';
import { stageStyles } from './stage.ts';
import { themeStyles } from './theme.ts';

export const roomStyles = [themeStyles, stageStyles, barStyles, panelStyles, settingsStyles, screenStyles];
