# backproof-cage: makes a root folder in which there is nothing but PostgreSQL, and runs a command there. Runs as root of its own
# namespaces. Variables: CAGE_ROOT, an empty folder; CAGE_SHOW, paths to be seen, CAGE_KEEP, folders that may be written to, CAGE_HIDE, paths below
# those that may not be seen, one in each line; CAGE_UID and CAGE_GID, who the command will run as. The command: in the arguments.
set -eu
mount -t tmpfs -o mode=755,size=4m,nosuid tmpfs "$CAGE_ROOT"
cd "$CAGE_ROOT"
mkdir dev etc proc tmp .old
show() {
    if [ -L "$1" ]; then
        mkdir -p ".${1%/*}"
        ln -s "$(readlink "$1")" ".$1"
        return
    elif [ -d "$1" ]; then
        mkdir -p ".$1"
    elif [ -e "$1" ]; then
        mkdir -p ".${1%/*}"
        : >".$1"
    else
        return 0
    fi
    mount --rbind "$1" ".$1"
    # In a user namespace, flags that the mount has already must be repeated.
    mount -o remount,bind,ro,nosuid ".$1" || mount -o remount,bind,ro,nosuid,nodev ".$1"
}
IFS='
'
for path in $CAGE_SHOW; do show "$path"; done
for path in $CAGE_KEEP; do
    mkdir -p ".$path"
    mount --bind "$path" ".$path"
done
for path in $CAGE_HIDE; do
    if [ -d ".$path" ]; then
        mount -t tmpfs -o mode=000,size=4k,ro tmpfs ".$path"
    elif [ -e ".$path" ]; then
        mount --bind /dev/null ".$path"
    fi
done
for path in null zero random urandom; do
    : >"dev/$path"
    mount --bind "/dev/$path" "dev/$path"
done
mkdir dev/shm
mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmpfs dev/shm
mount -t proc -o nosuid,nodev,noexec proc proc
# initdb wants its user to have a name.
printf 'scratch:x:%s:%s::/:/bin/sh\n' "$CAGE_UID" "$CAGE_GID" >etc/passwd
printf 'scratch:x:%s:\n' "$CAGE_GID" >etc/group
printf 'passwd: files\ngroup: files\n' >etc/nsswitch.conf
mount -o remount,bind,ro,nosuid "$CAGE_ROOT"
pivot_root . .old
cd /
umount -l /.old
unset IFS CAGE_ROOT CAGE_SHOW CAGE_KEEP CAGE_HIDE CAGE_UID CAGE_GID
# We stay as the first process of the namespace: with us, all others end. (The kernel forgets who dies with whom when a process changes its user.)
"$@" &
wait "$!"
