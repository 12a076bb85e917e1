"""`python -m app.verifier FILE --key KEY`, and `flr ledger verify`: needs no database, no home, no network."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from app.verifier.comparing import compare_files
from app.verifier.errors import KeyUnknown, NotAnExport
from app.verifier.keys import read_keys
from app.verifier.passes import Options
from app.verifier.report import Report
from app.verifier.stamps import read_roots
from app.verifier.verifying import verify_file
from app.verifier.witnesses import read_witnesses

ABOUT = (
    "Verifies an export (`flr ledger export`) or a case file (`flr ledger case`) offline: canonical bytes, hash chain, "
    "signed checkpoints, the tree's roots, row changes, evidence, receipts, approval signatures. Exit code 0: all of "
    "it holds; 1: the first broken place is named; 2: the file or the key cannot be read."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of verifying, without `--json`."""
    parser.add_argument("file", type=Path, help="an export or a case file")
    parser.add_argument(
        "--key",
        action="append",
        required=True,
        metavar="KEY",
        help="the sealer's public key, from somewhere else than the file: 64 hex digits, a PEM file, a JWKS file, or a "
        "kid of 16 hex digits; may be given again (after a rotation)",
    )
    parser.add_argument("--against", type=Path, metavar="B", help="a second export: find where the histories part")
    parser.add_argument(
        "--checkpoint", action="append", type=Path, default=[], metavar="NOTE", help="a checkpoint that you hold"
    )
    parser.add_argument(
        "--receipt", action="append", type=Path, default=[], metavar="FILE", help="a receipt that you hold"
    )
    parser.add_argument(
        "--witness", action="append", default=[], metavar="VKEY", help="a witness's verifier key (name+id+base64)"
    )
    parser.add_argument(
        "--timestamp-root",
        action="append",
        type=Path,
        default=[],
        metavar="PEM",
        help="a certificate that RFC 3161 time stamps must lead to, from somewhere else than the file",
    )
    parser.add_argument("--chain-only", action="store_true", help="only hashes, chain, roots and checkpoints")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes to use (default: the cores, for large files)")


def run(arguments: argparse.Namespace) -> tuple[Report, Report | None]:
    """The report on the file, and on the one it is held against. Raises `NotAnExport`, `KeyUnknown`."""
    trusted = read_keys(arguments.key)
    options = Options(
        trusted,
        chain_only=arguments.chain_only,
        jobs=arguments.jobs,
        expected=[_read_text(path) for path in arguments.checkpoint],
        receipts=[_read_text(path) for path in arguments.receipt],
        witnesses=read_witnesses(arguments.witness),
        roots=read_roots(arguments.timestamp_root),
    )
    report = verify_file(arguments.file, options)
    if arguments.against is None:
        return report, None
    other = verify_file(arguments.against, options)
    if report.ok and other.ok:
        report.first_break = compare_files(arguments.file, arguments.against)
        report.ok = report.first_break is None
    return report, other


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnknown(f"{path} cannot be read") from error


def told(report: Report, other: Report | None) -> tuple[dict[str, object], str, int]:
    """The answer as JSON and as text, and the exit code."""
    said = report.as_json() | ({} if other is None else {"against": other.as_json()})
    text = report.as_text()
    if other is not None:
        text += f"\n{other.file}: {other.as_text()}"
    return said, text, int(not (report.ok and (other is None or other.ok)))


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m app.verifier", description=ABOUT)
    parser.add_argument("--json", action="store_true", help="answer with one JSON value")
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    try:
        said, text, code = told(*run(arguments))
    except (NotAnExport, KeyUnknown) as error:
        if arguments.json:
            print(json.dumps({"ok": False, "error": str(error)}))
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(said) if arguments.json else text)
    return code
