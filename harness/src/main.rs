//! The `kverify` command.

use std::process::ExitCode;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    match kverify::cli::run(std::env::args_os()).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            kverify::cli::complain(&error);
            ExitCode::from(2)
        }
    }
}
