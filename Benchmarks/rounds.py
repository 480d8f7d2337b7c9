"""Rounds, ratios within a round, and the table of them."""

from statistics import median

from measure import progress, watched

# A larger share of the processor in other programs' hands makes a round worthless.
QUIET = 0.05


def in_rounds(options, name, sides):
    """What every side measured in each round: a list of rounds, which are figures by side and case.

    A round that other programs disturbed is taken once more; if that is disturbed too, it stays, marked.
    """
    rounds = []
    for number in range(options.rounds):
        for _ in range(2):
            figures, shares = {}, []
            for side, measure in sides.items():
                progress(f"{name}: round {number + 1} of {options.rounds}, {side}")
                figures[side], share = watched(measure)
                shares.append(share)
            figures["others_share"] = max(shares)
            if max(shares) <= QUIET or options.busy:
                break
        rounds.append(figures)
    return rounds


def undisturbed(row, values):
    """Those of the rounds that count."""
    shares = row.get("others_share") or [0] * len(values)
    # Files from before have a share for each side of a round.
    sides = len(shares) // max(1, len(values))
    return [value for index, value in enumerate(values) if max(shares[sides * index:sides * (index + 1)]) <= QUIET]


def result(options, rounds, case, target=None, at_most=None, alone=False, **described):
    """One row: a case of all rounds; the ratios of undisturbed rounds count.

    - target: what ours / theirs, or ours where it stands alone, is to reach at least; at_most: at most.
    """
    row = {**described, "case": case, "others_share": [figures["others_share"] for figures in rounds]}
    sides = [side for side in ("ours", "theirs") if side in rounds[0] and case in rounds[0][side]]
    for side in sides:
        row[side] = [figures[side][case] for figures in rounds]
    if len(sides) == 2:
        row["ratios"] = [ours / theirs for ours, theirs in zip(row["ours"], row["theirs"])]
    values = row["ours"] if alone else row.get("ratios", [])
    counted = values if options.busy else undisturbed(row, values)
    if counted:
        row["ratio" if "ratios" in row else "value"] = median(counted)
    if values and target is not None:
        row["target"] = target
    if values and at_most is not None:
        row["at_most"] = at_most
    row["trusted"] = bool(counted) or not values
    return row


def number(value):
    if value >= 1e9:
        return f"{value / 1e9:.2f}G"
    if value >= 1e6:
        return f"{value / 1e6:.0f}M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(results, busy=False):
    """The rows as text; with `busy` disturbed rounds count."""
    rows = [("measured", "shape", "weights", "ours", "theirs", "unit", "ratio", "range", "target", "")]
    for row in results:
        value = row.get("ratio", row.get("value"))
        ratios = row.get("ratios", [])
        values = ratios if busy else undisturbed(row, ratios)
        if "at_most" in row:
            target, good = f"≤ {row['at_most']:g}", value is not None and value <= row["at_most"]
        elif "target" in row:
            target, good = f"≥ {row['target']:g}", value is not None and value >= row["target"]
        else:
            target, good = "", None
        rows.append((
            row["case"], row.get("shape", "—"), row.get("type", ""),
            *(number(row.get("value", median(row[side]))) if side in row else "—" for side in ("ours", "theirs")), row.get("unit", "tok/s"),
            f"{row['ratio']:.2f}" if "ratio" in row else "—",
            f"{min(values):.2f}–{max(values):.2f}" if values else "",
            target, "" if good is None else "disturbed" if not row["trusted"] else "reached" if good else "missed"))
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, tuple("-" * width for width in widths))
    numbers = {3, 4, 6}
    return "\n".join(
        "| " + " | ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths))) + " |"
        for row in rows)
