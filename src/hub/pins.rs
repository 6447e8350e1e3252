//! Pins: blocks that a unit of work keeps in memory from when it missed them until it ends, because it will run again from its
//! start and need them all. That is why it ends: each try that misses pins at least one block more, and a unit reads a finite
//! number of them. What is pinned may exceed the cache's budget, up to a limit.

use crate::error::{Error, Result};
use crate::ids::BlockNo;
use crate::store::Pager;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// Lets go of its blocks when it is dropped.
pub struct Pins {
    pager: Rc<RefCell<Pager>>,
    blocks: Vec<BlockNo>,
}

impl Pins {
    pub fn new(pager: &Rc<RefCell<Pager>>) -> Self {
        Self { pager: pager.clone(), blocks: vec![] }
    }

    /// # Errors
    /// [`Error::Limit`] where all units together would hold more than `most` bytes beyond the cache's budget.
    pub fn hold(&mut self, blocks: &[BlockNo], most: usize) -> Result<()> {
        let mut pager = self.pager.borrow_mut();
        pager.hold(blocks);
        self.blocks.extend_from_slice(blocks);
        let most = pager.cache_figures().bytes_max + most;
        if pager.pinned_bytes() <= most {
            return Ok(());
        }
        Err(Error::Limit(format!(
            "the statement needs more than {} MiB of the database in memory at once, because this browser cannot suspend it: raise cacheBytes, use iterate(), or read less",
            most >> 20
        )))
    }

    pub fn let_go(&mut self) {
        let blocks = std::mem::take(&mut self.blocks);
        if !blocks.is_empty() {
            self.pager.borrow_mut().release(&blocks);
        }
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pins", self.blocks.len())
    }
}
