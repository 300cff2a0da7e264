// Owns what one check of `headstart doctor` says. A check that throws has failed; it never keeps
// the others from being made.
import { HeadstartError, messageOf } from '../errors.js'

export const CHECK_STATUSES = ['ok', 'warning', 'failed'] as const

export interface Check {
  readonly name: string
  readonly status: (typeof CHECK_STATUSES)[number]
  /** What was seen. */
  readonly seen: string
  /** How to mend it; null when there is nothing to mend. */
  readonly mend: string | null
}

/** What one check found; its name is known to the caller. */
export type Finding = Omit<Check, 'name'>

export const ok = (seen: string): Finding => ({ status: 'ok', seen, mend: null })
export const warning = (seen: string, mend: string): Finding => ({ status: 'warning', seen, mend })
export const failed = (seen: string, mend: string): Finding => ({ status: 'failed', seen, mend })

/**
 * Makes one check.
 *
 * @param mend what to do when it throws something that the error catalogue does not know.
 */
export const attempt = async (
  name: string,
  mend: string,
  check: () => Finding | Promise<Finding>,
): Promise<Check> => {
  try {
    return { name, ...(await check()) }
  } catch (error) {
    const remedy = error instanceof HeadstartError ? error.remedy : mend
    return { name, ...failed(messageOf(error), remedy) }
  }
}
