"""CloudFront Functions on one machine: JavaScript runtime 2.0 in QuickJS.

What a function may use is what CloudFront gives it, as far as routers need it: ``cloudfront``
(key value stores), ``crypto`` (``createHash``, ``createHmac``), ``Buffer`` (between text and its
encodings), ``querystring`` and ``console.log``. There is no network, no timer and no ``eval``.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import quickjs

MEMORY_BYTES = 32 * 1024 * 1024
JOBS = 10_000
BASE64 = frozenset({"base64", "base64url"})

IMPORT = re.compile(
    r"""^[ \t]*import[ \t]+(\w+)[ \t]+from[ \t]+(['"])(cloudfront|crypto|querystring)\2[ \t]*;?""",
    re.MULTILINE,
)

# Python is called with strings and answers with a string or null: an exception that crossed
# QuickJS would leave the interpreter in an undefined state.
PRELUDE = """
'use strict';
(() => {
  const { __get: get, __count: count, __hash: hash, __log: log } = globalThis;
  const { __encode: encoded, __decode: decoded } = globalThis;
  for (const name of ['get', 'count', 'hash', 'log', 'encode', 'decode']) {
    delete globalThis[`__${name}`];
  }
  delete globalThis.eval;

  const bytesOf = (text) =>
    Uint8Array.from(unescape(encodeURIComponent(text)), (c) => c.charCodeAt(0));
  const formats = { string: (v) => v, json: JSON.parse, bytes: bytesOf };

  const store = {
    async get(key, options) {
      const value = get(String(key));
      if (value === null) throw new Error(`KeyNotFound: the store has no key "${key}"`);
      const format = formats[(options && options.format) || 'string'];
      if (!format) throw new TypeError(`unknown format "${options.format}"`);
      return format(value);
    },
    async exists(key) { return get(String(key)) !== null; },
    async count() { return count(); },
    async meta() { return { keyCount: count() }; },
  };

  class Hash {
    constructor(algorithm, key) { this.algorithm = algorithm; this.key = key; this.text = ''; }
    update(text) {
      if (typeof text !== 'string') throw new TypeError('update: only strings are supported here');
      this.text += text;
      return this;
    }
    digest(encoding) {
      const [key, text] = [this.key, this.text].map((each) => each && encodeURIComponent(each));
      const value = hash(this.algorithm, key, text, String(encoding));
      if (value === null) throw new TypeError(`digest: ${this.algorithm} as ${encoding}`);
      return value;
    }
  }

  globalThis.Buffer = class Buffer {
    static from(text, encoding) {
      const buffer = new Buffer();
      buffer.hex = decoded(encodeURIComponent(text), encoding || 'utf8');
      if (buffer.hex === null) throw new TypeError(`Buffer.from: unknown encoding "${encoding}"`);
      return buffer;
    }
    get length() { return this.hex.length / 2; }
    toString(encoding) {
      const text = encoded(this.hex, encoding || 'utf8');
      if (text === null) throw new TypeError(`toString: unknown encoding "${encoding}"`);
      return decodeURIComponent(text);
    }
  };

  const querystring = {
    parse(text) {
      const parsed = {};
      for (const pair of text.split('&').filter(Boolean)) {
        const [name, ...rest] = pair.split('=');
        const plain = (part) => decodeURIComponent(part.replace(/\\+/g, ' '));
        const [key, value] = [plain(name), plain(rest.join('='))];
        parsed[key] = key in parsed ? [].concat(parsed[key], value) : value;
      }
      return parsed;
    },
    stringify: (fields) =>
      Object.entries(fields)
        .flatMap(([name, values]) => [].concat(values).map((value) => [name, value]))
        .map((pair) => pair.map(encodeURIComponent).join('='))
        .join('&'),
  };

  const modules = {
    cloudfront: { kvs: () => store },
    crypto: {
      createHash: (algorithm) => new Hash(algorithm, null),
      createHmac: (algorithm, key) => new Hash(algorithm, String(key)),
    },
    querystring,
  };
  globalThis.require = (name) => {
    if (!modules[name]) throw new Error(`no module "${name}"`);
    return modules[name];
  };
  globalThis.console = { log: (...words) => { log(words.map(String).join(' ')); } };
})();
"""

# The promise's outcome is left in `outcome` as JSON, for Python to take once the jobs have run.
DRIVER = """
'use strict';
(() => {
  if (typeof handler !== 'function') throw new Error('there is no function "handler"');
  const { parse, stringify } = JSON;
  let outcome = null;
  globalThis.__start = (event) => {
    outcome = null;
    Promise.resolve(event).then(parse).then(handler).then(
      (result) => { outcome = stringify({ result }); },
      (error) => {
        const stack = error && error.stack ? `\\n${error.stack}` : '';
        outcome = stringify({ error: `${error}${stack}` });
      },
    ).catch((error) => { outcome = stringify({ error: String(error) }); });
  };
  globalThis.__outcome = () => outcome;
})();
"""


class FunctionError(Exception):
    """The function did not compile, threw, never answered, or answered with no object."""


class FunctionRuntime:
    """One function and the key value store that it reads.

    ``store`` is looked up live at each ``get``, so its owner may swap what is in it between runs.
    The runtime is kept for many runs, as CloudFront does, and belongs to the thread that made it.
    ``log`` holds what the last run wrote with ``console.log``.
    """

    def __init__(self, code: str, store: Mapping[str, str]) -> None:
        self.log: list[str] = []
        self._context = quickjs.Context()
        self._context.set_memory_limit(MEMORY_BYTES)
        for name, function in self._doors(store).items():
            self._context.add_callable(name, function)
        try:
            self._context.eval(PRELUDE)
            self._context.eval("'use strict';" + IMPORT.sub(r"const \1 = require('\3');", code))
            self._context.eval(DRIVER)
        except quickjs.JSException as error:
            raise FunctionError(f"the function does not load: {error}") from error
        self._start = self._context.get("__start")
        self._outcome = self._context.get("__outcome")

    def _doors(self, store: Mapping[str, str]) -> dict[str, Callable[..., Any]]:
        return {
            "__get": lambda key: store.get(key),
            "__count": lambda: len(store),
            "__hash": _hash,
            "__encode": _encode,
            "__decode": _decode,
            "__log": lambda line: self.log.append(line),
        }

    def run(self, event: dict[str, Any]) -> dict[str, Any]:
        """Call ``handler(event)`` and wait for its promise: a request or a response object.

        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
        """
        self.log.clear()
        self._start(json.dumps(event))
        try:
            for _ in range(JOBS):
                if not self._context.execute_pending_job():
                    break
            outcome = json.loads(self._outcome() or '{"error": "the function never answered"}')
        except quickjs.JSException as error:
            raise FunctionError(f"the function failed: {error}") from error
        if "error" in outcome:
            raise FunctionError(f"the function failed: {outcome['error']}")
        result = outcome.get("result")
        if not isinstance(result, dict):
            raise FunctionError(f"the function answered with {result!r}, not with an object")
        return result


# Text comes and goes percent-encoded because a NUL would end a C string on the way.
def _hash(algorithm: str, key: str | None, escaped: str, encoding: str) -> str | None:
    if algorithm not in {"md5", "sha1", "sha256"}:
        return None
    text = unquote_to_bytes(escaped)
    if key is None:
        digest = hashlib.new(algorithm, text, usedforsecurity=False).digest()
    else:
        digest = hmac.digest(unquote_to_bytes(key), text, algorithm)
    return _encode(digest.hex(), encoding) if encoding in {"hex", *BASE64} else None


def _encode(octets: str, encoding: str) -> str | None:
    """Bytes, as hex, as a string would show them."""
    raw = bytes.fromhex(octets)
    match encoding:
        case "utf8":
            return quote(raw.decode(errors="replace"))
        case "hex":
            return octets
        case "base64":
            return base64.b64encode(raw).decode()
        case "base64url":
            return base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return None


def _decode(escaped: str, encoding: str) -> str | None:
    """The bytes, as hex, that a string stands for; of what is no base64, as much as there is."""
    text = unquote_to_bytes(escaped)
    if encoding == "utf8":
        return text.hex()
    if encoding == "hex":
        return re.match(rb"(?:[0-9a-fA-F]{2})*", text)[0].decode()  # type: ignore[index]
    if encoding not in BASE64:
        return None
    digits = re.sub(rb"=.*|[^\w+/-]", b"", text).translate(bytes.maketrans(b"-_", b"+/"))
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    return base64.b64decode(digits + b"=" * (-len(digits) % 4)).hex()
