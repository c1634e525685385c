"""The table in the terminal and its plain form."""

import io

import pytest
from climb_stories import ladder_rows, make_row
from rich.console import Console

from gradatim.ladder.choice import choose
from gradatim.ladder.records import Dropped
from gradatim.ladder.table import LadderTable
from gradatim.types import Budget


def plain_console():
    return Console(file=io.StringIO(), force_terminal=False, width=100)


def terminal(width):
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, color_system=None, legacy_windows=False
    )


def rendered(table):
    with table.console.capture() as captured:
        table.console.print(table)
    return captured.get()


def climbed(width):
    table = LadderTable("accuracy", "sst2", terminal(width))
    rows = ladder_rows()
    for row in rows:
        table.settle(row)
    table.settle(Dropped("bilstm-large", "estimated 14 min, but only 3 min of --max-train-min are left"))
    table.settle(
        Dropped("bilstm-int8", "no faster than its source, and 1.2 points of accuracy worse", "refused")
    )
    table.chosen(choose(rows, Budget(max_ms=2)))
    return table


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal_and_no_candidate_is_missing(width):
    lines = rendered(climbed(width)).splitlines()
    assert max(map(len, lines)) <= width
    for row in ladder_rows():
        assert sum(line[2:].startswith(f"{row.name} ") for line in lines) == 1


def test_wide_terminal_shows_every_column_and_a_narrow_one_what_matters_most():
    wide, narrow = (rendered(climbed(width)).splitlines()[1] for width in (120, 64))
    for header in ("accuracy", "p50 ms", "p95 ms", "texts/s", "MB", "RAM MB", "start s", "train"):
        assert header in wide
    assert "p95 ms" in narrow
    assert "start s" not in narrow


def test_the_chosen_row_alone_is_marked():
    marked = [line for line in rendered(climbed(100)).splitlines() if line.startswith("★")]
    assert len(marked) == 2  # its row, and the verdict
    assert all("student-2l-int8" in line for line in marked)


def test_reasons_are_shown_whole():
    shown = " ".join(rendered(climbed(80)).split())
    assert "estimated 14 min, but only 3 min of --max-train-min are left" in shown
    assert "no faster than its source, and 1.2 points of accuracy worse" in shown


def test_a_running_rung_gives_way_to_its_candidates():
    table = LadderTable("accuracy", console=terminal(100))
    table.start("linear", 12.0)
    assert "linear" in rendered(table)
    table.settle(make_row("linear", 0.8, 1, 1))
    assert (len(table.results), table.running) == (1, "")


def test_live_table_is_drawn_in_a_terminal_and_stops_on_an_error():
    console = terminal(100)
    table = LadderTable("accuracy", console=console)

    def interrupted():
        with table:
            table.settle(ladder_rows()[0])
            table.start("ngram", 3.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "majority" in console.file.getvalue()
    assert ([result.name for result in table.results], table.running) == (["majority"], "")


def test_without_a_terminal_one_line_per_event_without_escapes():
    console = plain_console()
    with LadderTable("accuracy", "sst2 [red]", console) as table:
        table.start("linear", 90.0)
        table.say("choosing C")
        table.settle(make_row("linear", 0.823, 0.21, 3.1))
        table.settle(Dropped("bilstm", "no [time]"))
        table.settle(Dropped("x-int8", "slower", "refused"))
        table.chosen(choose([make_row("linear", 0.823, 0.21, 3.1)], Budget(max_ms=0.1)))
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 7
    assert "\x1b" not in console.file.getvalue()
    assert lines[0] == "sst2 [red]"
    assert "82.3 %" in lines[3]
    assert "no [time]" in lines[4]
    assert "--max-ms 0.1 -> 0.21" in lines[6]
