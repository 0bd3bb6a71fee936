//! The stacks of all frames in one allocation, and a cursor into it.
//!
//! The interpreter checks once per instruction how many words there are and how much room is left (by the table of
//! [`super::opcode`]); after that the methods here check nothing. Only they dereference the pointer.

use alloy_primitives::U256;

use crate::gas::STACK_LIMIT;

/// Room for the stack of every frame, each right above its caller's.
#[derive(Debug, Default)]
pub(super) struct Stacks(Vec<U256>);

impl Stacks {
    /// A frame's cursor: its stack begins at `floor` and has `height` words.
    pub fn cursor(&mut self, floor: usize, height: usize) -> Cursor {
        assert!(height <= STACK_LIMIT, "no frame has more words");
        let needed = floor + STACK_LIMIT;
        if self.0.len() < needed {
            self.0.resize(needed + needed / 2, U256::ZERO);
        }
        let floor = self.0[floor..needed].as_mut_ptr();
        Cursor { floor, next: floor.wrapping_add(height) }
    }
}

/// The top of a frame's stack. Valid until [`Stacks::cursor`] is called for another frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    floor: *mut U256,
    next: *mut U256,
}

impl Cursor {
    /// A cursor that points nowhere.
    pub const NONE: Self = Self { floor: std::ptr::null_mut(), next: std::ptr::null_mut() };

    /// Number of words.
    #[inline(always)]
    pub fn height(self) -> usize {
        self.bytes() / size_of::<U256>()
    }

    /// Whether there are at least this many words.
    #[inline(always)]
    pub fn has(self, words: usize) -> bool {
        self.bytes() >= words * size_of::<U256>()
    }

    /// Whether there is room for one more word.
    #[inline(always)]
    pub fn has_room(self) -> bool {
        self.bytes() < STACK_LIMIT * size_of::<U256>()
    }

    #[inline(always)]
    fn bytes(self) -> usize {
        (self.next as usize).wrapping_sub(self.floor as usize)
    }

    /// Pushes a word.
    ///
    /// # Safety
    /// There is room, and the cursor is valid; all methods below need a valid cursor, too.
    #[inline(always)]
    pub unsafe fn push(&mut self, word: U256) {
        // SAFETY: the cursor is valid and below the limit.
        unsafe { self.next.write(word) };
        self.next = self.next.wrapping_add(1);
    }

    /// Pops the top word.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    pub unsafe fn pop(&mut self) -> U256 {
        self.next = self.next.wrapping_sub(1);
        // SAFETY: the word is between floor and next.
        unsafe { read(self.next) }
    }

    /// The top word.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    pub unsafe fn top(self) -> U256 {
        // SAFETY: the word is between floor and next.
        unsafe { read(self.next.wrapping_sub(1)) }
    }

    /// Replaces the top word.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    pub unsafe fn set_top(&mut self, word: U256) {
        // SAFETY: the word is between floor and next.
        unsafe { self.next.wrapping_sub(1).write(word) };
    }

    /// Pushes a copy of the `depth`-th word from the top (1 is the top).
    ///
    /// # Safety
    /// There are this many, and there is room.
    #[inline(always)]
    pub unsafe fn dup(&mut self, depth: usize) {
        // SAFETY: the word is between floor and next.
        unsafe {
            let word = read(self.next.wrapping_sub(depth));
            self.push(word);
        }
    }

    /// Swaps the top word with the one `depth` words below it.
    ///
    /// # Safety
    /// There are more than `depth` words.
    #[inline(always)]
    pub unsafe fn swap(&mut self, depth: usize) {
        let other = self.next.wrapping_sub(depth + 1);
        // SAFETY: both are between floor and next.
        unsafe {
            let (word, top) = (read(other), self.top());
            other.write(top);
            self.set_top(word);
        }
    }

    /// Drops words.
    ///
    /// # Safety
    /// There are this many.
    #[inline(always)]
    pub unsafe fn shrink(&mut self, words: usize) {
        self.next = self.next.wrapping_sub(words);
    }

    /// All words, the top last.
    ///
    /// # Safety
    /// The slice is dropped before the next use of the cursor.
    pub unsafe fn words<'a>(self) -> &'a [U256] {
        // SAFETY: these words belong to the frame.
        unsafe { std::slice::from_raw_parts(self.floor, self.height()) }
    }
}

/// Reads a word limb by limb. A word is mostly read right after it was written limb by limb, and the processor does not
/// forward several such stores to one wider load, which the compiler would generate otherwise.
///
/// # Safety
/// The pointer is valid.
#[inline(always)]
unsafe fn read(word: *const U256) -> U256 {
    let limb = word.cast::<u64>();
    // SAFETY: a word is four limbs.
    unsafe {
        U256::from_limbs([
            limb.read_volatile(),
            limb.wrapping_add(1).read_volatile(),
            limb.wrapping_add(2).read_volatile(),
            limb.wrapping_add(3).read_volatile(),
        ])
    }
}
