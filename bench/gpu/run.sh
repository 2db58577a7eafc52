#!/bin/sh
# Measures a GPU in under ten minutes: gpu/run.sh [DIR] [--small]. Writes DIR/gpu.jsonl, a JSON document a line, and DIR/gpu.log.
# Every part has its own limit of seconds, so that one that hangs costs no other. Parts of PyTorch run where python3 has it.
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-gpu-out}
size=${2:-}
mkdir -p "$out"
node=$here/bin/node
if [ ! -x "$node" ]; then
  node=node
fi
# The loader of this machine comes first.
ldconfig -p 2>/dev/null | grep -q 'libvulkan.so.1' || export LD_LIBRARY_PATH="$here/lib:${LD_LIBRARY_PATH:-}"
if [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] && [ -f /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json ]; then
  export VK_DRIVER_FILES=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
fi

part() { # SECONDS NAME COMMAND...
  limit=$1 name=$2
  shift 2
  echo "== $name" >>"$out/gpu.log"
  began=$(date +%s)
  timeout "$limit" "$@" >>"$out/gpu.jsonl" 2>>"$out/gpu.log"
  code=$?
  echo "{\"part\":\"$name\",\"exit\":$code,\"seconds\":$(($(date +%s) - began)),\"limit\":$limit}" >>"$out/gpu.jsonl"
}

: >"$out/gpu.jsonl"
: >"$out/gpu.log"
main=$here/bin/main.mjs
part 30 adapter "$node" "$main" adapter $size
part 30 launches "$node" "$main" launches $size
part 90 steps-512 "$node" "$main" steps-512 $size
part 100 products "$node" "$main" products $size
part 45 products-f16 "$node" "$main" products-f16 $size
part 30 torch-products python3 "$here/torchCeilings.py" products $size
part 60 torch-steps python3 "$here/torchCeilings.py" steps $size
part 30 bandwidth "$node" "$main" bandwidth $size
part 90 steps-2048 "$node" "$main" steps-2048 $size
part 90 conformance "$node" "$main" conformance $size
grep '"exit"' "$out/gpu.jsonl"
