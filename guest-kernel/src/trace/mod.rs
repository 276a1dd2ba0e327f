//! The watching half of the system-call gate: armed calls, capture, records in the event ring.
