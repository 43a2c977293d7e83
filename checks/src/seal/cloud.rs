//! That the first boot of a machine is a first boot: cloud-init's data sources, and the image's own flag.

use super::trees::{Found, Tree, Trees};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::some,
    outcome::Verdict,
};

/// cloud-init asks all data sources that a machine of the image may be configured by.
pub struct DataSourcesDeclared;

impl Check for DataSourcesDeclared {
    type Fact = Trees;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "seal.data-sources-declared",
            demand: "the last `datasource_list` of cloud-init's configuration has every expected data source",
            remedy: "write the list to /etc/cloud/cloud.cfg.d/99-datasource.cfg when the image is sealed",
            key: "seal.data_sources",
            cost: Cost::Deep,
            needs: &[Need::Sealed],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        Some(image.seal.data_sources.clone()).filter(|sources| !sources.is_empty())
    }

    fn judge(&self, got: &Trees, want: &Vec<String>) -> Verdict {
        let said: Vec<_> = got.roots().map(|tree| (tree.name.as_str(), sources(tree))).collect();
        let lacks = |list: &Option<Vec<&str>>| {
            list.as_ref().is_none_or(|list| want.iter().any(|name| !list.contains(&name.as_str())))
        };
        let wrong = said.iter().filter(|(_, list)| lacks(list));
        let wrong: Vec<_> = wrong
            .map(|(tree, list)| {
                let list = list.as_ref().map_or("no list".to_owned(), |list| list.join(", "));
                format!("{list} in {tree}")
            })
            .collect();
        let first = said.first().and_then(|(_, list)| list.as_ref()).map(|list| list.join(", "));
        Verdict::of(wrong.is_empty(), want.join(", "), some(&wrong, &first.unwrap_or_default()))
    }
}

/// The list that counts: that of the last file, since each takes the place of those before.
fn sources(tree: &Tree) -> Option<Vec<&str>> {
    let mut lines = tree.found.iter().filter_map(|found| match found {
        Found::Sources(_, line) => Some(line.as_str()),
        _ => None,
    });
    let list = lines.next_back()?.split_once(':')?.1.trim();
    let list = list.split('#').next()?.trim().strip_prefix('[')?.strip_suffix(']')?;
    Some(list.split(',').map(|name| name.trim().trim_matches(['"', '\''])).filter(|name| !name.is_empty()).collect())
}

/// The image's own service knows the first boot.
pub struct FirstBootSet;

impl Check for FirstBootSet {
    type Fact = Trees;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "seal.first-boot-set",
            demand: "the file that tells the first boot that it is one is there",
            remedy: "make it when the image is sealed: a boot removes it",
            key: "seal.first_boot",
            cost: Cost::Deep,
            needs: &[Need::Sealed],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.seal.first_boot.clone()
    }

    fn judge(&self, got: &Trees, want: &String) -> Verdict {
        // What a snapshot is rolled back to begins anew as well.
        let without = got.roots().filter(|tree| tree.files.iter().all(|file| file.path != *want));
        let without: Vec<_> = without.map(|tree| format!("not there in {}", tree.name)).collect();
        Verdict::of(without.is_empty(), want, some(&without, &format!("there in {}", got.count())))
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Tree, sources};

    #[test]
    fn the_last_list_counts() {
        let of = |lines: &[&str]| {
            let found = lines.iter().map(|line| Found::Sources("/etc/cloud/a.cfg".to_owned(), (*line).to_owned()));
            let tree = Tree { found: found.collect(), ..Tree::default() };
            sources(&tree).map(|list| list.join(" "))
        };
        let lines = ["datasource_list: [ NoCloud, None ]", "  datasource_list: ['Ec2', \"GCE\",] # ours"];
        assert_eq!(of(&lines).as_deref(), Some("Ec2 GCE"));
        assert_eq!(of(&lines[..1]).as_deref(), Some("NoCloud None"));
        assert_eq!(of(&["datasource_list: []"]).as_deref(), Some(""));
        assert_eq!(of(&["datasource_list:"]), None);
        assert_eq!(of(&[]), None);
    }
}
