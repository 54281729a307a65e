//! Rooms as their members and back-ends meet them: over real sockets, by a client of another library.

mod back_end;
mod bad_input;
mod coming_back;
mod doors;
mod flows;
mod killed;
mod measure;
mod told;
