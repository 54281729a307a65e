//! The model everything live is made of: tracks of groups of frames. No IO, no clock, no runtime.
