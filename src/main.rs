//! The program: everything is in the library's `cli`.

fn main() -> std::process::ExitCode {
    refresh_sim::cli::main()
}
