//! An inventory: a table of peers, one a row, with a heading.
//!
//! Columns, in any order and case: `name` and `transport`, which are required, and `pool`, `address`, `port`,
//! `certificate`. Others are ignored and named. Rows that differ in nothing but their address, which counts up from row
//! to row, are one group.

use std::io::Read;
use std::net::IpAddr;

use csv::{ReaderBuilder, StringRecord};

use crate::validate::{CertificateState, Transport};

use super::deployment::{Application, ApplicationPool, Computer, Deployment, Shown};
use super::error::{ImportError, Place, Problem, printable};
use super::text::Utf8;

/// Most bytes of a table.
const TABLE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most bytes of a row: a quotation mark that nobody closes must not swallow the rest.
const ROW_BYTES_MAX: usize = 64 * 1024;
/// Most rows.
pub(super) const ROWS_MAX: usize = 500_000;
/// Most characters of a name.
const NAME_MAX: usize = 200;
/// The columns.
const COLUMNS: [&str; 6] = ["name", "pool", "address", "transport", "port", "certificate"];

/// Reads a table.
pub(super) fn deployment<R: Read>(input: R) -> Result<Deployment, ImportError> {
    let mut text = String::new();
    let io = |error| ImportError::unreadable(&error);
    Utf8::new(input, TABLE_BYTES_MAX).and_then(|mut utf8| utf8.read_to_string(&mut text)).map_err(io)?;
    let heading = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let delimiter = delimiter(heading);
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let columns = Columns::find(&reader.headers().map_err(|error| no_table(&error))?.clone())?;
    let mut deployment = Deployment { ignored: columns.ignored.clone(), ..Deployment::default() };
    let mut rows = 0;
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| no_table(&error))? {
        let line = record.position().map_or(0, csv::Position::line);
        let here = Place { line, column: 1 };
        if record.as_slice().len() > ROW_BYTES_MAX {
            let text = format!("a row longer than {} KiB; is a quotation mark missing?", ROW_BYTES_MAX / 1024);
            return Err(ImportError::at(here, Problem::NotATable(text)));
        }
        if record.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        rows += 1;
        if rows > ROWS_MAX {
            return Err(ImportError::at(here, Problem::NotATable(format!("more than {ROWS_MAX} rows"))));
        }
        add(&mut deployment, columns.row(&record, line)?);
    }
    assume(&mut deployment, &columns);
    Ok(deployment)
}

pub(super) fn no_table(error: &csv::Error) -> ImportError {
    let place = error.position().map(|position| Place { line: position.line(), column: 1 });
    ImportError { entry: None, place, problem: Problem::NotATable(printable(&error.to_string())) }
}

