#!/usr/bin/env node
// biome-ignore-all lint/style: read by Nodes of any age
// What `sluice` and `npx sluice` start. Every Node can read this file, so that one which is too old says so in one line
// instead of failing somewhere inside.
var version = process.versions.node.split('.').map(Number);
if (version[0] > 22 || (version[0] === 22 && version[1] >= 19)) {
  import('../dist/main.js');
} else {
  process.stderr.write(
    'Sluice needs Node 22.19 or newer, and this is Node ' + process.versions.node + ': see https://nodejs.org/\n',
  );
  process.exitCode = 1;
}
