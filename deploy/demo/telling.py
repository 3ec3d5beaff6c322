"""The story in numbers."""

from typing import Any

from rich.table import Table

from deploy.demo.memory import Memory
from deploy.demo.narration import Narrator

Json = dict[str, Any]
BRANCHES_SHOWN = 5


def tell(narrator: Narrator, memory: Memory) -> None:
    steps = memory.steps
    narrator.chapter("The story in numbers")
    narrator.show(_bank(steps))
    narrator.show(_file(steps))
    narrator.show(_segments(steps))
    narrator.show(_standing(steps))
    narrator.show(_campaign(steps))
    narrator.show(_effect(steps))
    narrator.show(_breakdown(steps["evaluate_campaign"]))
    for line in _recommendation(steps["evaluate_campaign"]["recommendation"]):
        narrator.say(line)
    narrator.say(_service(steps["ask_about_service"]))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _bank(steps: Json) -> Table:
    table = _table("The bank", "", "loaded")
    organisation = steps["load_organisation"]
    for name, count in (
        ("organisations", organisation["orgs"]),
        ("staff", organisation["staff"]),
        ("products", organisation["products"]),
        ("customers", steps["load_customers"]["rows"]),
        ("month-end balances", steps["load_holdings"]["rows"]),
        ("events before the campaign", steps["load_events"]["events"]),
        ("events after it", steps["let_time_pass"]["events"]),
    ):
        table.add_row(name, f"{count:,}")
    return table


def _file(steps: Json) -> Table:
    table = _table("The customer file", "", "found")
    relations, value, looked = (steps[name] for name in ("relate_customers", "calculate_value", "look_over"))
    table.add_row("relations", f"{relations['created']:,}")
    for month, contribution in value["months"].items():
        table.add_row(f"contribution {month}, {value['currency']}", f"{float(contribution):,.2f}")
    table.add_row("data quality, of 100", str(looked["score"]))
    for name, customers in looked["failing"][:2]:
        table.add_row(f"  {name['en']}", f"{customers:,}")
    return table


def _segments(steps: Json) -> Table:
    table = _table("Insight", "segment", "customers")
    for key, segment in steps["publish_segments"].items():
        table.add_row(f"{key} {segment['name']['zh']}", f"{segment['size']:,}")
    model = steps["find_clusters"]
    sizes = ", ".join(f"{size:,}" for size in sorted(model["clusters"], reverse=True))
    table.add_row(
        f"{len(model['clusters'])} clusters of an ensemble (silhouette {model['silhouette']:.2f})", sizes
    )
    if model["ari"] is not None:
        table.add_row("agreement with the hidden archetypes (adjusted Rand index)", f"{model['ari']:.3f}")
    return table


def _standing(steps: Json) -> Table:
    table = _table("Where customers stand", "", "customers")
    for name, customers in steps["set_tiers"].items():
        table.add_row(f"tier {name}", f"{customers:,}")
    for name, customers in steps["place_key_accounts"]["classes"].items():
        table.add_row(f"key accounts of class {name}", f"{customers:,}")
    target = steps["declare_target"]
    table.add_row("whom the bank means to serve", f"{target['inside']:,} of {target['customers']:,}")
    belief = steps["test_belief"]
    interval = f"{belief['difference']:+.2f} ({belief['low']:+.2f} … {belief['high']:+.2f})"
    table.add_row(f"belief {belief['verdict']}: {belief['title']}", interval)
    return table


def _campaign(steps: Json) -> Table:
    table = _table("Strategy and execution", "customers", "")
    books = steps["make_contacts"]["ledger"]
    table.add_row("audience", f"{books['audience']:,}")
    table.add_row("  offer sold at most", f"{steps['limit_sales']['units']:,}")
    for reason, count in sorted(books["suppressed"].items()):
        if count:
            table.add_row(f"  not contacted: {reason}", f"{count:,}")
    table.add_row("  hold-out", f"{books['held_out']:,}")
    table.add_row("  assigned to managers", f"{books['assigned']:,}")
    for disposition, count in sorted(books["dispositions"].items(), key=lambda pair: -pair[1]):
        table.add_row(f"    {disposition}", f"{count:,}")
    table.add_row("minutes on the telephone", f"{float(steps['make_contacts']['minutes']):,.0f}")
    return table


def _effect(steps: Json) -> Table:
    result = steps["evaluate_campaign"]["result"]
    table = _table("Review", "", "")
    for check in result["health"]["checks"]:
        table.add_row(f"check {check['check']}", ("ok" if check["ok"] else "FAILED") + _probability(check))
    primary = result["primary"]
    if primary is None or primary["overall"] is None:
        table.add_row("effect", f"withheld: {[e['detail'] for e in result['errors']]}")
        return table
    overall, unit = primary["overall"], primary["currency"] or ""
    table.add_row("metric", primary["metric"])
    table.add_row("customers treated / held out", f"{overall['n']:,} / {overall['n_hold_out']:,}")
    table.add_row(f"effect per customer, {unit} ({overall['method']})", _number(overall["difference"]))
    table.add_row("95 % interval", f"{_number(overall['ci'][0])} … {_number(overall['ci'][1])}")
    table.add_row("p value", f"{overall['p_value']:.4f}" if overall["p_value"] >= 0.0001 else "< 0.0001")
    truth = steps["let_time_pass"]["true_effect"]
    if truth is None:
        table.add_row("true effect", "none to find: the contacts were simulated on real data")
    else:
        inside = float(overall["ci"][0]) <= truth <= float(overall["ci"][1])
        table.add_row(
            "true effect (hidden)", f"{truth:,.2f}, {'inside' if inside else 'OUTSIDE'} the interval"
        )
    if result["money"]:
        money = result["money"]
        low, high = money["ci"]
        table.add_row(
            f"in total, {unit}", f"{_number(money['incremental'])} ({_number(low)} … {_number(high)})"
        )
    return table


def _service(found: Json) -> str:
    said = f"service quality of {found['branches']} branches by {found['answers']:,} invented answers"
    return f"{said}: {found['best']} leads with {found['index']:.1f}" if found["comparable"] else said


def _probability(check: Json) -> str:
    return "" if check["p_value"] is None else f", p = {check['p_value']:.3f}"


def _number(text: str | float) -> str:
    return f"{float(text):,.2f}"


def _breakdown(evaluated: Json) -> Table:
    table = _table("Where it worked", "cell", "treated / held out", "effect", "95 % interval")
    segments = [row for row in evaluated["result"]["breakdown"] if row["dimension"] == "segment"]
    largest = sorted(evaluated["branches"], key=lambda row: (row["difference"] is None, -row["n"]))
    branches = largest[:BRANCHES_SHOWN]
    for row in (*segments, *branches):
        cell = ", ".join(row["values"].values())
        counts = f"{row['n']:,} / {row['n_hold_out']:,}"
        if row["difference"] is None:
            table.add_row(cell, counts, "–", "too few for an effect of their own")
            continue
        interval = f"{_number(row['ci'][0])} … {_number(row['ci'][1])}"
        table.add_row(cell, counts, _number(row["difference"]), interval)
    return table


def _recommendation(found: Json) -> list[str]:
    return [
        f"Recommendation: {found['action']} ({found['outcome']})",
        f"  {found['text']['en']}",
        f"  {found['text']['zh']}",
    ]
