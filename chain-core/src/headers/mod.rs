//! Headers as a tree: checks against the parent, and fork choice.
