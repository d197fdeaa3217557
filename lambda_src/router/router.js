// Decides at the edge which object a path means now. CloudFront Function, viewer-request,
// JavaScript runtime 2.0, with the site's KeyValueStore:
//
//   h:<host>               {"r": release, "n": buckets, "g": generation, "f": flags}, or {"to": host}
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
  const isFolder = path === '' || path.endsWith('/');
  const answer = isFolder ? await folder(request, head, path) : await file(request, head, path);
  if (answer) return answer;
  if (head.f.includes('s') && wantsPage(request, path)) {
    const app = await serve(request, head, 'index.html');
    if (app) return app;
  }
  // No such key exists, so the origin's 404 brings the error page with a true 404.
  request.uri = '/missing' + request.uri;
  return request;
}

async function folder(request, head, path) {
  const index = await serve(request, head, path + 'index.html');
  if (index || path === '') return index;
  const bare = path.slice(0, -1);
  const hash = await find(head, bare + '.html');
  return hash ? redirect('/' + encode(bare), request) : null;
}

async function file(request, head, path) {
  const own = await serve(request, head, path);
  if (own) return own;
  const page = await serve(request, head, path + '.html');
  if (page) return page;
  // With the slash the relative links of the folder's page work.
  const hash = await find(head, path + '/index.html');
  return hash ? redirect('/' + encode(path) + '/', request) : null;
}

async function serve(request, head, path) {
  const hash = await find(head, path);
  if (!hash) return null;
  request.uri = '/objects/' + hash + '/' + encode(path);
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
      'cache-control': { value: 'public, max-age=60' },
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
