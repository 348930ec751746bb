//! Which sockets listen, or listened up to 65 s ago.
