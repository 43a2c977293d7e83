//! Files that have their names on another host before anything is sent: whether they are the same.

use std::fs;

use super::{
    SendError, Sums,
    batch::Batch,
    client::Client,
    listing::{Entry, Listing},
    parcel::Parcel,
    sums::{Asked, ask},
    transfer::Sending,
};
use crate::{
    image::Digest,
    pipeline::{RECORD, SUMS},
};

impl Sending<'_> {
    /// The files that are there already, if all of them are the same; `None` in the place of the sums where there are none.
    ///
    /// # Errors
    /// [`SendError`] of the first that is another one, or may be.
    pub(super) async fn settled(&self, there: &Listing) -> Result<(Vec<&Parcel>, Option<Sums>), SendError> {
        let named: Vec<_> = self.parcels.iter().filter(|parcel| there.entry(&parcel.name).is_some()).collect();
        if named.is_empty() {
            return Ok((named, None));
        }
        for parcel in &named {
            match there.entry(&parcel.name) {
                Some(Entry::File(bytes)) if bytes == parcel.bytes => {}
                Some(Entry::File(bytes)) => {
                    return Err(self.other(parcel, format!("with {bytes} bytes and not {}", parcel.bytes)));
                }
                _ => return Err(self.other(parcel, "and is no file".to_owned())),
            }
        }
        let asked: Vec<_> = named.iter().map(|parcel| parcel.name.as_str()).collect();
        let bytes = named.iter().map(|parcel| parcel.bytes).sum();
        let sums = match ask(&self.client, &asked, bytes).await? {
            Asked::Sums(sums) => {
                let differs = named.iter().find(|parcel| sums.get(&parcel.name) != Some(&parcel.sha256.hex()));
                if let Some(parcel) = differs {
                    return Err(self.other(parcel, "with other content".to_owned()));
                }
                Sums::Hold
            }
            Asked::Not(why) => {
                self.vouched_for(&named, &why).await?;
                Sums::NotAsked(why)
            }
        };
        Ok((named, Some(sums)))
    }

    /// Where no sums can be asked, files of the same size count as the same if the list of sums that got its name before they
    /// did is this one.
    async fn vouched_for(&self, named: &[&Parcel], why: &str) -> Result<(), SendError> {
        let small: Vec<_> = named.iter().filter(|parcel| [SUMS, RECORD].contains(&parcel.name.as_str())).collect();
        if !small.is_empty() {
            let folder = tempfile::tempdir()?;
            let client = Client { request: self.client.request, folder: folder.path() };
            let within = Batch::within(&client.request.target.folder());
            let batch = small.iter().fold(within, |batch, parcel| batch.get(&parcel.name, &parcel.name));
            client.done(&client.sftp(&batch, super::ASK, &mut |_| ()).await?)?;
            for parcel in &small {
                if Digest::of(&fs::read(folder.path().join(&parcel.name))?) != parcel.sha256 {
                    return Err(self.other(parcel, "with other content".to_owned()));
                }
            }
        }
        match named.first() {
            Some(first) if first.name != SUMS => {
                let why = format!("without {SUMS}, and whether it is the same cannot be asked there: {why}");
                Err(self.other(first, why))
            }
            _ => Ok(()),
        }
    }

    fn other(&self, parcel: &Parcel, why: String) -> SendError {
        SendError::There { target: self.client.target(), name: parcel.name.clone(), why }
    }
}
