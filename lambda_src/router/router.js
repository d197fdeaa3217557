// Decides at the edge which object a path means now. CloudFront Function, viewer-request,
// JavaScript runtime 2.0, with the site's KeyValueStore:
//
//   h:<host>               {"r": release, "n": buckets, "g": generation, "f": flags, "q": redirect
//                          rules, "p": protection}, or {"to": host}
//                          flags: s single-page application, m maintenance, x preview (noindex),
//                          a addresses of pages always end with a slash, n never; with neither,
//                          both as the files are
//   <generation>:<bucket>  records of 35 characters: digest of the path (9), release (4),
//                          object hash (22; dots when the path was deleted)
//   q:<name>:e<bucket>     redirect rules that name one path; "q" is name:buckets:chunks, and "!"
//   q:<name>:<chunk>       when a rule is forced. A rule is [order, source, target, status], the
//                          status negative when forced. Those of chunks have more: how long their
//                          source is up to the first placeholder or star, query, conditions
//   p:<name>:<chunk>       [path, salt, hash, key] of each password; "p" is name:chunks
//   p:form                 what asks for a password
//
// Releases are base-36 with four digits, so that the order of strings is the order of numbers.
//
// The runtime is ECMAScript 5.1 and chosen later features: no destructuring, no default arguments,
// no for-of, no spread, no ?. and ??, no async arrow functions, and nothing awaited inside an
// argument list.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html
import cf from 'cloudfront';

const crypto = require('crypto');

const store = cf.kvs();
const RECORD = 35;
// Tells headers.js which status a page shall have.
const STATUS = 'x-cloudadmin-status';
const SESSION = 604800; // seconds, a week

async function handler(event) {
  const request = event.request;
  delete request.headers[STATUS];
  const value = await read('h:' + valueOf(request, 'host').toLowerCase().replace(/:\d+$/, ''));
  if (value === null) return page(404, 'Nothing here yet', 'This address has no deployment yet.');
  const head = JSON.parse(value);
  if (head.to) return redirect(301, '//' + head.to + request.uri + queryOf(request));
  return answerTo({ request: request, head: head, path: decode(request.uri), locks: [] });
}

async function answerTo(visit) {
  const head = visit.head;
  if (has(head, 'm')) {
    const own = await find(head, 'maintenance.html');
    if (own) return serve(visit, 'maintenance.html', own, 503);
    return page(503, 'Back soon', 'This site is being worked on.');
  }
  if (visit.path === null) return page(400, 'Bad address', 'This address is not well-formed.');
  if (has(head, 'x') && visit.path === 'robots.txt') {
    return respond(200, 'plain', 'User-agent: *\nDisallow: /\n');
  }
  const shape = (head.p || ':0').split(':');
  for (let chunk = 0; chunk < shape[1]; chunk += 1) {
    const value = await read('p:' + shape[0] + ':' + chunk);
    // What cannot be read stops the visitor: null is no lock that a path could be compared with.
    visit.locks = visit.locks.concat(JSON.parse(value));
  }
  const locked = await guard(visit, visit.path);
  if (locked) return locked;

  const isForced = /!$/.test(head.q);
  let rule;
  let answer;
  if (isForced) rule = await ruleFor(visit);
  if (!rule || rule[3] > 0) answer = await route(visit);
  if (answer) return answer;
  if (head.q && !isForced) rule = await ruleFor(visit);
  if (rule) {
    answer = await follow(visit, rule);
  } else if (has(head, 's') && wantsPage(visit)) {
    answer = await rewrite(visit, '', 200);
  }
  if (answer) return answer;
  // No such key exists, so the origin's 404 brings the error page with a true 404.
  visit.request.uri = '/missing' + visit.request.uri;
  return visit.request;
}

// The file that an address means, or a redirect to the one address that the file has, or null.
async function route(visit) {
  const found = await meaning(visit.head, visit.path);
  if (!found) return null;
  const address = await addressOf(visit.head, visit.path, found.file);
  const locked = await guard(visit, found.file);
  if (locked) return locked;
  if (address === visit.path) return serve(visit, found.file, found.hash, 200);
  return redirect(301, '/' + encode(address) + queryOf(visit.request));
}