/// Of what may stand between fields, that which the heading has most of.
pub(super) fn delimiter(heading: &str) -> u8 {
    let count = |delimiter: u8| heading.bytes().filter(|byte| *byte == delimiter).count();
    // The first of equals wins, so the comma stands last.
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

/// Where each column is.
struct Columns {
    at: [Option<usize>; COLUMNS.len()],
    ignored: Vec<String>,
}

/// A row, checked.
struct Row {
    name: String,
    pool: String,
    address: Option<IpAddr>,
    transport: Transport,
    port: Option<u16>,
    certificate: Shown,
}

impl Columns {
    fn find(heading: &StringRecord) -> Result<Columns, ImportError> {
        let here = Place { line: 1, column: 1 };
        let mut columns = Columns { at: [None; COLUMNS.len()], ignored: Vec::new() };
        let mut unknown = Vec::new();
        for (position, field) in heading.iter().enumerate() {
            let field = field.trim().to_lowercase();
            match COLUMNS.iter().position(|column| *column == field) {
                Some(known) if columns.at[known].is_some() => {
                    let text = format!("the heading has the column `{field}` twice");
                    return Err(ImportError::at(here, Problem::Heading(text)));
                }
                Some(known) => columns.at[known] = Some(position),
                None => unknown.push(printable(&field)),
            }
        }
        for required in [NAME, TRANSPORT] {
            if columns.at[required].is_none() {
                let has = if unknown.is_empty() { String::new() } else { format!("; it has {}", unknown.join(", ")) };
                let text = format!(
                    "the first row must name the columns, and `{}` is not among them{has}; there may be {}",
                    COLUMNS[required],
                    COLUMNS.join(", ")
                );
                return Err(ImportError::at(here, Problem::Heading(text)));
            }
        }
        if !unknown.is_empty() {
            columns.ignored.push(format!("columns of other names: {}", unknown.join(", ")));
        }
        Ok(columns)
    }

    fn row(&self, record: &StringRecord, line: u64) -> Result<Row, ImportError> {
        let field = |column: usize| self.at[column].and_then(|at| record.get(at)).map_or("", str::trim);
        let refuse = |column: usize, accepted: &'static str| {
            let place = Place { line, column: self.at[column].map_or(1, |at| at as u64 + 1) };
            let value = printable(field(column));
            ImportError::at(place, Problem::Field { column: COLUMNS[column], value, accepted })
        };
        let name = |column: usize| {
            let text = field(column);
            let is_good = text.chars().count() <= NAME_MAX && !text.chars().any(char::is_control);
            is_good.then(|| text.to_owned()).ok_or_else(|| refuse(column, "up to 200 characters on one line"))
        };
        let (own, pool) = (name(NAME)?, name(POOL)?);
        if own.is_empty() {
            return Err(refuse(NAME, "a name"));
        }
        let transport = match field(TRANSPORT).to_lowercase().as_str() {
            "tcp" => Transport::Tcp,
            "tls" | "mtls" => Transport::Tls,
            _ => return Err(refuse(TRANSPORT, "tcp, tls or mtls")),
        };
        let address = match field(ADDRESS) {
            "" => None,
            text => match text.parse::<IpAddr>() {
                Ok(address) => Some(address).filter(|address| !address.is_unspecified()),
                Err(_) => return Err(refuse(ADDRESS, "an IPv4 or IPv6 address, or nothing")),
            },
        };
        let port = match field(PORT) {
            "" => None,
            text => match text.parse::<u16>() {
                Ok(port) if port > 0 => Some(port),
                _ => return Err(refuse(PORT, "a number from 1 to 65535, or nothing")),
            },
        };
        let certificate = match (field(CERTIFICATE).to_lowercase().as_str(), transport) {
            ("" | "none", Transport::Tcp) => Shown::None,
            (_, Transport::Tcp) => return Err(refuse(CERTIFICATE, "none or nothing, for a peer on tcp shows none")),
            ("", Transport::Tls) => Shown::NotSaid,
            ("none", Transport::Tls) => Shown::None,
            (word, Transport::Tls) => match CertificateState::ALL.into_iter().find(|state| state.name() == word) {
                Some(state) => Shown::Some(state),
                None => return Err(refuse(CERTIFICATE, CERTIFICATES)),
            },
        };
        Ok(Row { name: own, pool, address, transport, port, certificate })
    }
}

const NAME: usize = 0;
const POOL: usize = 1;
const ADDRESS: usize = 2;
const TRANSPORT: usize = 3;
const PORT: usize = 4;
const CERTIFICATE: usize = 5;
/// What it may hold.
const CERTIFICATES: &str = "valid, none, expired, wrong-name, untrusted, not-yet-valid, self-signed, incomplete-chain, \
                            revoked, revocation-unknown or nothing";

/// A row as one more computer of the pool before it, if it is one, else as a pool of its own.
fn add(deployment: &mut Deployment, row: Row) {
    let Row { name, pool, address, transport, port, certificate } = row;
    let fqdn = if pool.is_empty() { name.clone() } else { pool };
    let application = Application { id: name.clone(), port, transport, certificate };
    let computer = Computer { fqdn: name, address };
    if let Some(last) = deployment.applications.last_mut() {
        let is_same = last.fqdn == fqdn && last.applications == [application.clone()];
        if is_same && super::write::counts_up(last.computers.last(), &computer) {
            last.computers.push(computer);
            return;
        }
    }
    deployment.applications.push(ApplicationPool {
        fqdn,
        site: None,
        registrar: None,
        computers: vec![computer],
        applications: vec![application],
    });
}

fn assume(deployment: &mut Deployment, columns: &Columns) {
    let applications = || deployment.applications.iter().flat_map(|pool| &pool.applications);
    if applications().any(|application| application.certificate == Shown::NotSaid) {
        deployment.assumed.push("peers on TLS whose certificate is not said show a valid one".into());
    }
    let is_tcp = |pool: &&ApplicationPool| pool.applications.iter().any(|it| it.transport == Transport::Tcp);
    let nowhere = |pool: &ApplicationPool| pool.computers.iter().any(|computer| computer.address.is_none());
    let without = deployment.applications.iter().filter(is_tcp).filter(|pool| nowhere(pool)).count();
    if without > 0 {
        deployment
            .assumed
            .push(format!("{without} peers on TCP without an address are known to the front ends by theirs"));
    }
    if columns.at[PORT].is_none() {
        deployment.assumed.push("ports are 5061 with TLS, 5060 with TCP".into());
    }
}
