#!/usr/bin/env bash
# Ten minutes on one GPU: parity, speed, memory, QLoRA and full runs, FSDP2 and ZeRO-3 start-up, a 4-bit merge.
#
#   benchmarks/gpu/run.sh                      # any CUDA machine; writes runs/gpu/gpu.json and runs/gpu/gpu.md
#   benchmarks/gpu/run.sh --out FOLDER --only parity,merge
#   benchmarks/gpu/run.sh --dry                # every part at toy size on the CPU
#
# PYTHON is the interpreter with the training stack (.venv/bin/python, where there is one).
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${PYTHON:-}" ]; then
  if [ -x .venv/bin/python ]; then PYTHON=.venv/bin/python; else PYTHON=python3; fi
fi
exec "$PYTHON" -m benchmarks.gpu.run "$@"
