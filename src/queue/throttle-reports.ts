// Owns how often the progress of a job reaches the queue.

/** Progress reaches the queue at most this often. */
const REPORT_INTERVAL_MS = 500

/** Reports the latest progress now and then; a report that fails is no failure of the work. */
export const throttleReports = <Progress>(report: (progress: Progress) => Promise<void>) => {
  let lastMs = Number.NEGATIVE_INFINITY
  return (progress: Progress): void => {
    if (performance.now() - lastMs < REPORT_INTERVAL_MS) return
    lastMs = performance.now()
    report(progress).catch(() => undefined)
  }
}
