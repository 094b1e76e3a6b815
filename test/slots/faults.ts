/** A line of the two step machines made wrong, to show that the simulation would notice. */
export interface PlantedFault {
  readonly name: string;
  /** A file by its end, and each text of it (found exactly once) with what stands there instead. */
  readonly file: string;
  readonly changes: readonly (readonly [right: string, wrong: string])[];
}

const COORDINATOR = 'src/slots/coordinator.ts';
const MEMBER = 'envoy/filter/shares.ts';
const QUEUE = 'envoy/filter/queue.ts';
const NODE = 'test/slots/node.ts';
const WORLD = 'test/slots/world.ts';

/** Faults that random steps find. */
export const FAULTS: readonly PlantedFault[] = [
  {
    name: 'slots are taken back when a stream breaks',
    file: COORDINATOR,
    changes: [
      [
        'this.forgetWaiting(member);\n    this.settleAll();',
        'this.forgetWaiting(member);\n    member.shares.clear();\n    this.settleAll();',
      ],
    ],
  },
  {
    name: 'what has arrived at a member stays on its way',
    file: COORDINATOR,
    changes: [['for (const share of arrived) share.onTheirWay--;', '']],
  },
  {
    name: 'what was on its way on an old stream stays there',
    file: COORDINATOR,
    changes: [
      [
        'member.onTheirWay = hello.tellsReceived === true ? [] : undefined;',
        'member.onTheirWay ??= hello.tellsReceived === true ? [] : undefined;',
      ],
    ],
  },
  {
    name: 'who was not asked for idle slots first is never asked',
    file: COORDINATOR,
    changes: [
      ['        if (service.more > this.askFirst) service.askedAll = true;\n', ''],
      ['        service.more += ASK_NEXT;\n', ''],
    ],
  },
  {
    name: 'what a member was told of others is enough for ever',
    file: COORDINATOR,
    changes: [['if (share.told > oldest) return false;', '']],
  },
  {
    name: 'a member that was given up may come back',
    file: COORDINATOR,
    changes: [['if (this.dead.has(hello.member)) {', 'if (this.term < 0) {']],
  },
  {
    name: 'an old hello is believed',
    file: COORDINATOR,
    changes: [['if (hello.stream <= member.stream) return;', '']],
  },
  {
    name: 'a hello adds to what was known',
    file: COORDINATOR,
    changes: [
      ['this.dropShares(member);\n    member.shares.clear();', ''],
      ['share.held = new Map(held);', 'for (const [pod, slots] of held) add(share.held, pod, slots);'],
    ],
  },
  {
    name: 'the coordinator reads old streams',
    file: COORDINATOR,
    changes: [
      [
        'if (member.connection !== undefined) this.connections.delete(member.connection);',
        'if (member.connection !== undefined) { this.old.set(member.connection, member); this.connections.delete(member.connection); }',
      ],
      [
        'private readonly dead = new Set<MemberKey>();',
        'private readonly dead = new Set<MemberKey>(); private readonly old = new Map<number, Member>();',
      ],
      [
        'const member = this.connections.get(connection);\n    if (member === undefined) return;\n    const service',
        'const member = this.connections.get(connection) ?? this.old.get(connection);\n    if (member === undefined) return;\n    const service',
      ],
    ],
  },
  {
    name: 'slots are made before everybody has said hello',
    file: COORDINATOR,
    changes: [['return this.configured && this.missing?.size === 0;', 'return this.configured;']],
  },
  {
    name: 'a recall is split among the members',
    file: COORDINATOR,
    changes: [
      [
        'const slots = Math.min(held, (excess.get(pod) ?? 0) + moves);',
        'const slots = Math.min(held, excess.get(pod) ?? 0); (excess as Map<string, number>).set(pod, (excess.get(pod) ?? 0) - slots);',
      ],
    ],
  },
  {
    name: 'slots are given for endpoints that the Envoy does not have',
    file: COORDINATOR,
    changes: [['return share.usable.has(pod);', 'return true;']],
  },
  {
    name: 'a member reads old streams',
    file: MEMBER,
    changes: [['return stream === this.stream;', 'return stream <= this.stream;']],
  },
  { name: 'a member accepts an old term', file: MEMBER, changes: [['if (term < this.term) {', 'if (term < 0) {']] },
  {
    name: 'a slot that is called back is started',
    file: QUEUE,
    changes: [
      [
        'const idle = this.podHeld.get(p) - this.used(p) - this.podOwed.get(p);',
        'const idle = this.podHeld.get(p) - this.used(p);',
      ],
    ],
  },
  {
    name: 'another try needs no slot that is held',
    file: QUEUE,
    changes: [['slots = this.podHeld.get(p) - this.used(p) - this.podOwed.get(p);', 'slots = 1;']],
  },
  {
    name: 'nobody is told that a try needs a slot',
    file: QUEUE,
    changes: [
      [
        'this.nameAnew(r);\n    this.noteJoined(r);\n    if (this.hasCosts)',
        'this.nameAnew(r);\n    if (this.hasCosts)',
      ],
    ],
  },
  {
    name: 'a slot in use is free',
    file: QUEUE,
    changes: [
      [
        'const idle = this.podHeld.get(p) - this.used(p) - this.podOwed.get(p);',
        'const idle = this.podHeld.get(p) - this.podOwed.get(p);',
      ],
    ],
  },
  {
    name: 'a grant starts nobody while older ones wait elsewhere',
    file: MEMBER,
    changes: [['if (this.queues.isWaiting(r)) this.queues.pass(s);', '']],
  },
  {
    name: 'a slot in use is given back',
    file: MEMBER,
    changes: [
      [
        'while (this.queues.owed(p) > 0 && this.isIdle(p)) this.release(s, p);',
        'while (this.queues.owed(p) > 0 && this.queues.held(p) > 0) this.release(s, p);',
      ],
    ],
  },
  {
    name: 'a release is lost without a break',
    file: MEMBER,
    changes: [
      [
        '    this.message(RELEASED, s, 0, 0, p);',
        '    if (this.messageCount % 3 !== 0) this.message(RELEASED, s, 0, 0, p);',
      ],
    ],
  },
  {
    name: 'a hello tells idle slots only',
    file: NODE,
    changes: [
      [
        'const held = pods.flatMap((pod, i) => (this.held(s, i) > 0 ? [[pod, this.held(s, i)] as const] : []));',
        'const held = pods.flatMap((pod, i) => { const idle = this.held(s, i) - this.used(s, i); return idle > 0 ? [[pod, idle] as const] : []; });',
      ],
    ],
  },
  {
    name: 'the register is read before the term is won',
    file: WORLD,
    changes: [
      [
        "this.seen('terms');",
        "this.seen('terms'); this.readRegisterOf(process, this.early); this.early = [...this.registered];",
      ],
      ['private readonly dead: string[] = [];', 'private readonly dead: string[] = []; private early: string[] = [];'],
    ],
  },
  {
    name: 'a new member does not read the term',
    file: WORLD,
    changes: [['member.node.readTerm(this.term);', '']],
  },
];

