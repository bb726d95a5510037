"""Parameter Store: what belongs to one deployment and is no secret, such as addresses and digests of files.

Names stand under one path. Everything under it is read in one go and remembered for a minute.
Source: AWS Systems Manager API Reference, GetParametersByPath and PutParameter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from sdt.adapters.aws import AwsUnreachable, call
from sdt.domain.errors import Invalid

__all__ = ["VALUE_CHARS_MAX", "Parameters"]

SEEN_WITHIN_S: Final = 60
PAGE: Final = 10
"""The most that one answer holds."""
VALUE_CHARS_MAX: Final = 4_096
"""What a parameter of the standard tier holds."""


class Parameters:
    """The parameters under a path; one may be shared by threads."""

    def __init__(self, client: Any, path: str, now_s: Callable[[], float] = time.time) -> None:
        self._client, self._path, self._now_s = client, path, now_s
        self._seen: tuple[float, Mapping[str, str]] | None = None

    def all(self) -> Mapping[str, str]:
        """Return every parameter by its name under the path. While nobody answers, what was seen last stands.

        Errors: AwsRefused; AwsUnreachable when nothing was seen yet.
        """
        now_s = self._now_s()
        if self._seen is not None and 0 <= now_s - self._seen[0] < SEEN_WITHIN_S:
            return self._seen[1]
        try:
            found = self._read()
        except AwsUnreachable:
            if self._seen is None:
                raise
            return self._seen[1]
        self._seen = (now_s, found)
        return found

    def put(self, name: str, value: str) -> None:
        """Write a parameter, in place of what it was. Errors: Invalid; AwsRefused, AwsUnreachable."""
        if not 0 < len(value) <= VALUE_CHARS_MAX:
            raise Invalid(f"A parameter has 1 to {VALUE_CHARS_MAX} characters.", code="parameter_size")
        call(self._client, "put_parameter", Name=self._path + name, Value=value, Type="String", Overwrite=True)
        self._seen = None

    def _read(self) -> Mapping[str, str]:
        asked: dict[str, Any] = {"Path": self._path, "Recursive": True, "MaxResults": PAGE}
        found: dict[str, str] = {}
        while True:
            page = call(self._client, "get_parameters_by_path", **asked)
            found |= {str(one["Name"]).removeprefix(self._path): str(one["Value"]) for one in page["Parameters"]}
            if not page.get("NextToken"):
                return found
            asked["NextToken"] = page["NextToken"]
