"""Every endpoint of the admin API with a request it takes, the kind of each field, and what no field of that kind may be."""

from typing import NamedTuple

Json = dict[str, object]
USER = "/api/admin/users/live:123"
_TYPES: list[object] = [None, True, [], {}, [1]]
_NUMBERS: list[object] = [*_TYPES, "", "ten", "NaN", "nan", "Infinity", "-inf", "1e15", "1e999999999", "9" * 400, "0.0000000000000000001",
                          "1,5", " 1 ", "1_000", "0x10", "١٢", "--1", "1\x00"]
WRONG: dict[str, list[object]] = {  # by kind
    "amount": [*_NUMBERS, "0", "-1", 0, -5], "signed": [*_NUMBERS, "0", 0], "balance": [*_NUMBERS, "-1", -1],
    "leverage": [*_NUMBERS, "0", "0.5", "10001"], "flag": [None, 1.5, "true", 1, 0, [], {}, "yes"],
    "whole": [None, True, "1", -1, 1.5, 2**53, [], {}], "word": [*_TYPES, "", "A", "a b", "x" * 33, 5],
    "group": [*_TYPES, "", "a b", "x" * 65, "a\n", 5], "label": [None, True, [], {}, "x" * 201, "a\nb", "a\x00", "\x7f"],
    "asset": [*_TYPES, "", "usd", "US D", "X" * 21, "USD;DROP TABLE users", 5], "account_id": [*_TYPES, "", "../x", "a b", "x" * 65, 5],
    "venue": [*_TYPES, "", "nowhere", "OKX", 5], "secret": [*_TYPES, "", "x" * 4_097, "a\nb", 5],
    "choice": [*_TYPES, "", "none of them", "DEPOSIT", 5], "user": [*_TYPES, "", "a b", "{1}", "a:b:c", "x" * 129],
    "derived": ["1", 1, None], "fixed": ["EUR", "9"]}
REFUSED = {"derived": 422, "fixed": 422}  # all others: 400


class Endpoint(NamedTuple):
    """`good`: a body that is taken with `status`, None where there is none; `fields`: by name, the kind. `keyed`: an idempotency key

    counts; `other` is a further body for the same key."""

    path: str
    good: Json | None = None
    status: int = 200
    fields: dict[str, str] = {}
    other: Json | None = None
    keyed: bool = False


_MOVE = {"account_id": "account_id", "asset": "asset", "note": "label", "version": "whole"}
_PROFILE = {"group": "group", "leverage": "leverage", "status": "word", "is_active": "flag", "kyc": "flag", "risk_tier": "label"}
_CARRIED = dict.fromkeys(("account_number", "country_id", "mam_id", "mam_status", "pam_id", "pam_status", "copy_trading_wallet",
                          "copytrader_id", "copytrading_status", "name", "email"), "label")
_DERIVED = dict.fromkeys(("margin", "net_profit", "equity", "free_margin", "margin_level", "unrealised_pnl", "rung", "last_balance_update",
                          "last_group_update", "last_admin_update", "balance_updated_at", "group_updated_at", "calculated_at"), "derived")
_ACCOUNT = {"venue": "venue", "model": "word", "currency": "asset", "auto_reduce": "flag", "execution": "choice", "environment": "choice",
            "api_key": "secret", "api_secret": "secret", "passphrase": "secret"}
_KEYS: Json = {"venue": "okx_v5", "api_key": "k", "api_secret": "s", "passphrase": "p"}


def _moves(name: str, kind: str) -> Endpoint:
    return Endpoint(f"{USER}/{name}", {"amount": "1"}, 201, {**_MOVE, "amount": kind}, {"amount": "2"}, keyed=True)


