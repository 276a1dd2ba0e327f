//! Sockets. AF_UNIX here; others later.
