//! Chunks against hand-made bytes.
