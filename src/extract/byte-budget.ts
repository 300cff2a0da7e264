// Owns a budget of bytes that several loops share: who wants more than is left waits, in order.

export interface ByteBudget {
  /**
   * Waits until the bytes fit, behind everybody who asked before. More than the whole budget is
   * given alone, so that one large sample is slow and never stuck.
   *
   * Whoever holds bytes must not ask for more before releasing them: several who do so wait for
   * each other for ever. Ask once for all that is held together.
   *
   * @returns gives the bytes back; calling it again does nothing.
   */
  acquire(bytes: number): Promise<() => void>
  /** Bytes given out now; at most the budget. */
  readonly used: number
}

interface Waiting {
  readonly bytes: number
  readonly start: () => void
}

/** @param maxBytes positive. */
export const createByteBudget = (maxBytes: number): ByteBudget => {
  const queue: Waiting[] = []
  let used = 0

  const startWaiting = (): void => {
    for (
      let next = queue[0];
      next !== undefined && used + next.bytes <= maxBytes;
      next = queue[0]
    ) {
      queue.shift()
      used += next.bytes
      next.start()
    }
  }

  return {
    get used() {
      return used
    },
    acquire: (bytes) => {
      const held = Math.min(Math.max(0, bytes), maxBytes)
      let released = false
      const release = (): void => {
        if (released) return
        released = true
        used -= held
        startWaiting()
      }
      return new Promise((resolve) => {
        queue.push({ bytes: held, start: () => resolve(release) })
        startWaiting()
      })
    },
  }
}
