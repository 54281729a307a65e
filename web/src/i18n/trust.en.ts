//! English of the page that tells devices how to trust the server.

/** A kind of device, each with steps of its own. */
export type Device = 'ios' | 'android' | 'windows' | 'macos' | 'linux';

const DEVICES: Readonly<Record<Device, { name: string; steps: readonly string[] }>> = {
  ios: {
    name: 'iPhone and iPad',
    steps: [
      'Open this page in Safari, tap “Get the profile” and then “Allow”.',
      'Open Settings → General → VPN & Device Management, choose openmic, and tap “Install”.',
      'Open Settings → General → About → Certificate Trust Settings, and turn openmic on. Without this step nothing changes.',
    ],
  },
  android: {
    name: 'Android',
    steps: [
      'Tap “Get the certificate”; the phone saves it as openmic-ca.crt.',
      'Search the settings for “CA certificate” (often Security → More → Encryption & credentials → Install a certificate), choose “CA certificate”, confirm, and pick the file.',
      'Open the secure address below in Chrome. Many apps, and the browsers inside them, ignore certificates that a person installed.',
    ],
  },
  windows: {
    name: 'Windows',
    steps: [
      'Get the certificate, open it, and choose “Install Certificate…”.',
      'Choose “Current User”, then “Place all certificates in the following store”: Trusted Root Certification Authorities.',
      'Restart the browser.',
    ],
  },
  macos: {
    name: 'Mac',
    steps: [
      'Get the certificate and open it; Keychain Access adds it.',
      'Double-click openmic there, open “Trust”, and choose “Always Trust”.',
      'Restart the browser.',
    ],
  },
  linux: {
    name: 'Linux, and Firefox everywhere',
    steps: [
      'Get the certificate.',
      'Firefox: Settings → Privacy & Security → View Certificates → Authorities → Import, and allow it for websites.',
      'Chrome: open chrome://certificate-manager, then Local certificates → Custom → Trusted Certificates → Import.',
    ],
  },
};

export const trustEn = {
  title: 'Trust this server',
  intro:
    'Browsers open cameras, microphones and secure connections only on pages they trust. This server vouches for itself: install its certificate once, and its pages open without a warning.',
  limits: 'The certificate is good for this server and for private networks only, never for another website, and you can remove it at any time.',
  getCertificate: 'Get the certificate',
  getProfile: 'Get the profile',
  scanTitle: 'With a phone',
  scan: 'Scan this with its camera. The phone must be on the same network.',
  qrOf: (address: string): string => `QR code of ${address}`,
  pageAddress: 'Address of this page',
  nobodyReaches: 'No other device reaches this server: it listens on this machine only. Set http.tls_listen, such as 0.0.0.0:8443.',
  compareTitle: 'Compare before you trust',
  compare:
    'Somebody on your network could have given you another certificate. Its SHA-256 fingerprint, which your device shows before it installs, must be this one; the server wrote it to its log when it started.',
  fingerprint: 'SHA-256 fingerprint',
  stepsTitle: 'Step by step',
  device: (device: Device): { name: string; steps: readonly string[] } => DEVICES[device],
  thenTitle: 'Then open',
  secureAddress: 'Secure address',
  notNeeded: 'Nothing has to be installed',
  notNeededHelp: 'This server has no certificate authority of its own. If your browser warns about its certificate, tell whoever runs it.',
  unreachable: 'The server does not answer. Load the page again in a moment.',
};

export type TrustMessages = typeof trustEn;
