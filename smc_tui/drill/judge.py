"""A drill's facts brought before the rules: one item a rule, and the estimate."""

from __future__ import annotations

from smc_tui.drill import boot_rules, copy_rules, host_rules
from smc_tui.drill.facts import Facts
from smc_tui.drill.rules import NOT_COPIED, ON_COPIED, Rule, Scope, copies_root
from smc_tui.drill.shapes import NO_WORD
from smc_tui.model import estimate
from smc_tui.model.drill import Document, Item, Level, Report

#: Every rule, in the order of the report.
RULES: tuple[Rule, ...] = (*copy_rules.RULES, *host_rules.RULES, *boot_rules.RULES)

#: What changes from one synchronisation to the next, of the bytes in use: a guess, and
#: said to be one wherever it is used.
ASSUMED_CHANGE = copy_rules.ASSUMED_CHANGE


def report(facts: Facts, seconds: float) -> Report:
    """Return the report of a drill.

    Args:
        facts: what was found out.
        seconds: how long that took.
    """
    items = tuple(judged(rule, facts) for rule in RULES if _makes_sense(rule, facts))
    return Report(facts.wanted.at, seconds, items, estimated(facts))


def _makes_sense(rule: Rule, facts: Facts) -> bool:
    """Tell whether a rule is worth an item: disks of this host are no server."""
    return rule.scope is Scope.COPY or not facts.local


def judged(rule: Rule, facts: Facts) -> Item:
    """Return the item of a rule; where its facts are missing, why."""
    needs = (*rule.needs, *(ON_COPIED if rule.scope is Scope.BOOT else ()))
    missing = [facts.missing.get(name, NO_WORD) for name in needs if name not in facts.probe]
    if missing:
        verdict = Level.NOT_CHECKED, missing[0], ""
    elif rule.scope is Scope.BOOT and not copies_root(facts):
        verdict = Level.NOT_CHECKED, NOT_COPIED, ""
    else:
        verdict = rule.judge(facts)
    level, finding, advice = verdict
    return Item(rule.area, rule.name, level, finding, rule.threshold, advice)


def estimated(facts: Facts) -> Document:
    """Return volume, speeds and times, each null where it is not known."""
    document: Document = {
        "bytes_total": facts.total,
        "bytes_used": facts.used,
        "link_bytes_per_second": facts.link_bps,
        "round_trip_seconds": facts.trip,
        "read_bytes_per_second": facts.read_bps,
        "assumed_change": ASSUMED_CHANGE,
    }
    for name, used in (("full", facts.used), ("incremental", copy_rules.changed(facts))):
        time = estimate.time_to_migrate(
            facts.total,
            used,
            copy_rules.effective_link(facts),
            facts.read_bps or estimate.ASSUMED_READ,
        )
        document[f"{name}_seconds"] = time and round(time.total, 1)
        document[f"{name}_compare_seconds"] = time and round(time.compare, 1)
        document[f"{name}_transfer_seconds"] = time and round(time.transfer, 1)
    return document
