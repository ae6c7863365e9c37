# SPDX-License-Identifier: Apache-2.0
"""Searching in the web UI: expressions with completion, order and pages over the whole range, saved searches."""
from webui import do, filled  # noqa: F401


def search(server, task):
    return do(server, task, script="webui_search.js")


def test_filter_is_written_by_completion(filled):  # noqa: F811
    seen = search(filled, "filter")
    assert seen["filter"] == 'http.route = "PlaceOrder" and kind = server '
    assert "http.response.status_code" in seen["keys"] and ">=" in seen["operators"]
    assert seen["values"] == ["PlaceOrder"] and seen["joins"] == ["and", "or"] and "consumer" in seen["kinds"]
    assert seen["count"].split()[0] != "0" and "filter=" in seen["where"]


def test_fault_of_a_filter_is_pointed_at(filled):  # noqa: F811
    seen = search(filled, "fault")
    assert seen["at"] == "5" and "give it a unit" in seen["fault"] and seen["gone"]


def test_pages_follow_in_the_order_of_the_whole_range(filled):  # noqa: F811
    seen = search(filled, "pages")
    assert [int(text.split()[0]) for text in seen["counts"]] == [7, 14, 21]
    assert all("and more" in text for text in seen["counts"])
    assert seen["spans"] == sorted(seen["spans"], reverse=True) and seen["spans"][0] > seen["spans"][-1]
    assert seen["errors"] == sorted(seen["errors"], reverse=True) and "sort=-errors" in seen["where"]


def test_searches_are_saved_by_name(filled):  # noqa: F811
    seen = search(filled, "saved")
    assert seen["found"] and seen["again"] == seen["found"]
    assert "Slow checkouts" in seen["list"] and "checkout" in seen["list"] and "server" in seen["list"]
    assert seen["chosen"] == "checkout" and seen["reset"] == ""


def test_results_as_a_graph(filled):  # noqa: F811
    nodes = " ".join(search(filled, "graph")["nodes"])
    assert "frontend" in nodes and "1 hops before" in nodes and "bank-gateway" in nodes


def test_results_are_narrowed_and_looked_into(filled):  # noqa: F811
    seen = search(filled, "facets")
    some, less = (int(seen[key].split()[0]) for key in ("some", "less"))
    assert 60 > some > less > 0 and seen["again"] == seen["less"]
    assert "frontend" in seen["first"] and seen["back"] == "trace"
