import type { Command } from 'commander';
import { addBootstrap } from './bootstrap.ts';
import { addCompletion } from './completion.ts';
import { addDemoPod } from './demo-pod.ts';
import { addExplain } from './explain.ts';
import { addImport } from './import.ts';
import { addInit } from './init.ts';
import { addDrain, addForget, addPause, addResume, addUndrain } from './orders.ts';
import { addQueue } from './queue.ts';
import { addRender } from './render.ts';
import { addRun } from './run.ts';
import { addSchema } from './schema.ts';
import { addServe } from './serve.ts';
import { addStatus } from './status.ts';
import { addValidate } from './validate.ts';

/** Adds every command of `sluice`, in the order in which its help names them. */
export function addCommands(program: Command): void {
  const all = [
    addRun,
    addServe,
    addInit,
    addImport,
    addValidate,
    addExplain,
    addRender,
    addBootstrap,
    addStatus,
    addQueue,
    addPause,
    addResume,
    addDrain,
    addUndrain,
    addForget,
    addSchema,
    addCompletion,
    addDemoPod,
  ];
  for (const add of all) add(program);
}