/** A fault that random steps do not find: it needs a dead member, two coordinators and an order of its own (`runDeposed`). */
export const DEPOSED: PlantedFault = {
  name: 'slots are made without a proof of the term',
  file: COORDINATOR,
  changes: [['if (!this.lease) {', 'if (this.term > 0) {']],
};

const WORKERS = 'envoy/filter/workers.ts';
const MEMBERSHIP = 'envoy/filter/membership.ts';
const VM = 'test/slots/vm.ts';

/** Faults in what the workers of one Envoy share. Random steps find them. */
export const WORKER_FAULTS: readonly PlantedFault[] = [
  {
    name: 'a request that takes several slots is given one',
    file: WORKERS,
    changes: [['if (j === this.mine) this.takeSlots(row, cost);', 'if (j === this.mine) this.takeSlots(row, 1);']],
  },
  {
    name: 'slots that a request could not take are not given back',
    file: VM,
    changes: [['while (this.queues.takeGivenBack() && some);', 'while (false);']],
  },
  {
    name: 'a worker writes over what another one wrote',
    file: VM,
    changes: [['if (this.get(key).cas !== cas) return false;', '']],
  },
  {
    name: 'a worker takes a slot without having said so',
    file: WORKERS,
    changes: [['+ this.granted.get(row) + this.claimed.get(row);', '+ this.claimed.get(row);']],
  },
  {
    name: 'a worker does not say that it took a slot for a further try',
    file: WORKERS,
    changes: [['+ this.granted.get(row) + this.claimed.get(row);', '+ this.granted.get(row);']],
  },
  {
    name: 'a worker that does not come is waited for',
    file: WORKERS,
    changes: [['(since > 0 && now < since + PATIENCE_MS)', 'since > 0']],
  },
  {
    name: 'a worker that a slot is left for is not woken',
    file: WORKERS,
    changes: [['this.wakes.set(this.wakeCount++, this.cells.get(at + NUMBER));', '']],
  },
  {
    name: 'a worker that came is not woken again',
    file: WORKERS,
    changes: [['this.write(at + WOKEN_AT, this.membership.active ? 0 : -1);', '']],
  },
  {
    name: 'a worker that may not take slots yet is waited for',
    file: WORKERS,
    changes: [['return since === 0 ||', 'return since <= 0 ||']],
  },
  {
    name: 'slots that others use do not count',
    file: WORKERS,
    changes: [
      ['      used += cell >> USED_SHIFT;', '      if (at === this.cellAt(i, this.mine)) used += cell >> USED_SHIFT;'],
    ],
  },
  {
    name: 'a worker takes slots before the others have said what they use',
    file: WORKERS,
    changes: [['if (j === this.mine) return this.membership.active;', 'if (j === this.mine) return true;']],
  },
  {
    name: 'a filter that was replaced does not say what it uses',
    file: VM,
    changes: [
      [
        'this.workers.retired = true;\n    if (!this.queues.shared) yield* this.publish(now);',
        'this.workers.retired = true;',
      ],
    ],
  },
  {
    name: 'a worker that was alone says it shares before it does',
    file: MEMBERSHIP,
    changes: [['shares && this.countOf() > 1 ? SHARES : ALONE', 'this.countOf() > 1 ? SHARES : ALONE']],
  },
  {
    name: 'a worker that is not known yet counts as gone',
    file: MEMBERSHIP,
    changes: [['if (number >= this.nextNumber) return false;', '']],
  },
  {
    name: 'members that left are never forgotten',
    file: MEMBERSHIP,
    changes: [['if (number >= this.nextNumber) return false;', 'if (number > 0) return false;']],
  },
  {
    name: 'pods that others use are forgotten',
    file: WORKERS,
    changes: [['if (this.isKept(i)) continue;', 'if (this.podOfRow.get(i) !== NONE) continue;']],
  },
  {
    name: 'a new limit is not told to the others',
    file: WORKERS,
    changes: [['(this.queues.isNews(p) && !this.retired)', 'this.rows < 0']],
  },
  {
    name: 'a free slot is not told to the others',
    file: QUEUE,
    changes: [
      [
        '    this.podDirty.set(p, 1);\n    this.ready(s);\n    this.unshared(s);',
        '    this.podDirty.set(p, 1);\n    this.ready(s);',
      ],
    ],
  },
];
