//! Difficulty: ASERT (aserti3-2d).
