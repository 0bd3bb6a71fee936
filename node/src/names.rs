//! What kinds of things are called in statistics.

/// Items of an `impl`: the name of each variant of an enum, and all names. With `pub` they are public, without they are a trait's.
macro_rules! names {
    (pub $($variant:pat => $name:literal,)*) => {
        /// All names, as often as variants have them.
        pub const NAMES: &'static [&'static str] = &[$($name),*];

        /// What it is called in statistics.
        pub fn name(&self) -> &'static str {
            match self {
                $($variant => $name,)*
            }
        }
    };
    ($($variant:pat => $name:literal,)*) => {
        const NAMES: &'static [&'static str] = &[$($name),*];

        fn name(&self) -> &'static str {
            match self {
                $($variant => $name,)*
            }
        }
    };
}
pub(crate) use names;
