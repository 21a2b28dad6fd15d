#!/usr/bin/env bash
# Builds the extension in the ways users don't and runs the suite with each: Clang, the standard C++ file in
# place of Linux's system calls, counted allocations, the sanitizers, guard pages around every buffer, and aarch64
# under QEMU. Nothing is installed into Python.
#
#     bash tools/other_builds.sh                 # all
#     bash tools/other_builds.sh clang asan      # some of: clang portable count asan guard aarch64
#
# JOBS compilers run at a time (2). Needs an environment with pytest and the extra dev, and without an editable
# installation, which would come before what is built here; as root it installs Clang 16, strace, the cross
# compiler and QEMU with apt-get where they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sets=-DCHAINRULE_INSTRUCTION_SETS

# install_if_missing COMMAND PACKAGE: false where neither is to be had.
install_if_missing() {
  command -v "$1" > /dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    { apt-get update -qq && apt-get install -y -qq "$2"; } > "$work/apt.log" 2>&1 || tail -3 "$work/apt.log"
  fi
  command -v "$1" > /dev/null || { echo "$1 is missing and could not be installed"; return 1; }
}

# build NAME OPTION...: the package with its extension lands in $work/NAME/package.
build() {
  local name=$1
  shift
  printf '\n-- %s: %s\n' "$name" "$*"
  local generator=()
  command -v ninja > /dev/null && generator=(-G Ninja)
  cmake -S . -B "$work/$name" "${generator[@]}" -DPython_EXECUTABLE="$(command -v python)" \
    -Dpybind11_DIR="$(python -m pybind11 --cmakedir)" "$@" > /dev/null
  SECONDS=0
  nice cmake --build "$work/$name" -j "${JOBS:-2}" > "$work/$name.log" 2>&1 ||
    { grep -B1 -A8 'error' "$work/$name.log" | head -60; return 1; }
  grep 'warning:' "$work/$name.log" | sort -u | head -20 || true
  echo "built in $SECONDS s"
  mkdir "$work/$name/package"
  cp -r python/chainrule "$work/$name/package/"
  rm -f "$work/$name/package/chainrule/"_core*.so
  cp "$work/$name/"_core*.so "$work/$name/package/chainrule/"
}

# suite NAME PYTEST-ARGUMENT...: with that build's package, wherever else one is installed.
suite() {
  local name=$1
  shift
  export PYTHONPATH="$work/$name/package" PYTHONDONTWRITEBYTECODE=1 CHAINRULE_BUILD_DIR="$work/$name"
  python -c "import chainrule, sys; sys.exit(0 if chainrule.__file__.startswith('$work') else 'an editable installation comes before this build: use another environment')"
  python -m pytest -q -p no:cacheprovider -m 'not peers' "$@"
}

clang() {
  install_if_missing clang++-16 clang-16
  build clang -DCMAKE_CXX_COMPILER=clang++-16
  suite clang
}

# One instruction set is enough: the kernels are the same, so what is asked of their gradients and errors is left out.
portable() {
  build portable -DCHAINRULE_PORTABLE=ON $sets=v2
  suite portable --ignore=tests/test_isa.py -k 'not test_gradient_agrees and not test_bad_input_raises'
}

count() {
  install_if_missing strace strace
  build count -DCHAINRULE_COUNT_ALLOC=ON $sets=v3
  suite count -ra tests/test_memory.py | tee "$work/count.log"
  ! grep SKIPPED "$work/count.log"  # this is the build that test was skipped for
}

# Exact-size blocks: every step beyond an end is seen. Exceptions need the C++ library loaded before ASan looks
# for its functions.
asan() {
  build asan -DCHAINRULE_SANITIZE=address,undefined -DCHAINRULE_EXACT_ALLOC=ON $sets=v3
  export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
  LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so.6)"
  export LD_PRELOAD
  suite asan tests/test_ops.py tests/test_conv.py -x -k 'test_conv or forward or bad_input'
  suite asan tests/test_capture*.py -x
}

