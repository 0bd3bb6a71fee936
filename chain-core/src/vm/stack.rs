//! The words of all frames in one block, and a cursor into it.
//!
//! The interpreter checks once for each instruction how many words there are and how much room is left (the table of
//! [`super::opcode`] says what it takes and leaves); after that check the methods here need none. They are the only place
//! that follows the pointer.

use alloy_primitives::U256;

use super::gas::STACK_LIMIT;

/// Room for the words of every frame, each frame's right above its caller's.
#[derive(Debug, Default)]
pub(super) struct Stacks(Vec<U256>);

impl Stacks {
    /// A frame's cursor: its words begin at `floor` and there are `height`.
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

/// Where a frame's stack ends. Valid until [`Stacks::cursor`] is called for another frame.
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

    /// Whether there are at least so many words.
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

    /// Puts a word on top.
    ///
    /// # Safety
    /// There is room, and the cursor is valid: so for all methods below.
    #[inline(always)]
    pub unsafe fn push(&mut self, word: U256) {
        // SAFETY: the cursor is valid and below the limit.
        unsafe { self.next.write(word) };
        self.next = self.next.wrapping_add(1);
    }

    /// Takes the top word.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    pub unsafe fn pop(&mut self) -> U256 {
        self.next = self.next.wrapping_sub(1);
        // SAFETY: the word lies between floor and next.
        unsafe { read(self.next) }
    }

    /// The top word.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    pub unsafe fn top(self) -> U256 {
        // SAFETY: the word lies between floor and next.
        unsafe { read(self.next.wrapping_sub(1)) }
    }

    /// Puts another word in the place of the top one.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    pub unsafe fn set_top(&mut self, word: U256) {
        // SAFETY: the word lies between floor and next.
        unsafe { self.next.wrapping_sub(1).write(word) };
    }

    /// Puts a copy of the `depth`-th word from the top (1 is the top) on top.
    ///
    /// # Safety
    /// There are so many, and there is room.
    #[inline(always)]
    pub unsafe fn dup(&mut self, depth: usize) {
        // SAFETY: the word lies between floor and next.
        unsafe {
            let word = read(self.next.wrapping_sub(depth));
            self.push(word);
        }
    }

    /// Exchanges the top word with the one that `depth` others lie on.
    ///
    /// # Safety
    /// There are more than `depth` words.
    #[inline(always)]
    pub unsafe fn swap(&mut self, depth: usize) {
        let other = self.next.wrapping_sub(depth + 1);
        // SAFETY: both lie between floor and next.
        unsafe {
            let (word, top) = (read(other), self.top());
            other.write(top);
            self.set_top(word);
        }
    }

    /// Drops words.
    ///
    /// # Safety
    /// There are so many.
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

/// Reads a word limb by limb: a word is mostly read right after it was written limb by limb, and the processor does not
/// forward two such writes to one wider read, which the compiler would make of it otherwise.
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
