// What the filter answers itself below `/.well-known/sluice/`, on the same listener as the requests that it is about. A question that
// this VM cannot answer goes to those of the other workers.
import { askOthers, JOB, REQUEST } from './asks.ts';
import { advance } from './flow.ts';
import {
  answer,
  begin,
  beginHeaders,
  enter,
  found,
  foundSize,
  getHeader,
  header,
  put,
  REQUEST_HEADERS,
  release,
  same,
  Text,
  text,
} from './host.ts';
import { finishJob } from './jobs.ts';
import { describeRequest } from './places.ts';

const PATH = text(':path');
const METHOD = text(':method');
const GET = text('GET');
const POST = text('POST');
const TOKEN = text('sluice-job-token');
const REQUESTS = text('/.well-known/sluice/requests/');
const JOBS = text('/.well-known/sluice/jobs/');
const DONE = text('/done');
const FAILED = text('/failed');
const CONTENT_TYPE = text('content-type');
const JSON_TYPE = text('application/json');
const CACHE_CONTROL = text('cache-control');
const NO_STORE = text('no-store');
/** What Envoy's access log and local replies know these answers by. */
const DETAILS = text('sluice_answer');

const SAY_NO_REQUEST = text('{"error":"not found","message":"No request with this id waits or runs here."}\n');
const SAY_NO_JOB = text('{"error":"not found","message":"No job with this id and sluice-job-token runs here."}\n');
const SAY_NO_TOKEN = text('{"error":"no token","message":"Send the sluice-job-token that came with the request."}\n');
const SAY_GET = text('{"error":"method not allowed","message":"Ask with GET."}\n');
const SAY_POST = text('{"error":"method not allowed","message":"Say it with POST."}\n');
const SAY_ENDED = text('{"state":"ended"}\n');

/** Longest question that goes to other workers. */
const ASK_MAX: i32 = 1024;
const ask: usize = heap.alloc(ASK_MAX);

/** Answers a request that goes to no service, if it is one for the filter. False: it is not. */
export function answerWellKnown(context: u32, now: f64): bool {
  if (!getHeader(REQUEST_HEADERS, PATH)) return false;
  const at = found;
  let size = 0;
  while (size < foundSize && load<u8>(at + size) !== 63 /* ? */) size++;
  let isOurs = true;
  if (beginsWith(at, size, REQUESTS)) answerRequest(context, at + REQUESTS.size, size - REQUESTS.size, now);
  else if (beginsWith(at, size, JOBS) && endsWith(at, size, DONE))
    answerJob(context, at + JOBS.size, size - JOBS.size - DONE.size, false, now);
  else if (beginsWith(at, size, JOBS) && endsWith(at, size, FAILED))
    answerJob(context, at + JOBS.size, size - JOBS.size - FAILED.size, true, now);
  else isOurs = false;
  release(at);
  return isOurs;
}

function beginsWith(at: usize, size: i32, prefix: Text): bool {
  return size > prefix.size && memory.compare(at, prefix.at, prefix.size) === 0;
}

function endsWith(at: usize, size: i32, suffix: Text): bool {
  return size > suffix.size && memory.compare(at + (size - suffix.size), suffix.at, suffix.size) === 0;
}

function answerRequest(context: u32, id: usize, size: i32, now: f64): void {
  begin();
  if (!isMethod(GET)) {
    put(SAY_GET);
    answerJson(405);
  } else if (describeRequest(id, size, now)) {
    answerJson(200);
  } else if (size > ASK_MAX || !askOthers(context, REQUEST, id, size, now)) {
    answerNotFound(REQUEST);
  }
}

function answerJob(context: u32, id: usize, size: i32, failed: bool, now: f64): void {
  begin();
  if (!isMethod(POST)) {
    put(SAY_POST);
    answerJson(405);
    return;
  }
  if (!getHeader(REQUEST_HEADERS, TOKEN)) {
    put(SAY_NO_TOKEN);
    answerJson(401);
    return;
  }
  const token = found;
  const tokenSize = foundSize;
  if (finishJob(id, size, token, tokenSize, failed, now)) {
    advance(now);
    enter(context);
    begin();
    put(SAY_ENDED);
    answerJson(200);
  } else if (!askAboutJob(context, id, size, token, tokenSize, failed, now)) {
    answerNotFound(JOB);
  }
  release(token);
}

/** A question about a job: whether it failed, the size of its token, the token, its name. */
function askAboutJob(context: u32, id: usize, size: i32, token: usize, tokenSize: i32, failed: bool, now: f64): bool {
  if (tokenSize > 255 || 2 + tokenSize + size > ASK_MAX) return false;
  store<u8>(ask, failed ? 1 : 0);
  store<u8>(ask + 1, tokenSize as u8);
  memory.copy(ask + 2, token, tokenSize);
  memory.copy(ask + 2 + tokenSize, id, size);
  return askOthers(context, JOB, ask, 2 + tokenSize + size, now);
}

/** Another worker asks: puts the answer together. False: it is not here. */
export function answerOther(kind: i32, at: usize, size: i32, now: f64): bool {
  if (kind === REQUEST) return describeRequest(at, size, now);
  const tokenSize = load<u8>(at + 1) as i32;
  const id = at + 2 + tokenSize;
  if (!finishJob(id, size - 2 - tokenSize, at + 2, tokenSize, load<u8>(at) !== 0, now)) return false;
  begin();
  put(SAY_ENDED);
  return true;
}

/** Nobody knows it. */
export function answerNotFound(kind: i32): void {
  begin();
  put(kind === REQUEST ? SAY_NO_REQUEST : SAY_NO_JOB);
  answerJson(404);
}

function isMethod(method: Text): bool {
  if (!getHeader(REQUEST_HEADERS, METHOD)) return false;
  const is = same(found, foundSize, method);
  release(found);
  return is;
}

/** Answers with the line that was put together. */
export function answerJson(status: i32): void {
  beginHeaders();
  header(CONTENT_TYPE, JSON_TYPE.at, JSON_TYPE.size);
  header(CACHE_CONTROL, NO_STORE.at, NO_STORE.size);
  answer(status, DETAILS, -1);
}
