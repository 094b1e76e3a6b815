import { type Logger as PinoLogger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';

/** Where everything that happens is told, once, with fields. */
export type Logger = PinoLogger;

/** The levels a user may ask for. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** One of `LOG_LEVELS`. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A logger to standard error: readable lines on a terminal, one JSON object a line elsewhere. */
export function makeLogger(level: LogLevel): Logger {
  const options = { level, base: null };
  if (!process.stderr.isTTY) return pino({ ...options, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
  return pino(
    options,
    PinoPretty({ destination: 2, sync: true, translateTime: 'HH:MM:ss.l', colorize: true, singleLine: true }),
  );
}
