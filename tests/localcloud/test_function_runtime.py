"""What a CloudFront function may do, and what it may not."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.function_runtime import FunctionError, FunctionRuntime

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
EVENT = {"version": "1.0", "request": {"uri": "/", "headers": {}}}


def run(body, store=None, event=EVENT):
    code = f"import cf from 'cloudfront';\nimport crypto from 'crypto';\n{body}"
    return FunctionRuntime(code, {} if store is None else store).run(event)


def test_the_handler_gets_the_event_and_its_answer_is_returned():
    assert run("function handler(event) { return event.request; }") == EVENT["request"]


def test_a_store_is_read_in_three_formats():
    body = """
    async function handler(event) {
      const store = cf.kvs('an-id');
      const bytes = await store.get('name', { format: 'bytes' });
      return {
        string: await store.get('name'),
        json: await store.get('json', { format: 'json' }),
        bytes: Array.from(bytes),
        exists: [await store.exists('name'), await store.exists('other')],
        count: await store.count(),
      };
    }"""
    assert run(body, {"name": "é", "json": '{"a": [1]}'}) == {
        "string": "é",
        "json": {"a": [1]},
        "bytes": [0xC3, 0xA9],
        "exists": [True, False],
        "count": 2,
    }


def test_a_missing_key_rejects():
    with pytest.raises(FunctionError, match="KeyNotFound"):
        run("async function handler() { return { v: await cf.kvs().get('gone') }; }")
    caught = (
        "async function handler() { try { await cf.kvs().get('gone') } catch (e) { return {} } }"
    )
    assert run(caught) == {}


def test_one_runtime_sees_the_store_as_it_is_at_each_run():
    store = {"k": "1"}
    runtime = FunctionRuntime(
        "import cf from 'cloudfront'\n"
        "async function handler() { return { v: await cf.kvs().get('k') }; }",
        store,
    )
    assert runtime.run({}) == {"v": "1"}
    store["k"] = "2"
    assert runtime.run({}) == {"v": "2"}


@given(TEXTS)
def test_hashes_are_those_of_utf_8(text):
    body = """
    function handler(event) {
      const of = (a, e) => crypto.createHash(a).update(event.text).digest(e);
      return { a: of('sha256', 'base64url'), b: of('sha1', 'hex'), c: of('md5', 'base64') };
    }"""
    raw = text.encode()
    assert run(body, event={"text": text}) == {
        "a": base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).decode().rstrip("="),
        "b": hashlib.sha1(raw).hexdigest(),
        "c": base64.b64encode(hashlib.md5(raw).digest()).decode(),
    }


@given(key=TEXTS, text=TEXTS)
def test_macs_and_buffers_are_those_of_utf_8(key, text):
    body = """
    function handler(event) {
      const buffer = Buffer.from(event.text);
      const there = (e) => Buffer.from(buffer.toString(e), e).toString();
      return {
        mac: crypto.createHmac('sha256', event.key).update(event.text).digest('hex'),
        encoded: buffer.toString('base64'), size: buffer.length,
        back: ['hex', 'base64', 'base64url', 'utf8'].map(there),
      };
    }"""
    raw = text.encode()
    assert run(body, event={"text": text, "key": key}) == {
        "mac": hmac.new(key.encode(), raw, "sha256").hexdigest(),
        "encoded": base64.b64encode(raw).decode(),
        "size": len(raw),
        "back": [text] * 4,
    }


@pytest.mark.parametrize(
    ("text", "read"),
    [("YQ==", "a"), ("YQ", "a"), ("Y", ""), ("Y*Q=ignored", "a"), ("/w", "\ufffd")],
)
def test_a_buffer_reads_what_there_is_of_base64(text, read):
    body = "function handler(e) { return { t: Buffer.from(e.text, 'base64').toString() }; }"
    assert run(body, event={"text": text}) == {"t": read}


def test_query_strings_and_the_log():
    runtime = FunctionRuntime(
        "const q = require('querystring');"
        "function handler() { console.log('hello', 1); const p = q.parse('a=1&a=2&b=x+y%26');"
        "return { p, s: q.stringify(p) }; }",
        {},
    )
    assert runtime.run({}) == {"p": {"a": ["1", "2"], "b": "x y&"}, "s": "a=1&a=2&b=x%20y%26"}
    assert runtime.log == ["hello 1"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("function handler( {", "does not load"),
        ("const x = 1;", 'no function "handler"'),
        ("import fs from 'fs'; function handler() {}", "does not load"),
        ("function handler() { require('fs'); }", 'no module "fs"'),
        ("function handler() { throw new Error('boom'); }", "boom"),
        ("function handler() { return 5; }", "not with an object"),
        ("function handler() {}", "not with an object"),
        ("function handler() { return new Promise(() => {}); }", "never answered"),
        ("async function handler() { for (;;) await null; }", "never answered"),
        (
            "function handler() { const a = []; for (;;) a.push('x'.repeat(1e5) + a.length); }",
            "memory",
        ),
        ("function handler() { return eval('1'); }", "eval"),
        ("function handler() { setTimeout(handler, 1); }", "setTimeout"),
        ("function handler() { undeclared = 1; }", "undeclared"),
    ],
)
def test_what_goes_wrong_is_a_function_error(body, words):
    with pytest.raises(FunctionError, match=words):
        run(body)


def test_a_failed_run_leaves_the_runtime_usable():
    runtime = FunctionRuntime(
        "function handler(e) { if (e.bad) throw new Error('bad'); return e; }", {}
    )
    with pytest.raises(FunctionError):
        runtime.run({"bad": True})
    assert runtime.run({"good": True}) == {"good": True}
