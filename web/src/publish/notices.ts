//! What `<live-pusher>` tells a person while it is live, apart from its state: what the network or the machine
//! made it do, and what became of a device.

export type Notice =
  /** The picture is small, or left out, for the sake of sound. */
  | 'video-base'
  | 'video-off'
  | 'video-back'
  /** The machine is too slow for what was asked of the picture. */
  | 'beauty-off'
  | 'half-size'
  | 'filters-off'
  /** The graphics context was taken away and is not back: the picture goes without filters. */
  | 'filters-lost'
  | 'camera-switched'
  | 'camera-lost'
  | 'microphone-switched'
  | 'microphone-lost'
  /** The voice changer could not be loaded: silence, rather than the voice as it is. */
  | 'voice-lost'
  | 'screen-ended'
  | 'file-ended';
