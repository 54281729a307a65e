//! Conversion of whole streams.

mod gaps;
mod hostile;
mod ogg;
mod silent;
mod stranger;
mod stream;
mod timing;
