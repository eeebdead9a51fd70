//! Validation logic in Rust without a process of its own, by the trait `Validator`: a week of the 2015 case with logic
//! that forgets, at refresh, whom it let in by address.
//!
//! `cargo run --example in_process [SCENARIO]`
#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;

use refresh_sim::scenario;
use refresh_sim::sim::{Names, Unwatched, run_with};
use refresh_sim::validate::{
    Answer, CertificateState, FaultCode, Phase, Question, Rejection, Transport, Validator, ValidatorMaker, Verdict,
};

/// The logic that a front end process runs: one instance for each of its starts.
struct Logic;

impl Validator for Logic {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        let answer = match (question.phase, question.transport, question.certificate) {
            // The bug: who comes here is taken for a TLS peer. In C this is a null pointer; here it is said.
            (Phase::Refresh, _, None) => Answer::Fault(FaultCode::ACCESS_VIOLATION),
            (Phase::Accept, Transport::Tcp, _) if question.address_known => Answer::Accept,
            (Phase::Accept, Transport::Tcp, _) => Answer::Reject(Rejection::AddressUnknown),
            (_, Transport::Tls, None) => Answer::Reject(Rejection::CertificateMissing),
            (_, _, Some(certificate)) => match certificate.state {
                CertificateState::Valid => Answer::Accept,
                _ => Answer::Reject(Rejection::CertificateUntrusted),
            },
        };
        // No cost of its own: the scenario says what a validation takes.
        answer.into()
    }

    fn is_pure(&self) -> bool {
        true
    }
}

struct Maker;

impl ValidatorMaker for Maker {
    fn make(&self, _front_end: usize, _incarnation: u32) -> Box<dyn Validator> {
        Box::new(Logic)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "scenarios/sfb2015/incident.toml".to_owned());
    let text = std::fs::read(&file)?;
    let plan = scenario::load("in-process", &file, &text, &[]).map_err(|problems| problems.to_string())?;
    let outcome = run_with(&plan, &Maker, &mut Unwatched)?;
    let names = Names::new(&plan);
    for crash in &outcome.crashes {
        let about = crash.fault.map_or("nobody".to_owned(), |fault| names.peer(fault.peer));
        println!("{} crashed at {}, asked about {about}", names.front_end(crash.front_end), crash.at);
    }
    println!("digest {}", outcome.digest.unwrap_or_default());
    Ok(())
}
