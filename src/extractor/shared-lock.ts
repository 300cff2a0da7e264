// Owns a lock with two kinds of work: shared work runs side by side, exclusive work alone.

export interface SharedLock {
  /** Beside other shared work; waits while exclusive work runs or waits. */
  shared<T>(work: () => Promise<T>): Promise<T>
  /** Alone, one after another in the order of the calls. Never from within other work: it would wait for itself. */
  exclusive<T>(work: () => Promise<T>): Promise<T>
}

/** Exclusive work goes first, so that it cannot starve; it must be the exception. */
export const createSharedLock = (): SharedLock => {
  const waitingShared: (() => void)[] = []
  const waitingExclusive: (() => void)[] = []
  let shared = 0
  let alone = false

  const startNext = (): void => {
    if (alone) return
    if (waitingExclusive.length > 0) {
      if (shared > 0) return
      alone = true
      waitingExclusive.shift()?.()
      return
    }
    for (const start of waitingShared.splice(0)) {
      shared += 1
      start()
    }
  }

  return {
    shared: async (work) => {
      await new Promise<void>((start) => {
        waitingShared.push(start)
        startNext()
      })
      try {
        return await work()
      } finally {
        shared -= 1
        startNext()
      }
    },
    exclusive: async (work) => {
      await new Promise<void>((start) => {
        waitingExclusive.push(start)
        startNext()
      })
      try {
        return await work()
      } finally {
        alone = false
        startNext()
      }
    },
  }
}
