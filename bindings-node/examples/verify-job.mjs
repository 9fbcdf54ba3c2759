// A job that looks after the backups: cron, a queue's worker, a Kubernetes CronJob.
//   node verify-job.mjs
// Settings are those of the program: BACKPROOF_REPO, or R2_BUCKET with R2_ENDPOINT, R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY.
import { BackproofError, verifyBackups } from 'backproof';

try {
  const { status, exitCode, verdict } = await verifyBackups({}, { signal: AbortSignal.timeout(15 * 60_000) });
  for (const backup of verdict.backups) console.log(backup.id, backup.series, backup.outcome);
  console.log(`backups: ${status}`);
  process.exitCode = exitCode;
} catch (error) {
  // It could not look: that is no pass.
  console.error(error instanceof BackproofError ? `${error.code}: ${error.message}\n${error.hint}` : error);
  process.exitCode = 2;
}
