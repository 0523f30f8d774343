#!/usr/bin/env bash
# Does linescan run on this machine's GPU as it should? One table, and an exit code.
set -euo pipefail

help() {
    cat <<'END'
usage: scripts/gpu_check.sh [--dry-run] [--size N] [--rounds N] [--keep FOLDER]

Checks an NVIDIA machine, in minutes, and installs nothing:
  1. 'linescan model check' on the embedded model: the file is what its export verified;
  2. every engine, TensorRT and CUDA among them, on the embedded trained model: the numeric gate;
  3. Depth Anything V2 Small with random weights: the time from the uint8 frame to float32 depth,
     for a frame of the model's size and for one of 2048x2048 that the model resizes itself.
One table at the end says which engine ran, how fast, within the gate or not, under 2 ms or not.

  --dry-run      on a machine without a GPU: the very same path on the CPU's engines
  --size N       side of the model's input, a multiple of 14 from 70 to 4088 (default 518)
  --rounds N     timed rounds (default 200; 3 in a dry run)
  --keep FOLDER  leave the JSON results there

Python is that of $PYTHON, else .venv beside this script's folder, else python3. It needs the extras
gpu (cpu in a dry run), export and bench. TensorRT builds its engines on the first run: minutes.

exit code: 0 what must hold holds, 1 it does not (the text says what), 2 the check could not be run
END
}

fail() {
    echo "error: $1" >&2
    exit 2
}

dry_run=""
size=518
rounds=""
keep=""
while [ $# -gt 0 ]; do
    case "$1" in
        --dry-run) dry_run=1 ;;
        --size | --rounds | --keep)
            [ $# -ge 2 ] || fail "$1 needs a value; see --help"
            case "$1" in
                --size) size="$2" ;;
                --rounds) rounds="$2" ;;
                --keep) keep="$2" ;;
            esac
            shift
            ;;
        -h | --help)
            help
            exit 0
            ;;
        *) fail "unknown option $1; see --help" ;;
    esac
    shift
done

[[ "$size" =~ ^[0-9]{1,4}$ ]] && [ "$size" -ge 70 ] && [ "$size" -le 4088 ] && [ $((10#$size % 14)) -eq 0 ] ||
    fail "--size $size: expected a multiple of 14 from 70 to 4088"
[[ "$rounds" =~ ^([1-9][0-9]{0,3}|10000)?$ ]] ||
    fail "--rounds $rounds: expected a whole number from 1 to 10000"

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
if [ -n "${PYTHON:-}" ]; then
    python="$PYTHON"
elif [ -x "$root/.venv/bin/python" ]; then
    python="$root/.venv/bin/python"
else
    python=python3
fi
case "$python" in
    /*) ;;
    */*) python="$PWD/$python" ;;
esac
command -v "$python" >/dev/null || fail "no $python here: set PYTHON to an interpreter with linescan"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
if [ -n "$keep" ]; then
    mkdir -p "$keep" || fail "cannot make the folder $keep"
    results="$(cd "$keep" && pwd)"
else
    results="$work"
fi
# Folders of this clone come first, and what is in the working folder is not imported.
cd "$root"
"$python" -c 'import linescan' || fail "$python has no linescan: install it, or set PYTHON"
if [ -z "$dry_run" ] && ! command -v nvidia-smi >/dev/null; then
    fail "no NVIDIA driver here (nvidia-smi is missing): --dry-run tries the path on the CPU"
fi
rounds="${rounds:-$([ -n "$dry_run" ] && echo 3 || echo 200)}"

bench() {
    "$python" scripts/bench_latency.py --rounds "$rounds" --frames 0 --no-baselines \
        ${dry_run:+--quick} "$@" >"$work/log" || {
        code=$?
        cat "$work/log" >&2
        fail "the benchmark ended with exit code $code: $*"
    }
}

echo "1. the embedded model is what its export verified"
"$python" -m linescan model check surface-tiny || {
    echo "FAILED: 'linescan model check surface-tiny'"
    exit 1
}
echo "2. every engine on the trained weights of surface-tiny"
bench --model surface-tiny --frame 504x504 --json "$results/trained.json"
echo "3. Small at ${size}x${size}, random weights: time"
bench --random-weights small --size "$size" --frame "${size}x${size}" --json "$results/small.json"
bench --random-weights small --size "$size" --frame 2048x2048 --resize-in-model \
    --json "$results/small-2048.json"
echo
code=0
"$python" -m linescan.benchmark.verdict "$results/small.json" "$results/small-2048.json" \
    --trained "$results/trained.json" ${dry_run:+--dry-run} || code=$?
exit "$code"
