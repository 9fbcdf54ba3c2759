// What used to be `tsx scripts/verify-backups.ts`: the same job with the library behind it.
//   npx tsx verify-backups.ts --local-only
// Without a script of your own: npx -p backproof verify-backups --local-only
import { parseArgs } from 'node:util';
import { BackproofError, verifyBackups, type VerifyResult } from 'backproof';

const { values } = parseArgs({
  options: {
    verbose: { type: 'boolean', default: false },
    'alert-on-failure': { type: 'boolean', default: false },
    'local-only': { type: 'boolean', default: false },
    'cloud-only': { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  try {
    const result: VerifyResult = await verifyBackups({
      alertOnFailure: values['alert-on-failure'],
      localOnly: values['local-only'],
      cloudOnly: values['cloud-only'],
      ...(values.verbose && { onLog: ({ level, message }) => console.error(`${level}: ${message}`) }),
    });
    console.log(`backups: ${result.status}`);
    return result.exitCode;
  } catch (error) {
    if (!(error instanceof BackproofError)) throw error;
    console.error(`${error.message} [${error.code}]\nhint: ${error.hint}`);
    return 2;
  }
}

main().then((status) => {
  process.exitCode = status;
});
