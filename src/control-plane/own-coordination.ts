import type { Coordination } from '../slots/coordination.ts';
import type { MemberRegister } from '../slots/register.ts';

/**
 * What a Sluice without a Lease is for the slots that several share. `coordinator` is the address that it is told to follow; `none`: it
 * is alone, or coordinates, whatever was before; undefined: the same, unless an earlier start followed another one. Envoys that came by
 * others may have slots of the same pods then, and nobody here knows which: it must not make any. So it is where what was kept cannot be read.
 */
export function ownCoordination(register: MemberRegister, coordinator: string | undefined): Coordination {
  const { followed, unreadable } = register;
  if (coordinator === undefined && unreadable !== undefined)
    return { kind: 'unknown', unreadable: { ...unreadable, begin: () => alone(register) } };
  if (coordinator === undefined && followed !== undefined) return { kind: 'unknown', followed };
  const address = coordinator === 'none' ? undefined : coordinator;
  register.follow(address);
  if (address !== undefined) return { kind: 'follows', address };
  return alone(register);
}

function alone(register: MemberRegister): Coordination {
  return { kind: 'alone', takeTerm: (now) => register.takeTerm(now) };
}
