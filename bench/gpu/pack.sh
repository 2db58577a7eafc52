#!/bin/sh
# Packs what the measurement of a GPU needs into one archive, for a machine that has nothing but a GPU and its driver:
#   bench/gpu/pack.sh [ARCHIVE]            default build/gpu.tgz, about 40 MB
# There: tar xzf gpu.tgz && gpu/run.sh DIR, which writes DIR/gpu.jsonl and DIR/gpu.log. For Linux on x64.
set -eu
cd "$(dirname "$0")/../.."
archive=${1:-build/gpu.tgz}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
to=$scratch/gpu
mkdir -p "$to/bin/node_modules/webgpu/dist" "$to/configs/models" "$to/lib" "$(dirname "$archive")"

npx esbuild bench/gpu/main.ts --bundle --platform=node --format=esm --conditions=@speedq/source --log-level=warning \
  --external:webgpu --external:gl --external:koffi --outfile="$to/bin/main.mjs" \
  --banner:js='import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);'
cp node_modules/webgpu/package.json node_modules/webgpu/index.js "$to/bin/node_modules/webgpu/"
cp -r node_modules/webgpu/dist/linux-x64 "$to/bin/node_modules/webgpu/dist/"
cp configs/models/internvl3-1b.json "$to/configs/models/"
cp bench/gpu/run.sh bench/gpu/torchCeilings.py "$to/"
# Node itself, without the names that debuggers need.
cp "$(node -p process.execPath)" "$to/bin/node"
strip "$to/bin/node" 2>/dev/null || true
# The Vulkan loader, where this machine has one: the other need not.
loader=$(find /usr/lib -name 'libvulkan.so.1' 2>/dev/null | head -n 1)
if [ -n "$loader" ]; then cp -L "$loader" "$to/lib/"; else echo "no libvulkan.so.1 here (apt-get install libvulkan1): the other machine needs its own"; fi

tar -C "$scratch" -czf "$archive" gpu
ls -l "$archive"
