'use strict';
// The native module: beside this package where it was built from source, otherwise in a package of its own for each platform.

/** What this machine's module is called, e.g. `linux-x64-gnu`. */
function platform() {
  if (process.platform !== 'linux') return `${process.platform}-${process.arch}`;
  return `linux-${process.arch}-${usesGlibc() ? 'gnu' : 'musl'}`;
}

function usesGlibc() {
  const { report } = process;
  const before = report.excludeNetwork;
  // Without this, a report looks names of hosts up.
  report.excludeNetwork = true;
  try {
    return report.getReport().header.glibcVersionRuntime !== undefined;
  } finally {
    report.excludeNetwork = before;
  }
}

function load() {
  const name = platform();
  const tried = [];
  for (const place of [`../backproof.${name}.node`, `@backproof/${name}`]) {
    try {
      return require(place);
    } catch (error) {
      tried.push(`${place}: ${error.message.split('\n')[0]}`);
      if (error.code !== 'MODULE_NOT_FOUND') break;
    }
  }
  throw new Error(
    `backproof has no native module for ${name} here (${tried.join('; ')}). ` +
      'Install it without --omit=optional and on the platform where it will run, or build it from source: npm install ./bindings-node in a clone.',
  );
}

module.exports = load();
module.exports.platform = platform;
