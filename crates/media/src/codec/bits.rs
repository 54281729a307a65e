//! A reader of single bits and exp-Golomb codes that never reads past its input.
