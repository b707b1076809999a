# Runs pulumi and the runner's verbs on a stack. Sourced by ./pgstack.
# shellcheck shell=sh

# Where the user has chosen a backend (by variable, login or Pulumi.yaml), it counts; else state lives in .pgstack/.
own_backend() {
  [ -z "${PULUMI_BACKEND_URL:-}" ] && ! grep -q '^backend:' "$root/Pulumi.yaml" &&
    ! grep -qs '"current": *"[^"]' "${PULUMI_CREDENTIALS_PATH:-${PULUMI_HOME:-${HOME:-$state}/.pulumi}}/credentials.json"
}

# A passphrase of this checkout's own, since a stack that holds secrets needs one.
make_passphrase() {
  [ -s "$state/passphrase" ] && return 0
  (umask 077 && mkdir -p "$state" && head -c 24 /dev/urandom | base64 >"$state/passphrase.$$" && ln "$state/passphrase.$$" "$state/passphrase" 2>/dev/null) || :
  rm -f "$state/passphrase.$$"
}

url_path() { printf '%s' "$1" | sed 's/%/%25/g; s/ /%20/g; s/#/%23/g; s/?/%3F/g'; }

export_environment() {
  export PATH="${toolchain_path:+$toolchain_path:}$PATH" PULUMI_SKIP_UPDATE_CHECK=true
  exports='PATH PULUMI_SKIP_UPDATE_CHECK NODE_COMPILE_CACHE'
  case $toolchain_path in "$cache"/toolchain-*) use_built_toolchain ;; esac
  if own_backend; then
    [ -d "$state/backend" ] || mkdir -p -m 700 "$state/backend"
    export PULUMI_BACKEND_URL="file://$(url_path "$state/backend")"
    exports="$exports PULUMI_BACKEND_URL"
  fi
  case ${PULUMI_BACKEND_URL:-} in file:*) needs_passphrase ;; esac
}

# What was built here brings its plugins in a Pulumi home of its own; logins stay where they are.
use_built_toolchain() {
  export PULUMI_CREDENTIALS_PATH="${PULUMI_CREDENTIALS_PATH:-${PULUMI_HOME:-${HOME:-$state}/.pulumi}}"
  export PULUMI_HOME="${toolchain_path%/bin}" PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true
  exports="$exports PULUMI_CREDENTIALS_PATH PULUMI_HOME PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
}

needs_passphrase() {
  [ -z "${PULUMI_CONFIG_PASSPHRASE+set}${PULUMI_CONFIG_PASSPHRASE_FILE+set}" ] || return 0
  make_passphrase
  export PULUMI_CONFIG_PASSPHRASE_FILE="$state/passphrase"
  exports="$exports PULUMI_CONFIG_PASSPHRASE_FILE"
}

quote() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

print_environment() {
  for name in $exports; do
    eval "value=\$$name"
    printf 'export %s=%s\n' "$name" "$(quote "$value")"
  done
}

stack_file() { printf '%s/Pulumi.%s.yaml' "$root" "$1"; }

# The folder of a file backend, or nothing.
backend_folder() {
  case ${PULUMI_BACKEND_URL:-} in file://*) printf '%s' "${PULUMI_BACKEND_URL#file://}" | sed 's/%20/ /g; s/%23/#/g; s/%3F/?/g; s/%25/%/g' ;; esac
}

checkpoint() { printf '%s/.pulumi/stacks/pgstack/%s.json' "$(backend_folder)" "$1"; }

stack_exists() {
  if [ -n "$(backend_folder)" ]; then [ -f "$(checkpoint "$1")" ]; else pulumi stack --show-name --stack "$1" >/dev/null 2>&1; fi
}

create_stack() {
  stack_exists "$1" && return 0
  [ -f "$(stack_file "$1")" ] || refuse "stack \"$1\" has no configuration: write Pulumi.$1.yaml (Pulumi.dev.yaml is an example)"
  forget_lost_passphrase "$1"
  say "creating stack $1"
  (cd "$root" && pulumi stack init "$1" >&2)
}

# A salt belongs to the passphrase of the checkout that made it. Without secrets below it, a new one does as well.
forget_lost_passphrase() {
  [ "${PULUMI_CONFIG_PASSPHRASE_FILE:-}" = "$state/passphrase" ] && grep -q '^encryptionsalt:' "$(stack_file "$1")" || return 0
  grep -q 'secure:' "$(stack_file "$1")" &&
    refuse "Pulumi.$1.yaml holds secrets that another passphrase locks: set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to it"
  sed '/^encryptionsalt:/d' "$(stack_file "$1")" >"$state/stack-file.$$" && cat "$state/stack-file.$$" >"$(stack_file "$1")"
  rm -f "$state/stack-file.$$"
}

