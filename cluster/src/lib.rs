//! The exact search, spread over threads, processes and machines.
