//! Nothing but a manifest: see its first lines.
