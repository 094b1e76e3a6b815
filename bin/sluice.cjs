#!/usr/bin/env node
// biome-ignore-all lint/style: read by Nodes of any age
// What `sluice` and `npx sluice` start. Every Node can read this file, so that one which is too old says so in one line
// instead of failing somewhere inside.
var version = process.versions.node.split('.').map(Number);
if (version[0] > 22 || (version[0] === 22 && version[1] >= 19)) {
  // V8 lets the space for new objects grow to 3 x 16 MB and more and keeps it, for a process that is idle nearly always. At
  // its first size a Sluice with 1,000 services of 10 pods has 185 MB in place of 285, and 5 % more to do at its start. V8
  // looks this up whenever that space would grow: it must be set before anything is loaded.
  require('node:v8').setFlagsFromString('--semi-space-growth-factor=1');
  import('../dist/main.js');
} else {
  process.stderr.write(
    'Sluice needs Node 22.19 or newer, and this is Node ' + process.versions.node + ': see https://nodejs.org/\n',
  );
  process.exitCode = 1;
}
