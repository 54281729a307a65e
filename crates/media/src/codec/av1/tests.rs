//! Behaviour of the module above.
