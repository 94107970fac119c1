"""The bench: turns, statistics, rows, JSON, on a clock that only the functions move. Nothing is timed."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest
from rich.progress import Progress

from ivm_ros.bench import registry, rendering
from ivm_ros.bench.results import Report, Row
from ivm_ros.bench.runner import measure
from ivm_ros.bench.suite import Alternative, Comparison, DisagreementError, Options, require_agreement
from ivm_ros.bench.timing import Plan, Spread, interleave, measured, ratio
from ivm_ros.cli import main
from ivm_ros.rendering import RenderSettings, composite


class Clock:
    """Seconds that go only while a function of `taking` runs."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now

    def taking(self, name: str, *seconds: float):
        """Return a function whose calls take these seconds, the last for ever."""
        left = list(seconds)

        def run():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize(
    ("plan", "rounds"),
    [
        (Plan(seconds=0, rounds=3), 3),
        (Plan(seconds=30, rounds=1, limit=100), 10),  # a round takes 3 seconds
        (Plan(seconds=31, rounds=1, limit=100), 11),
        (Plan(seconds=30, rounds=20, limit=14), 5),  # no longer than that
        (Plan(seconds=0, rounds=2, precision=0.01), 2),  # steady: precise at once
    ],
)
def test_alternatives_take_turns_after_a_warm_up(clock, plan, rounds):
    runs = {"plain": clock.taking("plain", 100.0, 2.0), "ours": clock.taking("ours", 50.0, 1.0)}
    gone = []
    times = interleave(runs, plan, clock, gone.append)
    assert clock.calls == ["plain", "ours"] * (rounds + 1)
    np.testing.assert_allclose(times["plain"], [2.0] * rounds)  # the slow first calls do not count
    np.testing.assert_allclose(times["ours"], [1.0] * rounds)
    assert gone == pytest.approx([3.0 * (index + 1) for index in range(rounds)])


def test_precision_is_waited_for_up_to_the_limit(clock):
    restless = [1.0, *([1.0, 4.0] * 500)]
    runs = {"plain": clock.taking("plain", 1.0), "ours": clock.taking("ours", *restless)}
    times = interleave(runs, Plan(seconds=0, rounds=2, precision=1e-6, limit=100.0), clock)
    assert 100.0 <= times["plain"].sum() + times["ours"].sum() < 110.0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([0.002], (2.0, 2.0, 2.0)),
        ([0.001, 0.003, 0.002], (2.0, 1.2, 2.8)),
        ([0.001] * 99 + [1.0], (1.0, 1.0, 1.0)),  # one hiccup changes nothing
    ],
)
def test_median_and_percentiles_in_milliseconds(seconds, expected):
    spread = measured(np.array(seconds))
    assert (spread.value, spread.low, spread.high) == pytest.approx(expected)


def test_ratio_of_medians_and_its_range():
    noise = np.random.default_rng(1).uniform(0.9, 1.1, 200)
    same_noise = ratio(noise, 4.0 * noise)
    assert same_noise.value == pytest.approx(0.25)
    other_noise = ratio(noise, 4.0 * noise[::-1].copy())
    assert other_noise.low < 0.25 < other_noise.high
    few, many = (ratio(noise[:count], np.ones(count)).width for count in (10, 200))
    assert many < few < 0.1
    of_three = ratio(np.array([1.0, 2.0, 6.0]), np.array([1.0, 1.0, 2.0]))
    assert (of_three.value, of_three.low, of_three.high) == (2.0, 1.0, 3.0)


@pytest.mark.parametrize(
    "values",
    [(1.0, 2.0, 3.0), (3.0, 1.0, 2.0), (0.0, 0.0, 0.0), (float("nan"),) * 3, (1.0, 1.0, float("inf"))],
)
def test_a_spread_that_cannot_be_is_refused(values):
    with pytest.raises(ValueError, match="expected 0 < low <= value <= high"):
        Spread(*values)


def alternative(name, **options):
    return Alternative(name, "", lambda: None, **options)


@pytest.mark.parametrize(
    ("alternatives", "reason"),
    [
        ([alternative("plain")], "at least two"),
        ([alternative("plain"), alternative("plain")], "different names"),
        ([alternative("plain"), alternative("ours", against="theirs")], "theirs"),
    ],
)
def test_a_comparison_needs_something_to_compare(alternatives, reason):
    with pytest.raises(ValueError, match=reason):
        Comparison("", tuple(alternatives))


