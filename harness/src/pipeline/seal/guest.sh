# What only the running system can do of a seal, where it has no tool of its own for it: its own programs forget what they
# know, and start anew at the next boot. The files that are left are removed once it is off.
set -eu
if command -v cloud-init >/dev/null; then
  cloud-init clean --logs --seed >/dev/null
  rm -f /etc/cloud/cloud-init.disabled
  if [ -d /run/systemd/system ]; then
    for unit in cloud-init-local.service cloud-init.service cloud-init-main.service cloud-init-network.service \
      cloud-config.service cloud-final.service; do
      if systemctl cat "$unit" >/dev/null 2>&1; then systemctl --quiet enable "$unit" 2>/dev/null || :; fi
    done
  fi
  cat >/etc/cloud/cloud.cfg.d/99-datasource.cfg <<'CFG'
datasource_list: [NoCloud, ConfigDrive, Ec2, GCE, Azure, AltCloud, OpenStack, None]
CFG
fi
if command -v apt-get >/dev/null; then apt-get clean; fi
sync
