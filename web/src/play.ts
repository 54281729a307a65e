//! The player page at `/play/{app}/{stream}`.

import './styles/page.css';
import './openmic.ts';
import { CopyField } from './elements/copy-field.ts';
import { PageHeader, applyPageLanguage } from './elements/page-header.ts';
import { PlayerPage } from './elements/player-page.ts';

applyPageLanguage();
customElements.define('om-copy', CopyField);
customElements.define('om-header', PageHeader);
customElements.define('om-player-page', PlayerPage);
