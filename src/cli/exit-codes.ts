// Owns the exit codes that do not come from a signal; docs/errors.md lists them all.

export const EXIT_CODES = { done: 0, failed: 1, wrongRequest: 2 } as const
