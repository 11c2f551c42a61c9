#!/bin/sh
# Installs the Debian packages that weft needs, and only those that are missing. Says nothing where nothing is missing.
#
#   sh scripts/setup.sh           what building and running from source needs
#   sh scripts/setup.sh --tests   also what the tests and benchmarks drive
set -eu

build_packages="clang-19 clang-format-19 llvm-19 libbpf-dev libelf-dev zlib1g-dev bpftool iproute2 gcc libc6-dev make"
test_packages="ca-certificates curl haproxy netcat-openbsd nginx-light openssl wrk"

case "${1-}" in
  "") wanted=$build_packages ;;
  --tests) wanted="$build_packages $test_packages" ;;
  *)
    echo "usage: setup.sh [--tests]" >&2
    exit 2
    ;;
esac

fail() {
  echo "setup: $1" >&2
  exit 1
}

if ! command -v dpkg-query >/dev/null 2>&1; then
  fail "this is not a Debian-like system (no dpkg-query); install what these Debian packages hold: $wanted"
fi

# One call for the whole list: this runs before every build.
# shellcheck disable=SC2016,SC2086
installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package} ' $wanted 2>/dev/null || true)
missing=""
for package in $wanted; do
  case " $installed" in
    *" ii $package "* | *" hi $package "*) ;;
    *) missing="$missing $package" ;;
  esac
done
missing=${missing# }
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
  fail "these packages are missing and only root can install them: $missing
  run: sudo apt-get install $missing"
fi

echo "setup: installing $missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export DEBIAN_FRONTEND=noninteractive

# A server package must not start its daemon here: the tests start their own, on their own ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$log" "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

# shellcheck disable=SC2086
if ! apt-get update -qq >"$log" 2>&1 ||
  ! apt-get install -y -qq --no-install-recommends $missing >>"$log" 2>&1; then
  tail -n 20 "$log" >&2
  fail "apt-get could not install: $missing
  the lines above are its last words; clang-19 and llvm-19 are in Debian 12's own main archive"
fi
echo "setup: done" >&2
