#!/usr/bin/env bash
# Builds the extension in the dev profile, puts it beside the package's Python sources below target/, and runs the tests there:
# `python/test.sh [OPTIONS OF PYTEST]`. FRIT_PYTHON names a Python that has the packages of tests/requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

python="${FRIT_PYTHON:?name a Python with the packages of tests/requirements.txt}"
cargo build --package frit-python --locked
folder="${CARGO_TARGET_DIR:-$PWD/target}/python"
rm -rf "$folder"
mkdir -p "$folder"
cp -R python/frit "$folder/"
cp "${CARGO_TARGET_DIR:-target}/debug/lib_frit.so" "$folder/frit/_frit.abi3.so"
PYTHONPATH="$folder" PYTHONDONTWRITEBYTECODE=1 "$python" -m pytest -q python/tests "$@"
