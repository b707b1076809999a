#!/bin/sh
# Brings in one thing that the command line needs, where it is missing:   install.sh pulumi|postgresql|pgbouncer|sshd|chromium
# For pulumi it prints the folder to put on PATH, or an empty line where the user's own pulumi is there.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
state=$root/.pgstack
cache=${XDG_CACHE_HOME:-${HOME:-$state}/.cache}/pgstack
. "$root/toolchain/setup.sh"

case ${1:-} in
  pulumi)
    find_toolchain || with_setup_lock "$cache/toolchain.lock" install_toolchain
    printf '%s\n' "$toolchain_path"
    ;;
  postgresql) need_postgresql ;;
  pgbouncer) need_pgbouncer ;;
  sshd) need_sshd ;;
  chromium) need_chromium ;;
  *) refuse "expected pulumi, postgresql, pgbouncer, sshd or chromium" ;;
esac
