# Prints each module that is to be loaded at boot, with the file that says so, and what each installed kernel knows of it.
# Of files of one name the first place wins, as systemd and kmod take them.
command -v modinfo >/dev/null || exit 127
seen=' '
for file in /etc/modules-load.d/*.conf /run/modules-load.d/*.conf /usr/local/lib/modules-load.d/*.conf \
  /usr/lib/modules-load.d/*.conf /lib/modules-load.d/*.conf /etc/modules; do
  [ -f "$file" ] || continue
  case $seen in *" ${file##*/} "*) continue ;; esac
  seen="$seen${file##*/} "
  while read -r name _ || [ -n "$name" ]; do
    case $name in '' | '#'* | ';'*) continue ;; esac
    echo "load $file $name"
    for kernel in /lib/modules/*/kernel; do
      kernel=${kernel%/kernel} kernel=${kernel##*/}
      echo "kernel $kernel $(modinfo -k "$kernel" -F filename "$name" 2>&1 | tail -n 1)"
    done
  done <"$file"
done
echo end
