//! The page to publish from at `/publish/{app}/{stream}`.

import './styles/page.css';
import './openmic.ts';
import { CopyField } from './elements/copy-field.ts';
import { PageHeader, applyPageLanguage } from './elements/page-header.ts';
import { PublishPage } from './elements/publish-page.ts';

applyPageLanguage();
customElements.define('om-copy', CopyField);
customElements.define('om-header', PageHeader);
customElements.define('om-publish-page', PublishPage);
