#!/bin/sh
# Makes the Python environment the peers run in, once; prints the path of its interpreter.
# Needs python3 with venv. Delete the directory to start over.
set -eu

environment="${XDG_CACHE_HOME:-$HOME/.cache}/stitch/peers"
# Part of the stamp: a changed pin installs again.
torch='2.13.0'
packages='transformers==5.23.* peft==0.21.* sentencepiece numpy gguf==0.19.*'
wanted="torch==$torch $packages"

if [ "$(cat "$environment/installed" 2>/dev/null)" != "$wanted" ]; then
  {
    python3 -m venv "$environment"
    pip="$environment/bin/python -m pip --disable-pip-version-check"
    # The plain wheel brings gigabytes of CUDA: it is only the second choice.
    $pip install "torch==$torch+cpu" || $pip install "torch==$torch"
    $pip install $packages
    echo "$wanted" >"$environment/installed"
  } >&2
fi
echo "$environment/bin/python"
