import { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { type Logger as PinoLogger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { LogDestination } from './log-destination.ts';

/** Where everything that happens is told, once, with fields. */
export type Logger = PinoLogger;

/** The levels a user may ask for. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** One of `LOG_LEVELS`. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A logger to standard error: readable lines on a terminal, one JSON object a line elsewhere. */
export function makeLogger(level: LogLevel): Logger {
  const options = { level, base: null };
  const destination = new LogDestination();
  if (!isatty(2)) return pino({ ...options, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  const terminal = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      destination.write(String(chunk));
      done();
    },
  });
  return pino(
    options,
    PinoPretty({ destination: terminal, translateTime: 'HH:MM:ss.l', colorize: true, singleLine: true }),
  );
}
