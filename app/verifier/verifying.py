"""Verifying a file, whatever it is: the report on it."""

import os
import time
from pathlib import Path

from app.verifier.cases import CasePass
from app.verifier.errors import Broken, NotAnExport
from app.verifier.files import Opened, blocks_of, open_export
from app.verifier.passes import RECEIPTS, Options, Pass
from app.verifier.ranges import RangePass
from app.verifier.report import FirstBreak, Report

PARALLEL_FROM_BYTES = 8 * 1024 * 1024
MOST_JOBS = 8


def verify_file(path: Path, options: Options) -> Report:
    """All of an export; the first broken place, if any. Raises `NotAnExport`, `KeyUnknown`."""
    started = time.perf_counter()
    opened = open_export(path)
    report = Report(file=str(path))
    many = min(os.cpu_count() or 1, MOST_JOBS) if path.stat().st_size >= PARALLEL_FROM_BYTES else 1
    kind = RangePass if opened.archive is None else CasePass
    run: Pass = kind(options, report, jobs=1 if options.chain_only else options.jobs or many)
    try:
        _follow(run, opened)
        report.ok = True
    except Broken as broken:
        report.first_break = FirstBreak(broken.line, broken.seq, broken.event_id, broken.reason)
    finally:
        opened.close()
        if run.judge is not None:
            run.judge.close()
    _fill(report, run, options)
    report.seconds = round(time.perf_counter() - started, 3)
    return report


def _follow(run: Pass, opened: Opened) -> None:
    """Raises `Broken` with the line of the first broken place, which what is judged behind the chain may hold."""
    try:
        for block in blocks_of(opened.stream):
            run.block(block)
        run.finish(opened)
    except Broken as broken:
        if not run.header:
            raise NotAnExport(f"{run.report.file} is not an export of a ledger: {broken.reason}") from broken
        if run.judge is not None:
            run.judge.drain()
        if broken.line is None:
            broken.line = run.number
        raise


def _fill(report: Report, run: Pass, options: Options) -> None:
    report.events, report.checkpoints = run.tally.counts["events"], run.tally.counts["checkpoints"]
    if run.last is not None:
        last = run.last
        report.checkpoint = {
            "serial": run.serial, "size": last.size, "root": last.root.hex(), "head": last.head.hex(),
            "time": last.time, "kid": last.kid,
        }  # fmt: skip
    judge = run.judge
    if judge is None:
        report.unchecked.append("documents, row changes, approvals, receipts, evidence: only the chain was asked for")
        return
    report.changes, report.evidence = judge.law.count, judge.shelf.seen
    report.receipts, report.stored_receipts = judge.receipts.held, judge.stored_receipts
    report.cosignatures, report.timestamps = run.attested.verified, run.attested.stamped
    report.signatures, report.proofs = judge.docket.signatures, judge.docket.proofs
    if judge.docket.unknown:
        report.unchecked.append(f"{judge.docket.unknown} uses of keys or decisions that stand before this range")
    if not run.header.get("changes"):
        report.unchecked.append("row changes: the file holds none")
    if not run.header.get(RECEIPTS):
        report.unchecked.append("receipts: the file holds none")
    elif judge.stored_receipts and not options.trusted.receipt:
        report.unchecked.append("whose the receipt keys are: they are the file's own")
    if not options.trusted.approval and judge.docket.signatures:
        report.unchecked.append(
            "whose the approval keys are: they are the file's own (founders' own keys were checked against the ledger)"
        )