// The file of another address, or null.
async function rewrite(visit, path, status) {
  const found = await meaning(visit.head, path);
  if (!found) return null;
  const locked = await guard(visit, found.file);
  return locked || serve(visit, found.file, found.hash, status);
}

async function meaning(head, path) {
  const files = candidates(head, path);
  for (let i = 0; i < files.length; i += 1) {
    const hash = await find(head, files[i]);
    if (hash) return { file: files[i], hash: hash };
  }
  return null;
}

// What an address may mean, the likeliest first. Where about.html and about/index.html are both
// there, the one whose own address is nearer comes first.
function candidates(head, path) {
  if (path === '') return ['index.html'];
  if (path.endsWith('/')) {
    const pages = [path + 'index.html', path.slice(0, -1) + '.html'];
    return has(head, 'n') ? pages.reverse() : pages;
  }
  const pages = [path + '.html', path + '/index.html'];
  return [path].concat(has(head, 'a') ? pages.reverse() : pages);
}

// With a policy each page has one address; without, a file may also be asked for by its name, and
// a folder's page has a slash so that its relative links work. The rules are those of
// https://developers.cloudflare.com/workers/static-assets/routing/advanced/html-handling/
async function addressOf(head, path, file) {
  const policy = has(head, 'a') ? '/' : has(head, 'n') ? '' : null;
  if (policy === null && (file === path || file === path + '.html')) return path;
  const address = clean(file, policy);
  if (address === path) return path;
  const there = await meaning(head, address);
  // Another file has that address: this one is left with its name.
  return there && there.file === file ? address : file;
}

function clean(file, slash) {
  const page = /^(?:(.*[^/])\/)?index\.html$/.exec(file);
  if (page) return page[1] ? page[1] + (slash === null ? '/' : slash) : '';
  const name = /^(.*[^/])\.html$/.exec(file);
  return name ? name[1] + (slash || '') : file;
}

function serve(visit, file, hash, status) {
  visit.request.uri = '/objects/' + hash + '/' + encode(file);
  if (status !== 200) visit.request.headers[STATUS] = { value: String(status) };
  return visit.request;
}

// The hash of the path's object in the head's release, or '' for none.
async function find(head, path) {
  const digest = digestOf(path);
  const value = await read(head.g.toString(36) + ':' + bucketOf(digest, head.n));
  const records = value || '';
  let release = '';
  let hash = '';
  for (let at = 0; at < records.length; at += RECORD) {
    const candidate = records.slice(at + 9, at + 13);
    if (records.startsWith(digest, at) && candidate <= head.r && candidate > release) {
      release = candidate;
      hash = records.slice(at + 13, at + RECORD);
    }
  }
  return hash.startsWith('.') ? '' : hash;
}

function digestOf(path) {
  return crypto.createHash('sha256').update(path).digest('base64url').slice(0, 9);
}

// The first 18 bits, which are three digits of base64.
function bucketOf(digest, buckets) {
  const bits = Buffer.from(digest.slice(0, 4), 'base64url').toString('hex');
  return (parseInt(bits, 16) >> 6) % buckets;
}

// A missing key and a store that fails reject alike: only a missing key may become a 404.
async function read(key) {
  try {
    const value = await store.get(key);
    return value;
  } catch (error) {
    const exists = await store.exists(key);
    if (exists) throw error;
    return null;
  }
}

