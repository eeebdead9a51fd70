//! What an administrator does, with the product's own cmdlets.
//!
//! Names from outside go into commands only if they are made of letters, digits, points and the like: whoever copies a
//! line must not run somebody else's.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::import::{Application, ApplicationPool, Deployment, group_names};
use crate::scenario::plan::GroupPlan;
use crate::validate::{Rejection, Transport};

/// Most characters of a name in a command.
const NAME_MAX: usize = 253;
/// Most names that a sentence lists.
const LISTED_MAX: usize = 8;

/// How to move the application of `group` from TCP to TLS. Of an application that there is only the port can be changed
/// (Set-CsTrustedApplication), so it is removed and made anew.
pub(super) fn to_tls(group: &GroupPlan, origins: &Origins<'_>) -> Vec<String> {
    let found = origins.find(group);
    let (id, pool) = match found {
        Some((pool, application)) => (named(&application.id, "application id"), named(&pool.fqdn, "pool")),
        None => match group.name.split_once('@') {
            Some((id, pool)) => (named(id, "application id"), named(pool, "pool")),
            None => ("<application id>".to_owned(), "<pool>".to_owned()),
        },
    };
    let mut lines = vec![
        "Note its endpoints down, for removing the application removes them:".to_owned(),
        format!("  Get-CsTrustedApplicationEndpoint | Where-Object {{ $_.OwnerUrn -eq \"urn:application:{id}\" }}"),
        format!("  Remove-CsTrustedApplication -Identity \"{pool}/urn:application:{id}\""),
    ];
    // Where the pool's identity is an address, as it may be for TCP alone, it is made anew as well.
    let pool = if pool.parse::<IpAddr>().is_ok() {
        let registrar =
            found.and_then(|(pool, _)| pool.registrar).and_then(|at| origins.deployment?.front_ends.get(at));
        let registrar = registrar.map_or("<front-end pool>".to_owned(), |it| named(&it.fqdn, "front-end pool"));
        let site = found.and_then(|(pool, _)| pool.site.as_deref()).map_or("<site>".to_owned(), |it| named(it, "site"));
        let next = "<name of the computer>".to_owned();
        lines.push(format!("  Remove-CsTrustedApplicationPool -Identity \"{pool}\""));
        lines.push(format!(
            "  New-CsTrustedApplicationPool -Identity \"{next}\" -Registrar \"{registrar}\" -Site \"{site}\" \
             -RequiresReplication $false"
        ));
        next
    } else {
        pool
    };
    lines.push(format!(
        "  New-CsTrustedApplication -ApplicationId \"{id}\" -TrustedApplicationPoolFqdn \"{pool}\" -Port {}",
        group.port
    ));
    lines.push("  Enable-CsTopology".to_owned());
    lines.push(format!(
        "Without -EnableTcp that is TLS. Make the endpoints again (New-CsTrustedApplicationEndpoint), give its computers \
         a certificate with the subject {pool} from a root that both sides trust, and set the application to TLS."
    ));
    lines
}

/// The applications of a deployment, by the groups that they became.
#[derive(Default, Debug)]
pub(super) struct Origins<'a> {
    deployment: Option<&'a Deployment>,
    applications: BTreeMap<(String, Transport, u16), (&'a ApplicationPool, &'a Application)>,
}

impl<'a> Origins<'a> {
    pub(super) fn new(deployment: Option<&'a Deployment>) -> Origins<'a> {
        let mut origins = Origins { deployment, applications: BTreeMap::new() };
        let pools = deployment.map_or(&[][..], |deployment| &deployment.applications);
        for (pool, application) in pools.iter().flat_map(|pool| pool.applications.iter().map(move |it| (pool, it))) {
            let Some(port) = application.port else { continue };
            for name in group_names(application, pool) {
                origins.applications.entry((name, application.transport, port)).or_insert((pool, application));
            }
        }
        origins
    }

    /// The application that a group was made from.
    fn find(&self, group: &GroupPlan) -> Option<(&'a ApplicationPool, &'a Application)> {
        // A name that was taken has the port or a number behind it.
        let cut = |at: char| group.name.rsplit_once(at).map(|(name, _)| name);
        let names = [Some(group.name.as_str()), cut(':'), cut('#')];
        let found = |name: &str| self.applications.get(&(name.to_owned(), group.transport, group.port)).copied();
        names.into_iter().flatten().find_map(found)
    }
}

/// A name in a command, or its place where it has anything that a shell might act on.
fn named(name: &str, what: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let is_good = !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(is_plain);
    if is_good { name.to_owned() } else { format!("<{what}>") }
}

/// What would make a group acceptable.
pub(super) fn accepted(group: &GroupPlan, reason: Rejection) -> Vec<String> {
    let line = match reason {
        Rejection::AddressUnknown => "Limit its service to its address in Topology Builder, and publish.",
        Rejection::CertificateMissing => "Give its computers a certificate, and set the application to show it.",
        Rejection::CertificateExpired => "Renew its certificate.",
        Rejection::CertificateName => {
            "Request a certificate whose subject is the pool's name and whose alternative names are the pool's and every \
             computer's."
        }
        Rejection::CertificateUntrusted => "Put the root of its certificate among the trusted ones of both sides.",
        Rejection::TransportNotTls => return to_tls(group, &Origins::default()),
        _ => return Vec::new(),
    };
    vec![line.to_owned()]
}

/// The names that the certificate of a pool must have by the product's rule.
pub(super) fn names(pool: &ApplicationPool) -> String {
    let shown = |name: &str| named(name, "a name with odd characters");
    let mut computers: Vec<String> = pool
        .computers
        .iter()
        .filter(|computer| !computer.fqdn.eq_ignore_ascii_case(&pool.fqdn))
        .take(LISTED_MAX)
        .map(|computer| shown(&computer.fqdn))
        .collect();
    let more = pool.computers.len().saturating_sub(LISTED_MAX);
    if more > 0 {
        computers.push(format!("{more} more"));
    }
    let also = if computers.is_empty() { String::new() } else { format!(", {}", computers.join(", ")) };
    format!(
        "A topology has no certificates. For TLS this pool's must have the subject {pool} and the alternative names \
         {pool}{also}; no wildcard.",
        pool = shown(&pool.fqdn)
    )
}