is_json() { node -e 'JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))' "$1" 2>/dev/null; }

# An engine that is killed while it saves may leave half of a state. The one before it, a step older, is kept beside.
recover_checkpoint() {
  current=$(checkpoint "$1")
  for attributes in "$current.attrs" "$current.bak.attrs"; do # of the file; the engine does without, not with half of them
    [ -s "$attributes" ] || rm -f "$attributes"
  done
  is_json "$current" || ! is_json "$current.bak" || {
    say "its last state was cut off while it was saved; going on from the one before"
    cp "$current.bak" "$current"
  }
}

# Whether a process of that name runs; one that waits for its parent's last look (a zombie) does not.
runs() { ps -p "$2" -o stat=,comm= 2>/dev/null | grep -v '^Z' | grep -q "$1"; }

# An engine that was killed leaves its lock behind. One whose process is gone on this machine is nobody's.
clear_stale_lock() {
  for lock in "$(backend_folder)/.pulumi/locks/organization/pgstack/$1"/*.json; do
    [ -f "$lock" ] || continue
    pid=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$lock")
    grep -q "\"hostname\": *\"$(hostname)\"" "$lock" && [ -n "$pid" ] || continue
    runs pulumi "$pid" && sleep 1 && runs pulumi "$pid" && continue # a killed one takes a moment to go
    say "stack $1 was locked by a pulumi (process $pid) that is no longer running; clearing its lock"
    recover_checkpoint "$1"
    rm -f "$lock"
  done
}

# What a killed engine had begun to make: known as made where it is there, forgotten where it is not.
take_over_pending() {
  if [ -n "$(backend_folder)" ]; then grep -q '"pending_operations": \{0,1\}\[' "$(checkpoint "$1")" 2>/dev/null || return 0; fi
  (umask 077 && cd "$root" && pulumi stack export --stack "$1" >"$state/export.$$") || return 0
  if grep -q '"pending_operations"' "$state/export.$$"; then
    say "the last update of stack $1 was cut off; taking over what it had begun"
    (umask 077 && cd "$root" && node runner/main.ts pending-operations <"$state/export.$$" >"$state/import.$$" &&
      pulumi stack import --stack "$1" --file "$state/import.$$" &&
      pulumi refresh --stack "$1" --yes --skip-preview --suppress-outputs --non-interactive) >&2
  fi
  rm -f "$state/export.$$" "$state/import.$$"
}

# A server that was made for the stack and does not run (a reboot, a crash) is started again.
start_instance() {
  [ -f "$state/$1/instance.json" ] || return 0
  pid=$(sed -n 1p "$state/$1/data/postmaster.pid" 2>/dev/null) && [ -n "$pid" ] && runs postgres "$pid" && return 0
  say "starting the local instance of stack $1"
  node "$root/runner/main.ts" instance-ensure <"$state/$1/instance.json" >/dev/null
}

is_local() { grep -Eq '^ *(pgstack:instance: *\{[^}]*)?kind: *local' "$(stack_file "$1")" 2>/dev/null; }

confirmed() {
  case " $* " in *" --yes "* | *" -y "* | *" --preview-only "*) return 0 ;; *) return 1 ;; esac
}

# need_consent STACK COMMAND FLAG...: without a terminal nothing but dev changes unasked.
need_consent() {
  [ -t 0 ] || [ "$1" = dev ] && return 0
  wanted=$1 call=$2
  shift 2
  confirmed "$@" || refuse "without a terminal, stack $wanted is changed only with a named flag: $call"
}

run_pulumi() {
  command=$1 stack=dev
  shift
  case ${1:-} in '' | -*) ;; *) stack=$1; shift ;; esac
  if [ "$command" != preview ] && [ ! -t 0 ] && ! confirmed "$@"; then
    need_consent "$stack" "./pgstack $command $stack --yes" "$@"
    set -- --yes "$@"
  fi
  pulumi_on_stack "$command" "$stack" "$@"
}

# A database that was dropped behind the stack's back is in its state still, and an update fails.
database_is_gone() {
  (export_stack "$1" && [ "$(node "$root/runner/main.ts" database-state --stack "$1")" = absent ]) 2>/dev/null
}

# The update once more, after the state has been told what is gone.
update_anew() {
  say "the database of stack $1 was dropped behind its back; making it again"
  (cd "$root" && pulumi refresh --stack "$1" --yes --skip-preview --suppress-outputs --non-interactive) >&2 || return $?
  stack=$1
  shift
  (cd "$root" && exec pulumi up --stack "$stack" "$@")
}

pulumi_on_stack() {
  command=$1 stack=$2
  shift 2
  clear_stale_lock "$stack"
  [ "$command" != up ] || create_stack "$stack"
  ! is_local "$stack" || { need_postgresql && start_instance "$stack"; }
  [ "$command" = preview ] || take_over_pending "$stack"
  # a diff without its long texts would hide what a migration does
  case " $* " in *" --diff "*) [ "$command" = refresh ] || set -- --show-full-output "$@" ;; esac
  code=0
  (cd "$root" && exec pulumi "$command" --stack "$stack" "$@") || code=$?
  case $command-$code in
    up-0 | up-7 | up-8) ;; # 7: --expect-no-changes met changes; 8: the user said no
    up-*) ! database_is_gone "$stack" || { code=0 && update_anew "$stack" "$@" || code=$?; } ;;
  esac
  case $code in 0) ;; 7) exit 3 ;; *) exit 1 ;; esac
}

option_of() { # the value of flag $1 among the other words
  wanted=$1
  shift
  while [ $# -gt 0 ]; do
    case $1 in "$wanted") printf '%s' "${2:-}"; return ;; "$wanted="*) printf '%s' "${1#*=}"; return ;; --) return ;; esac
    shift
  done
}

# What the runner may know of a stack, secrets included, through its environment alone.
export_stack() {
  stack_exists "$1" || [ -f "$(stack_file "$1")" ] || refuse "there is no stack \"$1\": its configuration would be Pulumi.$1.yaml"
  ! is_local "$1" || start_instance "$1"
  outputs='{}' settings='{}'
  if stack_exists "$1"; then
    outputs=$(cd "$root" && pulumi stack output --json --show-secrets --stack "$1")
    settings=$(cd "$root" && pulumi config --json --show-secrets --stack "$1")
  fi
  PGSTACK_STACK=$(STACK=$1 OUTPUTS=$outputs SETTINGS=$settings node "$root/runner/main.ts" stack-facts)
  export PGSTACK_STACK
}

# Writes the configuration, then the stack with the administrator's password, which never is on a command line.
adopt_database() {
  stack=$(option_of --stack "$@") url=$(option_of --url "$@")
  [ -z "$stack" ] || ! stack_exists "$stack" || [ "$(cd "$root" && pulumi stack output --json --stack "$stack")" = '{}' ] ||
    refuse "stack \"$stack\" manages a database already: choose another name"
  node "$root/runner/main.ts" adopt "$@" || exit $?
  create_stack "$stack"
  (cd "$root" && PGSTACK_URL=$url node runner/main.ts url-password | pulumi config set --secret pgstack:adminPassword --stack "$stack")
}

run_verb() {
  verb=$1
  shift
  stack=$(option_of --stack "$@")
  [ -z "$stack" ] || export_stack "$stack"
  # MB: a short run needs no collection of garbage, and a large schema is read quicker by a tenth
  exec node --min-semi-space-size=16 --max-semi-space-size=64 "$root/runner/main.ts" "$verb" "$@"
}

# upgrade and downgrade of a stack set its migrations.to, and pulumi up follows: state and database cannot disagree.
move_stack() {
  verb=$1 direction=up revision='' stack=$(option_of --stack "$@")
  [ "$verb" = upgrade ] || direction=down
  shift
  left=$#
  while [ "$left" -gt 0 ]; do
    word=$1 left=$((left - 1))
    shift
    case $word in
      --stack) shift; left=$((left - 1)) ;;
      --stack=*) ;;
      -[0-9]*) revision=$word ;;
      -*) set -- "$@" "$word" ;;
      *) revision=$word ;;
    esac
  done
  [ -n "$revision" ] || [ "$direction" = up ] || refuse "expected one revision to go back to: ./pgstack downgrade REV --stack $stack"
  need_consent "$stack" "./pgstack $verb ${revision:-latest} --stack $stack --yes" "$@"
  export_stack "$stack"
  target=$(node "$root/runner/main.ts" migrations-target "$direction" "${revision:-latest}" --stack "$stack")
  say "stack $stack: migrations.to = $target"
  (cd "$root" && pulumi config set --stack "$stack" --path pgstack:migrations.to "$target")
  run_pulumi up "$stack" "$@"
}
