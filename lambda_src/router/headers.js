// Gives each answer its own headers on the way out. CloudFront Function, viewer-response,
// JavaScript runtime 2.0; the same store and the same head as in router.js.
//
// A file's headers come from S3 as metadata, {name: value} as JSON. What the host's head says is
// read from the store, for AWS documents that a function sees the viewer's request, which would
// not have what the router changed. In practice it sees the changed one, and the status that a
// redirect rule asks for has no other way here: were it lost, the page would be there with a 200.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
//
// CloudFront does not run it for what the router answers itself, nor for an error of the origin.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html
import cf from 'cloudfront';

const store = cf.kvs();
// To set one of these makes CloudFront answer 502 (the same page).
const REFUSED = new RegExp(
  '^(connection|content-(encoding|length)|expect|keep-alive|set-cookie|te|trailer|' +
  'transfer-encoding|upgrade|via|warning|x-cache|x-forwarded-proto|x-real-ip|' +
  '(proxy|x-accel|x-amz-cf|x-amzn|x-edge)-.*)$'
);

async function handler(event) {
  const response = event.response;
  const headers = response.headers;
  const own = headers['x-amz-meta-headers'];
  delete headers['x-amz-meta-headers'];
  if (own && own.value.startsWith('{')) setAll(headers, own.value);
  const host = event.request.headers.host.value.toLowerCase().replace(/:\d+$/, '');
  const head = await headOf(host);
  const flags = head.f || '';
  if (flags.includes('x')) headers['x-robots-tag'] = { value: 'noindex' };
  // Nobody but the visitor may keep it, and not without asking whether the password still holds.
  if (head.p) headers['cache-control'] = { value: 'private, no-cache' };
  const asked = event.request.headers['x-cloudadmin-status'];
  const status = flags.includes('m') ? 503 : asked ? parseInt(asked.value, 10) : 200;
  if (status !== 200 && response.statusCode === 200) {
    response.statusCode = status;
    delete response.statusDescription;
    headers['cache-control'] = { value: 'no-store' };
    delete headers.etag;
    delete headers['last-modified'];
    if (status === 503) headers['retry-after'] = { value: '300' };
  }
  if (head.r && isPage(response)) nameRelease(headers, head.r);
  return response;
}

// A 304 of S3 or CloudFront may come without its type, and gives what a browser keeps new headers.
// https://www.rfc-editor.org/rfc/rfc9110#section-15.4.5
function isPage(response) {
  const type = response.headers['content-type'];
  return type ? /^text\/html\b/i.test(type.value) : response.statusCode === 304;
}

// Which release a page is of: its script can read this header, and tells the counter.
// https://www.w3.org/TR/server-timing/
function nameRelease(headers, key) {
  const own = headers['server-timing'];
  const release = 'd;desc="' + parseInt(key, 36) + '"';
  headers['server-timing'] = { value: own ? own.value + ', ' + release : release };
}

function setAll(headers, json) {
  try {
    const values = JSON.parse(json);
    Object.keys(values).forEach((name) => {
      if (!REFUSED.test(name)) headers[name] = { value: values[name] };
    });
  } catch (error) {
    // Not ours: somebody else's metadata of the same name.
  }
}

async function headOf(host) {
  try {
    const value = await store.get('h:' + host);
    return JSON.parse(value);
  } catch (error) {
    return {};
  }
}
