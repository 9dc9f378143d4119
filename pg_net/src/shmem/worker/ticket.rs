use crate::shmem::SLOTS;

/// Names a slot and the process that was started for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    index: usize,
    number: u32,
}

impl Ticket {
    pub(in crate::shmem) fn new(index: usize, number: u32) -> Self {
        Self { index, number }
    }

    pub(in crate::shmem) fn index(self) -> usize {
        self.index
    }

    pub(in crate::shmem) fn number(self) -> u32 {
        self.number
    }

    /// From the argument of a process' main function: 0 for the worker of `pg_net.database_name`.
    pub(crate) fn from_argument(argument: u32) -> Self {
        Self { index: argument as usize % SLOTS, number: argument / SLOTS as u32 }
    }

    /// Whether it is the worker of `pg_net.database_name`.
    pub(crate) fn is_home(self) -> bool {
        self.index == 0
    }

    /// The argument for the process' main function.
    pub(crate) fn argument(self) -> u32 {
        self.number * SLOTS as u32 + self.index as u32
    }
}
