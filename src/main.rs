//! The program: see the library's `cli`.
fn main() {}
