// A route for an uptime check: 200 while the newest backups are there and fresh, 503 otherwise.
//   app.get('/health/backups', backupsHealth(await Backproof.open()))
// It looks at the catalog (level `present`): cheap enough to be asked often. The verify job reads every byte.

/** An Express handler. Answers at most once a minute anew, whoever asks. */
export function backupsHealth(session, { maxAge = '48h', every = 60_000, timeout = 30_000 } = {}) {
  let answer;
  return async (request, response) => {
    if (!answer || Date.now() - answer.at > every) answer = { at: Date.now(), found: look(session, maxAge, timeout) };
    const { healthy, ...body } = await answer.found;
    response.status(healthy ? 200 : 503).json(body);
  };
}

async function look(session, maxAge, timeout) {
  try {
    const { status, exitCode } = await session.verify({ level: 'present', maxAge }, { signal: AbortSignal.timeout(timeout) });
    return { healthy: exitCode === 0, status };
  } catch (error) {
    // The code says enough; messages can name hosts.
    return { healthy: false, status: 'unknown', code: error.code ?? error.name };
  }
}
