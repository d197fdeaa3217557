// Decides at the edge which object a path means now. CloudFront Function, viewer-request,
// JavaScript runtime 2.0, with the site's KeyValueStore:
//
//   h:<host>               {"r": release, "n": buckets, "g": generation, "f": flags}, or {"to": host}
//                          flags: s single-page application, m maintenance, a addresses of pages
//                          always end with a slash, n never; with neither, both as the files are
//   <generation>:<bucket>  records of 35 characters: digest of the path (9), release (4),
//                          object hash (22; dots when the path was deleted)
//
// Releases are base-36 with four digits, so that the order of strings is the order of numbers.
//
// The runtime is ECMAScript 5.1 and chosen later features: no destructuring, no default arguments,
// no for-of, and nothing awaited inside an argument list.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html
import cf from 'cloudfront';

const crypto = require('crypto');

const store = cf.kvs();
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const RECORD = 35;

async function handler(event) {
  const request = event.request;
  const value = await read('h:' + hostOf(request));
  if (value === null) {
    return page(404, 'Not Found', 'Nothing here yet', 'This address has no deployment yet.');
  }
  const head = JSON.parse(value);
  if (head.to) {
    return redirect('//' + head.to + request.uri, request);
  }
  if (head.f.includes('m')) {
    return page(503, 'Service Unavailable', 'Back soon', 'This site is being worked on.');
  }
  const path = decode(request.uri);
  if (path === null) {
    return page(400, 'Bad Request', 'Bad address', 'This address is not well-formed.');
  }
  const answer = await route(request, head, path);
  if (answer) return answer;
  if (head.f.includes('s') && wantsPage(request, path)) {
    const hash = await find(head, 'index.html');
    if (hash) return serve(request, 'index.html', hash);
  }
  // No such key exists, so the origin's 404 brings the error page with a true 404.
  request.uri = '/missing' + request.uri;
  return request;
}

// The file that an address means, or a redirect to the one address that the file has, or null.
async function route(request, head, path) {
  const found = await meaning(head, path);
  if (!found) return null;
  const address = await addressOf(head, path, found.file);
  if (address !== path) return redirect('/' + encode(address), request);
  return serve(request, found.file, found.hash);
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
    return head.f.includes('n') ? pages.reverse() : pages;
  }
  const pages = [path + '.html', path + '/index.html'];
  return [path].concat(head.f.includes('a') ? pages.reverse() : pages);
}

// With a policy each page has one address; without, a file may also be asked for by its name, and
// a folder's page has a slash so that its relative links work. The rules are those of
// https://developers.cloudflare.com/workers/static-assets/routing/advanced/html-handling/
async function addressOf(head, path, file) {
  const policy = head.f.includes('a') ? '/' : head.f.includes('n') ? '' : null;
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

function serve(request, file, hash) {
  request.uri = '/objects/' + hash + '/' + encode(file);
  return request;
}

// The hash of the path's object in the head's release, or '' for none.
async function find(head, path) {
  const digest = crypto.createHash('sha256').update(path).digest('base64url').slice(0, 9);
  const number = (DIGITS.indexOf(digest[0]) * 64 + DIGITS.indexOf(digest[1])) * 64 +
    DIGITS.indexOf(digest[2]);
  const value = await read(head.g.toString(36) + ':' + (number % head.n));
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

function hostOf(request) {
  return request.headers.host.value.toLowerCase().replace(/:\d+$/, '');
}

function wantsPage(request, path) {
  const accept = request.headers.accept ? request.headers.accept.value : '*/*';
  const name = path.slice(path.lastIndexOf('/') + 1);
  return !name.includes('.') && /text\/html|\*\/\*/.test(accept);
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

function redirect(location, request) {
  return {
    statusCode: 301,
    statusDescription: 'Moved Permanently',
    headers: {
      'location': { value: location + queryOf(request) },
      // Kept by a browser, it would meet its own reverse when the site is changed: a loop.
      'cache-control': { value: 'no-cache' },
    },
  };
}

// CloudFront hands over names and values as they came, still encoded.
function queryOf(request) {
  const pairs = [];
  const fields = request.querystring || {};
  Object.keys(fields).forEach((name) => {
    const items = fields[name].multiValue || [fields[name]];
    items.forEach((item) => pairs.push(item.value ? name + '=' + item.value : name));
  });
  return pairs.length ? '?' + pairs.join('&') : '';
}

function page(status, description, title, text) {
  const headers = {
    'content-type': { value: 'text/html; charset=utf-8' },
    'cache-control': { value: 'no-store' },
  };
  if (status === 503) headers['retry-after'] = { value: '300' };
  return {
    statusCode: status,
    statusDescription: description,
    headers: headers,
    body: {
      encoding: 'text',
      data: '<!doctype html><html lang="en"><meta charset="utf-8">' +
        '<meta name="viewport" content="width=device-width"><title>' + title + '</title>' +
        '<style>body{font:1.1rem/1.6 system-ui;max-width:32rem;margin:20vh auto;padding:0 1.5rem}' +
        '@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}</style>' +
        '<h1>' + title + '</h1><p>' + text + '</p>',
    },
  };
}
