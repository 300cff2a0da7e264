// Owns the length of a step: strong Wolfe conditions. Pure: asks for values by yielding, evaluates nothing.

/** The objective along a direction at one step length. */
export interface Sample {
  readonly step: number
  readonly value: number
  /** Derivative by the step length. */
  readonly slope: number
}

/** Sufficient decrease and curvature, as usual for quasi-Newton directions. */
const DECREASE = 1e-4
const CURVATURE = 0.9
/**
 * Where all that is left to gain is below the rounding of float32 products, values no longer tell which
 * step is better but slopes do (the approximate Wolfe conditions of Hager and Zhang, "A new conjugate
 * gradient method with guaranteed descent", 2005).
 */
const ROUNDING = 2e-7
const APPROXIMATE_SLOPE = 0.8
const GROWTH = 4
const MAX_SAMPLES = 30
/** The next step of a zoom stays this part of the interval away from its ends. */
const MARGIN = 0.1

const isUsable = ({ value, slope }: Sample): boolean =>
  Number.isFinite(value) && Number.isFinite(slope)

/** Where the cubic through two values and slopes is least (Nocedal and Wright, 3.59), inside the interval. */
const between = (low: Sample, high: Sample): number => {
  const width = high.step - low.step
  const middle = low.step + width / 2
  if (!isUsable(high)) return middle
  const d1 = low.slope + high.slope - (3 * (low.value - high.value)) / (low.step - high.step)
  const d2 = Math.sign(width) * Math.sqrt(d1 * d1 - low.slope * high.slope)
  const least = high.step - width * ((high.slope + d2 - d1) / (high.slope - low.slope + 2 * d2))
  const part = (least - low.step) / width
  if (!Number.isFinite(part)) return middle
  return low.step + width * Math.min(1 - MARGIN, Math.max(MARGIN, part))
}

type Told = Omit<Sample, 'step'>

/** What a sample says about the step that is searched. */
interface Conditions {
  /** Neither too high nor not finite. */
  isLowEnough(now: Sample): boolean
  /** Flat enough at a point that is low enough. */
  isFlat(now: Sample): boolean
  /** Flat enough at a point whose value rounding cannot tell from the start's. */
  isFlatWithinRounding(now: Sample): boolean
}

const conditionsFrom = (start: Sample): Conditions => {
  const rounding = ROUNDING * Math.abs(start.value)
  return {
    isLowEnough: (now) =>
      isUsable(now) && now.value <= start.value + DECREASE * now.step * start.slope,
    isFlat: (now) => Math.abs(now.slope) <= -CURVATURE * start.slope,
    isFlatWithinRounding: (now) =>
      isUsable(now) &&
      now.value <= start.value + rounding &&
      Math.abs(now.slope) <= -APPROXIMATE_SLOPE * start.slope,
  }
}

function* sampleAt(step: number): Generator<number, Sample, Told> {
  return { step, ...(yield step) }
}

/** The end of a search, or where it goes on: `low` is the best point so far that is low enough. */
interface Found {
  readonly low: Sample
  readonly high: Sample | null
  readonly step: Sample | null
  readonly samples: number
}

/** Algorithm 3.5: grows until a step is found, or an interval that holds one. */
function* grow(start: Sample, first: number, is: Conditions): Generator<number, Found, Told> {
  let low = start
  let step = first
  for (let samples = 1; samples <= MAX_SAMPLES; samples += 1) {
    const now = yield* sampleAt(step)
    const isLow = is.isLowEnough(now)
    if (is.isFlatWithinRounding(now) || (isLow && is.isFlat(now)))
      return { low, high: null, step: now, samples }
    if (!isLow || (samples > 1 && now.value >= low.value))
      return { low, high: now, step: null, samples }
    if (now.slope >= 0) return { low: now, high: low, step: null, samples }
    low = now
    step *= GROWTH
  }
  return { low, high: null, step: null, samples: MAX_SAMPLES }
}

/** Algorithm 3.6: narrows the interval between two samples. */
function* narrow(from: Found, is: Conditions): Generator<number, Found, Told> {
  let { low, high } = from
  let samples = from.samples
  for (; high !== null && samples < MAX_SAMPLES; samples += 1) {
    const now: Sample = yield* sampleAt(between(low, high))
    if (is.isFlatWithinRounding(now)) return { low, high, step: now, samples }
    if (!is.isLowEnough(now) || now.value >= low.value) {
      high = now
      continue
    }
    if (is.isFlat(now)) return { low, high, step: now, samples }
    if (now.slope * (high.step - low.step) >= 0) high = low
    low = now
  }
  return { low, high, step: null, samples }
}

/**
 * A step that meets the strong Wolfe conditions (Nocedal and Wright, "Numerical optimization", 2006,
 * algorithms 3.5 and 3.6). Yields step lengths, receives samples; values that are not finite are steps
 * too long. The sample that is returned is the one received last.
 *
 * @param start the sample at step 0; its slope is negative.
 * @returns null when 30 samples hold no better point.
 */
export function* searchStep(start: Sample, first: number): Generator<number, Sample | null, Told> {
  const is = conditionsFrom(start)
  const grown = yield* grow(start, first, is)
  const found = grown.step === null ? yield* narrow(grown, is) : grown
  if (found.step !== null) return found.step
  const { low } = found
  return low.step > 0 && low.value < start.value ? yield* sampleAt(low.step) : null
}
