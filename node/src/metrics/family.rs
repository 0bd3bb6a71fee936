//! The series of a metric, one for each value of its label.

/// Handles by the label's value.
pub struct Family<T>(Vec<(&'static str, T)>);

impl<T> Family<T> {
    /// A handle for each value; values may be repeated.
    pub fn new(values: impl IntoIterator<Item = &'static str>, handle: impl Fn(&'static str) -> T) -> Self {
        let mut handles: Vec<(&'static str, T)> = Vec::new();
        for value in values {
            if handles.iter().all(|(known, _)| *known != value) {
                handles.push((value, handle(value)));
            }
        }
        Self(handles)
    }

    /// The handle of a value; `None`, which is a mistake in the caller, if the label has no such value.
    pub fn of(&self, value: &str) -> Option<&T> {
        let found = self.0.iter().find(|(known, _)| *known == value);
        debug_assert!(found.is_some(), "{value} is not a value of the label");
        found.map(|(_, handle)| handle)
    }
}

impl Family<metrics::Counter> {
    /// Counts under a value.
    pub fn add(&self, value: &str, count: u64) {
        if let Some(counter) = self.of(value) {
            counter.increment(count);
        }
    }
}
