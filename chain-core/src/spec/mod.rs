//! Chain specs: all that makes one chain differ from another.
