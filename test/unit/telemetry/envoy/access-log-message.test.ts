import { expect, test } from 'vitest';
import { envoy } from '#xds';
import { SERVICE_TAG as TAG_IN_ENVOY } from '../../../../src/dataplane/contract.ts';
import { FLAG } from '../../../../src/telemetry/envoy/access-log-entry.ts';
import { readLogMessage, SERVICE_TAG } from '../../../../src/telemetry/envoy/access-log-message.ts';

const { StreamAccessLogsMessage } = envoy.service.accesslog.v3;
const { AccessLogType, ResponseFlags } = envoy.data.accesslog.v3;
type Entry = envoy.data.accesslog.v3.HTTPAccessLogEntry.$Properties;

function read(logEntry: Entry[], logName?: string) {
  const identifier = logName === undefined ? {} : { identifier: { node: { id: 'edge' }, logName } };
  return readLogMessage(StreamAccessLogsMessage.encode({ ...identifier, httpLogs: { logEntry } }).finish());
}

const common: NonNullable<Entry['commonProperties']> = {
  downstreamRemoteAddress: { socketAddress: { address: '10.0.0.1', portValue: 5 } },
  startTime: { seconds: 1_795_255_454, nanos: 660_500_000 },
  customTags: { other: 'x', [SERVICE_TAG]: 'codec' },
  routeName: 'routes[0]',
};
const sentOn = { timeToFirstUpstreamTxByte: { seconds: 1, nanos: 250_000 } };
const request = { path: '/x', requestId: 'abc' };

test('a request waits, gets its turn, and ends', () => {
  const { identifier, entries } = read(
    [
      { commonProperties: { ...common, accessLogType: AccessLogType.DownstreamPeriodic }, request, response: {} },
      { commonProperties: { ...common, accessLogType: AccessLogType.UpstreamPoolReady }, request },
      { commonProperties: { ...common, accessLogType: AccessLogType.UpstreamEnd }, request },
      {
        commonProperties: {
          ...common,
          accessLogType: AccessLogType.DownstreamEnd,
          ...sentOn,
          duration: { seconds: 3600, nanos: 500_000_000 },
        },
        request,
        response: { responseCode: { value: 200 }, responseCodeDetails: 'via_upstream' },
      },
    ],
    'requests',
  );
  const who = { service: 'codec', requestId: 'abc', startedAt: 1_795_255_454_660.5 };
  expect(identifier).toEqual({ nodeId: 'edge', logName: 'requests' });
  expect(entries).toEqual([
    { kind: 'waits', ...who },
    { kind: 'admitted', ...who },
    { kind: 'failed', ...who },
    { kind: 'ended', ...who, waitMs: 1000.25, durationMs: 3_600_500, status: 200, details: 'via_upstream', flags: 0 },
  ]);
});

test('each flag stands where Envoy puts it; what is not set stands for nothing', () => {
  for (const [name, bit] of Object.entries(FLAG)) {
    const responseFlags = ResponseFlags.create({ noHealthyUpstream: false });
    const set = { ...responseFlags, unauthorizedDetails: { reason: 1 }, [FIELDS[name] ?? name]: true };
    const { entries } = read([
      { commonProperties: { responseFlags: set, accessLogType: AccessLogType.DownstreamEnd } },
    ]);
    expect(entries, name).toMatchObject([{ flags: bit, waitMs: undefined, status: 0, service: '', requestId: '' }]);
  }
});

/** Where Envoy's name is another one. */
const FIELDS: Readonly<Record<string, string>> = { maxStreamDuration: 'upstreamMaxStreamDurationReached' };

test('other entries, other logs and later messages are no fault', () => {
  expect(read([{ commonProperties: { accessLogType: AccessLogType.DownstreamStart } }])).toEqual({
    identifier: undefined,
    entries: [],
  });
  expect(readLogMessage(StreamAccessLogsMessage.encode({ tcpLogs: {} }).finish()).entries).toEqual([]);
  expect(readLogMessage(new Uint8Array())).toEqual({ identifier: undefined, entries: [] });
});

test('bytes that are no such message throw', () => {
  expect(() => readLogMessage(Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0xff, 0x0f, 1))).toThrow();
});

test('the tag is the one that is asked of Envoy', () => {
  expect(SERVICE_TAG).toBe(TAG_IN_ENVOY);
});

test('of one that ended before it could be told of nobody needs the id; details are told as they are', () => {
  const ended = (ms: number, responseCodeDetails: string) => ({
    // As no Envoy would write it: the request before the rest.
    request,
    response: { responseCodeDetails },
    commonProperties: { accessLogType: AccessLogType.DownstreamEnd, duration: { nanos: ms * 1e6 } },
  });
  const { entries } = read([ended(200, 'via_upstream'), ended(499, 'via_upstreaM'), ended(600, '')]);
  expect(entries).toMatchObject([
    { requestId: '', details: 'via_upstream' },
    { requestId: 'abc', details: 'via_upstreaM' },
    { requestId: 'abc', details: '' },
  ]);
});
