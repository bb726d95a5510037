"""What a handle with `vw` in it looks like, now that `vw`, `wv` and `vvv` are one."""

from __future__ import annotations

from typing import Any

from sdt.domain.handle import skeleton


def up(migrator: Any, db: Any) -> None:
    """Say it anew where it was said otherwise; whom an older handle looks like keeps what was said before."""
    mark = "?" if db.param == "?" else "%s"
    otherwise = f"SELECT user_id, handle FROM users WHERE skeleton LIKE {mark} ORDER BY created_at_ms"  # noqa: S608
    for user_id, handle in db.execute_sql(otherwise, ("%vw%",)).fetchall():
        looks = skeleton(handle)
        if not db.execute_sql(f"SELECT 1 FROM users WHERE skeleton = {mark}", (looks,)).fetchall():  # noqa: S608
            db.execute_sql(f"UPDATE users SET skeleton = {mark} WHERE user_id = {mark}", (looks, user_id))  # noqa: S608


def down(migrator: Any, db: Any) -> None:
    """Leave it: nothing that was true before is wrong."""
