"""Nobody is missed: the screen against the law in Decimal, every holder of what ticked, on the same tick."""

from tests.properties.screen import run


def test_the_screen_misses_nobody_and_is_never_late() -> None:
    story = run(seed=5, accounts=500, ticks=200)
    assert story.missed == []
    assert story.moved > 100
    assert story.reported < 0.3 * story.checked
