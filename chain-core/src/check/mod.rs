//! Checks of a block or transaction alone, cheapest first.
