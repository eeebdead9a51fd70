//! Configuration exports: what is found in them, and bombs.

use std::io::{Cursor, Write};

use refresh_sim::import::{ImportError, Problem, topology};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{PUBLISHED, deployment, read, utf16};

/// An archive of these files.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in files {
        writer.start_file(*name, options).expect("begun");
        writer.write_all(bytes).expect("written");
    }
    writer.finish().expect("finished").into_inner()
}

/// A topology within what the management store keeps of it.
fn doc_item_set(topology: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<DocItemSet>\n<DocItem Name=\"urn:xds:other\"><Data><X/></Data>\
         </DocItem>\n<DocItem Name=\"urn:xds:topology\"><Data><AnchoredXml SchemaWriteVersion=\"1\"><Key \
         ScopeClass=\"Global\"><SchemaId Namespace=\"urn:n\" ElementName=\"Topology\"/></Key><Dictionary Count=\"1\">\
         <Item><Key/><Value Signature=\"1\">{topology}</Value></Item></Dictionary></AnchoredXml></Data></DocItem>\n\
         </DocItemSet>"
    )
}

fn problem(bytes: &[u8]) -> Problem {
    topology(Cursor::new(bytes)).expect_err("it is refused").problem
}

#[test]
fn an_export_gives_the_deployment_that_its_document_gives() {
    let expected = deployment(PUBLISHED);
    let set = doc_item_set(PUBLISHED);
    for bytes in [
        archive(&[("DocItemSet.xml", set.as_bytes())]),
        archive(&[("a.xml", b"<a/>"), ("sub/docitemset.XML", set.as_bytes()), ("z.xml", b"<")]),
        archive(&[("readme.txt", b"x"), ("other.xml", b"<other/>"), ("top.tbxml", PUBLISHED.as_bytes())]),
        archive(&[("DocItemSet.xml", &utf16(&set))]),
    ] {
        assert_eq!(read(bytes), Ok(expected.clone()));
    }
}

#[test]
fn an_archive_without_a_topology_says_where_it_looked() {
    let text = |bytes: &[u8]| problem(bytes).to_string();
    assert!(text(&archive(&[("a.xml", b"<a/>"), ("b.xml", b"<b/>")])).ends_with("looked into: a.xml, b.xml"));
    assert!(text(&archive(&[("a.txt", b"<a/>")])).ends_with("none of its files is called *.xml or *.tbxml"));
    assert!(text(&archive(&[])).ends_with("it is empty"));
}

#[test]
fn an_error_in_a_file_of_an_archive_names_the_file() {
    let error = read(archive(&[("DocItemSet.xml", b"<a>\n<b></a>")])).expect_err("refused").to_string();
    assert!(error.starts_with("DocItemSet.xml:2:4: "), "{error}");
}

#[test]
fn a_bomb_is_stopped_while_it_inflates() {
    // 64 MiB of spaces are 64 KiB in the archive: a ratio of a thousand.
    let mut bomb = b"<a>".to_vec();
    bomb.resize(64 << 20, b' ');
    let bytes = archive(&[("DocItemSet.xml", &bomb)]);
    assert!(bytes.len() < 200_000);
    // One stretch of text is refused as such; cut into tags it is the inflating that stops it.
    assert!(matches!(problem(&bytes), Problem::TooLong(_)), "{:?}", problem(&bytes));
    let tags = "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/>".repeat(800_000);
    let bytes = archive(&[("DocItemSet.xml", format!("<r>{tags}</r>").as_bytes())]);
    let most = 200 * bytes.len() as u64 + 100_000;
    assert!(most < tags.len() as u64);
    match problem(&bytes) {
        Problem::Bomb { bytes, .. } => assert!(bytes < most, "stopped after {bytes}"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_lie_about_the_size_does_not_help_a_bomb() {
    let tags = "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/>".repeat(400_000);
    let honest = archive(&[("DocItemSet.xml", format!("<r>{tags}</r>").as_bytes())]);
    // The uncompressed size in the table of files, 24 bytes after its signature, says 10.
    let at = honest.windows(4).rposition(|four| four == b"PK\x01\x02").expect("a table of files");
    let mut lying = honest.clone();
    lying[at + 24..at + 28].copy_from_slice(&10u32.to_le_bytes());
    assert!(topology(Cursor::new(lying)).is_err());
}

#[test]
fn broken_archives_are_errors_wherever_they_are_broken() {
    let whole = archive(&[("DocItemSet.xml", doc_item_set(PUBLISHED).as_bytes())]);
    let mut outcomes = 0;
    for at in (0..whole.len()).step_by(7) {
        let mut broken = whole.clone();
        broken[at] ^= 0x55;
        outcomes += u32::from(topology(Cursor::new(&broken)).is_err());
        assert!(topology(Cursor::new(&whole[..at])).is_err(), "cut at {at}");
    }
    assert!(outcomes > 100, "most changes are noticed: {outcomes}");
}

#[test]
fn an_archive_that_is_too_large_is_refused_by_its_size() {
    let mut bytes = archive(&[("DocItemSet.xml", b"<a/>")]);
    bytes.resize(33 << 20, 0);
    let ImportError { problem, .. } = topology(Cursor::new(bytes)).expect_err("refused");
    assert_eq!(problem, Problem::TooLarge(32 << 20));
}
