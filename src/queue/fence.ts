// Owns not working on a job that others may have by now. Redis does not tell a worker that it lost a
// lock while it was away, so each job watches its own clock.

/** Of the lock's duration: past this without a renewal, the job is given up. */
const FENCE_SHARE = 0.8

export interface Fence {
  /** The lock was renewed just now. */
  renewed(): void
  /** The server refused to renew the lock. */
  lost(): void
  readonly isLost: boolean
}

/**
 * @param lockAgeMs since when the lock has been held.
 * @param nowMs a monotonic clock.
 */
export const createFence = (
  lockDurationMs: number,
  lockAgeMs = 0,
  nowMs: () => number = () => performance.now(),
): Fence => {
  let renewedMs = nowMs() - lockAgeMs
  let refused = false
  return {
    renewed: () => {
      // A renewal that comes after the fence fell is too late: somebody may have begun.
      if (nowMs() - renewedMs <= FENCE_SHARE * lockDurationMs) renewedMs = nowMs()
      else refused = true
    },
    lost: () => {
      refused = true
    },
    get isLost() {
      return refused || nowMs() - renewedMs > FENCE_SHARE * lockDurationMs
    },
  }
}
