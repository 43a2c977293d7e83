# Prints of the machine's configuration, tab-separated, what a line is of, its file and the line: of proxies, of time
# servers, and of addresses. Comments are left out, and so is whoever a proxy's address would let in.
set --
for f in \
  /etc/environment /etc/environment.d/*.conf /usr/lib/environment.d/*.conf /etc/security/pam_env.conf \
  /etc/profile /etc/profile.d/* /etc/bash.bashrc /etc/bashrc /etc/zshenv /etc/zsh/zshenv \
  /etc/default/* /etc/sysconfig/* /etc/conf.d/* \
  /etc/apt/apt.conf /etc/apt/apt.conf.d/* /etc/dnf/dnf.conf /etc/dnf/dnf5.conf.d/* /etc/yum.conf /etc/yum.repos.d/* \
  /etc/pacman.conf /etc/rhsm/rhsm.conf \
  /etc/wgetrc /etc/pip.conf /etc/xdg/pip/pip.conf /etc/gitconfig /etc/npmrc \
  /etc/docker/daemon.json /etc/containers/containers.conf /etc/containers/containers.conf.d/* \
  /etc/systemd/*.conf /etc/systemd/*.conf.d/*.conf /usr/lib/systemd/*.conf.d/*.conf \
  /etc/systemd/system/*.service /etc/systemd/system/*.d/*.conf \
  /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg \
  /root/.bashrc /root/.profile /root/.bash_profile /root/.zshrc /root/.wgetrc /root/.curlrc /root/.gitconfig \
  /root/.npmrc /root/.pip/pip.conf /root/.config/pip/pip.conf /root/.docker/config.json \
  /home/*/.bashrc /home/*/.profile /home/*/.bash_profile /home/*/.zshrc /home/*/.wgetrc /home/*/.curlrc \
  /home/*/.gitconfig /home/*/.npmrc /home/*/.pip/pip.conf /home/*/.config/pip/pip.conf /home/*/.docker/config.json \
  /etc/chrony.conf /etc/chrony/chrony.conf /etc/chrony/conf.d/* /etc/chrony/sources.d/* /etc/chrony.d/* \
  /etc/ntp.conf /etc/ntpsec/ntp.conf /etc/ntpsec/ntp.d/* /etc/openntpd/ntpd.conf \
  /etc/systemd/network/* /etc/systemd/network/*.d/* /usr/local/lib/systemd/network/* /usr/lib/systemd/network/* \
  /etc/udev/rules.d/* /etc/netplan/* /usr/lib/netplan/* /etc/network/interfaces /etc/network/interfaces.d/* \
  /etc/NetworkManager/*.conf /etc/NetworkManager/conf.d/* /etc/NetworkManager/system-connections/* \
  /usr/lib/NetworkManager/system-connections/* /etc/sysconfig/network-scripts/ifcfg-* /etc/sysconfig/network/* \
  /etc/dhcp/*.conf /etc/dhcpcd.conf
do
  if [ -f "$f" ]; then set -- "$@" "$f"; fi
done
# shellcheck disable=SC2016  # the $ is awk's
awk '
function show(what) {
  line = $0
  gsub(/\t/, " ", line)
  gsub(/\/\/[^\/@ ]*@/, "//***@", line)
  print what "\t" FILENAME "\t" line
}
BEGIN {
  h = "[0-9A-Fa-f][0-9A-Fa-f]"
  mac = h "[:-]" h "[:-]" h "[:-]" h "[:-]" h "[:-]" h
  v4 = "[0-9][.][0-9][0-9]?[0-9]?[.][0-9][0-9]?[0-9]?[.][0-9]"
  v6 = "[0-9A-Fa-f]:[0-9A-Fa-f]*:[0-9A-Fa-f]*"
}
{ sub(/\r$/, ""); sub(/^[ \t]+/, "") }
/^$/ || /^[#;!%]/ || /^\/\// { next }
FILENAME ~ /^\/etc\/(systemd\/timesyncd\.conf|chrony|ntp|openntpd)/ {
  if (/^(NTP|FallbackNTP|server|servers|pool|peer)[ \t=]/) show("time")
  next
}
FILENAME ~ /\/(systemd\/(network|resolved)|udev|netplan|network|NetworkManager|sysconfig\/network|dhcp|cloud)/ {
  if (FILENAME ~ /\.network(\.d\/|$)/ && /^NTP[ \t=]/) show("time")
  if ($0 ~ mac || $0 ~ v4 || $0 ~ v6) show("pin")
}
tolower($0) ~ /proxy/ { show("proxy") }
' "$@" && echo end
