// The same package by require.
import backproof = require('backproof');

async function main(): Promise<void> {
  const session: backproof.Backproof = await backproof.Backproof.open();
  const { backups }: backproof.ListResult = await session.list();
  for (const { id, lastProof } of backups) void [id, lastProof?.reached];
}
void main;
