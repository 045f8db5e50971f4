#!/bin/sh
# Makes .venv from the hash-pinned requirements: scripts/setup.sh runtime|dev
# With uv when it is there, else with the Python's own venv and pip. PYTHON=/path/to/python chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."
wanted="requirements/$1.txt"
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_TARGET PIP_PREFIX 2>/dev/null || true
# A personal pip configuration may say otherwise; its index and certificates stay in force.
export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The system's certificates, as pip is often set up to use; behind a company's proxy nothing else works.
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 UV_SYSTEM_CERTS=true

fail() {
    echo "error: $*" >&2
    exit 1
}

version_of() {
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true
}

fits() {
    case "$(version_of "$1")" in
        3.11.* | 3.12.* | 3.13.*) return 0 ;;
        *) return 1 ;;
    esac
}

has_uv() {
    uv --version >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" || fail "backproof needs Python 3.11, 3.12 or 3.13, and PYTHON=$PYTHON is not one ($(version_of "$PYTHON"))"
        echo "$PYTHON"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if fits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    if has_uv; then
        candidate=$(uv python find --no-project '>=3.11,<3.14' 2>/dev/null || true)
        if [ -n "$candidate" ] && fits "$candidate"; then
            echo "$candidate"
            return
        fi
    fi
    found=$(version_of python3)
    fail "backproof needs Python 3.11, 3.12 or 3.13, and python3 is ${found:-not installed}" \
        "(another one: make $MAKE_TARGET PYTHON=/path/to/python)"
}

with_uv() {
    # compiled now: where the environment forbids Python to keep compiled files, every start would compile everything
    uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r "$wanted"
}

with_pip() {
    .venv/bin/python -m pip --version >/dev/null 2>&1 || return 1
    .venv/bin/python -m pip install --quiet --compile --require-hashes -r "$wanted"
}

plain_venv() {
    "$python" -m venv --clear .venv 2>/dev/null ||
        fail "$python cannot make a virtual environment (on Debian and Ubuntu: apt install python3-venv)"
}

MAKE_TARGET=${MAKE_TARGET:-demo}
if fits .venv/bin/python; then
    python=.venv/bin/python
else
    python=$(find_python) || exit 1
    echo "making .venv with $python ($(version_of "$python"))"
    if ! { has_uv && uv venv --quiet --clear --no-project --python "$python" .venv; }; then
        plain_venv
    fi
fi

echo "installing the packages of $wanted (the first time takes a minute)"
if ! { has_uv && with_uv; } && ! with_pip; then
    # uv may not reach the package index that pip is configured for
    if has_uv; then echo "uv could not do it; trying pip" >&2; fi
    [ "$python" = .venv/bin/python ] && python=$(find_python)
    plain_venv
    with_pip || fail "the packages of $wanted could not be installed (see above)"
fi

# The package itself is used from src/: nothing is built, so nothing unpinned is downloaded. Both paths are relative,
# so the directory may be moved.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "../../../../src" >"$site/backproof.pth"
cat >.venv/bin/backproof <<'SCRIPT'
#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -P -m backproof.cli.entry "$@"
SCRIPT
chmod +x .venv/bin/backproof
.venv/bin/python -m compileall -q src
.venv/bin/python -P -c 'import backproof' || fail "the package in src/ cannot be imported"
