// Which plugin a configuration is of: `PluginConfig.role` of queue.proto.
import { broken, nextField, readFrom, readInt, skip } from './wire.ts';

export const ROLE_QUEUE: i32 = 1;
export const ROLE_TRY: i32 = 2;
export const ROLE_CONTROL: i32 = 3;
export const ROLE_GUARD: i32 = 4;
export const ROLE_GUARD_CONTROL: i32 = 5;

/** The role in a `PluginConfig`; 0: it cannot be read. */
export function readRole(at: usize, size: i32): i32 {
  let role = 0;
  readFrom(at, size);
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) role = readInt();
    else skip();
  }
  return broken ? 0 : role;
}
