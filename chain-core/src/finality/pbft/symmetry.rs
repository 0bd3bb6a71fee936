//! What a search through all histories asks of a replica. Nodes do not.

use super::{Id, Replica, slot::Slot};

impl<V> Replica<V> {
    /// Under other names, for a search that takes replicas which never lead for exchangeable. In view 0, messages name nobody.
    pub fn rename(&mut self, map: &[Id]) {
        self.me = map[usize::from(self.me)];
        self.slots.values_mut().for_each(|slot| slot.rename(map));
    }

    /// How many numbers it keeps something of: at most the window.
    pub fn kept(&self) -> usize {
        self.slots.len()
    }
}

impl<V> Slot<V> {
    fn rename(&mut self, map: &[Id]) {
        let rename = |ids: &mut std::collections::BTreeSet<Id>| {
            *ids = ids.iter().map(|&id| map[usize::from(id)]).collect();
        };
        self.prepares.values_mut().for_each(rename);
        self.commits.values_mut().for_each(rename);
        self.prepared.iter_mut().for_each(|prepared| rename(&mut prepared.signers));
    }
}
