"""How much of what ended a simulated venue still knows: real ones forget, too, and who trades for days must not fill the memory."""

from streams.venues.simulator import books
from streams.venues.simulator.books import Account

KEPT = 5_000  # orders of an account that ended, with their fills; conditional ones likewise; of its statement four lines for each


def forget(account: Account, kept: int = KEPT) -> None:
    """Forgets the oldest; whatever is open stays, and so does a condition whose order is open. It looks once in `kept` / 10 changes."""
    if _size(account) <= account.looked_at + kept // 10:
        return
    open_ones = {order.id for order in account.open_orders()}
    _drop(account.orders, [number for number in account.orders if number not in open_ones], kept)
    _drop(account.algos, [number for number, algo in account.algos.items()
                          if algo.status != books.NEW and algo.child_id not in open_ones], kept)
    fills = [fill for fill in account.fills if fill.order_id in account.orders]
    account.forgotten += len(account.fills) - len(fills)
    account.fills = fills
    del account.income[:-4 * kept]
    account.looked_at = _size(account)


def _size(account: Account) -> int:
    return len(account.orders) + len(account.algos) + len(account.income)


def _drop(held: dict[int, books.Order] | dict[int, books.Algo], ended: list[int], kept: int) -> None:
    for number in ended[:-kept]:
        del held[number]
