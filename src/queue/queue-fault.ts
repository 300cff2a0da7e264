// Owns telling a queue that is away from a fault of the work. What is away may come back.

/** Said by the client before it has a connection, or by a server that is not ready yet. */
const SAID =
  /Connection is closed|max retries per request|enableOfflineQueue|Stream isn't writeable|\b(LOADING|READONLY|MASTERDOWN|OOM|MISCONF|BUSY|NOREPLICAS)\b/i

const CODES = /^E(CONN|PIPE|HOST|NET|TIMEDOUT)/

export const isQueueFault = (error: unknown): boolean =>
  error instanceof Error &&
  (SAID.test(error.message) || ('code' in error && CODES.test(String(error.code))))
