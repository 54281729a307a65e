//! Both ways, on the fixtures of the whole project and on bytes made by hand.

mod h264;
mod journey;