def test_a_comparison_is_timed_or_measures_itself():
    silent = (Alternative("plain", ""), Alternative("ours", ""))
    own = Comparison("", silent, measure=lambda plan, elapsed: {})
    assert own.measure is not None
    for mixture in ((silent[0], alternative("ours")), silent):
        with pytest.raises(ValueError, match=r"expected a `run` of every alternative"):
            Comparison("", mixture)
    with pytest.raises(ValueError, match=r"expected a `run` of every alternative"):
        Comparison("", (alternative("plain"), alternative("ours")), measure=own.measure)


def test_what_measures_itself_gives_rows_and_percentiles():
    times = {"plain": np.full(100, 0.004), "ours": np.append(np.full(98, 0.001), [0.01, 0.01])}
    told = []

    def measured_elsewhere(plan, elapsed):
        elapsed(1.5)
        told.append(plan)
        return times

    comparison = Comparison(
        "a node",
        (Alternative("plain", ""), Alternative("ours", "", key="", numbers={"iou": 1.0})),
        share=0.5,
        measure=measured_elsewhere,
        percentiles=(50, 99),
    )
    with Progress(disable=True) as progress:
        plain, ours = measure("fake", [comparison], Plan(seconds=4.0, precision=0.1), progress)
    assert told == [Plan(seconds=2.0, precision=0.1)]
    assert plain.to_json()["fake.plain_p99_ms"] == pytest.approx(4.0)
    assert ours.to_json()["fake.p50_ms"] == pytest.approx(1.0)
    assert ours.to_json()["fake.p99_ms"] == pytest.approx(10.0)
    assert (ours.to_json()["fake.iou"], ours.speedup.value) == (1.0, pytest.approx(4.0))


@pytest.mark.parametrize(("difference", "agrees"), [(0.0, True), (1.0, True), (1.01, False), (np.nan, False)])
def test_times_of_what_disagrees_are_refused(difference, agrees):
    if agrees:
        assert require_agreement("pictures", difference, 1.0) == difference
    else:
        with pytest.raises(DisagreementError, match="expected pictures to differ by at most 1"):
            require_agreement("pictures", difference, 1.0)


def test_rows_and_their_keys(clock):
    comparison = Comparison(
        "a frame",
        (
            Alternative("plain", "all of it", clock.taking("plain", 8.0)),
            Alternative("first", "", clock.taking("first", 4.0), key="", numbers={"iou": 0.99}),
            Alternative("second instruction", "", clock.taking("second", 1.0), against="first"),
        ),
    )
    with Progress(disable=True) as progress:
        rows = list(measure("fake", [comparison], Plan(seconds=0, rounds=3, limit=100), progress, clock))
    report = Report({"cores": 2}, failures={"other": "no weights"})
    for row in rows:
        report.add(row)
    values = report.to_json()
    expected = {
        "machine.cores": 2,
        "fake.plain_ms": 8000.0,
        "fake.plain_rounds": 3,
        "fake.speedup": 2.0,
        "fake.ratio": 0.5,
        "fake.iou": 0.99,
        "fake.second_instruction_speedup": 8.0,
        "fake.second_instruction_ratio": 0.25,
        "fake.second_instruction_ratio_low": 0.25,
        "other.error": "no weights",
    }
    assert {key: values[key] for key in expected} == pytest.approx(expected)
    assert not [key for key in values if key.startswith(("fake.plain_speedup", "fake.plain_ratio"))]
    assert json.loads(json.dumps(values)) == values
    with pytest.raises(ValueError, match="twice"):
        report.add(rows[0])


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"suite": ""}, "a suite"),
        ({"name": ""}, "a name"),
        ({"rounds": 0}, "one round"),
        ({"ratio": Spread(1, 1, 1)}, "none of them"),
        ({"against": "plain"}, "none of them"),
        ({"numbers": {"iou": float("nan")}}, "finite iou"),
    ],
)
def test_a_row_that_cannot_be_is_refused(wrong, reason):
    fields = {
        "suite": "s",
        "group": "",
        "name": "n",
        "what": "",
        "key": "",
        "rounds": 1,
        "time": Spread(1, 1, 1),
    }
    with pytest.raises(ValueError, match=reason):
        Row(**{**fields, **wrong})