# Every block ends, then begins, at a page without access: no kernel may step over either, with any instruction set
# that this processor has. Eager forward, and the recorded and eager forward and backward that the replay test
# compares, for every case and dtype. A step over is a segmentation fault, and the log's last lines name the case.
guard() {
  build guard -DCHAINRULE_EXACT_ALLOC=ON
  local best
  best=$(PYTHONPATH=$work/guard/package python -c 'import chainrule; print(chainrule.cpu_info()["isa"])')
  export CHAINRULE_GUARD CHAINRULE_ISA
  for CHAINRULE_ISA in v2 v3 v4; do
    for CHAINRULE_GUARD in end begin; do
      suite guard -x -vv tests/test_guard.py tests/test_ops.py::test_forward_agrees_with_numpy \
        tests/test_ops.py::test_replay_gives_the_bits_of_eager > "$work/guard.log" 2>&1 ||
        { tail -60 "$work/guard.log"; return 1; }
      echo "$CHAINRULE_ISA, $CHAINRULE_GUARD: $(tail -1 "$work/guard.log")"
    done
    if [ "$CHAINRULE_ISA" = "$best" ]; then break; fi
  done
}

# debian_root FOLDER ARCHITECTURE PACKAGE...: unpacks Debian's packages and all they depend on into the folder.
# apt-get gets a state of its own, in which nothing is installed; the system's is not touched.
debian_root() {
  local folder=$1 state=$1.apt
  mkdir -p "$folder" "$state/lists/partial" "$state/archives/partial"
  touch "$state/status"
  printf '%s\n' "APT::Architecture \"$2\"; APT::Architectures { \"$2\"; }; APT::Install-Recommends \"false\";" \
    "Dir::State \"$state\"; Dir::State::status \"$state/status\"; Dir::Cache \"$state\";" > "$state/conf"
  shift 2
  export APT_CONFIG=$state/conf
  { apt-get update -qq && apt-get install -y -qq --download-only "$@"; } > "$work/apt.log" 2>&1 ||
    { tail -3 "$work/apt.log"; return 1; }
  unset APT_CONFIG
  for package in "$state"/archives/*.deb; do dpkg -x "$package" "$folder"; done
}

# Kernels for NEON, which no other build has. Python and NumPy are Debian's, this NumPy the oldest supported. QEMU is
# slow (six minutes for this), so it runs only what depends on the instruction set: values, errors, elementary
# functions, subnormals, random numbers, and what the object files need.
aarch64() {
  install_if_missing aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
  install_if_missing qemu-aarch64-static qemu-user-static
  local debian=$work/debian
  debian_root "$debian" arm64 libpython3-dev python3-numpy libstdc++6
  local headers lib=$debian/usr/lib/aarch64-linux-gnu
  headers=$(echo "$debian"/usr/include/python3.*)
  python -m pip install -q --target "$debian/usr/lib/python3/dist-packages" --only-binary=:all: \
    --python-version "${headers##*python}" 'pytest>=8'
  build aarch64 -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_CXX_FLAGS="-idirafter $debian/usr/include" \
    -DPython_INCLUDE_DIR="$headers"
  python() {  # what the suite calls
    qemu-aarch64-static -L "$debian" -E "LD_LIBRARY_PATH=$lib/blas:$lib/lapack" "$debian/usr/bin/python3" "$@"
  }
  export CHAINRULE_NUM_THREADS=2
  suite aarch64 tests/test_ops.py::test_forward_agrees_with_numpy \
    tests/test_ops.py::test_bad_input_raises_and_names_the_rule tests/test_accuracy.py tests/test_subnormals.py \
    tests/test_random.py tests/test_object_files.py tests/test_conv.py
}

if [ $# -eq 0 ]; then set -- clang portable count asan guard aarch64; fi
for name in "$@"; do
  case $name in
    clang | portable | count | asan | guard | aarch64) ( "$name" ) ;;
    *) echo "no such build: $name (clang, portable, count, asan, guard, aarch64)" >&2; exit 2 ;;
  esac
done
printf '\nall of these passed: %s\n' "$*"
