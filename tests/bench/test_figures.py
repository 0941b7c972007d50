"""The README's figures are those of the committed results."""

from pathlib import Path

from streams.bench import results
from streams.bench.figures import BEGIN, END, replaced, text
from streams.bench.peers import PEERS, SOURCES, versions

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def test_the_readme_holds_what_the_results_say() -> None:
    held = README.partition(BEGIN)[2].partition(END)[0].strip()
    assert held == text(), "run 'marginstream bench figures --write'"


def test_figures_are_replaced_between_their_marks() -> None:
    page = f"above\n{BEGIN}\nold | 1.5\n{END}\nbelow"
    assert replaced(page, r"new \1") == f"above\n{BEGIN}\nnew \\1\n{END}\nbelow"
    assert replaced("no marks", "new") == "no marks"


def test_every_result_says_where_it_comes_from() -> None:
    rows = [row for name in ("engine", "mirrors", "ticks") for row in results.rows(results.FOLDER / f"{name}.jsonl")]
    assert rows
    assert all(row["machine"] and row["commit"] and row["seed"] and row["versions"] and row["at"] for row in rows)


def test_a_row_comes_back_as_it_was_written(tmp_path: Path) -> None:
    row = results.stamped({"run": "drain", "system": "quix", "events_per_s": 1})
    results.append(tmp_path / "new" / "rows.jsonl", row)
    results.append(tmp_path / "new" / "rows.jsonl", row)
    assert list(results.rows(tmp_path / "new" / "rows.jsonl")) == [row, row]
    assert list(results.rows(tmp_path / "none.jsonl")) == []


def test_peers_have_sources_and_pins() -> None:
    for name, peer in PEERS.items():
        assert all((SOURCES / word.partition("/")[2]).is_file() for word in peer.words if word.startswith("{sources}"))
        assert versions(name)
