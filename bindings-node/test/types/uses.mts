// What TypeScript has to say: compiled by tsc --strict, never run.
import { Readable } from 'node:stream';
import { Backproof, BackproofError, verifyBackups, type ErrorCode, type Progress, type VerifyResult } from 'backproof';

const session = await Backproof.open({ repo: 'memory:///', name: 'app', memory: '256MiB', env: process.env }, { onLog: ({ level, message }) => void [level, message] });

const backup = await session.backup(
  { source: Readable.from([]), noEncryption: true },
  { signal: AbortSignal.timeout(1000), onProgress: (event: Progress) => (event.type === 'progress' ? event.plain.toFixed() : event.type) },
);
const bytes: number = backup.plainBytes;
const snapshot: Date = new Date(backup.snapshot);

await session.backup({ source: new Blob([]).stream() });
await session.backup({ source: [new Uint8Array()] });
await session.backup({ source: Buffer.alloc(1) });
await session.backup();

const part: Readable = await session.cat({ id: 'latest', part: 'dump' });
const { file } = await session.cat({ id: 'latest', part: 'dump', output: 'dump' });
for await (const row of session.rows({ id: 'latest', table: 'public.orders' })) {
  const amount: string | null | undefined = row['amount'];
  void amount;
}

const verified: VerifyResult = await session.verify({ level: 'identical', minSize: 1_000_000, maxAge: '48h' });
process.exitCode = verified.exitCode;
await session.restore({ id: 'latest', to: 'postgresql:///app', before: new Date() });
await verifyBackups({ localOnly: true, env: process.env });

// @ts-expect-error options have one spelling
await session.verify({ min_size: 1 });
// @ts-expect-error a level that there is not
await session.verify({ level: 'perfect' });
// @ts-expect-error a file's path is `file`, not a source
await session.backup({ source: 'a path' });
// @ts-expect-error which one?
await session.show();
// @ts-expect-error sessions are opened
new Backproof();

try {
  await session.list();
} catch (error) {
  if (error instanceof BackproofError) {
    const code: ErrorCode = error.code;
    // @ts-expect-error a code that there is not
    if (error.code === 'no_such_code') throw error;
    void [code, error.hint, error.transient, error.cause];
  }
}
void [bytes, snapshot, part, file];
