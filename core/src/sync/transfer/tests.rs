//! Transfers against a server in memory that speaks the real protocol.