// The first redirect rule that matches, with its placeholders filled in, if any does. To rules,
// a path is the same with and without a slash at its end.
async function ruleFor(visit) {
  const shape = visit.head.q.split(':');
  const asked = visit.path.replace(/\/$/, '');
  let exact;
  if (shape[1] > 0) {
    const rows = await rowsOf('q:' + shape[0] + ':e' + bucketOf(digestOf(asked), shape[1]));
    exact = rows.find((rule) => rule[1] === asked);
  }
  for (let chunk = 0; chunk < shape[2]; chunk += 1) {
    const rows = await rowsOf('q:' + shape[0] + ':' + chunk);
    for (let i = 0; i < rows.length; i += 1) {
      if (exact && rows[i][0] > exact[0]) return exact;
      const rule = matched(visit.request, rows[i], asked);
      if (rule) return rule;
    }
  }
  return exact;
}

function matched(request, rule, asked) {
  // Most rules end here: there is about a millisecond for all of them.
  if (!asked.startsWith(rule[1].slice(0, rule[4]))) return null;
  const values = {};
  const names = asked.split('/');
  const parts = rule[1].split('/');
  const last = parts.length - 1;
  if (parts[last] === '*' && names.length >= last) {
    values[':splat'] = names.splice(last, names.length, '*').join('/');
  }
  const fits = names.length === parts.length && parts.every((part, i) => {
    if (!part.startsWith(':')) return part === names[i];
    values[part] = names[i];
    return names[i];
  });
  if (!fits || !asksFor(request, rule[5] || {}, values) || !meets(request, rule[6] || {})) {
    return null;
  }
  const moves = isRedirect(rule);
  const target = rule[2].replace(/:[A-Za-z_]\w*/g, (name) => {
    const value = name in values ? values[name] : name;
    return moves ? encode(value) : value;
  });
  // A rule that leads to where the visitor is would be a loop.
  if (moves && decode(target.replace(/\/?([?#].*)?$/, '')) === asked) return null;
  // Two slashes would lead to another host.
  return [rule[0], asked, target.replace(/^\/+/, moves ? '/' : ''), rule[3], rule[5]];
}

function asksFor(request, query, values) {
  return Object.keys(query).every((name) => {
    const field = request.querystring[name];
    if (!field || !('value' in field)) return false;
    const value = decode('/' + field.value.replace(/\+/g, ' ')) || '';
    if (!query[name].startsWith(':')) return value === query[name];
    values[query[name]] = value;
    return value !== '';
  });
}

// Of the languages, the one that the browser names first: the one that it likes best.
function meets(request, conditions) {
  const country = valueOf(request, 'cloudfront-viewer-country').toLowerCase();
  const language = valueOf(request, 'accept-language').toLowerCase().replace(/[\s;,].*/, '') + '-';
  return (!conditions.c || conditions.c.includes(country)) &&
    (!conditions.l || conditions.l.some((code) => language.startsWith(code + '-')));
}

function isRedirect(rule) {
  return /^-?3/.test(rule[3]);
}

function follow(visit, rule) {
  const status = Math.abs(rule[3]);
  if (!isRedirect(rule)) return rewrite(visit, rule[2], status);
  const keepsQuery = !rule[4] && !/[?#]/.test(rule[2]);
  return redirect(status, rule[2] + (keepsQuery ? queryOf(visit.request) : ''));
}

// Rules that have not arrived at this edge yet send nobody anywhere.
async function rowsOf(key) {
  const value = await read(key);
  return JSON.parse(value || '[]');
}

// What stands between the visitor and a path or file: the page that asks for the password, the
// session of who has just given it, or null.
async function guard(visit, path) {
  const asked = plain(path) + '/';
  let lock;
  visit.locks.forEach((other) => {
    const prefix = plain(other[0]);
    const isIn = !prefix || asked === prefix + '.html/' || asked.startsWith(prefix + '/');
    if (isIn && !(lock && plain(lock[0]).length > prefix.length)) lock = other;
  });
  if (!lock) return null;
  const request = visit.request;
  const name = 'cloudadmin-' + digestOf(lock[0]);
  const cookie = request.cookies[name] ? request.cookies[name].value : '';
  const now = Date.now();
  const end = parseInt(cookie, 10);
  if (end > now && same(cookie, session(lock, end))) return null;
  if (!knowsPassword(request, lock)) return refusal(request);
  if (!request.headers['x-cloudadmin-login']) return null;
  const answer = respond(204, 'plain', '');
  answer.cookies = {};
  answer.cookies[name] = {
    value: session(lock, now + SESSION * 1000),
    attributes: 'Path=/; Max-Age=' + SESSION + '; Secure; HttpOnly; SameSite=Lax',
  };
  return answer;
}

// Of an address however it is written: which letters are large, and which slashes and dots are
// too many, opens nothing.
function plain(path) {
  return path.toLowerCase().split('/').filter((name) => !/^\.{0,2}$/.test(name)).join('/');
}

function knowsPassword(request, lock) {
  const sent = /^Basic ([\w+/-]+)=*$/i.exec(valueOf(request, 'authorization'));
  if (!sent) return false;
  const password = Buffer.from(sent[1], 'base64').toString().replace(/^[^:]*:/, '');
  return same(hmac(lock[1], password, 'hex'), lock[2]);
}

// The key comes from the path, the salt and the hash: another password ends every session.
function session(lock, end) {
  return end + '.' + hmac(lock[3], String(end), 'base64url');
}

function hmac(key, text, encoding) {
  return crypto.createHmac('sha256', key).update(text).digest(encoding);
}

// Compared as digests, whose differences tell nothing about how much of a guess was right.
function same(guess, secret) {
  return hmac(secret, guess, 'hex') === hmac(secret, secret, 'hex');
}

// Browsers get a form; a challenge would open their own dialog, also for a mere picture.
async function refusal(request) {
  const form = await read('p:form');
  const answer = page(401, 'Password needed', form || '');
  const isBrowser = request.headers['sec-fetch-mode'] || /html/.test(valueOf(request, 'accept'));
  answer.headers['www-authenticate'] = { value: (isBrowser ? 'Form' : 'Basic') + ' realm="site"' };
  return answer;
}

function has(head, flag) {
  return head.f.includes(flag);
}

function valueOf(request, name) {
  return request.headers[name] ? request.headers[name].value : '';
}

function wantsPage(visit) {
  const name = visit.path.slice(visit.path.lastIndexOf('/') + 1);
  return !name.includes('.') && /text\/html|\*\/\*|^$/.test(valueOf(visit.request, 'accept'));
}

function decode(uri) {
  try {
    return decodeURIComponent(uri.slice(1));
  } catch (error) {
    return null;
  }
}

function encode(path) {
  return path.split('/').map(encodeURIComponent).join('/');
}

function redirect(status, location) {
  return {
    statusCode: status,
    headers: {
      'location': { value: location },
      // Kept by a browser, it would meet its own reverse when the site is changed: a loop.
      'cache-control': { value: 'no-cache' },
    },
  };
}

// CloudFront hands over names and values as they came, still encoded.
function queryOf(request) {
  const pairs = [];
  const fields = request.querystring;
  Object.keys(fields).forEach((name) => {
    const items = fields[name].multiValue || [fields[name]];
    items.forEach((item) => pairs.push(item.value ? name + '=' + item.value : name));
  });
  return pairs.length ? '?' + pairs.join('&') : '';
}

function page(status, title, text) {
  const answer = respond(status, 'html',
    '<!doctype html><html lang="en"><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width"><title>' + title + '</title><style>' +
    ':root{color-scheme:light dark;font:1.1rem/1.6 system-ui}body{max-width:32rem;' +
    'margin:20vh auto;padding:0 1.5rem}</style><h1>' + title + '</h1><p>' + text);
  // Its own, since the site's would forbid the page what it is made of.
  answer.headers['content-security-policy'] = {
    value: "default-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
  };
  if (status === 503) answer.headers['retry-after'] = { value: '300' };
  return answer;
}

function respond(status, type, text) {
  return {
    statusCode: status,
    headers: {
      'content-type': { value: 'text/' + type + '; charset=utf-8' },
      'cache-control': { value: 'no-store' },
    },
    body: { encoding: 'text', data: text },
  };
}