def test_suites_are_chosen_by_name():
    names = [entry.name for entry in registry.available()]
    assert len(set(names)) == len(names)
    assert [entry.name for entry in registry.chosen([])] == [name for name in names if name != "live"]
    assert [entry.name for entry in registry.chosen(["live"])] == ["live"]
    assert [entry.name for entry in registry.chosen(["rendering", "tiny"])] == ["tiny", "rendering"]
    with pytest.raises(ValueError, match=r"expected suites of .*tiny.*; got abacus"):
        registry.chosen(["tiny", "abacus"])


@pytest.fixture
def fake_suites(monkeypatch):
    """Two suites: one whose two ways are equal, one whose two ways disagree."""

    def suite(options):
        yield Comparison("nothing done twice", (alternative("plain"), alternative("ours")), share=0.01)

    def broken(options):
        require_agreement("heatmaps", 0.5, 0.001)
        yield from suite(options)

    entries = []
    for name, make in (("good", suite), ("broken", broken)):
        module = types.ModuleType(f"bench_{name}")
        module.suite = make
        monkeypatch.setitem(sys.modules, module.__name__, module)
        entries.append(registry.SuiteEntry(name, "for the test", f"{module.__name__}:suite"))
    monkeypatch.setattr(registry, "_ENTRIES", tuple(entries))


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["ivm-ros", "bench", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


@pytest.mark.usefixtures("fake_suites")
def test_the_command_prints_tables_and_writes_flat_json(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLUMNS", "100")
    assert call(monkeypatch, "good", "--device", "cpu", "--json", tmp_path / "new" / "bench.json") == 0
    out = capsys.readouterr().out
    assert "nothing done twice" in out
    assert max(map(len, out.splitlines()[:10])) <= 100
    values = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert values["good.ours_rounds"] >= 5
    assert values["machine.device"] == "cpu"


@pytest.mark.parametrize(("arguments", "brief"), [([], True), (["good"], False), (["--long"], False)])
def test_only_a_bench_without_names_is_brief(monkeypatch, fake_suites, arguments, brief):
    asked = []

    def suite(options):
        asked.append(options.brief)
        yield Comparison("nothing done twice", (alternative("plain"), alternative("ours")), share=0.01)

    monkeypatch.setattr(sys.modules["bench_good"], "suite", suite)
    monkeypatch.setattr(registry, "_ENTRIES", registry._ENTRIES[:1])
    for name in ("_BRIEF", "_USUAL", "_LONG"):
        monkeypatch.setattr(f"ivm_ros.cli.bench.{name}", Plan(0.0, 1))
    assert call(monkeypatch, *arguments, "--device", "cpu") == 0
    assert asked == [brief]


@pytest.mark.usefixtures("fake_suites")
def test_a_suite_that_disagrees_is_named_and_the_rest_goes_on(monkeypatch, capsys, tmp_path):
    assert call(monkeypatch, "--device", "cpu", "--json", tmp_path / "bench.json") == 1
    assert "broken not fully measured" in capsys.readouterr().out
    values = json.loads((tmp_path / "bench.json").read_text())
    assert "good.ours_ratio" in values
    assert "expected heatmaps to differ by at most 0.001" in values["broken.error"]


@pytest.mark.parametrize("arguments", [["abacus"], ["--size", "giant"], ["--device", "abacus"]])
def test_a_mistake_is_one_clear_line(monkeypatch, capsys, arguments):
    assert call(monkeypatch, *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: expected") and arguments[-1] in err


@pytest.mark.parametrize("wrong", [False, True])
def test_the_plain_highlight_is_what_the_product_draws(monkeypatch, wrong):
    """And where it is not, the suite says so instead of timing it."""
    if wrong:
        other = RenderSettings(mode="dim")
        monkeypatch.setattr(rendering, "composite", lambda image, heat, _: composite(image, heat, other))
        with pytest.raises(DisagreementError, match="grey levels"):
            next(rendering.suite(Options()))
    else:
        for comparison in rendering.suite(Options()):
            assert comparison.alternatives[1].numbers["grey_levels"] <= 2