ENDPOINTS: dict[tuple[str, str], list[Endpoint]] = {
    ("POST", "/api/admin/users/{user}/{move}"): [_moves("deposits", "amount"), _moves("withdrawals", "amount"),
                                                 _moves("adjustments", "signed")],
    ("GET", "/api/admin/users/{user}/ledger"): [Endpoint(f"{USER}/ledger")],
    ("GET", "/api/admin/money-requests"): [Endpoint("/api/admin/money-requests")],
    ("POST", "/api/admin/money-requests"): [Endpoint(
        "/api/admin/money-requests", {"user": "live:123", "kind": "deposit", "amount": "1"}, 201,
        {"user": "user", "kind": "choice", "amount": "amount", "account_id": "account_id", "asset": "asset", "note": "label",
         "user_type": "word"}, {"user": "live:123", "kind": "deposit", "amount": "2"}, keyed=True)],
    ("POST", "/api/admin/money-requests/{id}/{decision}"): [
        Endpoint("/api/admin/money-requests/{id}/approve", {}, 200, {"reason": "label"}, {"reason": "x"}, keyed=True),
        Endpoint("/api/admin/money-requests/{id}/reject", {}, 200, {"reason": "label"}, {"reason": "x"}, keyed=True)],
    ("POST", "/api/admin/users"): [Endpoint(
        "/api/admin/users", {"user_id": "9"}, 201, {**_PROFILE, **_CARRIED, **_DERIVED, "user_id": "user", "user_type": "word",
                                                    "wallet_balance": "balance", "currency": "asset", "execution": "choice",
                                                    "note": "label"}, {"user_id": "10"}, keyed=True)],
    ("GET", "/api/admin/users/{user}"): [Endpoint(USER)],
    ("PATCH", "/api/admin/users/{user}"): [Endpoint(
        USER, {"risk_tier": "low"}, 200, {**_PROFILE, **_CARRIED, **_DERIVED, "wallet_balance": "balance", "note": "label",
                                          "version": "whole", "force": "flag", "dry_run": "flag", "currency": "fixed", "user_id": "fixed",
                                          "user_type": "fixed", "execution": "fixed"}, {"risk_tier": "high"}, keyed=True)],
    ("GET", "/api/admin/users/{user}/audit"): [Endpoint(f"{USER}/audit")],
    ("POST", "/api/admin/users/{user}/{action}"): [
        Endpoint(f"{USER}/{action}", {}, 200, {"note": "label", "version": "whole"}, {"note": "x"}, keyed=True)
        for action in ("suspend", "resume")],
    ("POST", "/api/admin/users/{user}/exchange-accounts"): [Endpoint(
        f"{USER}/exchange-accounts", {"venue": "okx_v5", "account_id": "x9"}, 201, {**_ACCOUNT, "account_id": "account_id"},
        {"venue": "okx_v5", "account_id": "x8"}, keyed=True)],
    ("GET", "/api/admin/users/{user}/exchange-accounts"): [Endpoint(f"{USER}/exchange-accounts")],
    ("PUT", "/api/admin/users/{user}/exchange-accounts/{account_id}"): [Endpoint(
        f"{USER}/exchange-accounts/x1", _KEYS, 200, _ACCOUNT, {**_KEYS, "api_key": "other"}, keyed=True)],
    ("DELETE", "/api/admin/users/{user}/exchange-accounts/{account_id}"): [Endpoint(f"{USER}/exchange-accounts/x1", keyed=True)],
    ("PUT", "/api/admin/rules/{rule_id}"): [Endpoint("/api/admin/rules/x", {"rule_id": "x"}, 0, {"force": "flag", "dry_run": "flag"})],
    ("GET", "/api/redis-health/status"): [Endpoint("/api/redis-health/status")],
    ("GET", "/api/redis-health/cluster-info"): [Endpoint("/api/redis-health/cluster-info")],
    ("GET", "/api/redis-health/user/{user}/consistency"): [Endpoint("/api/redis-health/user/live:123/consistency")],
    ("POST", "/api/redis-health/user/{user}/force-refresh"): [Endpoint("/api/redis-health/user/live:123/force-refresh")],
    ("GET", "/inspect"): [Endpoint("/inspect")],
    ("GET", "/inspect/{rest}"): [Endpoint("/inspect/balances/live:123")],
    ("GET", "/api/market/{rest}"): [Endpoint("/api/market/portfolio/dirty-users/live")],
}
OPEN = {"/health", "/healthz", "/readyz", "/metrics"}
EACH = [(method, one) for (method, _), found in ENDPOINTS.items() for one in found]
WRITES = [(method, one) for method, one in EACH if one.good is not None]
