//! Moving files to another host under hidden names, asking there whether they are whole, and naming them.

use std::time::Duration;

use super::{
    How, MIB, SendError, SentFile, Sums,
    batch::{Batch, command_of},
    client::Client,
    listing::{Entry, Listing},
    parcel::Parcel,
    sums::{Asked, ask},
};
use crate::run::Progress;

/// How long sending takes to begin, and how many bytes go each second at least.
const LIMIT: (Duration, u64) = (Duration::from_mins(10), 64 << 10);

/// Files on their way.
pub(super) struct Sending<'a> {
    pub(super) client: Client<'a>,
    pub(super) parcels: &'a [Parcel],
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
}

/// A file that has no name there yet, and what of it is there.
struct Part<'a> {
    parcel: &'a Parcel,
    there: Option<Entry>,
}

impl Part<'_> {
    /// How many bytes of it are there that can be gone on from.
    fn begun(&self) -> u64 {
        match self.there {
            Some(Entry::File(bytes)) if bytes <= self.parcel.bytes => bytes,
            _ => 0,
        }
    }
}

impl Sending<'_> {
    /// Brings all of them there.
    ///
    /// # Errors
    /// [`SendError`] says what failed.
    pub(super) async fn all(&self) -> Result<(Vec<SentFile>, Sums), SendError> {
        let there = self.client.list(|batch| batch).await?;
        let (named, held) = self.settled(&there).await?;
        let parts = self.parcels.iter().filter(|parcel| !named.contains(parcel));
        let parts: Vec<_> = parts.map(|parcel| Part { parcel, there: there.entry(&parcel.part()) }).collect();
        let sums = if parts.is_empty() {
            held
        } else {
            self.client.has_room(&there, parts.iter().map(|part| part.parcel.bytes - part.begun()).sum())?;
            let there = self.put(&parts).await?;
            let sums = self.whole(&parts, &there).await?;
            self.name(&parts).await?;
            Some(sums)
        };
        let how = |parcel: &Parcel| match parts.iter().find(|part| part.parcel == parcel).map(Part::begun) {
            None => How::WasThere,
            Some(0) => How::New,
            Some(bytes) => How::GoneOn(bytes),
        };
        let files = self.parcels.iter().map(|one| SentFile { name: one.name.clone(), bytes: one.bytes, how: how(one) });
        Ok((files.collect(), sums.unwrap_or(Sums::Hold)))
    }

    /// Sends what is missing of each, and gives what is there then.
    async fn put(&self, parts: &[Part<'_>]) -> Result<Listing, SendError> {
        let mut batch = Batch::within(&self.client.request.target.folder());
        let mut moved = Vec::new();
        for part in parts {
            let (name, hidden) = (part.parcel.name.as_str(), part.parcel.part());
            batch = match (part.there, part.begun()) {
                (Some(_), bytes) if bytes == part.parcel.bytes => continue,
                // sftp goes on only with what is there and not empty.
                (None | Some(Entry::File(0)), _) => batch.put(name, &hidden),
                // Longer than it can be, and nobody's but ours by its name.
                (Some(_), 0) => batch.remove(&hidden).put(name, &hidden),
                (Some(_), _) => batch.go_on(name, &hidden),
            };
            moved.push(part);
        }
        let bytes: u64 = moved.iter().map(|part| part.parcel.bytes - part.begun()).sum();
        let mut begun = moved.iter();
        let mut heard = |line: &str| {
            let sends = |command: &str| command.starts_with("put ") || command.starts_with("reput ");
            if let Some(part) = command_of(line).filter(|command| sends(command)).and_then(|_| begun.next()) {
                self.tell(&match part.begun() {
                    0 => format!("{}: sending {}", part.parcel.name, size(part.parcel.bytes)),
                    before => {
                        let (name, bytes) = (&part.parcel.name, part.parcel.bytes);
                        format!("{name}: going on with sending at {} of {}", before / MIB, size(bytes))
                    }
                });
            }
        };
        let limit = LIMIT.0 + Duration::from_secs(bytes / LIMIT.1);
        let ran = self.client.sftp(&batch.list(), limit, &mut heard).await?;
        let reached = |part: &&&Part<'_>| ran.reached().contains(&format!("\"{}\"", part.parcel.part()));
        match moved.iter().find(reached) {
            Some(part) if !ran.well() => {
                Err(SendError::Broke { target: self.client.target(), name: part.parcel.name.clone(), said: ran.said() })
            }
            _ => self.client.done(&ran).map(|()| Listing::read(&ran.out)),
        }
    }

    /// Whether all of them are whole there: by their sizes, and by their sums where those can be asked. One that is not goes.
    async fn whole(&self, parts: &[Part<'_>], there: &Listing) -> Result<Sums, SendError> {
        for Part { parcel, .. } in parts {
            let entry = there.entry(&parcel.part());
            if entry != Some(Entry::File(parcel.bytes)) {
                let said = format!("it has to have {} bytes there, and there is {entry:?}", parcel.bytes);
                return Err(SendError::Broke { target: self.client.target(), name: parcel.name.clone(), said });
            }
        }
        self.tell("the sums are asked there");
        let hidden: Vec<_> = parts.iter().map(|part| part.parcel.part()).collect();
        let names: Vec<_> = hidden.iter().map(String::as_str).collect();
        let bytes = parts.iter().map(|part| part.parcel.bytes).sum();
        let sums = match ask(&self.client, &names, bytes).await? {
            Asked::Sums(sums) => sums,
            Asked::Not(why) => return Ok(Sums::NotAsked(why)),
        };
        let wrong = parts.iter().filter(|part| sums.get(&part.parcel.part()) != Some(&part.parcel.sha256.hex()));
        let wrong: Vec<_> = wrong.collect();
        let Some(first) = wrong.first() else { return Ok(Sums::Hold) };
        let within = Batch::within(&self.client.request.target.folder());
        let batch = wrong.iter().fold(within, |batch, part| batch.remove(&part.parcel.part()));
        self.client.done(&self.client.sftp(&batch, super::ASK, &mut |_| ()).await?)?;
        let (sum, want) = (sums.get(&first.parcel.part()).cloned().unwrap_or_default(), first.parcel.sha256.hex());
        let why = format!("its sha256 is {sum} and not {want}");
        Err(SendError::Differs { target: self.client.target(), name: first.parcel.name.clone(), why })
    }

    /// Gives all of them their names.
    async fn name(&self, parts: &[Part<'_>]) -> Result<(), SendError> {
        self.tell("the files get their names there");
        let within = Batch::within(&self.client.request.target.folder());
        let batch = parts.iter().fold(within, |batch, part| batch.rename(&part.parcel.part(), &part.parcel.name));
        self.client.done(&self.client.sftp(&batch, super::ASK, &mut |_| ()).await?)
    }

    fn tell(&self, about: &str) {
        (self.progress)(Progress::Step { about: about.to_owned() });
    }
}

fn size(bytes: u64) -> String {
    if bytes < MIB { format!("{bytes} bytes") } else { format!("{} MiB", bytes.div_ceil(MIB)) }
}
