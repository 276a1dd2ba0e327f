//! From the VMM's entry to the first task: reads the boot information, starts memory, time, files and pid 1.
