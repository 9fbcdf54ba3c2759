'use strict';
// The command-line programs: the library's functions from arguments to a status. They block: nothing else goes on in this process.
const native = require('./native.cjs');

const programs = { backproof: native.runBackproof, 'verify-backups': native.runVerifyBackups };

exports.run = (name) => {
  // Node's own handlers would end the process before it has cleaned up. The library catches both signals, and gives the status.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});
  process.exit(programs[name]([name, ...process.argv.slice(2)]));
};
