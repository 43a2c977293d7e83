//! cloud-init's configuration as the image holds it: read by cloud-init's own code, so that it is merged as cloud-init
//! merges it, and without what this boot's data source added.

use std::time::Duration;

use serde::Deserialize;

use crate::{
    fact::{Fact, Unreadable},
    probe::{Output, Probe},
};

/// cloud-init's configuration, as far as it matters to an image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Config {
    /// The data sources, in order.
    pub datasources: Vec<String>,
    /// The user that is made where nobody asks for another.
    pub default_user: Option<String>,
    /// How the network's configuration would be written: `networkd`, `netplan`, `network-manager` …
    pub renderer: Option<String>,
    /// The modules of the first stage, with `_`.
    pub init_modules: Vec<String>,
    /// `auto`, `growpart`, `gpart`, or a word for off.
    pub growpart_mode: String,
    /// `True`, `noblock`, or a word for off.
    pub resize_rootfs: String,
    /// The program that grows partitions, if it is there.
    pub growpart_program: Option<String>,
    /// Whether a machine made from this one keeps what cloud-init knew of this one.
    pub manual_cache_clean: bool,
    /// Whether the host name is left as it is.
    pub preserve_hostname: bool,
    /// Whether host keys that are there are replaced at the first boot.
    pub ssh_deletekeys: bool,
    /// Whether what the platform's vendor hands out is carried out.
    pub vendor_data: bool,
}

const SCRIPT: &str = "import json, shutil
from cloudinit import settings, util
from cloudinit.net import renderers
c = util.mergemanydict([util.read_conf_with_confd(settings.CLOUD_CONFIG), settings.CFG_BUILTIN])
system = c.get('system_info') or {}
grow = c.get('growpart') or {}
try:
    renderer = renderers.select((system.get('network') or {}).get('renderers'))[0]
except Exception:
    renderer = None
print(json.dumps({
    'datasources': c['datasource_list'],
    'default_user': (system.get('default_user') or {}).get('name'),
    'renderer': renderer,
    'init_modules': [str(m[0] if isinstance(m, list) else m).replace('-', '_') for m in c.get('cloud_init_modules') or []],
    'growpart_mode': str(grow.get('mode', 'auto')),
    'resize_rootfs': str(c.get('resize_rootfs', True)),
    'growpart_program': shutil.which('growpart') or shutil.which('gpart'),
    'manual_cache_clean': util.get_cfg_option_bool(c, 'manual_cache_clean', False),
    'preserve_hostname': util.get_cfg_option_bool(c, 'preserve_hostname', False),
    'ssh_deletekeys': bool(c.get('ssh_deletekeys', True)),
    'vendor_data': util.is_true((c.get('vendor_data') or {}).get('enabled')),
}, indent=1))";

impl Fact for Config {
    const ID: &'static str = "cloud.config";

    fn probes() -> Vec<Probe> {
        // -B: nothing is to be written beside cloud-init's own files.
        vec![Probe::root(["python3", "-B", "-c", SCRIPT]).limit(Duration::from_mins(2))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        serde_json::from_str(out[0].ok()?)
            .map_err(|error| Unreadable::new(format!("cloud-init's configuration: {error}")))
    }
}
