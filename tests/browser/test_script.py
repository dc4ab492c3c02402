"""The script as it is served: small, cacheable, and without what turns text into code."""

import gzip
import re
import urllib.error
import urllib.request

import pytest
from starlette.testclient import TestClient

from rag.server.app import create_app
from rag.server.static_pages import PARTS, widget_script

LARGEST_BYTES = 15_000


def fetched(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.status, response.headers, response.read()


def test_it_is_small():
    script = widget_script()
    assert len(script.compressed) <= LARGEST_BYTES
    assert gzip.decompress(script.compressed) == script.body


def test_it_never_turns_text_into_code():
    source = widget_script().body.decode()
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser"
    )
    assert not re.search(forbidden, source)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)\w", source)
    assert len(PARTS) == len(set(PARTS))


def test_it_is_served_compressed_and_once(site):
    url = f"{site.url}/widget.js"
    status, headers, body = fetched(url)
    assert (status, body) == (200, widget_script().body)
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    _, zipped, small = fetched(url, **{"Accept-Encoding": "gzip"})
    assert zipped["Content-Encoding"] == "gzip"
    assert gzip.decompress(small) == body
    with pytest.raises(urllib.error.HTTPError) as unchanged:
        fetched(url, **{"If-None-Match": headers["ETag"]})
    assert unchanged.value.code == 304
    unchanged.value.close()


def test_a_screen_takes_no_way_in_of_the_server_s(site):
    for path, code in (
        ("/api/help/query", 405),
        ("/api/x/", 404),
        ("/rien/", 404),
        ("/aide/x", 404),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            fetched(site.url + path)
        assert refused.value.code == code
        ours = refused.value.headers["Content-Type"].startswith("application/problem+json")
        assert ours is path.startswith("/api/")
        refused.value.close()


def test_without_the_demo_there_is_the_script_alone():
    client = TestClient(create_app(with_demo=False))
    assert client.get("/widget.js").status_code == 200
    assert client.get("/").status_code == 404


def test_the_demo_says_when_nothing_is_indexed():
    response = TestClient(create_app()).get("/")
    assert "python cli.py index" in response.text
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
