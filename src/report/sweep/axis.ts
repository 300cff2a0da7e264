// Owns the axis of one setting: where a value lies between 0 and 1, and its ticks. Pure.
import { type Setting, settingName, showSetting, type Varying } from './varying.js'

export interface Tick {
  /** 0..1 along the axis. */
  readonly at: number
  readonly label: string
}

export interface Axis {
  readonly title: string
  readonly kind: 'log' | 'linear' | 'category'
  readonly ticks: readonly Tick[]
  /** 0..1; null for a head that has no such setting. */
  position(value: Setting | null): number | null
}

/** Rates and decays span decades, and so are drawn however narrow their range is. */
const LOG_SETTINGS = new Set(['learningRate', 'weightDecay', 'l2'])
/** From this ratio on a number is drawn on a log axis. */
const LOG_RATIO = 20
const MAX_TICKS = 6
const MAX_CATEGORY_TICKS = 12

const between = (low: number, high: number) => (value: number) =>
  high > low ? (value - low) / (high - low) : 0.5

const evenly = <T>(all: readonly T[], limit: number): T[] =>
  all.length <= limit
    ? [...all]
    : Array.from(
        { length: limit },
        (_, i) => all[Math.round((i * (all.length - 1)) / (limit - 1))] as T,
      )

/** Powers of ten within the values, and a zero where there is one; the ends where they hold none. */
const decadesOf = (sorted: readonly number[]): number[] => {
  const [low, high] = [sorted.find((value) => value > 0) ?? 1, sorted.at(-1) ?? 1]
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))]
  const powers = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => 10 ** (first + i))
  const zero = sorted[0] === 0 ? [0] : []
  return [...zero, ...(powers.length < 2 ? [low, high] : evenly(powers, MAX_TICKS))]
}

const stepsOf = (low: number, high: number): number[] =>
  Array.from({ length: MAX_TICKS - 1 }, (_, i) =>
    Number((low + (i / (MAX_TICKS - 2)) * (high - low)).toPrecision(3)),
  )

const numberAxis = (title: string, numbers: readonly number[], log: boolean): Axis => {
  const distinct = [...new Set(numbers)].sort((a, b) => a - b)
  const positive = distinct.find((value) => value > 0) ?? 1
  // Zero has no logarithm: it lies one decade below the smallest value.
  const zero = positive / 10
  const scaled = (value: number) => (log ? Math.log10(value > 0 ? value : zero) : value)
  const [low, high] = [scaled(distinct[0] ?? 0), scaled(distinct.at(-1) ?? 1)]
  const at = between(low, high)
  const few = distinct.length <= MAX_TICKS
  const values = few ? distinct : log ? decadesOf(distinct) : stepsOf(low, high)
  const ticks = values.map((value) => ({ at: at(scaled(value)), label: showSetting(value) }))
  return {
    title,
    kind: log ? 'log' : 'linear',
    ticks,
    position: (value) => (typeof value === 'number' ? at(scaled(value)) : null),
  }
}

const categoryAxis = (title: string, values: readonly Setting[]): Axis => {
  const distinct = [...new Set(values)].sort((a, b) =>
    typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1,
  )
  const places = new Map(distinct.map((value, index) => [value, index]))
  const at = between(0, distinct.length - 1)
  return {
    title,
    kind: 'category',
    ticks: evenly(distinct, MAX_CATEGORY_TICKS).map((value) => ({
      at: at(places.get(value) ?? 0),
      label: showSetting(value, 14),
    })),
    position: (value) => {
      const place = value === null ? undefined : places.get(value)
      return place === undefined ? null : at(place)
    },
  }
}

export const axisOf = ({ name, values }: Varying): Axis => {
  const present = values.filter((value) => value !== null)
  const numbers = present.filter((value) => typeof value === 'number')
  const title = settingName(name)
  if (numbers.length < present.length || numbers.length === 0) return categoryAxis(title, present)
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)]
  const log =
    LOG_SETTINGS.has(name) && least >= 0 && most > 0 ? true : least > 0 && most / least >= LOG_RATIO
  return numberAxis(title, numbers, log)
}

/** Decades and the like for the axis of the metric. */
export const metricAxis = (
  title: string,
  values: readonly number[],
  higherIsBetter: boolean,
  show: (value: number) => string,
): Axis => {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const at = between(low, high)
  // The best is on top, whichever way the metric goes.
  const turned = (value: number) => (higherIsBetter ? at(value) : 1 - at(value))
  const steps = low === high ? [0] : [0, 0.25, 0.5, 0.75, 1]
  return {
    title,
    kind: 'linear',
    ticks: steps.map((step) => {
      const value = low + step * (high - low)
      return { at: turned(value), label: show(value) }
    }),
    position: (value) => (typeof value === 'number' ? turned(value) : null),
  }
}
