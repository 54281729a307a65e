//! The pages at `/demo`: the lobby that opens a room, and the room itself at `/demo/{room}`.

import './styles/page.css';
import { CopyField } from './elements/copy-field.ts';
import { DemoPage } from './elements/demo/demo-page.ts';
import { DemoJoin } from './elements/demo/join.ts';
import { DemoLobby } from './elements/demo/lobby.ts';
import { DemoShare } from './elements/demo/share.ts';
import { PageHeader, applyPageLanguage } from './elements/page-header.ts';

applyPageLanguage();
customElements.define('om-copy', CopyField);
customElements.define('om-header', PageHeader);
customElements.define('om-share', DemoShare);
customElements.define('om-lobby', DemoLobby);
customElements.define('om-join', DemoJoin);
customElements.define('om-demo', DemoPage);
