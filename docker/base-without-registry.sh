#!/bin/sh
# Makes the two base images of docker/Dockerfile out of this machine, where no registry of images can be reached: the Node
# that `npm ci` has put into node_modules, and the libraries, npm, shell and certificates of this Debian.
#
#   docker/base-without-registry.sh            # duress-bridge-base and duress-bridge-npm-base
#   docker build --build-arg BASE=duress-bridge-base --build-arg NPM_BASE=duress-bridge-npm-base …
#
# And an image of each program of this machine that is named, for the compose files:
#
#   docker/base-without-registry.sh redis-server mosquitto      # duress-bridge-redis-server, duress-bridge-mosquitto
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
node=$(readlink -f "$root/node_modules/node/bin/node")
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
[ -x "$node" ] || { echo "no Node in node_modules: run npm ci first" >&2; exit 1; }
[ -f "$npm/bin/npm-cli.js" ] && [ -d "$npm/node_modules" ] || { echo "no npm as Node brings it at $npm" >&2; exit 1; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# A program where programs are looked for, with the libraries that it is linked to where it looks for them.
take() {
  mkdir -p "$dir/usr/bin"
  cp -L "$1" "$dir/usr/bin/$(basename "$1")"
  ldd "$1" | sed -n 's|.*[[:space:]]\(/[^ ]*\) (0x.*|\1|p' | while read -r library; do
    mkdir -p "$dir$(dirname "$library")"
    cp -L "$library" "$dir$library"
  done
}
import() {
  image=$1
  shift
  tar -C "$dir" --owner=0 --group=0 --numeric-owner -cf - . |
    docker import --change "ENV PATH=/usr/bin HOME=/tmp $*" - "$image" >/dev/null
}

mkdir -p "$dir/tmp" "$dir/etc/ssl/certs" "$dir/usr/bin"
ln -s usr/bin "$dir/bin"
chmod 1777 "$dir/tmp"
cp -L /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/certs/"
# Names are looked up in the hosts file before DNS.
echo 'hosts: files dns' >"$dir/etc/nsswitch.conf"
take "$node"
import duress-bridge-base

# What fetches packages. Its npm trusts and asks whom the npm of this machine does.
for program in sh chmod mkdir rm env; do take "$(command -v $program)"; done
mkdir -p "$dir/usr/lib/npm"
cp -R "$npm/." "$dir/usr/lib/npm/"
printf '#!/bin/sh\nexec node /usr/lib/npm/bin/npm-cli.js "$@"\n' >"$dir/usr/bin/npm"
chmod 755 "$dir/usr/bin/npm"
import duress-bridge-npm-base \
  "NPM_CONFIG_REGISTRY=$(npm config get registry)" NPM_CONFIG_CAFILE=/etc/ssl/certs/ca-certificates.crt

for program in "$@"; do
  path=$(command -v "$program") || path=/usr/sbin/$program
  rm -rf "$dir/usr"
  mkdir -p "$dir/usr/bin"
  take "$path"
  import "duress-bridge-$program"
done
