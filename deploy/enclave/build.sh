#!/usr/bin/env bash
# Builds the signer's enclave image and writes what it measures, for the policy and for the key's condition at KMS.
#   PYTHON_IMAGE=python@sha256:… deploy/enclave/build.sh OUT [--signing-certificate cert.pem --private-key key.pem]
# OUT gets signer.eif, measurements.json and image.toml. Needs Docker with BuildKit and nitro-cli.
set -euo pipefail

die() { printf '%s\n' "build.sh: $*" >&2; exit 1; }

[[ $# -ge 1 ]] || die "name the folder for the image"
out=$1
shift
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"

[[ "${PYTHON_IMAGE:-}" == *@sha256:* ]] || die "set PYTHON_IMAGE to a Python 3.11 image by its digest, name@sha256:…"
for tool in docker nitro-cli git python3; do
  command -v "$tool" >/dev/null || die "$tool is missing"
done
[[ -z "$(git -C "$root" status --porcelain -- src deploy/enclave)" ]] || die "src or deploy/enclave has changes that are not committed"

commit="$(git -C "$root" rev-parse --short=12 HEAD)"
SOURCE_DATE_EPOCH="$(git -C "$root" log -1 --format=%ct)"
export SOURCE_DATE_EPOCH DOCKER_BUILDKIT=1
tag="sdt-signer:$commit"

mkdir -p "$out"
docker build --file "$here/Dockerfile" --tag "$tag" \
  --build-arg "PYTHON_IMAGE=$PYTHON_IMAGE" --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" \
  --output type=docker,rewrite-timestamp=true "$root"
nitro-cli build-enclave --docker-uri "$tag" --output-file "$out/signer.eif" "$@" >"$out/build.json"
nitro-cli describe-eif --eif-path "$out/signer.eif" >"$out/measurements.json"
python3 "$here/image_toml.py" "signer $commit" <"$out/measurements.json" >"$out/image.toml"
cat "$out/image.toml"
