"""An HTTP request as API Gateway writes it down, read as ASGI; and an answer in the form that it takes back."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from sdt.functions.events import Answer, answered, read_event
from sdt.functions.local.gateway import PayloadFormat, event_of
from sdt.functions.screening import _to_repeat

# The documented examples, cut to what is read of them.
# Source: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway".
DOCUMENTED_2: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/my/path",
    "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
    "cookies": ["cookie1", "cookie2"],
    "headers": {"header1": "value1", "header2": "value1,value2"},
    "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
    "requestContext": {
        "accountId": "123456789012",
        "domainName": "id.execute-api.us-east-1.amazonaws.com",
        "http": {
            "method": "POST",
            "path": "/my/path",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
            "userAgent": "agent",
        },
        "stage": "$default",
    },
    "body": "Hello from Lambda",
    "isBase64Encoded": False,
}
DOCUMENTED_1: dict[str, Any] = {
    "version": "1.0",
    "resource": "/my/path",
    "path": "/my/path",
    "httpMethod": "GET",
    "headers": {"header1": "value1", "header2": "value2"},
    "multiValueHeaders": {"header1": ["value1"], "header2": ["value1", "value2"]},
    "queryStringParameters": {"parameter1": "value1", "parameter2": "value"},
    "multiValueQueryStringParameters": {"parameter1": ["value1", "value2"], "parameter2": ["value"]},
    "requestContext": {"identity": {"sourceIp": "192.0.2.1"}, "stage": "$default"},
    "body": None,
    "isBase64Encoded": False,
}


def test_the_documented_event_of_an_http_api() -> None:
    request = read_event(DOCUMENTED_2)
    assert (request.version, request.body) == ("2.0", b"Hello from Lambda")
    assert request.scope["method"] == "POST"
    assert (request.scope["path"], request.scope["raw_path"]) == ("/my/path", b"/my/path")
    assert request.scope["query_string"] == b"parameter1=value1&parameter1=value2&parameter2=value"
    assert request.scope["client"] == ("192.0.2.1", 0)
    assert request.scope["headers"] == [
        (b"header1", b"value1"),
        (b"header2", b"value1,value2"),
        (b"cookie", b"cookie1; cookie2"),
    ]


def test_the_documented_event_of_a_rest_api() -> None:
    request = read_event(DOCUMENTED_1)
    assert (request.version, request.body, request.scope["method"]) == ("1.0", b"", "GET")
    assert request.scope["query_string"] == b"parameter1=value1&parameter1=value2&parameter2=value"
    assert request.scope["headers"] == [(b"header1", b"value1"), (b"header2", b"value1"), (b"header2", b"value2")]


@pytest.mark.parametrize(
    ("raw", "path"),
    [("/prod/v1/region", "/v1/region"), ("/prod", "/"), ("/production/v1", "/production/v1"), ("/v1", "/v1")],
)
def test_a_stage_is_no_part_of_what_a_client_signed(raw: str, path: str) -> None:
    event = DOCUMENTED_2 | {"rawPath": raw, "requestContext": DOCUMENTED_2["requestContext"] | {"stage": "prod"}}
    assert read_event(event).scope["path"] == path


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"version": "2.0", "requestContext": {}}, {"source": "aws"}])
def test_an_event_of_something_else_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no event of API Gateway"):
        read_event(event)


@given(
    version=st.sampled_from(["2.0", "1.0"]),
    media=st.sampled_from(["application/json", "application/jose", "text/plain", "application/octet-stream"]),
    body=st.binary(max_size=200),
    query=st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz 09%&=é", max_size=5)), max_size=4),
)
def test_whatever_bytes_go_in_at_the_gateway_come_out_at_the_application(
    version: PayloadFormat, media: str, body: bytes, query: list[tuple[str, str]]
) -> None:
    from urllib.parse import parse_qsl, urlencode

    raw = urlencode(query)
    sent = make_mocked_request("PUT", f"/v1/transactions/x?{raw}", headers={"Content-Type": media, "X-Two": "a"})
    request = read_event(event_of(sent, body, version))
    assert request.body == body
    assert request.scope["path"] == "/v1/transactions/x"
    assert (b"content-type", media.encode()) in request.scope["headers"]
    # A REST API hands over its parts only, grouped by name.
    found = parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True)
    assert sorted(found) == sorted(parse_qsl(raw, keep_blank_values=True))
    if version == "2.0":
        assert request.scope["query_string"] == raw.encode()


@pytest.mark.parametrize(
    ("media", "body", "shown", "encoded"),
    [
        ("application/problem+json", b'{"a":1}', '{"a":1}', False),
        ("text/markdown; charset=utf-8", "§ 1".encode(), "§ 1", False),
        ("application/octet-stream", b"\xff\x00", base64.b64encode(b"\xff\x00").decode(), True),
        ("application/octet-stream", b"", "", False),
    ],
)
async def test_an_answer_goes_back_as_text_or_in_base64(media: str, body: bytes, shown: str, encoded: bool) -> None:
    answer = Answer()
    headers = [(b"Content-Type", media.encode()), (b"content-length", b"7"), (b"set-cookie", b"a=1"), (b"x", b"1")]
    await answer({"type": "http.response.start", "status": 207, "headers": [*headers, (b"set-cookie", b"b=2")]})
    await answer({"type": "http.response.body", "body": body[:1], "more_body": True})
    await answer({"type": "http.response.body", "body": body[1:]})
    two, one = answered(answer, "2.0"), answered(answer, "1.0")
    assert (two["statusCode"], two["body"], two["isBase64Encoded"]) == (207, shown, encoded)
    assert two["headers"] == {"content-type": media, "x": "1"}
    assert two["cookies"] == ["a=1", "b=2"]
    assert one["multiValueHeaders"] == {"content-type": [media], "set-cookie": ["a=1", "b=2"], "x": ["1"]}


@given(
    st.lists(
        st.tuples(st.sampled_from("ABC"), st.booleans()),
        max_size=10,
    )
)
def test_what_follows_a_failure_in_its_group_comes_again_too(batch: list[tuple[str, bool]]) -> None:
    records = [
        {"messageId": f"m{n}", "body": f"id{n}", "attributes": {"MessageGroupId": group}}
        for n, (group, _) in enumerate(batch)
    ]
    undone = {f"id{n}" for n, (_, failed) in enumerate(batch) if failed}
    again = _to_repeat(records, undone)
    # Then a message comes again exactly when one of its group, itself or before it, has failed
    expected = [
        f"m{n}"
        for n, (group, _) in enumerate(batch)
        if any(failed for other, failed in batch[: n + 1] if other == group)
    ]
    assert again == expected
