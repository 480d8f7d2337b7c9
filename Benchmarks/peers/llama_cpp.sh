#!/bin/sh
# Builds llama.cpp's tools once, from the source distribution of llama-cpp-python, for this machine; prints the folder
# they are in. Needs python3 and a C++ compiler. Delete the directory to start over.
set -eu

version=0.3.36
directory="${XDG_CACHE_HOME:-$HOME/.cache}/stitch/llama.cpp-$version"
tools='llama-quantize llama-perplexity llama-completion llama-bench'

if [ ! -e "$directory/installed" ]; then
  {
    rm -rf "$directory"
    mkdir -p "$directory"
    python3 - "$version" "$directory/source.tar.gz" <<'PYTHON'
import hashlib, html, re, sys, urllib.request
version, target = sys.argv[1:]
page = urllib.request.urlopen("https://pypi.org/simple/llama-cpp-python/", timeout=60).read().decode()
links = re.findall(r'href="([^"]+)"', page)
link = next((html.unescape(l) for l in links if f"llama_cpp_python-{version}.tar.gz" in l), None)
if link is None:
    sys.exit(f"llama-cpp-python {version} is not on PyPI; choose another version in this script")
address, _, digest = link.partition("#sha256=")
data = urllib.request.urlopen(address, timeout=600).read()
if hashlib.sha256(data).hexdigest() != digest:
    sys.exit(f"{address} is damaged; try again")
open(target, "wb").write(data)
PYTHON
    tar -xzf "$directory/source.tar.gz" -C "$directory"
    rm "$directory/source.tar.gz"
    python3 -m venv "$directory/venv"
    "$directory/venv/bin/python" -m pip --disable-pip-version-check install cmake ninja
    PATH="$directory/venv/bin:$PATH"
    source="$directory/llama_cpp_python-$version/vendor/llama.cpp"
    cmake -G Ninja -S "$source" -B "$directory/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON \
      -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF -DBUILD_SHARED_LIBS=OFF
    # Tools come and go with versions; what is missing is named by whoever needs it.
    for tool in $tools; do cmake --build "$directory/build" --target "$tool" || echo "no $tool in this version"; done
    touch "$directory/installed"
  } >&2
fi
if [ "${1:-}" = --server ] && [ ! -e "$directory/installed-server" ]; then
  {
    PATH="$directory/venv/bin:$PATH"
    cmake -S "$directory/llama_cpp_python-$version/vendor/llama.cpp" -B "$directory/build" -DLLAMA_BUILD_SERVER=ON \
      -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
    cmake --build "$directory/build" --target llama-server
    touch "$directory/installed-server"
  } >&2
fi
echo "$directory/build/bin"
