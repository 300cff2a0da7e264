// Owns what the clock of a server says about the clock of this machine. Asks HTTP servers only; a
// queue's own clock is asked where the queue is known.
import { type Finding, failed, ok, warning } from './doctor-check.js'

const ASK_TIMEOUT_MS = 10_000
/** Not worth a word on who is ahead. */
const NEGLIGIBLE_MS = 100
/** HTTP says the time in whole seconds, cut off: half a second later is meant on average. */
const HTTP_STEP_MS = 1000

/** One question for the time, as this machine saw it. */
export interface ClockReading {
  readonly serverMs: number
  readonly askedMs: number
  readonly answeredMs: number
  /** How coarse the server's answer is. */
  readonly stepMs: number
}

export interface SkewLimits {
  readonly warningMs: number
  readonly failedMs: number
  /** What goes wrong beyond `failedMs`. */
  readonly harm: string
}

/** S3 refuses signatures that are 15 minutes off. */
export const S3_SKEW_LIMITS: SkewLimits = {
  warningMs: 60_000,
  failedMs: 15 * 60_000,
  harm: 'S3 refuses requests that are more than 15 minutes off',
}

const MEND_CLOCK = 'Let the clocks of both machines be set by NTP (`timedatectl set-ntp true`).'

const secondsOf = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** How far this machine is ahead of the server, and how far that may be wrong. */
export const skewOf = (reading: ClockReading): { skewMs: number; uncertaintyMs: number } => ({
  skewMs: (reading.askedMs + reading.answeredMs - reading.stepMs) / 2 - reading.serverMs,
  uncertaintyMs: (reading.answeredMs - reading.askedMs + reading.stepMs) / 2,
})

/** Only what cannot be explained by the time that the question took counts as a skew. */
export const judgeSkew = (reading: ClockReading, limits: SkewLimits): Finding => {
  const { skewMs, uncertaintyMs } = skewOf(reading)
  const certainMs = Math.max(0, Math.abs(skewMs) - uncertaintyMs)
  if (certainMs < NEGLIGIBLE_MS)
    return ok(`within ${secondsOf(Math.abs(skewMs) + uncertaintyMs)} of this machine`)
  const seen = `this machine is ${secondsOf(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead' : 'behind'}`
  if (certainMs > limits.failedMs) return failed(`${seen}; ${limits.harm}`, MEND_CLOCK)
  return certainMs > limits.warningMs ? warning(seen, MEND_CLOCK) : ok(seen)
}

/** Any answer has the time in its head: no credentials are sent and its status does not matter. */
export const checkHttpClock = async (url: string, limits: SkewLimits): Promise<Finding> => {
  const askedMs = Date.now()
  const signal = AbortSignal.timeout(ASK_TIMEOUT_MS)
  const mend = `Compare the clock of this machine with that of ${url} by hand.`
  try {
    const answer = await fetch(url, { method: 'HEAD', redirect: 'manual', signal })
    const answeredMs = Date.now()
    const serverMs = Date.parse(answer.headers.get('date') ?? '')
    if (Number.isNaN(serverMs)) return warning(`${url} does not say its time`, mend)
    return judgeSkew({ serverMs, askedMs, answeredMs, stepMs: HTTP_STEP_MS }, limits)
  } catch {
    // Whether the store can be reached is another check, which says why.
    return warning(`${url} could not be asked for its time`, mend)
  }
}

/** Where the store's own server answers. */
export const s3Address = (endpoint: string | undefined, region: string | undefined): string =>
  endpoint ?? `https://s3.${region ?? 'us-east-1'}.amazonaws.com`
