//! Generates stubs from every .proto file of the protocol. Needs protoc on PATH, or its path in PROTOC.
use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let proto = Path::new("../../../proto");
    let mut sources = Vec::new();
    for package in ["cartsync/v1", "cartsync/conformance/v1"] {
        for entry in fs::read_dir(proto.join(package))? {
            sources.push(entry?.path());
        }
    }
    tonic_prost_build::configure().include_file("stubs.rs").compile_protos(&sources, &[proto.into()])?;
    Ok(())
}
