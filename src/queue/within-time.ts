// Owns bounding what cannot be aborted: the answer, or an error when it comes too late.

/** What is late goes on unseen; its failure then is nobody's. */
export const withinTime = async <T>(
  work: Promise<T>,
  timeoutMs: number,
  late: () => Error,
): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), timeoutMs)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
    work.catch(() => {})
  }
}
