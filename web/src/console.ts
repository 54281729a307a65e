//! The console page at `/`.

import './styles/page.css';
import './openmic.ts';
import { CopyField } from './elements/copy-field.ts';
import { LiveConsole } from './elements/live-console.ts';
import { PageHeader, applyPageLanguage } from './elements/page-header.ts';
import { PushGuide } from './elements/push-guide.ts';
import { StreamCard } from './elements/stream-card.ts';

applyPageLanguage();
customElements.define('om-copy', CopyField);
customElements.define('om-header', PageHeader);
customElements.define('om-push-guide', PushGuide);
customElements.define('om-stream', StreamCard);
customElements.define('om-console', LiveConsole);
