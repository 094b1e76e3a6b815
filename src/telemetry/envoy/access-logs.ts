import {
  type ServerReadableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { type NodeGuard, openToAll } from '../../base/node-guard.ts';
import { rawMethod } from '../../base/raw-method.ts';
import type { LogEntry } from './access-log-entry.ts';
import { readLogMessage } from './access-log-message.ts';

/** One access log stream of one Envoy. */
export interface LogStream {
  /** Tells the streams of this process apart. */
  readonly id: number;
  /** The Envoy's. */
  readonly nodeId: string;
  /** Which of Envoy's logs it is. */
  readonly logName: string;
}

/** Who gets what the streams say. None of these may throw. */
export interface AccessLogsOptions {
  /** Whose logs are taken; everybody's by default. */
  readonly guard?: NodeGuard;
  /** In the order in which Envoy wrote them. */
  readonly onEntries: (entries: readonly LogEntry[], stream: LogStream) => void;
  /** A stream has begun: what happened before it is not known. */
  readonly onOpen?: (stream: LogStream) => void;
  /** A stream has ended: what is on its way in this Envoy is not known any more. */
  readonly onClosed?: (stream: LogStream) => void;
}

const PATH = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';

type Call = ServerReadableStream<Buffer, Buffer>;

const EMPTY = Buffer.alloc(0);

/**
 * Envoy's access log service. Envoy never waits for it: it keeps a buffer of the size it was told, and drops entries
 * (counted in its `access_logs.grpc_access_log.logs_dropped`) when that is full.
 */
export class AccessLogs {
  readonly definition: ServiceDefinition = { StreamAccessLogs: rawMethod(PATH, 'requests') };
  readonly implementation: UntypedServiceImplementation = {
    StreamAccessLogs: (call: Call, done: sendUnaryData<Buffer>) => this.#open(call, done),
  };
  readonly #options: AccessLogsOptions;
  /** Open streams, with how to end them. */
  readonly #streams = new Map<Call, { readonly done: sendUnaryData<Buffer>; stream: LogStream | undefined }>();
  #opened = 0;

  constructor(options: AccessLogsOptions) {
    this.#options = options;
  }

  /** Ends all streams in order: the server is about to stop. */
  end(): void {
    for (const [call, { done }] of [...this.#streams]) {
      this.#close(call);
      done(null, EMPTY);
    }
  }

  #open(call: Call, done: sendUnaryData<Buffer>): void {
    this.#streams.set(call, { done, stream: undefined });
    call.on('data', (bytes: Buffer) => this.#receive(call, bytes));
    call.on('end', () => {
      if (!this.#streams.has(call)) return;
      this.#close(call);
      done(null, EMPTY);
    });
    for (const event of ['cancelled', 'error', 'close']) call.on(event, () => this.#close(call));
  }

  #receive(call: Call, bytes: Buffer): void {
    const known = this.#streams.get(call);
    if (known === undefined) return;
    try {
      const { identifier: { nodeId, logName } = { nodeId: '', logName: '' }, entries } = readLogMessage(bytes);
      if (known.stream === undefined) {
        const refusal = (this.#options.guard ?? openToAll)(call, nodeId);
        if (refusal !== undefined) {
          this.#close(call);
          known.done({ code: status.PERMISSION_DENIED, details: refusal });
          return;
        }
        known.stream = { id: this.#opened++, nodeId, logName };
        this.#options.onOpen?.(known.stream);
      }
      this.#options.onEntries(entries, known.stream);
    } catch (error) {
      this.#close(call);
      const details = `not a StreamAccessLogsMessage: ${error instanceof Error ? error.message : String(error)}`;
      known.done({ code: status.INVALID_ARGUMENT, details });
    }
  }

  #close(call: Call): void {
    const stream = this.#streams.get(call)?.stream;
    if (this.#streams.delete(call) && stream !== undefined) this.#options.onClosed?.(stream);
  }
}
