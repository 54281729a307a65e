//! Conversion of whole streams.

mod gaps;
mod hostile;
mod ogg;
mod stranger;
mod stream;
mod timing;
