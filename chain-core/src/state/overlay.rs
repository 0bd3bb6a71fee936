//! A view with a diff on top.

/// Changes on top of a view.
pub struct Overlay;
