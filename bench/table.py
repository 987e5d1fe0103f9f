"""The rows of the benchmark's one table, and its goals."""
import dataclasses
import json
import statistics
import typing

HEADINGS = ["workload", "ours", "beside", "value", "ratio (min to max)", "share of peak", "goal", "met", "note"]


@dataclasses.dataclass
class Goal:
    """at_least: of the ratio to a peer, or of a value that stands alone; at_most: of a value that stands alone."""
    at_least: typing.Optional[float] = None
    at_most: typing.Optional[float] = None

    def __str__(self):
        return f">= {self.at_least:g}" if self.at_most is None else f"<= {self.at_most:g}"

    def is_met(self, value):
        return value >= self.at_least if self.at_most is None else value <= self.at_most


@dataclasses.dataclass
class Spread:
    """Median and extremes over the rounds."""
    median: float
    least: float
    most: float

    @staticmethod
    def of(values):
        return Spread(statistics.median(values), min(values), max(values))

    def __str__(self):
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


@dataclasses.dataclass
class Row:
    workload: str
    unit: str = ""
    ours: typing.Optional[float] = None
    peer: str = ""
    peer_value: typing.Optional[float] = None
    ratio: typing.Optional[Spread] = None  # above 1: ours is better
    share: typing.Optional[Spread] = None  # of the machine's peak
    goal: typing.Optional[Goal] = None
    met: typing.Optional[bool] = None
    rounds: int = 1
    note: str = ""

    def cells(self):
        met = {True: "yes", False: "no", None: ""}[self.met]
        share = f"{self.share.median:.0%}" if self.share else ""
        ours = f"{number(self.ours)} {self.unit}".strip() if self.ours is not None else ""
        return [self.workload, ours, self.peer, number(self.peer_value), str(self.ratio or ""), share, str(self.goal or ""), met, self.note]


class Table:
    def __init__(self, on_row=lambda row: None):
        self.rows, self.on_row = [], on_row

    def add(self, row):
        self.rows.append(row)
        self.on_row(row)

    def compare(self, workload, unit, ours, peers, goals=None, more_is_better=True, share=None, note=""):
        """One row for each peer. ours: values of the rounds; peers: {name: values}; goals: {name of a peer, or "best": Goal}. The best peer
        is the one with the best median."""
        goals = dict(goals or {})
        medians = {name: statistics.median(values) for name, values in peers.items()}
        best = (max if more_is_better else min)(medians, key=medians.get)
        if "best" in goals:
            goals[best] = goals.pop("best")
        for name, values in sorted(peers.items(), key=lambda item: item[0] != best):
            ratio = Spread.of([a / b if more_is_better else b / a for a, b in zip(ours, values)])
            goal = goals.get(name)
            self.add(Row(workload, unit, statistics.median(ours), name, medians[name], ratio, share, goal,
                         goal and goal.is_met(ratio.median), len(ours), note))
            note = ""

    def bound(self, workload, unit, value, goal=None, note="", rounds=1, share=None):
        """A value that stands alone."""
        self.add(Row(workload, unit, value, share=share, goal=goal, met=goal and goal.is_met(value), rounds=rounds, note=note))

    def unmeasured(self, workload, why):
        self.add(Row(workload, note=f"unmeasured: {why}"))

    def markdown(self):
        cells = [HEADINGS, *(row.cells() for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(HEADINGS))]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(lines)

    def json(self, **facts):
        return json.dumps({**facts, "rows": [dataclasses.asdict(row) for row in self.rows]}, indent=1) + "\n"
