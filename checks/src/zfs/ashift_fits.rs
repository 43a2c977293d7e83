//! Sector size of the pool, read from its labels on the disk: the property `ashift` only says what new devices get.

use toml::Value;

use crate::{
    check::{About, Check, Cost},
    expect::Expectation,
    image::Layout,
    outcome::Verdict,
};

/// Every device of the pool was made for the expected sector size.
pub struct AshiftFits;

impl Check for AshiftFits {
    type Fact = Layout;
    type Want = (String, u64);

    fn about(&self) -> &About {
        &About {
            id: "zfs.ashift-fits",
            demand: "every device of the pool was made with the expected ashift",
            remedy: "it cannot be changed later: `zpool create -o ashift=12`",
            key: "zfs.ashift",
            cost: Cost::Quick,
            needs: &[],
        }
    }

    fn want(&self, image: &Expectation) -> Option<(String, u64)> {
        image.zfs.pool.clone().zip(image.zfs.ashift)
    }

    fn judge(&self, got: &Layout, (pool, ashift): &(String, u64)) -> Verdict {
        let labels: Vec<_> = got.labels.iter().filter(|label| label.pool == *pool).collect();
        let said = labels.iter().map(|label| match label.ashift {
            Some(ashift) => format!("{ashift} on partition {}", label.partition),
            None => format!("none said on partition {}", label.partition),
        });
        let said = if labels.is_empty() { format!("no label of {pool}") } else { said.collect::<Vec<_>>().join(", ") };
        let holds = !labels.is_empty() && labels.iter().all(|label| label.ashift == Some(*ashift));
        Verdict::of(holds, ashift, said)
    }

    fn observed(&self, got: &Layout) -> Option<Value> {
        let ashift = got.labels.first()?.ashift?;
        let one = got.labels.iter().all(|label| label.ashift == Some(ashift));
        i64::try_from(ashift).ok().filter(|_| one).map(Value::from)
    }
}
