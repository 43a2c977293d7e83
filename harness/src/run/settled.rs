//! A machine that has booted cold and settled, outside of any run: what can be asked of it, and forked.

use std::{net::SocketAddr, path::Path, sync::Arc};

use kverify_checks::{Outcome, Output, Source, expect::Resolved};

use super::{
    Filter, Progress, RunError,
    boot::boot,
    check::{Known, Unanswered, check},
    choose::{expectation, given},
    forks::{self, NotForked},
    observed,
    plan::{Plan, lacks},
    reach::Reached,
    way_in::WayIn,
};
use crate::{
    book,
    image::Image,
    machine::{Machine, Snapshot, Spec, with_last_words},
    session::{Credential, Session},
};

/// A settled machine with an open session to it.
pub struct Settled {
    pub(super) machine: Machine,
    pub(super) session: Session,
    pub(super) resolved: Resolved,
    pub(super) way_in: WayIn,
    /// How it booted.
    pub(super) booted: (Source, Output),
}

impl Settled {
    /// Boots an overlay of `image`, brings a way in by a seed, and chooses the expectation as a run does; `expect` names
    /// one.
    ///
    /// # Errors
    /// [`RunError`] where no system settled.
    pub async fn boot(image: &Path, spec: &Spec, expect: Option<&str>, scratch: &Path) -> Result<Self, RunError> {
        Self::begin(&Arc::new(Image::open(image)?), spec, expect, scratch, &|_| ()).await
    }

    /// The same of an image that is open.
    pub(super) async fn begin(
        image: &Arc<Image>,
        spec: &Spec,
        expect: Option<&str>,
        scratch: &Path,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, RunError> {
        let mut book = book::built_in();
        let named = given(&mut book, expect)?;
        let way_in = WayIn::new(None)?;
        let (machine, reached) = boot(image, spec, &way_in, scratch, progress).await?;
        let reached = reached?;
        let booted = observed::boot(&machine, &reached);
        let (session, name) = match reached {
            Reached::Settled(arrival) => (arrival.session, arrival.name),
            Reached::Ended(end) => return Err(RunError::Host(with_last_words(end, &machine))),
        };
        let (resolved, _) = expectation(&book, named, &name)?;
        Ok(Self { machine, session, resolved, way_in, booted })
    }

    /// The account and the address of its SSH server, for other programs.
    #[must_use]
    pub fn ssh(&self) -> (&Credential, Option<SocketAddr>) {
        (&self.way_in.credential, self.machine.ssh_address())
    }

    /// The outcomes of the checks that `filter` leaves in, asked of the machine itself over its open session.
    ///
    /// # Errors
    /// [`Unanswered`] where it did not answer.
    pub async fn check(&self, filter: &Filter) -> Result<Vec<Outcome>, Unanswered> {
        let plan = Plan::new(&self.resolved.expectation, filter, &lacks(self.machine.spec().network, false));
        let known = Known { answers: vec![self.booted.clone()], said_before: Vec::new() };
        check(&self.machine, &self.session, &self.resolved, &plan, known).await
    }

    /// Captures it.
    ///
    /// # Errors
    /// Why it cannot be captured, in words; the machine is gone then.
    pub async fn capture(self) -> Result<Snapshot, String> {
        forks::capture(self.machine, &self.session).await.map_err(|NotForked { why, .. }| why)
    }
}
