//! blockrace
fn main() {}
