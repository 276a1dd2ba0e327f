//! futex(2): private and shared, bitsets, requeue, PI-less; robust lists.
