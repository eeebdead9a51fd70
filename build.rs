//! A fingerprint of the source, so that results that are kept can tell which program made them.
//!
//! It hangs on the text of the program and on the versions of its dependencies, not on the machine, the profile or the
//! day, so that two machines with the same source agree. `git` is not asked: a source tree may come without it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let mut files = vec![PathBuf::from("Cargo.lock"), PathBuf::from("Cargo.toml"), PathBuf::from("build.rs")];
    below(Path::new("src"), &mut files)?;
    files.sort();
    let mut hash = blake3::Hasher::new();
    for file in &files {
        let text: Vec<u8> = fs::read(file)?.into_iter().filter(|byte| *byte != b'\r').collect();
        // Lengths keep names and texts apart.
        for part in [file.to_string_lossy().replace('\\', "/").as_bytes(), &text] {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    }
    // 64 bits tell the builds of one program apart.
    println!("cargo::rustc-env=REFRESH_SIM_SOURCE={}", &hash.finalize().to_hex()[..16]);
    for path in ["src", "Cargo.lock", "Cargo.toml", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    Ok(())
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            below(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    Ok(())
}
