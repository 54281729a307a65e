//! The page at `/trust`.

import './styles/page.css';
import { CopyField } from './elements/copy-field.ts';
import { PageHeader, applyPageLanguage } from './elements/page-header.ts';
import { TrustPage } from './elements/trust-page.ts';

applyPageLanguage();
customElements.define('om-copy', CopyField);
customElements.define('om-header', PageHeader);
customElements.define('om-trust', TrustPage);
