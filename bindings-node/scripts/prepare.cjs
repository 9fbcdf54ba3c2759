'use strict';
// Builds the native module where this package stands in its workspace (npm install ./bindings-node in a clone). A published package has it built.
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const build = path.join(__dirname, '../../scripts/node-build');
// BACKPROOF_NODE_BUILT: it was built just now, and in another way (scripts/node-pack, the tests).
if (fs.existsSync(build) && !process.env.BACKPROOF_NODE_BUILT) {
  const { status, error } = spawnSync(build, ['--release'], { stdio: ['ignore', 2, 2] });
  if (error) console.error(String(error));
  process.exit(status ?? 1);
}
