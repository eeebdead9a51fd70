//! `refresh-sim diagnose`: what the crashing questions of a result have in common, and which change avoids the crash.

use crate::diagnosis::{self, Diagnosis, Verdict};
use crate::host::signals::Interrupt;

use super::args::{DiagnoseArgs, Format};
use super::exit::Exit;
use super::outside::{self, Starts};
use super::panics::guarded;
use super::print::{Printer, complain, shown};
use super::stored::Stored;
use super::watch::Stoppable;

/// Diagnoses the result that `args` names.
pub(super) fn diagnose(args: &DiagnoseArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let result = shown(&args.result);
    match Stored::open(&args.result, args.incomplete) {
        Ok(stored) => guarded(&result, || diagnosed(&stored, args.format, interrupt, printer)),
        Err(error) => {
            complain(&error.to_string());
            Exit::BadInput
        }
    }
}

fn diagnosed(stored: &Stored, format: Format, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let result = &stored.shown;
    let mut watch = Stoppable(interrupt);
    let diagnosis = match diagnosis::diagnose(&stored.plan, &stored.text, &Starts(interrupt), &mut watch) {
        Ok(diagnosis) => diagnosis,
        Err(error) => return outside::ended(result, &error, interrupt),
    };
    if let Some(signal) = interrupt.signal() {
        return signal.into();
    }
    // Without a digest the result was interrupted, and there is nothing to compare with.
    if stored.digest.is_some() && stored.digest != diagnosis.digest {
        complain(&format!(
            "error: {result}: its plan now decides otherwise than when the result was made; it was made by another \
             version, or its files were changed{}",
            outside::changed(&stored.plan, &stored.folder)
        ));
        return Exit::NotDeterministic;
    }
    let text = match format {
        Format::Text => diagnosis::text(result, &diagnosis),
        Format::Json => format!("{:#}\n", diagnosis::json(result, &diagnosis)),
    };
    let printed = printer.print(&text).err().unwrap_or(Exit::Pass);
    Exit::worst([printed, exit(&diagnosis)])
}

/// What a diagnosis is as an exit.
fn exit(diagnosis: &Diagnosis) -> Exit {
    let avoids = diagnosis.tried.iter().any(|tried| tried.verdict == Verdict::Avoids);
    match diagnosis.pattern {
        None => Exit::NothingRan,
        Some(_) if avoids => Exit::Pass,
        Some(_) => Exit::Failed,
    }
}
